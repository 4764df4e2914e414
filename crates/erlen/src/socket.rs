//! A client in a namespace: emit, join, leave, disconnect, its data.
//!
//! A handle, cheap to clone, that may be used from any thread. What arrives for it waits in its inbox
//! (inbox.rs). Lock order: the namespace's tables, then this state, then the client's; never back.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use erlen_engineio::{CloseReason, EncodedPacket, SendError};
use erlen_socketio::SocketId;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::ack::{self, AckFuture, AckSink, Pending, Slot};
use crate::args::{Encoded, IntoArgs, RawArgs};
use crate::broadcast::{BroadcastOperator, Rooms, Target};
use crate::connection::SocketIo;
use crate::engine::{Client, Delivery, Engine, Handshake, Transport};
use crate::error::{AckError, EmitError};
use crate::handler::{Handler, Registered};
use crate::inbox::{Inbox, Work};
use crate::namespace::{CountAcks, Namespace};
use crate::outgoing::{self, Event, Packets};
use crate::reason::DisconnectReason;

/// A room's name, shared by all that are in it.
pub type Room = Arc<str>;

/// A client in a namespace.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: SocketId,
    namespace: Namespace,
    client: Arc<Client<SocketIo>>,
    auth: Option<Box<str>>,
    /// Emits reach the socket: its CONNECT was granted, or may be so from the start, and it has not left.
    connected: AtomicBool,
    /// Handlers are registered on it alone: spares the lock where there are none.
    has_own: AtomicBool,
    state: Mutex<State>,
}

/// What the mutex guards.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) closed: bool,
    /// Events are dispatched: the CONNECT was granted, and the server has not disconnected the socket.
    pub(crate) dispatching: bool,
    /// The CONNECT was granted: the end has handlers.
    granted: bool,
    /// Why it has ended.
    left: Option<DisconnectReason>,
    pub(crate) inbox: Inbox,
    /// The rooms that the socket is in besides its own; after its end, those that it was in, until `out`.
    pub(crate) rooms: Vec<Room>,
    /// The handlers that still see the rooms have run: it is in none, its own not either.
    out: bool,
    extras: Option<Box<Extras>>,
}

/// What most sockets never have.
#[derive(Default)]
struct Extras {
    acks: HashMap<u64, Slot>,
    /// The last id that this socket has counted.
    last_ack_id: u64,
    data: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    handlers: HashMap<String, Arc<Registered>>,
}

impl State {
    /// Whether that is handled, and not passed over.
    pub(crate) fn lets_through(&self, work: &Work) -> bool {
        self.dispatching || !matches!(work, Work::Event { .. })
    }
}

