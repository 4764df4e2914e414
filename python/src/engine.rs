//! The engine as Python holds it: what it is told, whom it emits to, where it listens.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use erlen::{Namespace, Server, Socket, SocketId};
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use tokio::runtime::Runtime;

use crate::ack::Callback;
use crate::args::Encoded;
use crate::calling;
use crate::delegate::{Delegate, Wanted, register};
use crate::environ::Base;
use crate::json;
use crate::listener::{Listener, stop_signal};
use crate::options::Options;
use crate::pool::{IDLE, Pool};
use crate::pressure::wait_for_room;
use crate::session::{PySocket, Session, SessionData};
use crate::test_client::TestClient;
use crate::tls::Tls;
use crate::wsgi::{Host, Patience};

/// A broadcast to everyone lets go of the interpreter meanwhile, where these are more than so many.
const MANY: usize = 64;

/// What the text of a room begins with that is no `str`, as `naming.py` has it.
const MARK: char = '\x1f';

/// See `_erlen.pyi`.
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct Engine {
    server: Server,
    delegate: Arc<Delegate>,
    runtime: Arc<Runtime>,
    always_connect: bool,
    /// The threads of the WSGI applications.
    pools: Mutex<Vec<Arc<Pool>>>,
    /// The namespaces that have the delegate's handlers.
    registered: Mutex<std::collections::HashSet<String>>,
}

impl Engine {
    fn find(&self, namespace: &str) -> Option<Namespace> {
        self.server.find(namespace)
    }

    fn socket_of(&self, namespace: &str, sid: &str) -> Option<Socket> {
        self.find(namespace)?.socket(&SocketId::parse(sid)?)
    }

    fn send(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        args: Encoded<'_>,
        to: Option<Vec<String>>,
        skip: Option<Vec<String>>,
    ) -> PyResult<()> {
        let Some(namespace) = self.find(namespace) else {
            return Ok(());
        };
        let one = to.as_deref().filter(|_| skip.is_none()).and_then(|rooms| only(&namespace, rooms));
        if let Some(socket) = one {
            wait_for_room(py, &socket, args.size());
            return socket.emit(event, args).map_err(|error| PyValueError::new_err(error.to_string()));
        }
        let mut broadcast = namespace.operator();
        let many = to.is_none() && namespace.socket_count() > MANY;
        match to {
            Some(rooms) if rooms.is_empty() => return Ok(()),
            Some(rooms) => broadcast = broadcast.to(rooms),
            None => {}
        }
        if let Some(skip) = skip {
            broadcast = broadcast.except(skip);
        }
        let emitted =
            if many { py.detach(|| broadcast.emit(event, args)) } else { broadcast.emit(event, args) };
        emitted.map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// The client, if the rooms are one client's own.
fn only(namespace: &Namespace, rooms: &[String]) -> Option<Socket> {
    let [room] = rooms else {
        return None;
    };
    namespace.socket(&SocketId::parse(room)?)
}

/// An event's name as it stands: a `str`, and none that is reserved.
fn plain_event<'a>(name: &'a Bound<'_, PyAny>) -> Option<Cow<'a, str>> {
    let name = name.cast_exact::<PyString>().ok()?.to_cow().ok()?;
    (!matches!(&*name, "connect" | "disconnect")).then_some(name)
}

/// Rooms that are called as they stand: none, one, or a list of them (`naming.py`).
#[expect(clippy::option_option, reason = "no rooms are something else than rooms that are not plain")]
fn plain_rooms(rooms: &Bound<'_, PyAny>) -> Option<Option<Vec<String>>> {
    let room = |room: &Bound<'_, PyAny>| {
        let name = room.cast_exact::<PyString>().ok()?.to_cow().ok()?.into_owned();
        (!name.starts_with(MARK)).then_some(name)
    };
    if rooms.is_none() {
        return Some(None);
    }
    match rooms.cast_exact::<PyList>() {
        Ok(list) => list.iter().map(|item| room(&item)).collect::<Option<_>>().map(Some),
        Err(_) => Some(Some(vec![room(rooms)?])),
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (delegate, **options))]
    fn new(py: Python<'_>, delegate: Py<PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let empty = PyDict::new(py);
        let options = Options::new(options.unwrap_or(&empty))?;
        crate::logs::install();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("erlen-runtime")
            .enable_all()
            .build()?;
        let pool = Pool::start("erlen-event", options.max_event_threads, options.event_idle);
        let delegate = Delegate::new(delegate, pool, options.ordered, options.ask_handshake);
        let always_connect = options.always_connect;
        let admitting = Arc::clone(&delegate);
        let entered = runtime.enter();
        let server = options.build(move |handshake| Arc::clone(&admitting).admit(handshake))?;
        drop(entered);
        let asked = Arc::clone(&delegate);
        let any = server.of_matching(move |_, _| asked.allows_any_namespace());
        register!(any, &delegate, always_connect);
        register!(server, &delegate, always_connect);
        let registered = Mutex::new(["/".to_owned()].into());
        Ok(Self {
            server,
            delegate,
            runtime: Arc::new(runtime),
            always_connect,
            pools: Mutex::default(),
            registered,
        })
    }

