//! The packets that wait for a client: a queue that allocates nothing while it holds at most one.
//!
//! It belongs to the session, not to a transport, so an upgrade moves nothing.

use std::collections::VecDeque;

use crate::EncodedPacket;

/// Packets in order, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    first: Option<EncodedPacket>,
    rest: VecDeque<EncodedPacket>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, packet: EncodedPacket) {
        self.bytes += packet.body().len();
        match self.first {
            None => self.first = Some(packet),
            Some(_) => self.rest.push_back(packet),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<EncodedPacket> {
        let packet = self.first.take()?;
        self.bytes -= packet.body().len();
        self.first = self.rest.pop_front();
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
        Some(packet)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

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
    fn a_drained_queue_keeps_no_buffer() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.push(EncodedPacket::control("4a"));
        }
        while queue.pop().is_some() {}
        assert_eq!(queue.rest.capacity(), 0);
    }
}
