//! Who gets a broadcast, and how: rooms in, rooms out, then emit.
//!
//! A namespace, a server and a socket hand out the same operator. An emit is encoded once, whoever and
//! however many it is for; the adapter brings it to them.

use std::time::Duration;

use erlen_socketio::SocketId;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::ack::{self, AnswersFuture, Collector, PendingMany};
use crate::adapter::{Broadcast, RemoteSocket};
use crate::args::IntoArgs;
use crate::engine::Delivery;
use crate::error::EmitError;
use crate::namespace::Namespace;
use crate::socket::Room;

/// The rooms that a broadcast is for, and those that it is not for. No room at all means everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The union of these, each socket once; empty means every socket of the namespace.
    pub rooms: SmallVec<[Room; 1]>,
    /// Sockets in any of these are left out.
    pub except: SmallVec<[Room; 1]>,
}

impl Target {
    pub(crate) fn room(room: Room) -> Self {
        Self { rooms: SmallVec::from_buf([room]), except: SmallVec::new() }
    }
}

/// One room or several: a name, a socket's id, or a list.
pub trait Rooms {
    /// Their names.
    fn into_rooms(self) -> SmallVec<[Room; 1]>;
}

impl Rooms for &str {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        SmallVec::from_buf([self.into()])
    }
}

impl Rooms for String {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        SmallVec::from_buf([self.into()])
    }
}

impl Rooms for &String {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        self.as_str().into_rooms()
    }
}

impl Rooms for Room {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        SmallVec::from_buf([self])
    }
}

impl Rooms for &Room {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        SmallVec::from_buf([Room::clone(self)])
    }
}

impl Rooms for SocketId {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        self.as_str().into_rooms()
    }
}

impl<R: Rooms> Rooms for Vec<R> {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        self.into_iter().flat_map(Rooms::into_rooms).collect()
    }
}

impl<R: Rooms, const N: usize> Rooms for [R; N] {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        self.into_iter().flat_map(Rooms::into_rooms).collect()
    }
}

impl<R: Rooms + Clone> Rooms for &[R] {
    fn into_rooms(self) -> SmallVec<[Room; 1]> {
        self.iter().cloned().flat_map(Rooms::into_rooms).collect()
    }
}

/// A broadcast that is being put together.
///
/// ```
/// # fn f(io: &erlen::Server) -> Result<(), erlen::EmitError> {
/// io.to("lobby").to("garden").except("muted").volatile().emit("tick", &42)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a broadcast does nothing until it emits"]
pub struct BroadcastOperator {
    namespace: Namespace,
    target: Target,
    delivery: Delivery,
    local: bool,
    timeout: Option<Duration>,
}

impl BroadcastOperator {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self { namespace, target: Target::default(), delivery: Delivery::Queued, local: false, timeout: None }
    }

    /// Adds rooms. A socket in several of them gets one copy.
    pub fn to(mut self, rooms: impl Rooms) -> Self {
        self.target.rooms.extend(rooms.into_rooms());
        self
    }

    /// Leaves out the sockets of these rooms.
    pub fn except(mut self, rooms: impl Rooms) -> Self {
        self.target.except.extend(rooms.into_rooms());
        self
    }

    /// Clients that cannot take it at once do not get it.
    pub fn volatile(mut self) -> Self {
        self.delivery = Delivery::Volatile;
        self
    }

    /// Only the sockets of this node.
    pub fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// How long acks are awaited. Default 30 s (the builder's `ack_timeout`).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits. A tuple is several arguments.
    ///
    /// # Errors
    /// A reserved name, or arguments that cannot be serialized.
    pub fn emit(&self, event: &str, data: impl IntoArgs) -> Result<(), EmitError> {
        let broadcast = self.broadcast(event, data)?;
        self.namespace.broadcast(&broadcast);
        Ok(())
    }

    /// Emits, and awaits the acks of all that it reached: all of them, or those that came in time. The event goes
    /// out at once, whether or not the future is awaited.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_with_ack<T: DeserializeOwned + Send + 'static>(
        &self,
        event: &str,
        data: impl IntoArgs,
    ) -> Result<AnswersFuture<T>, EmitError> {
        let broadcast = self.broadcast(event, data)?;
        let namespace = self.namespace.clone();
        let id = namespace.next_ack_id();
        let nodes = if self.local { 1 } else { namespace.adapter().nodes() };
        let collector = Collector::new(nodes);
        namespace.broadcast_with_ack(&broadcast, id, &collector);
        let timeout = self.timeout.unwrap_or(namespace.limits().ack_timeout);
        let pending = PendingMany::new(namespace, broadcast, id);
        Ok(AnswersFuture::new(ack::many(pending, collector, timeout)))
    }

    /// The sockets that the broadcast would reach, of every node.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        let adapter = self.namespace.adapter();
        let fetched = adapter.fetch_sockets(&self.target, self.local);
        fetched.await.into_iter().map(|info| RemoteSocket::new(self.namespace.clone(), info)).collect()
    }

    /// Makes these sockets join rooms.
    pub fn sockets_join(&self, rooms: impl Rooms) {
        self.namespace.adapter().join(&self.target, &rooms.into_rooms(), self.local);
    }

    /// Makes these sockets leave rooms.
    pub fn sockets_leave(&self, rooms: impl Rooms) {
        self.namespace.adapter().leave(&self.target, &rooms.into_rooms(), self.local);
    }

    /// Disconnects these sockets from the namespace; with `client` their whole connections.
    pub fn disconnect_sockets(&self, what: Disconnect) {
        self.namespace.adapter().disconnect(&self.target, what, self.local);
    }

    fn broadcast(&self, event: &str, data: impl IntoArgs) -> Result<Broadcast, EmitError> {
        let event = self.namespace.encode(event, data)?;
        self.namespace.tell_outgoing(&event, None);
        Ok(Broadcast { event, target: self.target.clone(), delivery: self.delivery, local: self.local })
    }
}

/// How much a disconnect ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// The socket in this namespace.
    Socket,
    /// The client's connection with all its sockets.
    Client,
}
