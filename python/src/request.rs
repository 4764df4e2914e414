//! The request of a session's handshake, as a WSGI environ.

use erlen::engine::Handshake;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::environ::{Base, Head, add_headers, mount};

/// What all of them have.
static BASE: PyOnceLock<Base> = PyOnceLock::new();
static BYTES_IO: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The environ of a handshake. Server name and port are those of its `Host`.
pub(crate) fn environ<'py>(py: Python<'py>, handshake: &Handshake) -> PyResult<Bound<'py, PyDict>> {
    let mount = mount();
    let head = Head {
        method: "GET",
        target: handshake.uri(),
        protocol: "HTTP/1.1",
        peer: handshake.peer(),
        secure: handshake.secure(),
        mount: &mount,
    };
    let base = BASE.get_or_try_init(py, || Base::new(py, "localhost", 80, false))?;
    let environ = base.environ(py, &head)?;
    let (name, port) = server(handshake);
    environ.set_item(intern!(py, "SERVER_NAME"), name)?;
    environ.set_item(intern!(py, "SERVER_PORT"), port.to_string())?;
    environ.set_item(intern!(py, "wsgi.input"), BYTES_IO.import(py, "io", "BytesIO")?.call0()?)?;
    add_headers(&environ, handshake.headers().map(|(name, value)| (name, value.into())))?;
    if handshake.query_value("transport").as_deref() == Some("websocket") {
        // Nobody opens a session so without these two, and the engine keeps no header of the connection.
        environ.set_item(intern!(py, "HTTP_CONNECTION"), "Upgrade")?;
        environ.set_item(intern!(py, "HTTP_UPGRADE"), "websocket")?;
    }
    Ok(environ)
}

/// The name and the port that the client has asked for.
fn server(handshake: &Handshake) -> (&str, u16) {
    let default = if handshake.secure() { 443 } else { 80 };
    let host = handshake.headers().find(|(name, _)| *name == "host").map_or("localhost", |(_, value)| value);
    match host.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().unwrap_or(default)),
        None => (host, default),
    }
}
