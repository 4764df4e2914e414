//! The command line of every binary: `NAME PORT [--tls CERTIFICATE KEY]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The loopback address with the port of the first argument. No argument, or 0, is any port that is free.
///
/// # Errors
/// When the argument is no port.
pub fn address() -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let port = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("`{text}` is no port: give a number, or 0 for any"))?
        }
        None => 0,
    };
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// The certificate and key that follow `--tls`, both PEM files; `None` without it.
///
/// # Errors
/// When a file is missing or is no PEM, or the key does not fit the certificate.
pub fn tls() -> Result<Option<Arc<ServerConfig>>, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--tls").skip(1);
    let Some(certificate) = arguments.next() else {
        return Ok(None);
    };
    let key = arguments.next().ok_or("`--tls` needs two files: the certificate and its key")?;
    let chain = CertificateDer::pem_file_iter(Path::new(&certificate))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(Path::new(&key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Some(Arc::new(config)))
}