    #[pyo3(signature = (name, connect, disconnect, events = Vec::new()))]
    fn namespace(&self, name: &str, connect: bool, disconnect: bool, events: Vec<String>) {
        let namespace = self.server.of(name);
        let events = events.into_iter().map(|event| {
            let stats = namespace.stats(&event);
            (event, stats)
        });
        self.delegate.want(name, Wanted { connect, disconnect, events: Arc::new(events.collect()) });
        let new = self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        if new {
            register!(namespace, &self.delegate, self.always_connect);
        }
    }

    fn any_namespace(&self, allowed: bool) {
        self.delegate.allow_any_namespace(allowed);
    }

    #[pyo3(signature = (namespace, event, args, attachments = Vec::new(), to = None, skip = None))]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        args: &str,
        attachments: Vec<Bound<'_, PyBytes>>,
        to: Option<Vec<String>>,
        skip: Option<Vec<String>>,
    ) -> PyResult<()> {
        self.send(py, namespace, event, Encoded::new(args, &attachments)?, to, skip)
    }

    /// Encodes plain values and emits them to plain rooms; whether all of it was plain. If not, nothing has happened.
    fn emit_plain(
        &self,
        namespace: &str,
        event: &Bound<'_, PyAny>,
        args: &Bound<'_, PyAny>,
        to: &Bound<'_, PyAny>,
        skip: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let names = (plain_event(event), plain_rooms(to), plain_rooms(skip));
        let (Some(event), Some(to), Some(skip)) = names else {
            return Ok(false);
        };
        let Some((text, attachments)) = json::plain(args) else {
            return Ok(false);
        };
        let encoded = Encoded::new(&text, &attachments)?;
        self.send(args.py(), namespace, &event, encoded, to, skip).map(|()| true)
    }

    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn emit_with_ack(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        args: &str,
        attachments: Vec<Bound<'_, PyBytes>>,
        to: Option<Vec<String>>,
        skip: Option<Vec<String>>,
        callback: Py<PyAny>,
    ) -> PyResult<usize> {
        let Some(namespace) = self.find(namespace) else {
            return Ok(0);
        };
        let skipped = |socket: &Socket| {
            let rooms = skip.iter().flatten();
            let mut own = rooms.map(String::as_str);
            own.any(|room| room == socket.id().as_str() || socket.rooms().iter().any(|r| **r == *room))
        };
        let function = Arc::new(callback);
        let mut reached = 0;
        let sockets = to.map_or_else(|| namespace.sockets(), |rooms| namespace.sockets_in(rooms));
        for socket in sockets.iter().filter(|socket| !skipped(socket)) {
            let args = Encoded::new(args, &attachments)?;
            wait_for_room(py, socket, args.size());
            let sink = Callback { function: Arc::clone(&function), pool: Arc::clone(&self.delegate.pool) };
            match socket.emit_with_sink(event, args, Arc::new(sink)) {
                Ok(()) => reached += 1,
                Err(erlen::AckError::Disconnected) => {}
                Err(error) => return Err(PyValueError::new_err(error.to_string())),
            }
        }
        Ok(reached)
    }

    fn socket(&self, py: Python<'_>, namespace: &str, sid: &str) -> PyResult<Option<Py<PySocket>>> {
        let socket = self.socket_of(namespace, sid);
        socket.map(|socket| PySocket::of(py, &socket)).transpose()
    }

    #[pyo3(signature = (namespace, room = None))]
    fn sockets(&self, py: Python<'_>, namespace: &str, room: Option<&str>) -> PyResult<Vec<Py<PySocket>>> {
        let Some(namespace) = self.find(namespace) else {
            return Ok(Vec::new());
        };
        let sockets = room.map_or_else(|| namespace.sockets(), |room| namespace.sockets_in(room));
        sockets.iter().map(|socket| PySocket::of(py, socket)).collect()
    }

    fn room_sizes<'py>(&self, py: Python<'py>, namespace: &str) -> PyResult<Bound<'py, PyDict>> {
        let sizes = PyDict::new(py);
        for (room, size) in self.find(namespace).map(|n| n.room_sizes()).unwrap_or_default() {
            sizes.set_item(&*room, size)?;
        }
        Ok(sizes)
    }

    fn namespaces(&self) -> Vec<String> {
        self.server.namespaces().iter().map(|namespace| namespace.name().to_owned()).collect()
    }

    fn sessions(&self) -> Vec<Session> {
        self.server.engine().clients().iter().map(Session::new).collect()
    }

    fn metrics(&self) -> String {
        self.server.openmetrics()
    }

    fn test_client(
        &self,
        py: Python<'_>,
        target: &str,
        headers: Vec<(String, String)>,
        data: Option<Py<PyAny>>,
    ) -> PyResult<TestClient> {
        let lane = self.delegate.ordered.then(|| self.delegate.pool.lane());
        let data = SessionData::of_test(data, lane);
        TestClient::open(py, &self.server, self.runtime.handle().clone(), target, &headers, data)
    }

    fn submit(&self, function: Py<PyAny>) -> PyResult<()> {
        Python::attach(|py| {
            if function.bind(py).is_callable() {
                return Ok(());
            }
            Err(PyTypeError::new_err("submit() takes a function"))
        })?;
        self.delegate.pool.push(Box::new(move |py| calling::call(function.bind(py), ()).map(drop)));
        Ok(())
    }

    /// Worker threads of the events, and jobs that wait for them.
    fn load(&self) -> (usize, usize) {
        self.delegate.pool.load()
    }

    #[pyo3(signature = (host, port, wsgi = None, *, threads = 100, tls = None, multiprocess = false, fd = None, also = Vec::new(), patience = 60.0))]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn listen(
        &self,
        py: Python<'_>,
        host: &str,
        port: u16,
        wsgi: Option<Py<PyAny>>,
        threads: usize,
        tls: Option<Tls>,
        multiprocess: bool,
        fd: Option<i32>,
        also: Vec<Bound<'_, Self>>,
        patience: f64,
    ) -> PyResult<Listener> {
        let others: Vec<Server> = also.iter().map(|engine| engine.get().server.clone()).collect();
        let mut listen = match fd {
            Some(fd) => self.server.listen_on(crate::listener::inherited(fd)?),
            None => self.server.listen((host, port)),
        };
        let secure = tls.is_some();
        if let Some(tls) = tls {
            listen = tls.apply(listen, &self.delegate.pool)?;
        }
        let (sender, stop) = stop_signal();
        let bind = listen.stop_when(stop).bind();
        let bound =
            py.detach(|| self.runtime.block_on(bind)).map_err(|error| match error.raw_os_error() {
                // With its number it becomes the subclass that Python has for it.
                Some(number) => PyOSError::new_err((number, error.to_string())),
                None => PyErr::from(error),
            })?;
        let address = bound.local_addr();
        let bound = match wsgi {
            None => bound,
            Some(application) => {
                let base = Base::new(py, host, address.port(), multiprocess)?;
                let pool = Pool::start("erlen-wsgi", threads, IDLE);
                self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pool));
                let limit = Duration::try_from_secs_f64(patience).unwrap_or(Duration::MAX);
                let patience = Patience::new(self.runtime.handle().clone(), limit);
                let pages = Host::new(application, base, pool, patience, secure).router();
                bound.router_in_place(others.iter().fold(pages, |inner, other| inner.layer(other.layer())))
            }
        };
        Ok(Listener::serve(bound, sender, others, self.runtime.handle().clone()))
    }

    fn shutdown(&self, py: Python<'_>, patience: f64) -> bool {
        let until = Instant::now() + Duration::try_from_secs_f64(patience).unwrap_or_default();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pools.push(Arc::clone(&self.delegate.pool));
        py.detach(|| {
            self.server.engine().close();
            pools.iter().for_each(|pool| pool.begin_stop());
            let ended = pools.iter().all(|pool| pool.has_ended(until));
            if ended || patience <= 0.0 {
                pools.iter().for_each(|pool| pool.forget());
                // Its last handle may be an application's, for as long as the process runs.
                self.server.engine().end();
            }
            ended
        })
    }
}

impl Drop for Engine {
    /// Nobody holds it, nor what its handlers belong to: its threads end, and no handler is called any more.
    fn drop(&mut self) {
        let pools = self.pools.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !self.delegate.pool.is_of_this_process() {
            // The child of a fork has collected it. Its threads are not here, and would be waited for.
            let kept = (
                Arc::clone(&self.runtime),
                self.server.clone(),
                Arc::clone(&self.delegate),
                std::mem::take(pools),
            );
            return std::mem::forget(kept);
        }
        self.delegate.pool.begin_stop();
        pools.iter().for_each(|pool| pool.begin_stop());
        self.server.engine().end();
    }
}
