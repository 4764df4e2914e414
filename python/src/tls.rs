//! TLS: by rustls from PEM, or by Python, which is handed each connection.

use std::sync::Arc;

use erlen::{Listen, Server};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore, ServerConfig};

use crate::pool::Pool;

/// Who does it.
#[derive(FromPyObject)]
pub(crate) enum Tls {
    Pem(Vec<u8>, Vec<u8>),
    /// `relay(outer, inner)`: descriptors of an accepted connection, and of a socket whose other end the engine has.
    Relay(Py<PyAny>),
}

impl Tls {
    pub(crate) fn apply(self, listen: Listen<Server>, pool: &Arc<Pool>) -> PyResult<Listen<Server>> {
        match self {
            Self::Pem(certificates, key) => Ok(listen.tls(config(&certificates, &key)?)),
            Self::Relay(relay) => relayed(listen, relay, Arc::clone(pool)),
        }
    }
}

#[cfg(unix)]
fn relayed(listen: Listen<Server>, relay: Py<PyAny>, pool: Arc<Pool>) -> PyResult<Listen<Server>> {
    use std::os::fd::{IntoRawFd, OwnedFd};
    let relay = Arc::new(relay);
    Ok(listen.secured_by(move |tcp| {
        let (relay, pool) = (Arc::clone(&relay), Arc::clone(&pool));
        async move {
            let (here, there) = std::os::unix::net::UnixStream::pair()?;
            here.set_nonblocking(true)?;
            let (outer, inner) = (OwnedFd::from(tcp.into_std()?), OwnedFd::from(there));
            pool.push(Box::new(move |py| {
                crate::calling::call(relay.bind(py), (outer.into_raw_fd(), inner.into_raw_fd())).map(drop)
            }));
            tokio::net::UnixStream::from_std(here)
        }
    }))
}

#[cfg(not(unix))]
fn relayed(_: Listen<Server>, _: Py<PyAny>, _: Arc<Pool>) -> PyResult<Listen<Server>> {
    Err(pyo3::exceptions::PyNotImplementedError::new_err(
        "a ready SSLContext is supported on Unix alone: give the files, ssl_context=('cert.pem', 'key.pem')",
    ))
}

/// The configuration of a server with this chain of certificates and this key.
fn config(certificates: &[u8], key: &[u8]) -> PyResult<Arc<ServerConfig>> {
    let invalid =
        |what: &str, error: &dyn std::fmt::Display| PyValueError::new_err(format!("{what}: {error}"));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid("the certificate is not PEM", &error))?;
    if chain.is_empty() {
        return Err(PyValueError::new_err(
            "there is no certificate in the file: it has to begin with BEGIN CERTIFICATE",
        ));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| invalid("the private key is not PEM", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS", &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| invalid("the certificate and the key do not go together", &error))?;
    Ok(Arc::new(config))
}

/// See `_erlen.pyi`. A client of rustls is asked, which looks at the dates before anything else.
#[pyfunction]
pub(crate) fn out_of_date(certificates: &[u8]) -> Option<(bool, u64)> {
    let own = CertificateDer::pem_slice_iter(certificates).next()?.ok()?;
    let mut trusted = RootCertStore::empty();
    trusted.add(own.clone()).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider).build().ok()?;
    let anyone = ServerName::try_from("localhost").ok()?;
    match client.verify_server_cert(&own, &[], &anyone, &[], UnixTime::now()) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some((true, not_after.as_secs()))
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => Some((false, not_before.as_secs())),
        _ => None,
    }
}
