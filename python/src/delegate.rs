//! What arrives, on its way to Python: each becomes a job of the worker threads, and is one call of the delegate.
//!
//! The handlers here run on the engine's network threads, which never hold the interpreter: they put a job into the queue
//! and return. A connect, and the end of a socket, wait for their job's answer as futures. In a test client's thread the jobs are
//! captured instead (capture.rs), and run in that thread.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use erlen::engine::{CloseReason, Handshake};
use erlen::{Ack, DisconnectReason, Error, EventOutcome, EventStats, Namespace, RawArgs, Socket, Turn};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use tokio::sync::oneshot;

use crate::ack::PyAck;
use crate::args;
use crate::calling;
use crate::capture;
use crate::pool::{Job, Pool, returned};
use crate::request;
use crate::session::{PySocket, SessionData, session_data};
use crate::turn;

/// The payload of the refusal of a namespace that does not exist, as python-socketio has it.
pub(crate) const UNKNOWN_NAMESPACE: &str = r#""Unable to connect""#;

/// The way to Python.
pub(crate) struct Delegate {
    object: Py<PyAny>,
    pub(crate) pool: Arc<Pool>,
    /// The events of one session run one after another.
    pub(crate) ordered: bool,
    ask_handshake: bool,
    wanted: RwLock<HashMap<String, Wanted>>,
    any_namespace: std::sync::atomic::AtomicBool,
}

/// Which calls the delegate wants for a namespace.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) connect: bool,
    pub(crate) disconnect: bool,
    /// The counters of the events that have a handler of their name.
    pub(crate) events: Arc<HashMap<String, Arc<EventStats>>>,
}

impl Delegate {
    pub(crate) fn new(object: Py<PyAny>, pool: Arc<Pool>, ordered: bool, ask_handshake: bool) -> Arc<Self> {
        Arc::new(Self {
            object,
            pool,
            ordered,
            ask_handshake,
            wanted: RwLock::default(),
            any_namespace: Default::default(),
        })
    }

