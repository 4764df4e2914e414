//! How an operation on rooms reaches every socket that it is for, on this node and on others.
//!
//! The tables of a node ([`LocalNode`]) are always there; an adapter decides who else is asked. In memory it
//! is nobody ([`MemoryAdapter`]); over a bus it is every node ([`ClusterAdapter`]).

mod cluster;
mod local;
mod rooms;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use erlen_socketio::SocketId;

use crate::ack::{AckSink, Collector};
use crate::broadcast::{BroadcastOperator, Disconnect, Target};
use crate::engine::Delivery;
use crate::namespace::Namespace;
use crate::outgoing::Event;
use crate::socket::Room;

pub use cluster::{Bus, ChannelBus, ClusterAdapter, ClusterMessage, NodeId, Operation, Receiver, RequestId};
pub use local::LocalNode;
pub(crate) use rooms::LocalRooms;
pub use rooms::RoomEvent;

/// An event and whom it is for.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The event, encoded.
    pub event: Event,
    /// Its recipients.
    pub target: Target,
    /// Whether it may be dropped.
    pub delivery: Delivery,
    /// Whether it stays on this node.
    pub local: bool,
}

/// What one node tells another about a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketInfo {
    /// Its id.
    pub id: SocketId,
    /// Its rooms, its own among them.
    pub rooms: Vec<Room>,
}

/// A future of an adapter.
pub type AdapterFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Brings operations to the sockets of a namespace, wherever they are. One a namespace and node.
pub trait Adapter: Send + Sync + 'static {
    /// Sends an event to its recipients.
    fn broadcast(&self, broadcast: &Broadcast);

    /// Sends an event that asks for acks under this id; the collector learns how many were reached on each node.
    fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, collector: &Arc<Collector>);

    /// Nobody awaits the acks of this broadcast any longer.
    fn forget_acks(&self, broadcast: &Broadcast, id: u64);

    /// The sockets of a target; only this node's if `local`.
    fn fetch_sockets(&self, target: &Target, local: bool) -> AdapterFuture<Vec<SocketInfo>>;

    /// Makes sockets join rooms.
    fn join(&self, target: &Target, rooms: &[Room], local: bool);

    /// Makes sockets leave rooms.
    fn leave(&self, target: &Target, rooms: &[Room], local: bool);

    /// Disconnects sockets.
    fn disconnect(&self, target: &Target, what: Disconnect, local: bool);

    /// How many nodes there are, this one included.
    fn nodes(&self) -> usize;
}

/// Makes the adapter of a namespace from its node's side.
pub type AdapterFactory = Arc<dyn Fn(LocalNode) -> Arc<dyn Adapter> + Send + Sync>;

/// The adapter of a server that is alone.
#[derive(Debug)]
pub struct MemoryAdapter(LocalNode);

impl MemoryAdapter {
    /// The adapter of this node's sockets.
    pub fn new(local: LocalNode) -> Self {
        Self(local)
    }
}

impl Adapter for MemoryAdapter {
    fn broadcast(&self, broadcast: &Broadcast) {
        self.0.broadcast(broadcast);
    }

    fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, collector: &Arc<Collector>) {
        let sink: Arc<dyn AckSink> = Arc::clone(collector) as _;
        collector.expect(self.0.broadcast_with_ack(broadcast, id, &sink));
    }

    fn forget_acks(&self, broadcast: &Broadcast, id: u64) {
        self.0.forget_acks(&broadcast.target, id);
    }

    fn fetch_sockets(&self, target: &Target, _: bool) -> AdapterFuture<Vec<SocketInfo>> {
        Box::pin(std::future::ready(self.0.sockets(target)))
    }

    fn join(&self, target: &Target, rooms: &[Room], _: bool) {
        self.0.join(target, rooms);
    }

    fn leave(&self, target: &Target, rooms: &[Room], _: bool) {
        self.0.leave(target, rooms);
    }

    fn disconnect(&self, target: &Target, what: Disconnect, _: bool) {
        self.0.disconnect(target, what);
    }

    fn nodes(&self) -> usize {
        1
    }
}

/// A socket of any node, as [`BroadcastOperator::fetch_sockets`] finds it. What it does goes through the adapter.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    namespace: Namespace,
    info: SocketInfo,
}

impl RemoteSocket {
    pub(crate) fn new(namespace: Namespace, info: SocketInfo) -> Self {
        Self { namespace, info }
    }

    /// Its id.
    pub fn id(&self) -> SocketId {
        self.info.id
    }

    /// Its rooms when it was fetched, its own among them.
    pub fn rooms(&self) -> &[Room] {
        &self.info.rooms
    }

    /// An operator that reaches this socket alone: emit, join, leave, disconnect.
    pub fn operator(&self) -> BroadcastOperator {
        self.namespace.to(self.info.id)
    }
}
