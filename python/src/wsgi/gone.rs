//! Clients that went, and clients that are taken to have gone: those that neither send nor take anything hold a thread no longer than this.
//!
//! The exception is the package's `erlen.wsgi.ClientGone`, which an application may catch by its bases too.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use tokio::runtime::Handle;

/// How a thread waits for a client, without the interpreter.
#[derive(Clone)]
pub(crate) struct Patience {
    runtime: Handle,
    limit: Duration,
}

impl Patience {
    pub(crate) fn new(runtime: Handle, limit: Duration) -> Self {
        Self { runtime, limit }
    }

    /// What comes of it; `None` when it takes too long.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(self.limit, future).await.ok() })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

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
