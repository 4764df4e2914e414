//! What has arrived for a socket, one after another: connect, events, disconnect.
//!
//! Handlers of one socket run one at a time, in the order of arrival. One is polled first where its event
//! arrived, on the I/O thread, with the server's runtime entered: that is what makes an echo one read and
//! one write. What is not done then goes to the runtime (or stays, where handlers only wait), and what arrives meanwhile waits here.
//!
//! Past a number of waiting events, or of their bytes, the client is not read any longer, unless an ack or a pong is awaited;
//! one that has to be read and sends as many bytes again is cut.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use erlen_engineio::CloseReason;

use crate::args::RawArgs;
use crate::engine::{Delivery, READ_BUFFER};
use crate::error::Error;
use crate::events::EventOutcome;
use crate::extract::Context;
use crate::handler::{AnyHandler, BoxFuture, Outcome, Registered, Verdict};
use crate::handlers::{Handlers, Way};
use crate::namespace::Limits;
use crate::outgoing;
use crate::reason::DisconnectReason;
use crate::socket::Socket;
use crate::turn::Turn;

/// An I/O thread that a handler holds for longer serves nobody else: the log says who it was.
const HELD_TOO_LONG: Duration = Duration::from_millis(50);

/// The queue of one socket.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Something runs; what arrives has to wait.
    running: bool,
    queue: VecDeque<Work>,
    /// Events whose handlers run beside the queue, or that the application finishes elsewhere.
    pub(crate) held: usize,
    /// Of the events that wait, and of those that are held.
    bytes: usize,
    /// Over a bound: the client is not read. The bytes that have come since, for it may have to be.
    full: Option<usize>,
}

/// What one more event does to an inbox.
pub(crate) enum Growth {
    Fits,
    /// A bound is reached now.
    Filled,
    /// The client had to be read past the bound, and sends without end.
    Overflowed,
}

/// What can arrive.
pub(crate) enum Work {
    Connect,
    Event { args: RawArgs, id: Option<u64>, arrived: Instant },
    Disconnect(DisconnectReason),
}

impl Inbox {
    /// Whether something waits or runs in its turn.
    pub(crate) fn is_at_work(&self) -> bool {
        self.running || !self.queue.is_empty()
    }

    /// Events that are not finished, but for the one that runs in its turn.
    fn unfinished(&self) -> usize {
        self.queue.len() + self.held
    }

    /// One event of any size may wait: what a client may send, it may send while another is handled.
    fn has_too_many_bytes(&self, limits: &Limits) -> bool {
        self.bytes > limits.max_waiting_event_bytes && self.unfinished() > 1
    }

    /// One more is unfinished.
    pub(crate) fn grew(&mut self, bytes: usize, limits: &Limits) -> Growth {
        self.bytes += bytes;
        let over = self.unfinished() >= limits.max_waiting_events || self.has_too_many_bytes(limits);
        match &mut self.full {
            None if over => {
                self.full = Some(0);
                Growth::Filled
            }
            None => Growth::Fits,
            // What was read already when the bound was reached is not the client's fault.
            Some(since) if *since > limits.max_waiting_event_bytes.max(READ_BUFFER) => Growth::Overflowed,
            Some(since) => {
                *since += bytes;
                Growth::Fits
            }
        }
    }

    /// One less is unfinished: whether there is room again.
    pub(crate) fn shrank(&mut self, bytes: usize, limits: &Limits) -> bool {
        self.bytes -= bytes;
        let few = self.unfinished() < limits.max_waiting_events.div_ceil(2);
        let relieved = self.full.is_some() && few && !self.has_too_many_bytes(limits);
        if relieved {
            self.full = None;
        }
        relieved
    }
}

pub(crate) fn size_of_args(args: &RawArgs) -> usize {
    args.json().len() + args.attachments().iter().map(bytes::Bytes::len).sum::<usize>()
}

/// From when on a handler's time on its thread counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// The event has only just been read.
    Arrival,
    /// It has waited.
    Now,
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Self::Event { args, .. } => size_of_args(args),
            Self::Connect | Self::Disconnect(_) => 0,
        }
    }
}

