//! A TLS configuration from PEM.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The configuration of a server with this chain of certificates and this key.
pub(crate) fn config(certificates: &[u8], key: &[u8]) -> PyResult<Arc<ServerConfig>> {
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
