//! What is registered on a namespace: its handlers, middlewares and listeners.
//!
//! A pattern of namespaces and each namespace that it has made share one set. Not how they are called: that is inbox.rs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use crate::events::{EventStats, EventTable};
use crate::handler::{AnyHandler, Registered};
use crate::outgoing::Event;
use crate::socket::Socket;

/// Sees every event that is emitted; the socket, unless it is a broadcast.
pub(crate) type OutgoingListener = Arc<dyn Fn(&Event, Option<&Socket>) + Send + Sync>;

/// Handlers that a pattern and its namespaces share: read on every event, written while a server is set up.
#[derive(Clone)]
pub(crate) struct HandlerSet {
    shared: Arc<Shared>,
    /// The namespace, in the counters of its events.
    label: Arc<str>,
    table: Arc<EventTable>,
}

#[derive(Default)]
struct Shared {
    handlers: RwLock<Arc<Handlers>>,
    /// Somebody listens to what is emitted: spares the lock where nobody does.
    any_outgoing: AtomicBool,
}

/// What an event that has arrived meets.
pub(crate) enum Way {
    /// It is handled.
    Handler(Arc<Registered>),
    /// Something wants to see it first.
    Hooks(Arc<Handlers>),
    /// Nobody waits for it.
    Nowhere,
}

impl HandlerSet {
    pub(crate) fn new(label: &str, table: Arc<EventTable>) -> Self {
        Self { shared: Arc::default(), label: label.into(), table }
    }

    /// The counters of an event.
    pub(crate) fn stats(&self, event: &str) -> Arc<EventStats> {
        self.table.of(&self.label, event)
    }

    pub(crate) fn read(&self) -> Arc<Handlers> {
        Arc::clone(&self.shared.handlers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way of an event of that name.
    pub(crate) fn way(&self, event: &str) -> Way {
        let handlers = self.shared.handlers.read().unwrap_or_else(PoisonError::into_inner);
        if handlers.has_event_hooks() {
            return Way::Hooks(Arc::clone(&handlers));
        }
        handlers.find(event).map_or(Way::Nowhere, |handler| Way::Handler(Arc::clone(handler)))
    }

    /// The handlers, if one listens to what is emitted.
    pub(crate) fn listening(&self) -> Option<Arc<Handlers>> {
        self.shared.any_outgoing.load(Relaxed).then(|| self.read())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Handlers)) {
        let mut handlers = self.shared.handlers.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut handlers));
        self.shared.any_outgoing.store(!handlers.any_outgoing.is_empty(), Relaxed);
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// All that was registered on a namespace.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) events: HashMap<String, Arc<Registered>, BuildHasherDefault<NameHasher>>,
    pub(crate) fallback: Option<Arc<Registered>>,
    pub(crate) any: Vec<AnyHandler>,
    pub(crate) any_outgoing: Vec<OutgoingListener>,
    pub(crate) event_middlewares: Vec<AnyHandler>,
    pub(crate) connect_middlewares: Vec<AnyHandler>,
    pub(crate) connect: Vec<AnyHandler>,
    pub(crate) disconnecting: Vec<AnyHandler>,
    pub(crate) disconnect: Vec<AnyHandler>,
}

/// FNV-1a, for a table into which the application alone puts names. Clients' names are looked up in it, and however they are
/// chosen, each meets those that are registered, and no more.
pub(crate) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Handlers {
    /// The handler of an event.
    pub(crate) fn find(&self, event: &str) -> Option<&Arc<Registered>> {
        self.events.get(event).or(self.fallback.as_ref())
    }

    /// Whether every event has to pass something before its handler.
    pub(crate) fn has_event_hooks(&self) -> bool {
        !self.any.is_empty() || !self.event_middlewares.is_empty()
    }
}

