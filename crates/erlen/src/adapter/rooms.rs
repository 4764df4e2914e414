//! Who is in which room on this node: tables behind one lock, changed and read by whoever calls.
//!
//! A socket is in the room named by its id without an entry. A room is a table with a dense list, so
//! joining, leaving and iterating cost nothing that grows with what does not take part.
//! Lock order: these tables, then a socket's state, then its client's; never back.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use erlen_socketio::SocketId;
use indexmap::IndexMap;

use crate::broadcast::Target;
use crate::inbox::contain;
use crate::socket::{Room, Socket};

type Members = IndexMap<SocketId, Socket>;

/// The tables of one namespace on this node.
#[derive(Default)]
pub(crate) struct LocalRooms {
    tables: RwLock<Tables>,
    max_rooms: usize,
    listeners: RwLock<Vec<RoomListener>>,
}

pub(crate) type RoomListener = Arc<dyn Fn(&RoomEvent) + Send + Sync>;

#[derive(Default)]
struct Tables {
    sockets: Members,
    rooms: HashMap<Room, Members>,
}

/// What has happened to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// The first socket is about to join.
    Created(Room),
    /// A socket has joined.
    Joined(Room, SocketId),
    /// A socket has left.
    Left(Room, SocketId),
    /// The last socket has left.
    Deleted(Room),
}

impl LocalRooms {
    pub(crate) fn new(max_rooms: usize) -> Self {
        Self { max_rooms, ..Self::default() }
    }

    pub(crate) fn listen(&self, listener: RoomListener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Adds a socket to the namespace. False if it has left meanwhile.
    pub(crate) fn add(&self, socket: &Socket) -> bool {
        let mut tables = self.write();
        if socket.is_closed() {
            return false;
        }
        tables.sockets.insert(socket.id(), socket.clone());
        drop(tables);
        let own = Room::from(socket.id().as_str());
        self.tell(|| vec![RoomEvent::Created(own.clone()), RoomEvent::Joined(own, socket.id())]);
        true
    }

    /// Takes a socket out of the namespace and of all its rooms. Its own list stays, for its last handlers.
    pub(crate) fn remove(&self, socket: &Socket) {
        let mut events = Vec::new();
        let mut tables = self.write();
        let rooms = socket.lock().rooms.clone();
        for room in rooms {
            tables.leave(&room, socket, &mut events);
        }
        let known = tables.sockets.swap_remove(&socket.id()).is_some();
        tables.shrink();
        drop(tables);
        if known {
            let own = Room::from(socket.id().as_str());
            events.extend([RoomEvent::Left(own.clone(), socket.id()), RoomEvent::Deleted(own)]);
        }
        self.tell(|| events);
    }

    pub(crate) fn join(&self, socket: &Socket, room: Room) {
        if *room == *socket.id().as_str() {
            return;
        }
        let mut tables = self.write();
        let mut state = socket.lock();
        if state.closed || state.rooms.contains(&room) {
            return;
        }
        if state.rooms.len() >= self.max_rooms {
            drop((state, tables));
            tracing::warn!(target: "erlen", socket = %socket.id(), max = self.max_rooms,
                "a socket in too many rooms joined no other; the limit is the builder's `max_rooms`");
            return;
        }
        // One allocation a room, whoever joins it.
        let name =
            tables.rooms.get_key_value(&room).map_or_else(|| Arc::clone(&room), |(name, _)| Arc::clone(name));
        let members = tables.rooms.entry(Arc::clone(&name)).or_default();
        let created = members.is_empty();
        members.insert(socket.id(), socket.clone());
        state.rooms.push(name);
        drop((state, tables));
        self.tell(|| {
            let mut events = Vec::new();
            if created {
                events.push(RoomEvent::Created(Arc::clone(&room)));
            }
            events.push(RoomEvent::Joined(room, socket.id()));
            events
        });
    }

    pub(crate) fn leave(&self, socket: &Socket, room: &str) {
        let mut events = Vec::new();
        let mut tables = self.write();
        let mut state = socket.lock();
        if state.closed {
            return;
        }
        let Some(index) = state.rooms.iter().position(|r| **r == *room) else {
            return;
        };
        let room = state.rooms.swap_remove(index);
        drop(state);
        tables.leave(&room, socket, &mut events);
        drop(tables);
        self.tell(|| events);
    }

    /// Calls `f` with every connected socket that the target names, once each. `f` runs under the lock:
    /// it must be short, and must not come back here.
    pub(crate) fn for_each(&self, target: &Target, mut f: impl FnMut(&Socket)) {
        let tables = self.read();
        let all = target.except.is_empty();
        let mut visit = |socket: &Socket| {
            if socket.is_connected() && (all || !tables.excepts(target, socket)) {
                f(socket);
            }
        };
        match target.rooms.as_slice() {
            [] => tables.sockets.values().for_each(visit),
            [room] => tables.members(room).for_each(visit),
            rooms => {
                let mut seen = std::collections::HashSet::new();
                for socket in rooms.iter().flat_map(|room| tables.members(room)) {
                    if seen.insert(socket.id()) {
                        visit(socket);
                    }
                }
            }
        }
    }

    /// The sockets that the target names.
    pub(crate) fn sockets(&self, target: &Target) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.for_each(target, |socket| sockets.push(socket.clone()));
        sockets
    }

    pub(crate) fn socket(&self, id: &SocketId) -> Option<Socket> {
        self.read().sockets.get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().sockets.len()
    }

    /// The rooms and how many sockets are in each, without those named by a socket's id.
    pub(crate) fn sizes(&self) -> Vec<(Room, usize)> {
        self.read().rooms.iter().map(|(room, members)| (Arc::clone(room), members.len())).collect()
    }

    /// Tells the listeners, outside of every lock.
    fn tell(&self, events: impl FnOnce() -> Vec<RoomEvent>) {
        // Not under the lock: a listener may add another one.
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner).clone();
        if listeners.is_empty() {
            return;
        }
        for event in events() {
            for listener in &listeners {
                contain("a listener of rooms", || listener(&event));
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// A room's sockets: its table's, and the one that it is the own room of.
    fn members<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = &'a Socket> {
        let own = SocketId::parse(room).and_then(|id| self.sockets.get(&id));
        self.rooms.get(room).into_iter().flat_map(Members::values).chain(own)
    }

    fn excepts(&self, target: &Target, socket: &Socket) -> bool {
        target.except.iter().any(|room| {
            **room == *socket.id().as_str()
                || self.rooms.get(room).is_some_and(|members| members.contains_key(&socket.id()))
        })
    }

    fn leave(&mut self, room: &Room, socket: &Socket, events: &mut Vec<RoomEvent>) {
        let Some(members) = self.rooms.get_mut(room) else {
            return;
        };
        if members.swap_remove(&socket.id()).is_none() {
            return;
        }
        events.push(RoomEvent::Left(Arc::clone(room), socket.id()));
        give_back(members);
        if members.is_empty() {
            self.rooms.remove(room);
            events.push(RoomEvent::Deleted(Arc::clone(room)));
        }
    }

    /// Gives memory back when most of it is not used any longer.
    fn shrink(&mut self) {
        give_back(&mut self.sockets);
        if self.rooms.capacity() > 1024 && self.rooms.len() < self.rooms.capacity() / 8 {
            self.rooms.shrink_to(self.rooms.len() * 2);
        }
    }
}

/// The same for the sockets of one table.
fn give_back(members: &mut Members) {
    if members.capacity() > 1024 && members.len() < members.capacity() / 8 {
        members.shrink_to(members.len() * 2);
    }
}
