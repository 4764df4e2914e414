//! The request of a handshake.
use erlen::engine::Handshake;
use pyo3::prelude::*;
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct Request {
    #[pyo3(get)]
    target: String,
    #[pyo3(get)]
    headers: Vec<(String, String)>,
}
impl Request {
    pub(crate) fn new(h: &Handshake) -> Self {
        Self {
            target: h.uri().to_owned(),
            headers: h.headers().map(|(a, b)| (a.to_owned(), b.to_owned())).collect(),
        }
    }
}
