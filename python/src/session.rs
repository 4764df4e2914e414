//! A session and a socket, as Python holds them.
//!
//! An engine's socket owns its Python object from its CONNECT to the end of its disconnect handler, so that it is the
//! same object in every call; after that Python's references alone keep it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use erlen::engine::{Client, CloseReason, Transport};
use erlen::{Socket, SocketIo};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use tokio::sync::Notify;

use crate::pool::Lane;
use crate::request;

/// What is kept with a session's handshake.
pub(crate) struct SessionData {
    /// The package's own object.
    data: Mutex<Option<Py<PyAny>>>,
    /// The events of a session's sockets, one after another, where the engine was told so.
    pub(crate) lane: Option<Lane>,
    /// It is a test client's, which takes what was sent when it is asked to.
    pub(crate) is_virtual: bool,
    /// Nobody is told when it ends.
    forgotten: AtomicBool,
}

impl SessionData {
    pub(crate) fn new(data: Option<Py<PyAny>>, lane: Option<Lane>) -> Self {
        Self { data: Mutex::new(data), lane, is_virtual: false, forgotten: AtomicBool::new(false) }
    }

    /// Of a test client.
    pub(crate) fn of_test(data: Option<Py<PyAny>>, lane: Option<Lane>) -> Self {
        Self { is_virtual: true, ..Self::new(data, lane) }
    }

    /// From here on its end is nobody's business.
    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The data of a socket's session. Every session has passed the hook that makes it.
pub(crate) fn session_data(socket: &Socket) -> Option<Arc<SessionData>> {
    socket.handshake().data::<SessionData>()
}

/// An Engine.IO session.
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct Session {
    client: Weak<Client<SocketIo>>,
    data: Option<Arc<SessionData>>,
    #[pyo3(get)]
    sid: String,
}

impl Session {
    pub(crate) fn new(client: &Arc<Client<SocketIo>>) -> Self {
        Self {
            client: Arc::downgrade(client),
            data: client.handshake().data::<SessionData>(),
            sid: client.sid().as_str().to_owned(),
        }
    }
}

#[pymethods]
impl Session {
    #[getter]
    fn data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.data.as_ref()?.lock().as_ref().map(|data| data.clone_ref(py))
    }

    #[setter]
    fn set_data(&self, value: Option<Py<PyAny>>) {
        // The old value is dropped after the lock.
        let _old = self.data.as_ref().map(|data| std::mem::replace(&mut *data.lock(), value));
    }

    /// A WSGI environ of its handshake.
    fn environ<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let client = self.client.upgrade().ok_or_else(|| PyRuntimeError::new_err("the session has ended"))?;
        request::environ(py, client.handshake())
    }

    /// 'polling' or 'websocket'.
    fn transport(&self) -> &'static str {
        match self.client.upgrade().map(|client| client.transport()) {
            Some(Transport::Polling) => "polling",
            _ => "websocket",
        }
    }

    /// Whether its packets go over a WebSocket.
    #[getter]
    fn upgraded(&self) -> bool {
        self.transport() == "websocket"
    }

    #[getter]
    fn closed(&self) -> bool {
        self.client.upgrade().is_none_or(|client| client.is_closed())
    }

    #[getter]
    fn connected(&self) -> bool {
        !self.closed()
    }

    /// Ends the session, with all its sockets.
    fn close(&self, py: Python<'_>) {
        if let Some(client) = self.client.upgrade() {
            py.detach(|| client.close(CloseReason::ForcedClose, "the server closed the session"));
        }
    }
}

/// A client in a namespace.
#[pyclass(frozen, name = "Socket", module = "erlen._erlen")]
pub(crate) struct PySocket {
    socket: Socket,
    #[pyo3(get)]
    sid: String,
    #[pyo3(get)]
    session: Py<Session>,
    data: Mutex<Option<Py<PyAny>>>,
    detail: Mutex<Option<&'static str>>,
    /// Python ends it, and runs the application's handler itself.
    ends_here: AtomicBool,
    /// It has run that handler.
    ended: Notify,
}

/// What an engine's socket keeps.
struct Owned(Py<PySocket>);

/// The socket's disconnect handler has run: it keeps no Python object any longer.
struct Released;

impl PySocket {
    /// The Python object of a socket, the same each time.
    pub(crate) fn of(py: Python<'_>, socket: &Socket) -> PyResult<Py<Self>> {
        if let Some(owned) = socket.get::<Owned>() {
            return Ok(owned.0.clone_ref(py));
        }
        let made = Self {
            socket: socket.clone(),
            sid: socket.id().as_str().to_owned(),
            session: Py::new(py, Session::new(socket.client()))?,
            data: Mutex::default(),
            detail: Mutex::default(),
            ends_here: AtomicBool::new(false),
            ended: Notify::new(),
        };
        let owned = socket.get_or_insert(Owned(Py::new(py, made)?));
        if socket.get::<Released>().is_some() {
            drop(socket.remove::<Owned>());
        }
        Ok(owned.0.clone_ref(py))
    }

    /// Lets go of the Python object: the socket has ended.
    pub(crate) fn release(socket: &Socket) {
        socket.insert(Released);
        drop(socket.remove::<Owned>());
    }

    /// Whether Python has begun the end of a socket; if so, returns when its handler has run.
    pub(crate) async fn ended_by_python(socket: &Socket) -> bool {
        let Some(owned) = socket.get::<Owned>() else {
            return false;
        };
        let this = owned.0.get();
        if !this.ends_here.load(Ordering::Acquire) {
            return false;
        }
        this.ended.notified().await;
        true
    }

    pub(crate) fn set_detail(&self, detail: &'static str) {
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner) = Some(detail);
    }
}

#[pymethods]
impl PySocket {
    #[getter]
    fn namespace(&self) -> &str {
        self.socket.namespace().name()
    }

    #[getter]
    fn connected(&self) -> bool {
        // It may be reached before that.
        self.socket.is_connected() && self.socket.is_granted()
    }

    #[getter]
    fn disconnect_detail(&self) -> Option<&'static str> {
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[getter]
    fn data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        data.as_ref().map(|data| data.clone_ref(py))
    }

    #[setter]
    fn set_data(&self, value: Option<Py<PyAny>>) {
        // The old value is dropped after the lock.
        let _old = std::mem::replace(&mut *self.data.lock().unwrap_or_else(PoisonError::into_inner), value);
    }

    fn join(&self, room: &str) {
        self.socket.join(room);
    }

    fn leave(&self, room: &str) {
        self.socket.leave(room);
    }

    fn rooms(&self) -> Vec<String> {
        self.socket.rooms().iter().map(|room| (**room).to_owned()).collect()
    }

    fn disconnect(&self, py: Python<'_>) -> bool {
        self.ends_here.store(true, Ordering::Release);
        py.detach(|| self.socket.try_disconnect())
    }

    fn disconnected(&self) {
        self.ended.notify_one();
    }

    fn __repr__(&self) -> String {
        format!("<Socket {} in {}>", self.sid, self.namespace())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.session)?;
        match self.data.try_lock() {
            Ok(data) => visit.call(&*data),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.set_data(None);
    }
}
