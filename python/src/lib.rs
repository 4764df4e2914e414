//! The engine, as the Python package sees it: the module `erlen._erlen`, private to the package.
//!
//! Thin on purpose. What a Flask user would want to read is Python (`python/erlen`); here is what must not hold the
//! interpreter: threads, sockets, queues. `_erlen.pyi` says what is in it.

mod ack;
mod args;
mod calling;
mod capture;
mod delegate;
mod engine;
mod environ;
mod json;
mod listener;
mod logs;
mod options;
mod pool;
mod pressure;
mod request;
mod session;
mod test_client;
mod tls;
mod turn;
mod wsgi;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pyo3::create_exception!(_erlen, Refused, pyo3::exceptions::PyException, "Refuses a handshake.");

#[pymodule(gil_used = false)]
mod _erlen {
    #[pymodule_export]
    use crate::Refused;
    #[pymodule_export]
    use crate::ack::PyAck;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::json::encode;
    #[pymodule_export]
    use crate::listener::Listener;
    #[pymodule_export]
    use crate::session::{PySocket, Session};
    #[pymodule_export]
    use crate::test_client::TestClient;
    #[pymodule_export]
    use crate::tls::out_of_date;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::pool::watch_interpreter(module.py())
    }
}
