//! A namespace: its handlers, its sockets and rooms, what is emitted to all of them.
//!
//! Handlers are registered here, once, not on each socket. A namespace made by a pattern shares those of the
//! pattern. Not the order in which handlers run: that is inbox.rs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use erlen_socketio::SocketId;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::ack::{AckSink, AnswersFuture, Collector, Slot};
use crate::adapter::{Adapter, AdapterFactory, Broadcast, LocalRooms, RemoteSocket, RoomEvent, SocketInfo};
use crate::args::IntoArgs;
use crate::broadcast::{BroadcastOperator, Disconnect, Rooms, Target};
use crate::engine::Delivery;
use crate::error::{EmitError, Error};
use crate::handler::{AnyHandler, Registered};
use crate::outgoing::Event;
use crate::socket::{Room, Socket};

/// A namespace of a server: a handle, cheap to clone, for any thread.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Box<str>,
    shared: Arc<Shared>,
    handlers: HandlerSet,
    local: LocalNode,
    adapter: Arc<dyn Adapter>,
}

/// What all namespaces of a server share.
pub(crate) struct Shared {
    pub(crate) runtime: Handle,
    pub(crate) limits: Limits,
    pub(crate) state: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    pub(crate) error_hook: Option<ErrorHook>,
    pub(crate) adapter: AdapterFactory,
}

/// Called with each error of a handler: the socket, the event's name, the error.
pub(crate) type ErrorHook = Arc<dyn Fn(&Socket, &str, &Error) + Send + Sync>;
pub(crate) type OutgoingListener = Arc<dyn Fn(&Event, Option<&Socket>) + Send + Sync>;

/// Bounds of a server, beyond those of its sessions.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_namespaces: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_pending_acks: usize,
    pub(crate) max_attachments: usize,
    pub(crate) max_waiting_events: usize,
    pub(crate) max_waiting_event_bytes: usize,
    pub(crate) ack_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) keep_empty_children: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_namespaces: 64,
            max_rooms: 1_024,
            max_pending_acks: 1_024,
            max_attachments: 10,
            max_waiting_events: 64,
            max_waiting_event_bytes: 1 << 20,
            ack_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(45),
            keep_empty_children: false,
        }
    }
}

/// Handlers that a pattern and its namespaces share: read on every event, written while a server is set up.
#[derive(Clone, Default)]
pub(crate) struct HandlerSet(Arc<RwLock<Arc<Handlers>>>);

impl HandlerSet {
    pub(crate) fn read(&self) -> Arc<Handlers> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Handlers)) {
        change(Arc::make_mut(&mut self.0.write().unwrap_or_else(PoisonError::into_inner)));
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// All that was registered on a namespace.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) events: HashMap<String, Registered>,
    pub(crate) any: Vec<AnyHandler>,
    pub(crate) any_outgoing: Vec<OutgoingListener>,
    pub(crate) event_middlewares: Vec<AnyHandler>,
    pub(crate) connect_middlewares: Vec<AnyHandler>,
    pub(crate) connect: Vec<AnyHandler>,
    pub(crate) disconnecting: Vec<AnyHandler>,
    pub(crate) disconnect: Vec<AnyHandler>,
}

