//! The exception of a client that went: the package's `erlen.wsgi.ClientGone`, which an application may catch by its bases too.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    CLASS.import(py, "erlen.wsgi", "ClientGone")
}

pub(super) fn client_gone(py: Python<'_>, why: &str) -> PyErr {
    match class(py).and_then(|class| class.call1((why,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

pub(super) fn is_client_gone(py: Python<'_>, error: &PyErr) -> bool {
    class(py).is_ok_and(|class| error.is_instance(py, class))
}