impl Socket {
    /// Handles what has arrived, now or in its turn.
    pub(crate) fn deliver(&self, work: Work) {
        let limits = self.namespace().limits();
        let mut state = self.lock();
        let passes = state.lets_through(&work);
        let inbox = &mut state.inbox;
        if !inbox.running {
            inbox.running = passes;
            drop(state);
            if passes {
                self.run(work);
            }
            return;
        }
        let bytes = work.bytes();
        inbox.queue.push_back(work);
        let growth = inbox.grew(bytes, limits);
        drop(state);
        self.note(growth);
    }

    /// Stops the reading of the client where a bound is reached, and cuts it where that does not help.
    pub(crate) fn note(&self, growth: Growth) {
        match growth {
            Growth::Fits => {}
            Growth::Filled => self.client().state().add_saturated(1),
            Growth::Overflowed => {
                self.client().close(CloseReason::TooManyEvents, "events wait for a slow handler");
            }
        }
    }

    /// There is room for events again.
    pub(crate) fn read_again(&self) {
        self.client().state().add_saturated(-1);
        self.client().resume_reading();
    }

    /// Runs `work` and what waits behind it, until something has to be awaited: that goes on elsewhere.
    fn run(&self, work: Work) {
        let mut rest = self.start(work, Since::Arrival);
        while rest.is_none() {
            let Some(work) = self.next_work() else {
                return;
            };
            rest = self.start(work, Since::Now);
        }
        let socket = self.clone();
        self.go_on(async move {
            loop {
                if let Some(rest) = rest.take() {
                    rest.await;
                }
                let Some(work) = socket.next_work() else {
                    return;
                };
                rest = socket.start(work, Since::Now);
            }
        });
    }

    /// What comes next. Events that are not dispatched any longer are passed over.
    fn next_work(&self) -> Option<Work> {
        let limits = self.namespace().limits();
        let mut state = self.lock();
        let mut relieved = false;
        let next = loop {
            let Some(work) = state.inbox.queue.pop_front() else {
                state.inbox.running = false;
                if state.inbox.queue.capacity() > 0 {
                    state.inbox.queue = VecDeque::new();
                }
                break None;
            };
            relieved |= state.inbox.shrank(work.bytes(), limits);
            if state.lets_through(&work) {
                break Some(work);
            }
        };
        drop(state);
        if relieved {
            self.read_again();
        }
        next
    }

    /// Starts `work` in place; what is left of it, if it has to be awaited.
    fn start(&self, work: Work, since: Since) -> Option<BoxFuture<()>> {
        let _entered = self.runtime().enter();
        match work {
            Work::Event { args, id, arrived } => {
                let started = if since == Since::Arrival { arrived } else { Instant::now() };
                self.start_event(args, id, arrived, started)
            }
            Work::Connect => self.poll_in_place(Box::pin(self.clone().connect())),
            Work::Disconnect(reason) => self.poll_in_place(Box::pin(self.clone().disconnected(reason))),
        }
    }

    fn start_event(
        &self,
        args: RawArgs,
        id: Option<u64>,
        arrived: Instant,
        started: Instant,
    ) -> Option<BoxFuture<()>> {
        let name = args.event_name();
        let registered = match (self.namespace().way(&name), self.own_handler(&name)) {
            (Way::Hooks(handlers), _) => {
                drop(name);
                return self.poll_in_place(Box::pin(self.clone().hooked_event(handlers, args, id, arrived)));
            }
            (_, Some(registered)) | (Way::Handler(registered), None) => registered,
            (Way::Nowhere, None) => {
                tracing::debug!(target: "erlen", socket = %self.id(), event = %name, "no handler");
                return None;
            }
        };
        drop(name);
        let bytes = size_of_args(&args);
        let concurrent = registered.concurrent;
        let rest = Call { registered, id, arrived, bytes }.start(self, args, started)?;
        if concurrent {
            self.run_beside(rest, bytes, arrived);
            return None;
        }
        Some(rest)
    }

    /// Lets the rest of a concurrent handler run; it counts as unfinished meanwhile.
    fn run_beside(&self, rest: BoxFuture<()>, bytes: usize, arrived: Instant) {
        let turn = Turn::take(self, bytes, arrived);
        self.go_on(async move {
            rest.await;
            drop(turn);
        });
    }