impl Handlers {
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
            let handler = $crate::handler::Registered::new(event, handler);
            self.handler_set().change(|h| drop(h.events.insert(event.to_owned(), handler)));
            self
        }

        /// Takes the handler of an event away.
        pub fn off(&self, event: &str) -> &Self {
            self.handler_set().change(|h| drop(h.events.remove(event)));
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

impl Namespace {
    registering!();

    fn handler_set(&self) -> &HandlerSet {
        &self.0.handlers
    }
}

impl Namespace {
    pub(crate) fn new(name: &str, shared: Arc<Shared>, handlers: HandlerSet) -> Self {
        let local = LocalNode(Arc::new(Local {
            namespace: name.into(),
            rooms: LocalRooms::new(shared.limits.max_rooms),
            ack_ids: AtomicU64::new(0),
            runtime: shared.runtime.clone(),
        }));
        let adapter = (shared.adapter)(local.clone());
        Self(Arc::new(Inner { name: name.into(), shared, handlers, local, adapter }))
    }

    /// Its name, which begins with `/`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Emits to everyone in the namespace. A tuple is several arguments.
    ///
    /// # Errors
    /// A reserved name, or arguments that cannot be serialized.
    pub fn emit(&self, event: &str, data: impl IntoArgs) -> Result<(), EmitError> {
        self.operator().emit(event, data)
    }

    /// Emits to everyone, and awaits the acks of all: all of them, or those that came within 30 s.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_with_ack<T: DeserializeOwned + Send + 'static>(
        &self,
        event: &str,
        data: impl IntoArgs,
    ) -> Result<AnswersFuture<T>, EmitError> {
        self.operator().emit_with_ack(event, data)
    }

    /// Broadcasts to rooms.
    pub fn to(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.operator().to(rooms)
    }

    /// Broadcasts to everyone but the sockets of these rooms.
    pub fn except(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.operator().except(rooms)
    }

    /// A broadcast to everyone, to be narrowed.
    pub fn operator(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.clone())
    }

    /// The sockets of every node.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.operator().fetch_sockets().await
    }

    /// Makes every socket join rooms.
    pub fn sockets_join(&self, rooms: impl Rooms) {
        self.operator().sockets_join(rooms);
    }

    /// Makes every socket leave rooms.
    pub fn sockets_leave(&self, rooms: impl Rooms) {
        self.operator().sockets_leave(rooms);
    }

    /// Disconnects every socket.
    pub fn disconnect_sockets(&self, what: Disconnect) {
        self.operator().disconnect_sockets(what);
    }

    /// The socket of this node with that id.
    pub fn socket(&self, id: &SocketId) -> Option<Socket> {
        self.rooms().socket(id)
    }

    /// The sockets of this node in a room.
    pub fn sockets_in(&self, room: impl Rooms) -> Vec<Socket> {
        self.rooms().sockets(&Target { rooms: room.into_rooms(), ..Target::default() })
    }

    /// The sockets of this node.
    pub fn sockets(&self) -> Vec<Socket> {
        self.rooms().sockets(&Target::default())
    }

    /// How many sockets of this node are in the namespace.
    pub fn socket_count(&self) -> usize {
        self.rooms().len()
    }

    /// The rooms of this node and how many sockets are in each, without those named by a socket's id.
    pub fn room_sizes(&self) -> Vec<(Room, usize)> {
        self.rooms().sizes()
    }

    /// Adds a listener to what happens to the rooms of this node. It is called by whoever joined or left.
    pub fn on_room_event(&self, listener: impl Fn(&RoomEvent) + Send + Sync + 'static) {
        self.rooms().listen(Arc::new(listener));
    }

    // What follows is for the crate.

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn shares(&self, handlers: &HandlerSet) -> bool {
        self.0.handlers.same(handlers)
    }

    /// Whether nobody is in the namespace, or on the way in.
    pub(crate) fn is_unused(&self) -> bool {
        self.rooms().len() == 0 && Arc::strong_count(&self.0) <= 2
    }

    pub(crate) fn handlers(&self) -> Arc<Handlers> {
        self.0.handlers.read()
    }

    pub(crate) fn rooms(&self) -> &LocalRooms {
        &self.0.local.0.rooms
    }

    pub(crate) fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.0.adapter
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.shared.limits
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.shared.runtime
    }

    pub(crate) fn state<T: Clone + 'static>(&self) -> Option<T> {
        self.0.shared.state.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.0.local.next_ack_id()
    }

    pub(crate) fn encode(&self, event: &str, data: impl IntoArgs) -> Result<Event, EmitError> {
        Event::new(event, &data, self.limits().max_attachments)
    }

    pub(crate) fn tell_outgoing(&self, event: &Event, socket: Option<&Socket>) {
        let handlers = self.handlers();
        for listener in &handlers.any_outgoing {
            listener(event, socket);
        }
    }

    pub(crate) fn broadcast_to_all(&self, event: Event) {
        self.tell_outgoing(&event, None);
        let (target, delivery) = (Target::default(), Delivery::Queued);
        self.broadcast(&Broadcast { event, target, delivery, local: false });
    }

    pub(crate) fn broadcast(&self, broadcast: &Broadcast) {
        self.0.adapter.broadcast(broadcast);
    }

    pub(crate) fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, collector: &Arc<Collector>) {
        self.0.adapter.broadcast_with_ack(broadcast, id, collector);
    }

    pub(crate) fn forget_acks(&self, broadcast: &Broadcast, id: u64) {
        self.0.adapter.forget_acks(broadcast, id);
    }

    /// Lets a socket in. False if it has left meanwhile.
    pub(crate) fn admit(&self, socket: &Socket) -> bool {
        self.rooms().add(socket)
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        self.rooms().remove(socket);
        if self.rooms().len() == 0 && !self.limits().keep_empty_children {
            socket.engine().app().drop_empty_child(self);
        }
    }

    pub(crate) fn report(&self, socket: &Socket, event: &str, error: &Error) {
        match error.cause() {
            Some(cause) => {
                tracing::error!(target: "erlen", namespace = self.name(), event, socket = %socket.id(), %cause, "a handler failed");
            }
            None => {
                tracing::debug!(target: "erlen", namespace = self.name(), event, socket = %socket.id(), %error, "a handler answered an error");
            }
        }
        if let Some(hook) = &self.0.shared.error_hook {
            hook(socket, event, error);
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name())
    }
}

