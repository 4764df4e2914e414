//! Who has a place in the table of a shard's sockets, and those of them that close.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::Application;
use super::connection::Connection;
use super::guest::Guest;

/// A place in a table of a shard: of a connection, or of what is filed for a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(NonZeroU32);

impl Slot {
    /// The place of that index, of which there are fewer than four billion: a process has fewer descriptors.
    pub(super) fn new(index: usize) -> Self {
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MAX))
    }

    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Whom an event of the queue is for.
pub(super) enum Tenant<A: Application> {
    Guest(Rc<Guest>),
    /// A guest has left, and becomes a WebSocket in the same place.
    Expected,
    WebSocket(Rc<Connection<A>>),
}

impl<A: Application> Clone for Tenant<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Guest(guest) => Self::Guest(Rc::clone(guest)),
            Self::Expected => Self::Expected,
            Self::WebSocket(connection) => Self::WebSocket(Rc::clone(connection)),
        }
    }
}

/// The table.
pub(super) struct Tenants<A: Application> {
    places: RefCell<Slab<Tenant<A>>>,
    /// By when peers must have closed, in that order. Who has gone is taken out when it comes to the front.
    closing: RefCell<VecDeque<(Instant, Slot)>>,
}

impl<A: Application> Default for Tenants<A> {
    fn default() -> Self {
        Self { places: RefCell::default(), closing: RefCell::default() }
    }
}

impl<A: Application> Tenants<A> {
    pub(super) fn get(&self, slot: Slot) -> Option<Tenant<A>> {
        self.places.borrow().get(slot.index()).cloned()
    }

    pub(super) fn connection(&self, slot: Slot) -> Option<Rc<Connection<A>>> {
        match self.get(slot)? {
            Tenant::WebSocket(connection) => Some(connection),
            Tenant::Guest(_) | Tenant::Expected => None,
        }
    }

    pub(super) fn connections(&self) -> Vec<Rc<Connection<A>>> {
        let slots: Vec<_> = self.places.borrow().iter().map(|(index, _)| Slot::new(index)).collect();
        slots.into_iter().filter_map(|slot| self.connection(slot)).collect()
    }

    /// The place of the next who comes.
    pub(super) fn vacant(&self) -> Slot {
        Slot::new(self.places.borrow().vacant_key())
    }

    /// Gives a tenant the place that is kept for it, or the next that is free.
    pub(super) fn seat(&self, seat: Option<Slot>, tenant: Tenant<A>) {
        let mut places = self.places.borrow_mut();
        match seat.and_then(|slot| places.get_mut(slot.index())) {
            Some(place) => *place = tenant,
            None => drop(places.insert(tenant)),
        }
    }

    /// Whoever had the place is gone; whether anybody had.
    pub(super) fn leave(&self, slot: Slot) -> bool {
        self.places.borrow_mut().try_remove(slot.index()).is_some()
    }

    /// Ends a connection that is still there after `timeout`; by when that is.
    pub(super) fn expire(&self, slot: Slot, timeout: Duration) -> Instant {
        let at = Instant::now() + timeout;
        self.closing.borrow_mut().push_back((at, slot));
        at
    }

    /// The next that did not close in time.
    ///
    /// # Errors
    /// There is none; when the next will be due.
    pub(super) fn overdue(&self, now: Instant) -> Result<Rc<Connection<A>>, Option<Instant>> {
        let mut closing = self.closing.borrow_mut();
        while let Some((at, slot)) = closing.front().copied() {
            let connection = self.connection(slot).filter(|connection| connection.closes_by() == Some(at));
            if connection.is_some() && at > now {
                return Err(Some(at));
            }
            closing.pop_front();
            if let Some(connection) = connection {
                return Ok(connection);
            }
        }
        *closing = VecDeque::new();
        Err(None)
    }
}
