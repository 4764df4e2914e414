//! Several nodes as one server, over a bus: everything a cluster needs except the wire.
//!
//! An operation acts on this node at once and goes to the others as one message; an event travels as the JSON
//! text that it was encoded to. Requests (acks, fetching) are answered to the node that asked; a node that
//! does not answer costs its answers, not the request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use erlen_socketio::SocketId;
use tokio::sync::mpsc;

use super::{Adapter, AdapterFuture, Broadcast, LocalNode, SocketInfo};
use crate::ack::{AckSink, Collector};
use crate::args::RawArgs;
use crate::broadcast::{Disconnect, Target};
use crate::engine::random;
use crate::socket::Room;

/// How long the sockets of other nodes are awaited.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Names a node on a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub u64);

/// Names a request of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// What nodes say to each other, about one namespace.
#[derive(Clone, Debug)]
pub struct ClusterMessage {
    /// Who says it.
    pub from: NodeId,
    /// The namespace.
    pub namespace: Box<str>,
    /// What is to be done.
    pub operation: Operation,
}

/// An operation, or the answer to one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// Send an event; with a request, ask for acks.
    Broadcast(Broadcast, Option<RequestId>),
    /// Nobody awaits the acks of this request any longer.
    Forget(RequestId),
    /// Make sockets join rooms.
    Join(Target, Vec<Room>),
    /// Make sockets leave rooms.
    Leave(Target, Vec<Room>),
    /// Disconnect sockets.
    Disconnect(Target, Disconnect),
    /// Tell the sockets of a target.
    Fetch(RequestId, Target),
    /// How many sockets a broadcast with acks has reached.
    Reached(RequestId, usize),
    /// A socket's ack.
    Answered(RequestId, SocketId, RawArgs),
    /// A socket that was reached has gone.
    Lost(RequestId, SocketId),
    /// The sockets that were asked for.
    Fetched(RequestId, Vec<SocketInfo>),
}

/// Where messages of other nodes go.
pub type Receiver = Arc<dyn Fn(ClusterMessage) + Send + Sync>;

/// Carries messages between nodes. It must not block, and it drops nothing silently that it has taken.
pub trait Bus: Send + Sync + 'static {
    /// This node's name.
    fn node(&self) -> NodeId;

    /// How many nodes have subscribed to a namespace, this one included. The others answer nothing about it.
    fn nodes(&self, namespace: &str) -> usize;

    /// To every other node.
    fn publish(&self, message: ClusterMessage);

    /// To one node.
    fn send(&self, to: NodeId, message: ClusterMessage);

    /// Asks for the messages of a namespace.
    fn subscribe(&self, namespace: &str, receiver: Receiver);

    /// Takes a receiver away, unless another one has come in its place.
    fn unsubscribe(&self, namespace: &str, receiver: &Receiver);
}

/// The adapter of a node on a bus.
pub struct ClusterAdapter {
    shared: Arc<Shared>,
    receiver: Receiver,
}

struct Shared {
    local: LocalNode,
    bus: Arc<dyn Bus>,
    next_request: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Own broadcasts whose acks are awaited, by request and by ack id.
    collectors: HashMap<RequestId, Arc<Collector>>,
    requests: HashMap<u64, RequestId>,
    /// Own fetches.
    fetches: HashMap<RequestId, mpsc::UnboundedSender<Vec<SocketInfo>>>,
    /// Broadcasts of other nodes whose acks they await: the ack id here, and whom it went to.
    foreign: HashMap<(NodeId, RequestId), (u64, Target)>,
}

impl ClusterAdapter {
    /// The adapter of this node's sockets on a bus. For [`Builder::adapter`](crate::Builder::adapter).
    pub fn new(local: LocalNode, bus: Arc<dyn Bus>) -> Arc<Self> {
        let shared =
            Arc::new(Shared { local, bus, next_request: AtomicU64::new(0), state: Mutex::default() });
        let receiving: Weak<Shared> = Arc::downgrade(&shared);
        let receiver: Receiver = Arc::new(move |message| {
            if let Some(shared) = receiving.upgrade() {
                shared.receive(message);
            }
        });
        shared.bus.subscribe(shared.local.namespace(), Arc::clone(&receiver));
        Arc::new(Self { shared, receiver })
    }
}