/// The methods that register handlers, on whatever has a `handler_set`: a namespace, a pattern of namespaces.
///
/// Handlers may be added while the server runs; events that have arrived already do not see them.
macro_rules! registering {
    () => {
        /// Registers the handler of an event, in place of an earlier one. Its return value is the ack.
        ///
        /// ```
        /// # use erlen::{Server, Data, Socket};
        /// # fn f(io: &Server) {
        /// io.on("add", |Data((a, b)): Data<(i64, i64)>| a + b);
        /// io.on("say", async |socket: Socket, Data(text): Data<String>| {
        ///     socket.to("lobby").emit("said", &text)
        /// });
        /// # }
        /// ```
        pub fn on<T>(&self, event: &str, handler: impl $crate::Handler<T>) -> &Self {
            let stats = self.handler_set().stats(event);
            let handler = $crate::handler::Registered::new(event, handler, Some(stats));
            self.handler_set().change(|h| drop(h.events.insert(event.to_owned(), handler)));
            self
        }

        /// Takes the handler of an event away.
        pub fn off(&self, event: &str) -> &Self {
            self.handler_set().change(|h| drop(h.events.remove(event)));
            self
        }

        /// Registers the handler of the events that have none of their own. Its return value is the ack. What it handles is not
        /// counted by event, since clients choose the names; it may count those that it knows, see [`Turn`](crate::Turn).
        ///
        /// ```
        /// # use erlen::{Error, EventName, Server};
        /// # fn f(io: &Server) {
        /// io.fallback(|EventName(name): EventName| Err::<(), _>(Error::new("unknown", name)));
        /// # }
        /// ```
        pub fn fallback<T>(&self, handler: impl $crate::Handler<T>) -> &Self {
            let handler = $crate::handler::Registered::new("*", handler, None);
            self.handler_set().change(|h| h.fallback = Some(handler));
            self
        }

        /// Called for every socket that has joined, after its CONNECT was answered. An error disconnects it.
        pub fn on_connect<T>(&self, handler: impl $crate::Handler<T>) -> &Self {
            let handler = $crate::handler::erase(handler);
            self.handler_set().change(|h| h.connect.push(handler));
            self
        }

        /// Called when a socket has left: its rooms are empty.
        pub fn on_disconnect<T>(&self, handler: impl $crate::Handler<T>) -> &Self {
            let handler = $crate::handler::erase(handler);
            self.handler_set().change(|h| h.disconnect.push(handler));
            self
        }

        /// Called when a socket leaves, before [`on_disconnect`](Self::on_disconnect):
        /// [`Socket::rooms`](crate::Socket::rooms) still tells its rooms.
        pub fn on_disconnecting<T>(&self, handler: impl $crate::Handler<T>) -> &Self {
            let handler = $crate::handler::erase(handler);
            self.handler_set().change(|h| h.disconnecting.push(handler));
            self
        }

        /// Adds a middleware that may refuse a connect: its error's message and data go to the client's
        /// `connect_error`. Middlewares run in the order of their registration.
        pub fn middleware<T>(&self, middleware: impl $crate::Handler<T>) -> &Self {
            let middleware = $crate::handler::erase(middleware);
            self.handler_set().change(|h| h.connect_middlewares.push(middleware));
            self
        }

        /// Adds a middleware that every event passes before its handler; its error ends the event and is its ack.
        pub fn event_middleware<T>(&self, middleware: impl $crate::Handler<T>) -> &Self {
            let middleware = $crate::handler::erase(middleware);
            self.handler_set().change(|h| h.event_middlewares.push(middleware));
            self
        }

        /// Adds a listener that every event passes first, whether or not it has a handler.
        pub fn on_any<T>(&self, listener: impl $crate::Handler<T>) -> &Self {
            let listener = $crate::handler::erase(listener);
            self.handler_set().change(|h| h.any.push(listener));
            self
        }

        /// Adds a listener that sees every event that is emitted; the socket, unless it is a broadcast.
        pub fn on_any_outgoing(
            &self,
            listener: impl Fn(&$crate::Event, Option<&$crate::Socket>) + Send + Sync + 'static,
        ) -> &Self {
            self.handler_set().change(|h| h.any_outgoing.push(std::sync::Arc::new(listener)));
            self
        }
    };
}
pub(crate) use registering;