    /// Lets what has to be awaited go on in the runtime; where it only waits, on the client's I/O thread.
    fn go_on(&self, rest: impl Future<Output = ()> + Send + 'static) {
        if self.namespace().limits().handlers_only_wait && self.client().shard().is_current() {
            tokio::task::spawn_local(rest);
        } else {
            self.runtime().spawn(rest);
        }
    }

    /// An event that catch-all listeners and middlewares see first.
    async fn hooked_event(self, handlers: Arc<Handlers>, args: RawArgs, id: Option<u64>, arrived: Instant) {
        for listener in &handlers.any {
            let verdict = self.call(listener, Some(args.clone()), None, None).await;
            self.report(verdict.err(), &args.event_name());
        }
        let name = args.event_name();
        let found = self.own_handler(&name).or_else(|| handlers.find(&name).cloned());
        let nobody = found.is_none();
        let registered = found.unwrap_or_else(|| Registered::nobody(&name));
        drop(name);
        let (bytes, concurrent) = (size_of_args(&args), registered.concurrent);
        let call = Call { registered, id, arrived, bytes };
        for middleware in &handlers.event_middlewares {
            if let Err(error) = self.call(middleware, Some(args.clone()), id, None).await {
                return call.settle(&self, Err(error), arrived.elapsed());
            }
        }
        if nobody {
            return;
        }
        match call.start(&self, args, Instant::now()) {
            Some(rest) if concurrent => self.run_beside(rest, bytes, arrived),
            Some(rest) => rest.await,
            None => {}
        }
    }

    /// The life of a connect: middlewares, the answer, the handlers.
    async fn connect(self) {
        let handlers = self.namespace().handlers();
        let early = self.namespace().limits().reach_while_connecting;
        if early && !(self.namespace().admit(&self) && self.set_reachable()) {
            return;
        }
        for middleware in &handlers.connect_middlewares {
            if let Err(error) = self.call(middleware, None, None, None).await {
                return self.refuse(error);
            }
        }
        if !early && !self.namespace().admit(&self) {
            return;
        }
        if early && let Err(reason) = self.set_granted() {
            // It has left while the middlewares ran, which are an application's connect handlers here: each is matched.
            return self.deliver(Work::Disconnect(reason));
        }
        self.send(outgoing::connected(self.namespace().name(), &self.id()), Delivery::Queued);
        self.client().state().joined();
        if !self.set_connected() {
            return;
        }
        for handler in &handlers.connect {
            if let Err(error) = self.call(handler, None, None, None).await {
                self.report(Some(error), "connect");
                return self.disconnect();
            }
        }
    }

    fn refuse(&self, error: Error) {
        let payload = error.connect_json();
        if error.cause().is_some() {
            self.report(Some(error), "connect");
        }
        self.leave_namespace(DisconnectReason::SERVER);
        self.send(outgoing::refused(self.namespace().name(), &payload), Delivery::Queued);
    }

    /// The end: handlers that still see the rooms, then those that do not.
    async fn disconnected(self, reason: DisconnectReason) {
        let handlers = self.namespace().handlers();
        for handler in &handlers.disconnecting {
            let verdict = self.call(handler, None, None, Some(reason)).await;
            self.report(verdict.err(), "disconnecting");
        }
        self.leave_own_room();
        for handler in &handlers.disconnect {
            let verdict = self.call(handler, None, None, Some(reason)).await;
            self.report(verdict.err(), "disconnect");
        }
        self.drop_own_handlers();
    }

    /// Calls one handler and awaits it; a panic is an error.
    async fn call(
        &self,
        handler: &AnyHandler,
        args: Option<RawArgs>,
        ack_id: Option<u64>,
        reason: Option<DisconnectReason>,
    ) -> Verdict {
        let context = Context { socket: self.clone(), args, ack_id, ack_taken: false, reason, arrived: None };
        match catch(|| handler(context))? {
            Outcome::Ready(verdict) => verdict,
            Outcome::Pending(future) => Caught(future).await,
        }
    }

    /// Polls once, here. What is not done is returned.
    fn poll_in_place(&self, mut future: BoxFuture<()>) -> Option<BoxFuture<()>> {
        let mut cx = TaskContext::from_waker(Waker::noop());
        match catch(|| future.as_mut().poll(&mut cx)) {
            Ok(Poll::Pending) => Some(future),
            Ok(Poll::Ready(())) => None,
            Err(error) => {
                self.report(Some(error), "");
                None
            }
        }
    }