impl Drop for ClusterAdapter {
    fn drop(&mut self) {
        self.shared.bus.unsubscribe(self.shared.local.namespace(), &self.receiver);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn message(&self, operation: Operation) -> ClusterMessage {
        ClusterMessage { from: self.bus.node(), namespace: self.local.namespace().into(), operation }
    }

    fn publish(&self, operation: Operation) {
        self.bus.publish(self.message(operation));
    }

    fn next_request(&self) -> RequestId {
        RequestId(self.next_request.fetch_add(1, Relaxed))
    }

    /// What another node says.
    fn receive(self: &Arc<Self>, message: ClusterMessage) {
        let from = message.from;
        match message.operation {
            Operation::Broadcast(broadcast, None) => self.local.broadcast(&broadcast),
            Operation::Broadcast(broadcast, Some(request)) => self.broadcast_for(from, request, &broadcast),
            Operation::Forget(request) => {
                let foreign = self.lock().foreign.remove(&(from, request));
                if let Some((id, target)) = foreign {
                    self.local.forget_acks(&target, id);
                }
            }
            Operation::Join(target, rooms) => self.local.join(&target, &rooms),
            Operation::Leave(target, rooms) => self.local.leave(&target, &rooms),
            Operation::Disconnect(target, what) => self.local.disconnect(&target, what),
            Operation::Fetch(request, target) => {
                let sockets = self.local.sockets(&target);
                self.bus.send(from, self.message(Operation::Fetched(request, sockets)));
            }
            Operation::Reached(request, sockets) => self.collector(request, |c| c.expect(sockets)),
            Operation::Answered(request, socket, args) => self.collector(request, |c| c.answer(socket, args)),
            Operation::Lost(request, socket) => self.collector(request, |c| c.lose(socket)),
            Operation::Fetched(request, sockets) => {
                if let Some(fetch) = self.lock().fetches.get(&request) {
                    // The fetch may have ended meanwhile.
                    let _ = fetch.send(sockets);
                }
            }
        }
    }

    fn collector(&self, request: RequestId, tell: impl FnOnce(&Collector)) {
        let collector = self.lock().collectors.get(&request).cloned();
        if let Some(collector) = collector {
            tell(&collector);
        }
    }

    /// Broadcasts for another node, which gets the acks.
    fn broadcast_for(self: &Arc<Self>, from: NodeId, request: RequestId, broadcast: &Broadcast) {
        let id = self.local.next_ack_id();
        self.lock().foreign.insert((from, request), (id, broadcast.target.clone()));
        let sink: Arc<dyn AckSink> = Arc::new(Forward { shared: Arc::clone(self), to: from, request });
        let reached = self.local.broadcast_with_ack(broadcast, id, &sink);
        self.bus.send(from, self.message(Operation::Reached(request, reached)));
    }
}

/// Sends acks to the node that awaits them.
struct Forward {
    shared: Arc<Shared>,
    to: NodeId,
    request: RequestId,
}

impl AckSink for Forward {
    fn answer(&self, from: SocketId, args: RawArgs) {
        let message = self.shared.message(Operation::Answered(self.request, from, args));
        self.shared.bus.send(self.to, message);
    }

    fn lose(&self, from: SocketId) {
        self.shared.bus.send(self.to, self.shared.message(Operation::Lost(self.request, from)));
    }
}

/// A fetch that is awaited. Dropped, its request is forgotten.
struct Fetching {
    shared: Arc<Shared>,
    request: RequestId,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.shared.lock().fetches.remove(&self.request);
    }
}

impl Adapter for ClusterAdapter {
    fn broadcast(&self, broadcast: &Broadcast) {
        self.shared.local.broadcast(broadcast);
        if !broadcast.local {
            self.shared.publish(Operation::Broadcast(broadcast.clone(), None));
        }
    }

    fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, collector: &Arc<Collector>) {
        let sink: Arc<dyn AckSink> = Arc::clone(collector) as _;
        if !broadcast.local {
            let request = self.shared.next_request();
            let mut state = self.shared.lock();
            state.collectors.insert(request, Arc::clone(collector));
            state.requests.insert(id, request);
            drop(state);
            self.shared.publish(Operation::Broadcast(broadcast.clone(), Some(request)));
        }
        collector.expect(self.shared.local.broadcast_with_ack(broadcast, id, &sink));
    }

    fn forget_acks(&self, broadcast: &Broadcast, id: u64) {
        self.shared.local.forget_acks(&broadcast.target, id);
        let mut state = self.shared.lock();
        let Some(request) = state.requests.remove(&id) else {
            return;
        };
        state.collectors.remove(&request);
        drop(state);
        self.shared.publish(Operation::Forget(request));
    }

    fn fetch_sockets(&self, target: &Target, local: bool) -> AdapterFuture<Vec<SocketInfo>> {
        let mut sockets = self.shared.local.sockets(target);
        let others = self.nodes().saturating_sub(1);
        if local || others == 0 {
            return Box::pin(std::future::ready(sockets));
        }
        let request = self.shared.next_request();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.shared.lock().fetches.insert(request, sender);
        self.shared.publish(Operation::Fetch(request, target.clone()));
        let fetching = Fetching { shared: Arc::clone(&self.shared), request };
        Box::pin(async move {
            let deadline = {
                let _entered = fetching.shared.local.runtime().enter();
                tokio::time::sleep(REQUEST_TIMEOUT)
            };
            let mut deadline = std::pin::pin!(deadline);
            for _ in 0..others {
                tokio::select! {
                    Some(fetched) = receiver.recv() => sockets.extend(fetched),
                    () = deadline.as_mut() => break,
                }
            }
            sockets
        })
    }

    fn join(&self, target: &Target, rooms: &[Room], local: bool) {
        self.shared.local.join(target, rooms);
        if !local {
            self.shared.publish(Operation::Join(target.clone(), rooms.to_vec()));
        }
    }

    fn leave(&self, target: &Target, rooms: &[Room], local: bool) {
        self.shared.local.leave(target, rooms);
        if !local {
            self.shared.publish(Operation::Leave(target.clone(), rooms.to_vec()));
        }
    }

    fn disconnect(&self, target: &Target, what: Disconnect, local: bool) {
        self.shared.local.disconnect(target, what);
        if !local {
            self.shared.publish(Operation::Disconnect(target.clone(), what));
        }
    }

    fn nodes(&self) -> usize {
        self.shared.bus.nodes(self.shared.local.namespace())
    }
}

/// A bus between servers of one process, over channels: for tests, and as the smallest example of one.
pub struct ChannelBus {
    node: NodeId,
    hub: Arc<Hub>,
    receivers: Arc<Receivers>,
}

type Receivers = RwLock<HashMap<Box<str>, Receiver>>;
type Hub = RwLock<Vec<Place>>;

/// A node's place on the hub.
struct Place {
    node: NodeId,
    sender: mpsc::UnboundedSender<ClusterMessage>,
    receivers: Arc<Receivers>,
}

impl ChannelBus {
    /// A bus with so many places, one for each node. Call it inside a tokio runtime, which carries the messages.
    pub fn join<const N: usize>() -> [Arc<Self>; N] {
        let hub = Arc::new(Hub::default());
        std::array::from_fn(|_| Self::place(&hub))
    }

    fn place(hub: &Arc<Hub>) -> Arc<Self> {
        let node = NodeId(u64::from_ne_bytes(random()));
        let (sender, mut messages) = mpsc::unbounded_channel::<ClusterMessage>();
        let receivers = Arc::new(Receivers::default());
        let place = Place { node, sender, receivers: Arc::clone(&receivers) };
        hub.write().unwrap_or_else(PoisonError::into_inner).push(place);
        let own = Arc::clone(&receivers);
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                let receiver =
                    own.read().unwrap_or_else(PoisonError::into_inner).get(&message.namespace).cloned();
                if let Some(receiver) = receiver {
                    receiver(message);
                }
            }
        });
        Arc::new(Self { node, hub: Arc::clone(hub), receivers })
    }

    fn deliver(&self, message: &ClusterMessage, to: impl Fn(NodeId) -> bool) {
        for place in self.hub.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if to(place.node) {
                // A node that is gone hears nothing.
                let _ = place.sender.send(message.clone());
            }
        }
    }
}

impl Bus for ChannelBus {
    fn node(&self) -> NodeId {
        self.node
    }

    fn nodes(&self, namespace: &str) -> usize {
        let has = |place: &&Place| {
            place.receivers.read().unwrap_or_else(PoisonError::into_inner).contains_key(namespace)
        };
        self.hub.read().unwrap_or_else(PoisonError::into_inner).iter().filter(has).count()
    }

    fn publish(&self, message: ClusterMessage) {
        self.deliver(&message, |node| node != self.node);
    }

    fn send(&self, to: NodeId, message: ClusterMessage) {
        self.deliver(&message, |node| node == to);
    }

    fn subscribe(&self, namespace: &str, receiver: Receiver) {
        self.receivers.write().unwrap_or_else(PoisonError::into_inner).insert(namespace.into(), receiver);
    }

    fn unsubscribe(&self, namespace: &str, receiver: &Receiver) {
        let mut receivers = self.receivers.write().unwrap_or_else(PoisonError::into_inner);
        if receivers.get(namespace).is_some_and(|known| Arc::ptr_eq(known, receiver)) {
            receivers.remove(namespace);
        }
    }
}
