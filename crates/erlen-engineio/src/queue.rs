//! The packets that wait for a client: a queue that allocates nothing while it holds at most one.
//!
//! It belongs to the session, not to a transport, so an upgrade moves nothing.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::EncodedPacket;
use crate::budget::{Budget, Hold};

/// How many packets may have left before the place that they took is given back.
const SLACK: usize = 256;

/// Bytes of a packet's place in the queue.
const PLACE: usize = size_of::<Option<EncodedPacket>>();

/// Packets in order, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    packets: SmallVec<[Option<EncodedPacket>; 1]>,
    /// Packets at the front that have left.
    left: usize,
    bytes: usize,
    /// Places at the front whose packets are counted against the budget, if they have not left.
    held: usize,
    /// The places themselves, once they are counted too.
    places: Option<Hold>,
}

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, packet: EncodedPacket) {
        self.bytes += packet.body().len();
        self.packets.push(Some(packet));
    }

    /// The packet that [`pop`](Self::pop) would take.
    #[inline]
    pub(crate) fn first(&self) -> Option<&EncodedPacket> {
        self.packets.get(self.left)?.as_ref()
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<EncodedPacket> {
        let packet = self.packets.get_mut(self.left)?.take()?;
        self.bytes -= packet.body().len();
        self.left += 1;
        if self.left == self.packets.len() {
            self.reset();
        } else if self.left > SLACK && self.left > self.packets.len() / 2 {
            self.packets.drain(..self.left);
            self.held = self.held.saturating_sub(self.left);
            self.left = 0;
        }
        Some(packet)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
        self.reset();
    }

    /// Counts all that waits against a budget: it waits for a slow client. Looks at each packet once.
    pub(crate) fn hold(&mut self, budget: &Arc<Budget>) {
        let new = self.packets.get(self.held.max(self.left)..).unwrap_or_default();
        new.iter().flatten().for_each(|packet| packet.hold(budget));
        self.held = self.packets.len();
        let places = if self.packets.spilled() { self.packets.capacity() } else { 0 } * PLACE;
        if places != self.places.as_ref().map_or(0, Hold::bytes) {
            self.places = Some(budget.hold(places));
        }
    }

    /// What would be freed with the queue: its part of each packet, and its places.
    pub(crate) fn share(&self) -> usize {
        let packets = self.packets.iter().flatten().map(EncodedPacket::share).sum::<usize>();
        packets + self.places.as_ref().map_or(0, Hold::bytes)
    }

    /// Keeps no buffer once it is empty.
    #[inline]
    fn reset(&mut self) {
        self.left = 0;
        self.held = 0;
        if self.packets.spilled() {
            self.packets = SmallVec::new();
            self.places = None;
        } else {
            self.packets.clear();
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.len() == self.left
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.packets.len() - self.left
    }

    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_in_order_and_the_bytes_with_them() {
        let mut queue = Queue::default();
        for text in ["2", "4a", "4bc"] {
            queue.push(EncodedPacket::control(text));
        }
        assert_eq!((queue.len(), queue.bytes()), (3, 6));
        let bodies: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|p| p.body().to_vec()).collect();
        assert_eq!(bodies, [b"2".to_vec(), b"4a".to_vec(), b"4bc".to_vec()]);
        assert_eq!((queue.len(), queue.bytes(), queue.is_empty()), (0, 0, true));
    }

    #[test]
    fn a_queue_that_never_drains_does_not_grow() {
        let mut queue = Queue::default();
        for _ in 0..10 {
            queue.push(EncodedPacket::control("4a"));
        }
        for _ in 0..100_000 {
            queue.push(EncodedPacket::control("4a"));
            assert!(queue.pop().is_some());
        }
        assert_eq!((queue.len(), queue.bytes()), (10, 20));
        assert!(queue.packets.capacity() < 4 * SLACK);
    }

    #[test]
    fn what_is_held_is_counted_once_and_no_longer_when_it_has_left() {
        let budget = Budget::new(usize::MAX);
        let mut queue = Queue::default();
        for round in 1..=3 * SLACK {
            queue.push(EncodedPacket::control("4a"));
            queue.hold(&budget);
            queue.hold(&budget);
            assert_eq!(queue.share(), budget.held(), "after {round}");
            if round % 3 == 0 {
                queue.pop();
                assert_eq!(queue.share(), budget.held(), "after {round} and a pop");
            }
        }
        queue.push(EncodedPacket::control("4 not held"));
        assert!(queue.share() > budget.held());
        while queue.pop().is_some() {}
        assert_eq!((queue.share(), budget.held()), (0, 0));
    }

    #[test]
    fn a_queue_that_is_cleared_or_dropped_holds_nothing() {
        let budget = Budget::new(usize::MAX);
        let mut queue = Queue::default();
        for _ in 0..2 {
            (0..10).for_each(|_| queue.push(EncodedPacket::control("4a")));
            queue.hold(&budget);
            assert_ne!(budget.held(), 0);
            queue.clear();
            assert_eq!(budget.held(), 0);
        }
        queue.push(EncodedPacket::control("4a"));
        queue.hold(&budget);
        drop(queue);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_drained_queue_keeps_no_buffer() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.push(EncodedPacket::control("4a"));
        }
        while queue.pop().is_some() {}
        assert!(!queue.packets.spilled());
    }
}
