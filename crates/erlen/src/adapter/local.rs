//! A namespace's sockets on this node: what an adapter acts on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::rooms::LocalRooms;
use super::{Broadcast, SocketInfo};
use crate::ack::{AckSink, Slot};
use crate::broadcast::{Disconnect, Target};
use crate::namespace::Limits;
use crate::socket::{Room, Socket};

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
    pub(crate) fn new(namespace: &str, limits: &Limits, runtime: Handle) -> Self {
        let rooms = LocalRooms::new(limits.max_rooms);
        let ack_ids = AtomicU64::new(limits.count_acks.first_of_namespace());
        Self(Arc::new(Local { namespace: namespace.into(), rooms, ack_ids, runtime }))
    }

    pub(crate) fn rooms(&self) -> &LocalRooms {
        &self.0.rooms
    }

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
        let packets = broadcast.event.clone().packets();
        self.0.rooms.for_each(&broadcast.target, |socket| {
            socket.send(packets.iter().cloned(), broadcast.delivery);
        });
    }

    /// The same, asking for acks under `id`; answers how many it reached.
    pub fn broadcast_with_ack(&self, broadcast: &Broadcast, id: u64, sink: &Arc<dyn AckSink>) -> usize {
        let packets = broadcast.event.packets_with_ack(self.namespace(), id);
        let mut reached = 0;
        self.0.rooms.for_each(&broadcast.target, |socket| {
            if socket.expect_ack(id, Slot::Many(Arc::clone(sink))).is_ok() {
                reached += 1;
                socket.send(packets.iter().cloned(), broadcast.delivery);
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