    pub(crate) fn want(&self, namespace: &str, wanted: Wanted) {
        self.wanted.write().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned(), wanted);
    }

    pub(crate) fn allow_any_namespace(&self, allowed: bool) {
        self.any_namespace.store(allowed, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn allows_any_namespace(&self) -> bool {
        self.any_namespace.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// What is wanted for a namespace; `None` if nobody may join it.
    fn wanted(&self, namespace: &Namespace) -> Option<Wanted> {
        let wanted = self.wanted.read().unwrap_or_else(PoisonError::into_inner);
        let known = wanted.get(namespace.name()).cloned();
        let any = || Wanted { connect: true, disconnect: true, ..Wanted::default() };
        known.or_else(|| self.allows_any_namespace().then(any))
    }

    fn submit(&self, job: Job) {
        if let Some(job) = capture::take(job) {
            turn::push(&self.pool, job);
        }
    }

    /// Asks whether a handshake may open a session, and what is to be kept with it.
    pub(crate) async fn admit(self: Arc<Self>, handshake: Handshake) -> Result<SessionData, String> {
        let lane = self.ordered.then(|| self.pool.lane());
        if !self.ask_handshake {
            return Ok(SessionData::new(None, lane));
        }
        let (sender, answer) = oneshot::channel();
        let this = Arc::clone(&self);
        let ask: Job = Box::new(move |py| {
            let _ = sender.send(this.ask(py, &handshake));
            Ok(())
        });
        turn::push(&self.pool, ask);
        // A job that was dropped is a server that ends.
        let data = answer.await.unwrap_or_else(|_| Err(String::new()))?;
        Ok(SessionData::new(data, lane))
    }

    fn call<'py, A>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        arguments: A,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    {
        let function = self.object.bind(py).getattr(method)?;
        returned(py, calling::call(&function, arguments))
    }

    fn ask(&self, py: Python<'_>, handshake: &Handshake) -> Result<Option<Py<PyAny>>, String> {
        let environ = request::environ(py, handshake);
        match environ.and_then(|environ| self.call(py, intern!(py, "handshake"), (environ,))) {
            Ok(data) => Ok(Some(data.unbind())),
            Err(error) if error.is_instance_of::<crate::Refused>(py) => Err(error.value(py).to_string()),
            Err(error) => {
                error.display(py);
                Err(String::new())
            }
        }
    }

    /// A client asks for a namespace.
    pub(crate) async fn connect(self: Arc<Self>, socket: Socket) -> Result<(), Error> {
        let Some(wanted) = self.wanted(socket.namespace()) else {
            return Err(Error::refuse_json(UNKNOWN_NAMESPACE));
        };
        if !wanted.connect {
            return Ok(());
        }
        let (sender, answer) = oneshot::channel();
        let (this, asking) = (Arc::clone(&self), socket.clone());
        let mut ended = Ended(Some(socket));
        self.submit(Box::new(move |py| {
            let verdict = this.call_connect(py, &asking);
            let (result, raised) = match verdict {
                Ok(refusal) => (Ok(refusal), None),
                Err(error) => (Err(()), Some(error)),
            };
            let _ = sender.send(result);
            raised.map_or(Ok(()), Err)
        }));
        let refusal = match answer.await {
            Ok(Ok(None)) => {
                ended.is_granted();
                return Ok(());
            }
            Ok(Ok(Some(payload))) => Error::refuse_json(payload),
            Ok(Err(())) | Err(_) => Error::refuse("Connection rejected by server"),
        };
        Err(refusal)
    }

    fn call_connect(&self, py: Python<'_>, socket: &Socket) -> PyResult<Option<String>> {
        let object = PySocket::of(py, socket)?;
        self.call(py, intern!(py, "connect"), (object, socket.auth()))?.extract()
    }

    /// An event has arrived. `turn` is its place among those of its socket that are not finished.
    pub(crate) fn event(self: &Arc<Self>, socket: Socket, name: String, args: RawArgs, ack: Ack, turn: Turn) {
        let lane = session_data(&socket).filter(|_| self.ordered);
        let this = Arc::clone(self);
        let job: Job = Box::new(move |py| {
            let done = this.call_event(py, &socket, &name, &args, ack);
            this.count(
                &socket,
                &name,
                turn,
                if done.is_ok() { EventOutcome::Done } else { EventOutcome::Failed },
            );
            done
        });
        let Some(job) = capture::take(job) else {
            return;
        };
        match lane.as_ref().and_then(|data| data.lane.as_ref()) {
            Some(lane) => lane.push(job),
            None => turn::push(&self.pool, job),
        }
    }

    /// Counts an event that is finished, if something is registered for its name: clients make no counters.
    fn count(&self, socket: &Socket, name: &str, turn: Turn, outcome: EventOutcome) {
        let wanted = self.wanted.read().unwrap_or_else(PoisonError::into_inner);
        let stats = wanted.get(socket.namespace().name()).and_then(|wanted| wanted.events.get(name).cloned());
        drop(wanted);
        if let Some(stats) = stats {
            turn.finish(&stats, outcome);
        }
    }

    fn call_event(
        &self,
        py: Python<'_>,
        socket: &Socket,
        name: &str,
        args: &RawArgs,
        ack: Ack,
    ) -> PyResult<()> {
        let object = PySocket::of(py, socket)?;
        let ack = ack.is_wanted().then(|| PyAck::new(ack, socket.clone()));
        let attachments = args::attachments(py, args)?;
        self.call(py, intern!(py, "event"), (object, name, &*args.array(), attachments, ack))?;
        Ok(())
    }

    /// A socket has left; its rooms can still be asked for. Returns when its handler has run.
    pub(crate) async fn disconnecting(self: Arc<Self>, socket: Socket, reason: DisconnectReason) {
        let _ended = Ended(Some(socket.clone()));
        if reason == DisconnectReason::SERVER {
            PySocket::ended_by_python(&socket).await;
            return;
        }
        let is_wanted = self.wanted(socket.namespace()).is_some_and(|wanted| wanted.disconnect);
        if !is_wanted || session_data(&socket).is_some_and(|data| data.is_forgotten()) {
            return;
        }
        let (sender, done) = oneshot::channel();
        let this = Arc::clone(&self);
        self.submit(Box::new(move |py| {
            let result = this.call_disconnect(py, &socket, reason);
            let _ = sender.send(());
            result
        }));
        let _ = done.await;
    }

    fn call_disconnect(&self, py: Python<'_>, socket: &Socket, reason: DisconnectReason) -> PyResult<()> {
        let object = PySocket::of(py, socket)?;
        object.get().set_detail(reason.detail());
        self.call(py, intern!(py, "disconnect"), (object, reason_text(reason)))?;
        Ok(())
    }
}

/// A socket that ends here; also where its handler is not awaited any longer, because the server has ended.
struct Ended(Option<Socket>);

impl Ended {
    /// It does not end after all.
    fn is_granted(&mut self) {
        self.0 = None;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            PySocket::release(socket);
        }
    }
}

/// Which of Flask-SocketIO's five reasons it is.
fn reason_text(reason: DisconnectReason) -> &'static str {
    use CloseReason as R;
    if reason.is_by_client() {
        return "client disconnect";
    }
    match reason.close_reason() {
        None => "server disconnect",
        Some(R::PingTimeout) => "ping timeout",
        Some(R::TransportClose | R::PayloadTooLarge) => "transport close",
        Some(R::ServerShuttingDown | R::ForcedClose | R::ForcedServerClose) => "server disconnect",
        Some(_) => "transport error",
    }
}

/// Registers the delegate's handlers on a namespace, or on all that come into being.
macro_rules! register {
    ($namespaces:expr, $delegate:expr, $always_connect:expr) => {{
        let delegate = $delegate;
        let connecting = Arc::clone(delegate);
        let connect = move |socket: Socket| Arc::clone(&connecting).connect(socket);
        if $always_connect {
            $namespaces.on_connect(connect);
        } else {
            $namespaces.middleware(connect);
        }
        let events = Arc::clone(delegate);
        $namespaces.fallback(
            move |socket: Socket,
                  erlen::EventName(name): erlen::EventName,
                  erlen::Raw(args): erlen::Raw,
                  ack: erlen::Ack,
                  turn: erlen::Turn| {
                events.event(socket, name, args, ack, turn);
            },
        );
        let leaving = Arc::clone(delegate);
        $namespaces.on_disconnecting(move |socket: Socket, reason: erlen::DisconnectReason| {
            Arc::clone(&leaving).disconnecting(socket, reason)
        });
    }};
}
pub(crate) use register;
