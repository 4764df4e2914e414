//! The request of a session's handshake, as a WSGI environ.

use std::borrow::Cow;

use erlen::engine::Handshake;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::environ::{Base, Head, add_header, mount};

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
    // There are a hundred headers at most.
    let headers: Vec<(&str, &str)> = handshake.headers().collect();
    for (at, (name, value)) in headers.iter().enumerate() {
        let (before, behind) = (headers.get(..at), headers.get(at + 1..));
        let is_same = |(other, _): &&(&str, &str)| other == name;
        if before.is_some_and(|before| before.iter().any(|header| is_same(&header))) {
            continue;
        }
        // Several of one name are one, as everywhere in an environ.
        let mut all = Cow::Borrowed(*value);
        for (_, more) in behind.into_iter().flatten().filter(is_same) {
            all.to_mut().push_str(if *name == "cookie" { "; " } else { "," });
            all.to_mut().push_str(more);
        }
        add_header(&environ, name, &all)?;
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