    /// Tells the error hook and the log.
    fn report(&self, error: Option<Error>, event: &str) {
        if let Some(error) = error {
            self.namespace().report(self, event, &error);
        }
    }
}

/// The call of an event's handler, up to its ack.
struct Call {
    registered: Arc<Registered>,
    id: Option<u64>,
    arrived: Instant,
    bytes: usize,
}

impl Call {
    /// Calls and polls once; what is left of it, if it has to be awaited.
    fn start(self, socket: &Socket, args: RawArgs, started: Instant) -> Option<BoxFuture<()>> {
        let polled = self.poll_once(socket, args);
        let now = Instant::now();
        let took = now.saturating_duration_since(self.arrived);
        // It has not run for longer than since its event arrived.
        if took > HELD_TOO_LONG {
            self.warn_if_held(socket, now.saturating_duration_since(started));
        }
        match polled {
            Ok(verdict) => {
                self.settle(socket, verdict, took);
                None
            }
            Err(future) => {
                let socket = socket.clone();
                Some(Box::pin(async move {
                    let verdict = Caught(future).await;
                    let took = self.arrived.elapsed();
                    self.settle(&socket, verdict, took);
                }))
            }
        }
    }

    /// The verdict, or the future that it still needs.
    fn poll_once(&self, socket: &Socket, args: RawArgs) -> Result<Verdict, BoxFuture<Verdict>> {
        let (socket, arrived) = (socket.clone(), Some(self.arrived));
        let context =
            Context { socket, args: Some(args), ack_id: self.id, ack_taken: false, reason: None, arrived };
        match catch(|| (self.registered.handler)(context)) {
            Err(error) => Ok(Err(error)),
            Ok(Outcome::Ready(verdict)) => Ok(verdict),
            Ok(Outcome::Pending(mut future)) => {
                let mut cx = TaskContext::from_waker(Waker::noop());
                match catch(|| future.as_mut().poll(&mut cx)) {
                    Ok(Poll::Pending) => Err(future),
                    Ok(Poll::Ready(verdict)) => Ok(verdict),
                    Err(error) => Ok(Err(error)),
                }
            }
        }
    }

    /// Acknowledges, and counts.
    fn settle(&self, socket: &Socket, verdict: Verdict, took: Duration) {
        socket.client().shard().metrics.handlers.record(took);
        if let Some(stats) = &self.registered.stats {
            let outcome = if verdict.is_ok() { EventOutcome::Done } else { EventOutcome::Failed };
            stats.record(took, self.bytes, outcome);
        }
        let max_attachments = socket.namespace().limits().max_attachments;
        let fitting = verdict.and_then(|answer| Ok(answer.map(|a| a.within(max_attachments)).transpose()?));
        match (fitting, self.id) {
            (Ok(Some(answer)), Some(id)) => socket.send_ack(id, &answer.0),
            (Ok(_), _) => {}
            (Err(error), id) => {
                if let Some(id) = id {
                    socket.send_ack(id, &error.to_ack());
                }
                socket.report(Some(error), &self.registered.event);
            }
        }
    }

    fn warn_if_held(&self, socket: &Socket, held: Duration) {
        if held > HELD_TOO_LONG && !self.registered.blocking && socket.client().shard().is_current() {
            tracing::warn!(target: "erlen", event = &*self.registered.event, held_ms = held.as_millis() as u64,
                "a handler held an I/O thread: make it async, or register it with `.blocking()`");
        }
    }
}

/// Runs `f`; a panic becomes an error.
fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Error::internal(format!("the handler panicked: {text}"))
    })
}

/// Runs a hook that has no error of its own to give: a panic of it goes to the log, and no further. Hooks are called
/// on the I/O threads too, where it would end all their connections.
pub(crate) fn contain(what: &'static str, hook: impl FnOnce()) {
    if let Err(error) = catch(hook) {
        tracing::error!(target: "erlen", %error, "{what} panicked");
    }
}

/// A handler's future whose panic is an error.
struct Caught(Pin<Box<dyn Future<Output = Verdict> + Send>>);

impl Future for Caught {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Verdict> {
        match catch(|| self.0.as_mut().poll(cx)) {
            Ok(poll) => poll,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
