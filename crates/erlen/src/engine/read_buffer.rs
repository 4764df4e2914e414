//! The buffer through which a shard's thread reads.
//!
//! What a batch of sockets has brought is read first, one behind the other, and then handled: the kernel's part of a read,
//! and the server's own, each find the processor's caches as the one before has left them.

use std::io;
use std::ops::Range;
use std::task::{Poll, ready};

/// Bytes of one read at most.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

/// Bytes before those that are read. As [`EncodedPacket`](super::EncodedPacket) has them: long texts are copied from there to the
/// beginning of a block.
const LEAD: usize = 128;

/// Where in the buffer that lies which a read has brought.
pub(super) type Place = Range<usize>;

/// The buffer. The system gives it memory as far as it is used.
pub(super) struct ReadBuffer {
    bytes: Box<[u8]>,
    /// Up to where it is kept; the next read goes behind it.
    kept: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        // What is kept, the last of it, and a read behind it.
        Self { bytes: vec![0; LEAD + 3 * READ_BUFFER].into_boxed_slice(), kept: LEAD }
    }
}

impl ReadBuffer {
    /// Reads once. It lies there until the next read, or is kept.
    pub(super) fn read(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<Place>> {
        let room = self.bytes.get_mut(self.kept..).unwrap_or_default();
        let n = ready!(read(room.get_mut(..READ_BUFFER).unwrap_or_default()))?;
        Poll::Ready(Ok(self.kept..self.kept + n))
    }

    /// Whether one more read may be kept.
    pub(super) fn may_keep(&self) -> bool {
        self.kept < LEAD + READ_BUFFER
    }

    /// Keeps what was just read until all is forgotten.
    pub(super) fn keep(&mut self, place: &Place) {
        self.kept = place.end;
    }

    /// Forgets what was kept.
    pub(super) fn clear(&mut self) {
        self.kept = LEAD;
    }

    /// The bytes of that place.
    pub(super) fn bytes(&mut self, place: Place) -> &mut [u8] {
        self.bytes.get_mut(place).unwrap_or_default()
    }
}