impl Socket {
    pub(crate) fn new(
        id: SocketId,
        namespace: Namespace,
        client: Arc<Client<SocketIo>>,
        auth: Option<Box<str>>,
    ) -> Self {
        let state = Mutex::new(State::default());
        let (connected, has_own) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { id, namespace, client, auth, connected, has_own, state }))
    }

    /// Emits to this client. A tuple is several arguments, `()` is none. What is sent to a client that has
    /// gone is dropped.
    ///
    /// ```
    /// # fn f(socket: &erlen::Socket) -> erlen::Result<()> {
    /// socket.emit("news", "hello")?;
    /// socket.emit("price", ("ACME", 12.5))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A reserved name, or arguments that cannot be serialized.
    pub fn emit(&self, event: &str, data: impl IntoArgs) -> Result<(), EmitError> {
        self.emit_as(event, data, Delivery::Queued)
    }

    /// The same, but dropped when the client cannot take it at once.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_volatile(&self, event: &str, data: impl IntoArgs) -> Result<(), EmitError> {
        self.emit_as(event, data, Delivery::Volatile)
    }

    fn emit_as(&self, event: &str, data: impl IntoArgs, delivery: Delivery) -> Result<(), EmitError> {
        let encoded = self.encode(event, data)?;
        self.send(encoded.packets(), delivery);
        Ok(())
    }

    /// Emits, and awaits the client's ack for 30 s (the builder's `ack_timeout`). The event goes out
    /// at once, whether or not the future is awaited.
    ///
    /// `T` is the ack's first argument, or a tuple of all.
    ///
    /// ```
    /// # async fn f(socket: &erlen::Socket) -> Result<(), erlen::AckError> {
    /// let name: String = socket.emit_with_ack("what is your name?", &()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`AckError`]: no answer in time, the client has gone, or the answer is not a `T`.
    pub fn emit_with_ack<T: DeserializeOwned + Send + 'static>(
        &self,
        event: &str,
        data: impl IntoArgs,
    ) -> AckFuture<T> {
        self.emit_with_ack_within(self.0.namespace.limits().ack_timeout, event, data)
    }

    /// The same with a timeout of its own.
    ///
    /// # Errors
    /// As [`emit_with_ack`](Self::emit_with_ack).
    pub fn emit_with_ack_within<T: DeserializeOwned + Send + 'static>(
        &self,
        timeout: Duration,
        event: &str,
        data: impl IntoArgs,
    ) -> AckFuture<T> {
        let (sender, receiver) = oneshot::channel();
        let begun = self.encode(event, data).map_err(AckError::Emit).and_then(|encoded| {
            let id = self.next_ack_id();
            self.expect_ack(id, Slot::One(sender))?;
            let pending = Pending::new(self.clone(), id);
            self.send(encoded.packets_with_ack(self.0.namespace.name(), id), Delivery::Queued);
            Ok(pending)
        });
        AckFuture::new(async move { ack::one(begun?, receiver, timeout).await })
    }

    /// Emits; the client's answer, or its going without one, is told to `sink`. For callers that have no use of a future:
    /// there is no timeout, and nothing is spawned.
    ///
    /// # Errors
    /// [`AckError::Emit`], or [`AckError::TooManyPending`] and [`AckError::Disconnected`], after which nothing was sent.
    pub fn emit_with_sink(
        &self,
        event: &str,
        data: impl IntoArgs,
        sink: Arc<dyn AckSink>,
    ) -> Result<(), AckError> {
        let encoded = self.encode(event, data).map_err(AckError::Emit)?;
        let id = self.next_ack_id();
        self.expect_ack(id, Slot::Many(sink))?;
        self.send(encoded.packets_with_ack(self.0.namespace.name(), id), Delivery::Queued);
        Ok(())
    }

    /// Broadcasts to rooms, without this socket.
    pub fn to(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }

    /// Broadcasts to everyone in the namespace, without this socket.
    pub fn broadcast(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.0.namespace.clone()).except(self.id().as_str())
    }

    /// Joins a room; being in it already is fine. Past 1 024 rooms (the builder's `max_rooms`) it does not join, and
    /// the log says so.
    pub fn join(&self, room: impl Into<Room>) {
        self.0.namespace.rooms().join(self, room.into());
    }

    /// Leaves a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.0.namespace.rooms().leave(self, room.as_ref());
    }

    /// The rooms that the socket is in, the one named by its id among them. None once it has left, but for the
    /// handlers of [`on_disconnecting`](Namespace::on_disconnecting).
    pub fn rooms(&self) -> Vec<Room> {
        let state = self.lock();
        if state.out {
            return Vec::new();
        }
        let own = Room::from(self.id().as_str());
        std::iter::once(own).chain(state.rooms.iter().cloned()).collect()
    }

    /// Ends the socket: the client leaves this namespace, its connection stays. A JavaScript client
    /// does not come back by itself.
    pub fn disconnect(&self) {
        self.try_disconnect();
    }

    /// The same; false if the socket had left already.
    pub fn try_disconnect(&self) -> bool {
        let goodbye = outgoing::disconnected(self.0.namespace.name());
        self.try_leave(DisconnectReason::SERVER, Some(goodbye))
    }

    /// Ends the socket, those of the same client in other namespaces, and the connection.
    pub fn disconnect_client(&self) {
        for socket in self.0.client.state().sockets() {
            socket.disconnect();
        }
        self.0.client.close(CloseReason::ForcedClose, "the server disconnected the client");
    }

    /// The public id, by which others may address the socket: `io.to(id)`. Not the session's secret.
    pub fn id(&self) -> SocketId {
        self.0.id
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The request that opened the session.
    pub fn handshake(&self) -> &Handshake {
        self.0.client.handshake()
    }

    /// The JSON text that the client sent as `auth`.
    pub fn auth(&self) -> Option<&str> {
        self.0.auth.as_deref()
    }

    /// The transport that carries the client's packets now.
    pub fn transport(&self) -> Transport {
        self.0.client.transport()
    }

    /// Whether the client is in the namespace.
    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    /// Whether its CONNECT was granted, which the builder's `reach_while_connecting` does not wait for.
    pub fn is_granted(&self) -> bool {
        self.lock().granted
    }

    /// Whether nothing of the client waits, and no handler that runs in its turn is at work.
    pub fn is_settled(&self) -> bool {
        let state = self.lock();
        !state.inbox.is_at_work()
    }

    /// Packets and bytes that wait for the client.
    pub fn queued(&self) -> (usize, usize) {
        self.0.client.queued()
    }

    /// Puts a value into the socket's data, in place of one of the same type.
    pub fn insert<T: Send + Sync + 'static>(&self, value: T) {
        self.extras(|extras| extras.data.insert(TypeId::of::<T>(), Arc::new(value)));
    }

    /// Puts a value into the socket's data unless there is one of its type already; the one that is there then.
    pub fn get_or_insert<T: Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        let any = self.extras(|extras| {
            Arc::clone(extras.data.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(value)))
        });
        any.downcast().unwrap_or_else(|_| unreachable!("the entry of a type holds a value of that type"))
    }

    /// The value of that type in the socket's data.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.lock().extras.as_ref()?.data.get(&TypeId::of::<T>())?.clone();
        value.downcast().ok()
    }

    /// Takes the value of that type out of the socket's data.
    pub fn remove<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.lock().extras.as_mut()?.data.remove(&TypeId::of::<T>())?;
        value.downcast().ok()
    }

    /// Registers a handler on this socket alone. It comes before the namespace's for the same event, and
    /// costs memory for each socket: prefer [`Namespace::on`].
    pub fn on<T>(&self, event: &str, handler: impl Handler<T>) {
        let handler = Registered::new(event, handler, Some(self.0.namespace.stats(event)));
        self.extras(|extras| extras.handlers.insert(event.to_owned(), handler));
        self.0.has_own.store(true, Ordering::Release);
    }

    // What follows is for the crate.

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The session that carries the socket, and those of the same client in other namespaces.
    pub fn client(&self) -> &Arc<Client<SocketIo>> {
        &self.0.client
    }

    pub(crate) fn engine(&self) -> &Arc<Engine<SocketIo>> {
        self.0.client.engine()
    }

    pub(crate) fn runtime(&self) -> &Handle {
        self.0.namespace.runtime()
    }

    pub(crate) fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.namespace.state::<T>()
    }

    pub(crate) fn own_handler(&self, event: &str) -> Option<Arc<Registered>> {
        if !self.0.has_own.load(Ordering::Acquire) {
            return None;
        }
        self.lock().extras.as_ref()?.handlers.get(event).cloned()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn extras<R>(&self, change: impl FnOnce(&mut Extras) -> R) -> R {
        change(self.lock().extras.get_or_insert_default())
    }

    fn encode(&self, event: &str, data: impl IntoArgs) -> Result<Event, EmitError> {
        let event = self.0.namespace.encode(event, data)?;
        self.0.namespace.tell_outgoing(&event, Some(self));
        Ok(event)
    }

    pub(crate) fn send(&self, packets: impl IntoIterator<Item = EncodedPacket>, delivery: Delivery) {
        match self.0.client.send(packets, delivery) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(SendError::Full) => tracing::info!(target: "erlen", socket = %self.id(), "slow consumer cut"),
        }
    }

    pub(crate) fn send_ack(&self, id: u64, args: &Encoded) {
        self.send(outgoing::ack(self.0.namespace.name(), id, args), Delivery::Queued);
    }

    fn next_ack_id(&self) -> u64 {
        match self.0.namespace.limits().count_acks {
            CountAcks::ByNamespace => self.0.namespace.next_ack_id(),
            CountAcks::BySocket => {
                let mut state = self.lock();
                let extras = state.extras.get_or_insert_default();
                extras.last_ack_id += 1;
                extras.last_ack_id
            }
        }
    }

    /// Prepares for an answer to `id`.
    pub(crate) fn expect_ack(&self, id: u64, slot: Slot) -> Result<(), AckError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AckError::Disconnected);
        }
        let acks = &mut state.extras.get_or_insert_default().acks;
        if acks.len() >= self.0.namespace.limits().max_pending_acks {
            return Err(AckError::TooManyPending);
        }
        acks.insert(id, slot);
        drop(state);
        if self.0.client.state().is_saturated() {
            // Reading had paused; it goes on while an ack is awaited.
            self.0.client.resume_reading();
        }
        Ok(())
    }

    /// An answer has come. One to an unknown id means nothing.
    pub(crate) fn handle_ack(&self, id: u64, args: RawArgs) {
        if let Some(slot) = self.forget_ack(id) {
            slot.answer(self.id(), args);
        }
    }

    pub(crate) fn forget_ack(&self, id: u64) -> Option<Slot> {
        self.lock().extras.as_mut()?.acks.remove(&id)
    }

    pub(crate) fn awaits_acks(&self) -> bool {
        self.lock().extras.as_ref().is_some_and(|extras| !extras.acks.is_empty())
    }

    /// Emits reach the socket from here on. False if it has left meanwhile.
    pub(crate) fn set_reachable(&self) -> bool {
        let state = self.lock();
        if !state.closed {
            self.0.connected.store(true, Ordering::Release);
        }
        !state.closed
    }

    /// The CONNECT will be granted: from here on the end has handlers. Why the socket has left, if it has.
    pub(crate) fn set_granted(&self) -> Result<(), DisconnectReason> {
        let mut state = self.lock();
        state.granted = state.left.is_none();
        state.left.map_or(Ok(()), Err)
    }

    /// The CONNECT was granted. False if the socket has left meanwhile.
    pub(crate) fn set_connected(&self) -> bool {
        let mut state = self.lock();
        if !state.closed {
            state.dispatching = true;
            state.granted = true;
            self.0.connected.store(true, Ordering::Release);
        }
        !state.closed
    }

    /// The rooms are no longer to be seen.
    pub(crate) fn leave_own_room(&self) {
        let mut state = self.lock();
        state.out = true;
        state.rooms = Vec::new();
    }

    /// Drops the handlers registered on this socket, which may hold the socket itself.
    pub(crate) fn drop_own_handlers(&self) {
        let handlers = self.lock().extras.as_mut().map(|extras| std::mem::take(&mut extras.handlers));
        drop(handlers);
    }

    /// Ends the socket, once.
    pub(crate) fn leave_namespace(&self, reason: DisconnectReason) {
        self.try_leave(reason, None);
    }

    /// Ends the socket, once: it is out of all tables when this returns; its handlers learn of it in turn.
    /// `goodbye` is the last that its client gets. False if it had ended already.
    fn try_leave(&self, reason: DisconnectReason, goodbye: Option<Packets>) -> bool {
        let (lost, was_granted) = {
            let mut state = self.lock();
            if std::mem::replace(&mut state.closed, true) {
                return false;
            }
            state.left = Some(reason);
            state.dispatching &= reason != DisconnectReason::SERVER;
            let acks = state.extras.as_mut().map(|extras| std::mem::take(&mut extras.acks));
            self.0.connected.store(false, Ordering::Release);
            (acks.unwrap_or_default(), state.granted)
        };
        self.0.client.state().remove(self);
        if let Some(goodbye) = goodbye {
            // Not before: a client that connects again at once must not meet this socket.
            self.send(goodbye, Delivery::Queued);
        }
        self.0.namespace.remove(self);
        for (_, slot) in lost {
            slot.lose(self.id());
        }
        if was_granted {
            self.deliver(Work::Disconnect(reason));
        }
        true
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({} in {})", self.id(), self.0.namespace.name())
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl Eq for Socket {}

impl From<&Socket> for Target {
    fn from(socket: &Socket) -> Self {
        Self::room(socket.id().as_str().into())
    }
}
