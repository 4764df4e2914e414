//! A request as a WSGI environ (PEP 3333): the same for a request of a page and for the handshake of a session.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::header::{self, HeaderName};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyString};

/// What an environ is made from.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    /// Path and query, undecoded.
    pub(crate) target: &'a str,
    /// `HTTP/1.1`.
    pub(crate) protocol: &'static str,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) secure: bool,
    /// Where the application lies: see [`mount`].
    pub(crate) mount: &'a str,
}

/// Where the application lies, without a slash at its end: `SCRIPT_NAME` in the environment, as gunicorn has it.
pub(crate) fn mount() -> String {
    std::env::var("SCRIPT_NAME").unwrap_or_default().trim_end_matches('/').to_owned()
}

/// The part of an environ that is the same for every request of a listener.
pub(crate) struct Base {
    environ: Py<PyDict>,
    /// The module, which has the `stderr` of the moment.
    sys: Py<PyModule>,
}

impl Base {
    /// `multiprocess`: whether other processes serve the same application.
    pub(crate) fn new(py: Python<'_>, host: &str, port: u16, multiprocess: bool) -> PyResult<Self> {
        let base = PyDict::new(py);
        base.set_item("wsgi.version", (1, 0))?;
        base.set_item("wsgi.multithread", true)?;
        base.set_item("wsgi.multiprocess", multiprocess)?;
        base.set_item("wsgi.run_once", false)?;
        base.set_item("wsgi.input_terminated", true)?;
        base.set_item("wsgi.file_wrapper", py.import("wsgiref.util")?.getattr("FileWrapper")?)?;
        base.set_item("SERVER_SOFTWARE", concat!("Erlen/", env!("CARGO_PKG_VERSION")))?;
        base.set_item(intern!(py, "SERVER_NAME"), host)?;
        base.set_item(intern!(py, "SERVER_PORT"), port.to_string())?;
        Ok(Self { environ: base.unbind(), sys: py.import("sys")?.unbind() })
    }

    /// The environ of a request, without its `wsgi.input`.
    pub(crate) fn environ<'py>(&self, py: Python<'py>, head: &Head<'_>) -> PyResult<Bound<'py, PyDict>> {
        let environ = self.environ.bind(py).copy()?;
        let (path, query) = head.target.split_once('?').unwrap_or((head.target, ""));
        environ.set_item(intern!(py, "REQUEST_METHOD"), head.method)?;
        let path = latin1(&percent_decoded(path_of(path)));
        let (mount, below) = split_mount(&path, head.mount);
        environ.set_item(intern!(py, "SCRIPT_NAME"), mount)?;
        environ.set_item(intern!(py, "PATH_INFO"), below)?;
        environ.set_item(intern!(py, "QUERY_STRING"), query)?;
        environ.set_item(intern!(py, "REQUEST_URI"), head.target)?;
        environ.set_item(intern!(py, "RAW_URI"), head.target)?;
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), head.protocol)?;
        environ.set_item(intern!(py, "wsgi.url_scheme"), if head.secure { "https" } else { "http" })?;
        environ.set_item(intern!(py, "wsgi.errors"), self.sys.bind(py).getattr(intern!(py, "stderr"))?)?;
        if let Some(peer) = head.peer {
            environ.set_item(intern!(py, "REMOTE_ADDR"), peer.ip().to_canonical().to_string())?;
            environ.set_item(intern!(py, "REMOTE_PORT"), peer.port().to_string())?;
        }
        Ok(environ)
    }
}

/// Adds the headers of a request, a hundred at most, by their names in lower case. Several of one name are one. Names with an underscore are
/// left out: they could pass for others.
pub(crate) fn add_headers<'a>(
    environ: &Bound<'_, PyDict>,
    headers: impl Iterator<Item = (&'a str, Cow<'a, str>)>,
) -> PyResult<()> {
    let headers: Vec<_> = headers.collect();
    for (at, (name, value)) in headers.iter().enumerate() {
        if headers.iter().position(|(other, _)| other == name) != Some(at) {
            continue;
        }
        let mut all = Cow::Borrowed(&**value);
        for (_, more) in headers.get(at + 1..).into_iter().flatten().filter(|(other, _)| other == name) {
            all.to_mut().push_str(if *name == "cookie" { "; " } else { "," });
            all.to_mut().push_str(more);
        }
        add_header(environ, name, &all)?;
    }
    Ok(())
}

/// Adds one header by its name in lower case.
fn add_header(environ: &Bound<'_, PyDict>, name: &str, value: &str) -> PyResult<()> {
    let py = environ.py();
    match name {
        "content-type" => environ.set_item(intern!(py, "CONTENT_TYPE"), value),
        "content-length" => environ.set_item(intern!(py, "CONTENT_LENGTH"), value),
        "host" => environ.set_item(intern!(py, "HTTP_HOST"), value),
        "cookie" => environ.set_item(intern!(py, "HTTP_COOKIE"), value),
        "user-agent" => environ.set_item(intern!(py, "HTTP_USER_AGENT"), value),
        "accept" => environ.set_item(intern!(py, "HTTP_ACCEPT"), value),
        // A client must not set what a CGI takes for its proxy's settings.
        "proxy" => Ok(()),
        name if name.contains('_') => Ok(()),
        name => {
            let mut key = String::with_capacity(name.len() + 5);
            key.push_str("HTTP_");
            key.extend(name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }));
            environ.set_item(PyString::intern(py, &key), value)
        }
    }
}

/// Whether a header is about the connection alone, and not the application's to send.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 5] =
        [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE, header::TRAILER];
    NAMES.contains(name) || name == "keep-alive"
}

/// A path as that of the application and what is below it.
fn split_mount<'a>(path: &'a str, mount: &'a str) -> (&'a str, &'a str) {
    match path.strip_prefix(mount) {
        Some(below) if below.is_empty() || below.starts_with('/') => (mount, below),
        _ => ("", path),
    }
}

/// The path of a target, which may be a whole URL.
fn path_of(target: &str) -> &str {
    match target.split_once("://") {
        _ if target.starts_with('/') => target,
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None if target.is_empty() => "/",
        None => target,
    }
}

/// Bytes as text, each as the character of its number: what WSGI calls a native string.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let escaped = (byte == b'%').then(|| digit(at + 1).zip(digit(at + 2))).flatten();
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
