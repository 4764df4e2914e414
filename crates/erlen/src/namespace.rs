//! A namespace: its handlers, its sockets and rooms, what is emitted to all of them.
//!
//! Handlers are registered here, once, not on each socket. A namespace made by a pattern shares those of the
//! pattern. Not the order in which handlers run: that is inbox.rs.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use erlen_socketio::SocketId;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::ack::{AnswersFuture, Collector};
use crate::adapter::{Adapter, AdapterFactory, Broadcast, LocalNode, LocalRooms, RemoteSocket, RoomEvent};
use crate::args::IntoArgs;
use crate::broadcast::{BroadcastOperator, Disconnect, Rooms, Target};
use crate::engine::Delivery;
use crate::error::{EmitError, Error};
use crate::events::{EventStats, EventTable};
use crate::handlers::{HandlerSet, Handlers, Way, registering};
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
    /// Sockets in the namespace and on their way in.
    members: AtomicUsize,
}

/// What all namespaces of a server share.
pub(crate) struct Shared {
    pub(crate) runtime: Handle,
    pub(crate) limits: Limits,
    pub(crate) state: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    pub(crate) error_hook: Option<ErrorHook>,
    pub(crate) adapter: AdapterFactory,
    pub(crate) events: Arc<EventTable>,
}

/// Called with each error of a handler: the socket, the event's name, the error.
pub(crate) type ErrorHook = Arc<dyn Fn(&Socket, &str, &Error) + Send + Sync>;

/// Bounds of a server, beyond those of its sessions.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_namespaces: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_pending_acks: usize,
    pub(crate) count_acks: CountAcks,
    pub(crate) max_attachments: usize,
    pub(crate) max_waiting_events: usize,
    pub(crate) max_waiting_event_bytes: usize,
    pub(crate) max_events_per_second: Option<u32>,
    pub(crate) ack_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) keep_empty_children: bool,
    pub(crate) reach_while_connecting: bool,
    pub(crate) handlers_only_wait: bool,
    pub(crate) ignore_stray_packets: bool,
    pub(crate) unknown_namespace: Cow<'static, str>,
}

/// Where the ids of acks that a single socket owes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountAcks {
    ByNamespace,
    BySocket,
}

impl CountAcks {
    /// The first id of a namespace. Where sockets count too, no broadcast's id is one of theirs.
    pub(crate) fn first_of_namespace(self) -> u64 {
        match self {
            Self::ByNamespace => 0,
            Self::BySocket => 1 << 32,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_namespaces: 64,
            max_rooms: 1_024,
            max_pending_acks: 1_024,
            count_acks: CountAcks::ByNamespace,
            max_attachments: 10,
            max_waiting_events: 64,
            max_waiting_event_bytes: 1 << 20,
            max_events_per_second: None,
            ack_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(45),
            keep_empty_children: false,
            reach_while_connecting: false,
            handlers_only_wait: false,
            ignore_stray_packets: false,
            unknown_namespace: Cow::Borrowed(r#"{"message":"Invalid namespace"}"#),
        }
    }
}

impl Namespace {
    registering!();

    fn handler_set(&self) -> &HandlerSet {
        &self.0.handlers
    }
}

impl Namespace {
    pub(crate) fn new(name: &str, shared: Arc<Shared>, handlers: HandlerSet) -> Self {
        let local = LocalNode::new(name, &shared.limits, shared.runtime.clone());
        let adapter = (shared.adapter)(local.clone());
        Self(Arc::new(Inner {
            name: name.into(),
            shared,
            handlers,
            local,
            adapter,
            members: AtomicUsize::new(0),
        }))
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

    /// The counters of an event, for handlers that finish it elsewhere. Where there are many already, those of all others.
    pub fn stats(&self, event: &str) -> Arc<EventStats> {
        self.0.handlers.stats(event)
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

    /// A socket is on its way in. Call it under the lock of the server's namespaces, so that none is dropped meanwhile.
    pub(crate) fn enter(&self) {
        self.0.members.fetch_add(1, Relaxed);
    }

    /// Whether nobody is in the namespace, or on the way in.
    pub(crate) fn is_unused(&self) -> bool {
        self.0.members.load(Relaxed) == 0
    }

    pub(crate) fn handlers(&self) -> Arc<Handlers> {
        self.0.handlers.read()
    }

    pub(crate) fn way(&self, event: &str) -> Way {
        self.0.handlers.way(event)
    }

    pub(crate) fn rooms(&self) -> &LocalRooms {
        self.0.local.rooms()
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
        Event::new(self.name(), event, &data, self.limits().max_attachments)
    }

    pub(crate) fn tell_outgoing(&self, event: &Event, socket: Option<&Socket>) {
        let Some(handlers) = self.0.handlers.listening() else {
            return;
        };
        for listener in &handlers.any_outgoing {
            crate::inbox::contain("a listener of outgoing events", || listener(event, socket));
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
        let was_last = self.0.members.fetch_sub(1, Relaxed) == 1;
        if was_last && !self.limits().keep_empty_children {
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
            crate::inbox::contain("the error hook", || hook(socket, event, error));
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name())
    }
}
