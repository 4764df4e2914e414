//! Acknowledgements: the one that a client waits for, and those that Python waits for.

use std::sync::{Arc, Mutex, PoisonError};

use erlen::{Ack, AckSink, RawArgs, Socket, SocketId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::args::{self, Encoded};
use crate::calling;
use crate::json;
use crate::pool::{Job, Pool, returned};
use crate::pressure::wait_for_room;
use crate::turn;

/// The acknowledgement that a client waits for.
#[pyclass(frozen, name = "Ack", module = "erlen._erlen")]
pub(crate) struct PyAck {
    ack: Mutex<Option<Ack>>,
    socket: Socket,
}

impl PyAck {
    pub(crate) fn new(ack: Ack, socket: Socket) -> Self {
        Self { ack: Mutex::new(Some(ack)), socket }
    }
}

#[pymethods]
impl PyAck {
    /// Sends it; a second time does nothing.
    #[pyo3(signature = (args, attachments = Vec::new()))]
    #[expect(clippy::needless_pass_by_value, reason = "Python's argument")]
    fn send(&self, py: Python<'_>, args: &str, attachments: Vec<Bound<'_, PyBytes>>) -> PyResult<()> {
        self.answer(py, args, &attachments)
    }

    /// Encodes plain values and sends them; whether they were plain. If not, nothing has happened.
    fn send_plain(&self, args: &Bound<'_, PyAny>) -> PyResult<bool> {
        match json::plain(args) {
            Some((text, attachments)) => self.answer(args.py(), &text, &attachments).map(|()| true),
            None => Ok(false),
        }
    }
}

impl PyAck {
    fn answer(&self, py: Python<'_>, args: &str, attachments: &[Bound<'_, PyBytes>]) -> PyResult<()> {
        returned(py, Ok(()))?;
        let ack = self.ack.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ack) = ack else {
            return Ok(());
        };
        let encoded = Encoded::new(args, attachments)?;
        wait_for_room(py, &self.socket, encoded.size());
        ack.send(encoded).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// Calls a Python function with the answer of each client.
pub(crate) struct Callback {
    pub(crate) function: Arc<Py<PyAny>>,
    pub(crate) pool: Arc<Pool>,
}

impl AckSink for Callback {
    fn answer(&self, from: SocketId, args: RawArgs) {
        let function = Arc::clone(&self.function);
        let call: Job = Box::new(move |py| {
            let attachments = args::attachments(py, &args)?;
            calling::call(function.bind(py), (from.as_str(), &*args.array(), attachments))?;
            Ok(())
        });
        turn::push(&self.pool, call);
    }

    fn lose(&self, _: SocketId) {}
}
