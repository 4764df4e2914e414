//! The request of a session's handshake, as Python sees it.

use std::net::SocketAddr;

use erlen::engine::Handshake;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::environ::{Base, Head, add_header};

/// See `_erlen.pyi`.
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct Request {
    #[pyo3(get)]
    target: String,
    #[pyo3(get)]
    headers: Vec<(String, String)>,
    peer: Option<SocketAddr>,
    #[pyo3(get)]
    secure: bool,
}

impl Request {
    pub(crate) fn new(handshake: &Handshake) -> Self {
        Self {
            target: handshake.uri().to_owned(),
            headers: handshake.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            peer: handshake.peer(),
            secure: handshake.secure(),
        }
    }
}

#[pymethods]
impl Request {
    #[getter]
    fn method(&self) -> &'static str {
        "GET"
    }

    #[getter]
    fn peer(&self) -> Option<(String, u16)> {
        self.peer.map(|peer| (peer.ip().to_canonical().to_string(), peer.port()))
    }
}

/// The environ of a handshake. Server name and port are those of its `Host`.
#[pyfunction(name = "environ")]
pub(crate) fn environ_of<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyDict>> {
    let host =
        request.headers.iter().find(|(name, _)| name == "host").map_or("localhost", |(_, value)| value);
    let default = if request.secure { 443 } else { 80 };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().unwrap_or(default)),
        None => (host, default),
    };
    let head = Head {
        method: "GET",
        target: &request.target,
        protocol: "HTTP/1.1",
        peer: request.peer,
        secure: request.secure,
    };
    let environ = Base::new(py, name, port, false)?.environ(py, &head)?;
    let input = py.import("io")?.getattr("BytesIO")?.call0()?;
    environ.set_item("wsgi.input", input)?;
    // Several of one name are one, as everywhere in an environ.
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &request.headers {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    for name in names {
        let values: Vec<_> =
            request.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        add_header(&environ, name, &values.join(if name == "cookie" { "; " } else { "," }))?;
    }
    Ok(environ)
}
