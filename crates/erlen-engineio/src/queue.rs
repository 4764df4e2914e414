//! The packets that wait for a client: a queue that allocates nothing while it holds at most one.
//!
//! It belongs to the session, not to a transport, so an upgrade moves nothing.

use smallvec::SmallVec;

use crate::EncodedPacket;

/// How many packets may have left before the place that they took is given back.
const SLACK: usize = 256;

/// Packets in order, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    packets: SmallVec<[Option<EncodedPacket>; 1]>,
    /// Packets at the front that have left.
    left: usize,
    bytes: usize,
}

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, packet: EncodedPacket) {
        self.bytes += packet.body().len();
        self.packets.push(Some(packet));
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
            self.left = 0;
        }
        Some(packet)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
        self.reset();
    }

    /// Keeps no buffer once it is empty.
    #[inline]
    fn reset(&mut self) {
        self.left = 0;
        if self.packets.spilled() {
            self.packets = SmallVec::new();
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
    fn a_drained_queue_keeps_no_buffer() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.push(EncodedPacket::control("4a"));
        }
        while queue.pop().is_some() {}
        assert!(!queue.packets.spilled());
    }
}