/// A namespace's sockets on this node, as an adapter sees them.
#[derive(Clone)]
pub struct LocalNode(Arc<Local>);

struct Local {
    namespace: Box<str>,
    rooms: LocalRooms,
    ack_ids: AtomicU64,
    runtime: Handle,
}

impl LocalNode {
    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The runtime on which an adapter may work.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// The next ack id of this node in the namespace.
    pub fn next_ack_id(&self) -> u64 {
        self.0.ack_ids.fetch_add(1, Relaxed)
    }

    /// Sends an event to its recipients on this node: encoded once, queued for each.
    pub fn broadcast(&self, broadcast: &Broadcast) {
        let packets = broadcast.event.packets(self.namespace(), None);
        self.0.rooms.for_each(&broadcast.target, |socket| socket.send(&packets, broadcast.delivery));
    }

    /// The same, asking for acks under `id`; answers how many it reached.
    pub fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, sink: &Arc<dyn AckSink>) -> usize {
        let packets = broadcast.event.packets(self.namespace(), Some(id));
        let mut reached = 0;
        self.0.rooms.for_each(&broadcast.target, |socket| {
            if socket.expect_ack(id, Slot::Many(Arc::clone(sink))).is_ok() {
                reached += 1;
                socket.send(&packets, broadcast.delivery);
            }
        });
        reached
    }

    /// Nobody awaits these acks any longer.
    pub fn forget_acks(&self, target: &Target, id: u64) {
        self.0.rooms.for_each(target, |socket| drop(socket.forget_ack(id)));
    }

    /// The target's sockets on this node.
    pub fn sockets(&self, target: &Target) -> Vec<SocketInfo> {
        let info = |socket: &Socket| SocketInfo { id: socket.id(), rooms: socket.rooms() };
        self.0.rooms.sockets(target).iter().map(info).collect()
    }

    /// Makes the target's sockets on this node join rooms.
    pub fn join(&self, target: &Target, rooms: &[Room]) {
        for socket in self.0.rooms.sockets(target) {
            rooms.iter().for_each(|room| socket.join(Arc::clone(room)));
        }
    }

    /// Makes the target's sockets on this node leave rooms.
    pub fn leave(&self, target: &Target, rooms: &[Room]) {
        for socket in self.0.rooms.sockets(target) {
            rooms.iter().for_each(|room| socket.leave(room));
        }
    }

    /// Disconnects the target's sockets on this node.
    pub fn disconnect(&self, target: &Target, what: Disconnect) {
        for socket in self.0.rooms.sockets(target) {
            match what {
                Disconnect::Socket => socket.disconnect(),
                Disconnect::Client => socket.disconnect_client(),
            }
        }
    }
}

impl fmt::Debug for LocalNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalNode({})", self.namespace())
    }
}
