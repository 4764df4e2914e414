//! A packet on its way out: encoded once, shared by every recipient and every transport.
//!
//! One contiguous buffer holds the WebSocket header and the packet behind it. A WebSocket takes
//! all of it, a polling payload takes what stands behind the header. A clone is a reference, of one word.
//! A short packet is copied out of the buffer in which it grew, which serves the next one; a long one keeps it.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use triomphe::ThinArc;

use crate::budget::{Budget, Hold};
use crate::frame::{self, MAX_HEADER, Opcode};

thread_local! {
    /// Where a packet grows until its length is known.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that the scratch keeps for the next packet.
const SCRATCH_KEPT: usize = 64 * 1024;

/// Bytes before a packet while it grows: the end of them is its header's. They are more than that needs, so that a long text is not
/// copied to a place that lies less than 32 bytes behind its own within their pages: AMD's processors (Zen 3 and later, which say that
/// they copy short pieces fast) take twenty times as long for that.
const ROOM: usize = 128;

/// From this length on a packet keeps the buffer in which it grew: a copy would cost more than another block.
const LONG: usize = 4 * 1024;

/// An encoded packet. Cheap to clone: the bytes are shared. A long one has them in its head.
#[derive(Clone)]
pub struct EncodedPacket(ThinArc<Head, u8>);

/// What stands before the bytes.
struct Head {
    /// Bytes of the WebSocket header.
    header: u8,
    kind: Kind,
    /// Set once a slow client keeps the packet; `None` in it: the packet is never freed, and not counted.
    hold: OnceLock<Option<Hold>>,
    /// The bytes of a long packet, behind what is left of the room for its header.
    long: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl EncodedPacket {
    /// A text message: `write` appends the text behind the type. It must append UTF-8.
    pub fn text_message(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build(Kind::Text, |buffer| {
            buffer.push(b'4');
            write(buffer);
        })
    }

    /// The same where `write` may fail.
    ///
    /// # Errors
    /// That of `write`.
    pub fn try_text_message<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        Self::try_build(Kind::Text, |buffer| {
            buffer.push(b'4');
            write(buffer)
        })
    }

    /// A binary message.
    pub fn binary_message(data: &[u8]) -> Self {
        Self::build(Kind::Binary, |buffer| buffer.extend_from_slice(data))
    }

    /// Any other packet by its text, the type digit first.
    pub fn control(text: &str) -> Self {
        Self::build(Kind::Text, |buffer| buffer.extend_from_slice(text.as_bytes()))
    }

    /// `0…`, the opening, whose text `write` appends.
    pub(crate) fn open(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build(Kind::Text, write)
    }

    /// `2`, the heartbeat.
    pub(crate) fn ping() -> Self {
        static PING: OnceLock<EncodedPacket> = OnceLock::new();
        PING.get_or_init(|| Self::for_ever("2")).clone()
    }

    /// `3probe`, the answer to a probe.
    pub(crate) fn probe_pong() -> Self {
        static PONG: OnceLock<EncodedPacket> = OnceLock::new();
        PONG.get_or_init(|| Self::for_ever("3probe")).clone()
    }

    fn for_ever(text: &str) -> Self {
        let packet = Self::control(text);
        packet.head().hold.get_or_init(|| None);
        packet
    }

    fn build(kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let built = Self::try_build(kind, |buffer| {
            write(buffer);
            Ok::<_, Infallible>(())
        });
        match built {
            Ok(packet) => packet,
            Err(never) => match never {},
        }
    }

    fn try_build<E>(kind: Kind, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        // Taken out, since `write` may encode a packet too.
        let mut buffer = SCRATCH.take();
        buffer.clear();
        buffer.extend_from_slice(&[0; ROOM]);
        write(&mut buffer)?;
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        let mut header = [0; MAX_HEADER];
        let length = frame::write_header(&mut header, opcode, buffer.len() - ROOM);
        let start = ROOM - length;
        buffer[start..ROOM].copy_from_slice(&header[..length]);
        Ok(Self::finish(kind, length, start, buffer))
    }

    /// Of a buffer that holds a frame from `start` on.
    fn finish(kind: Kind, header: usize, start: usize, buffer: Vec<u8>) -> Self {
        let mut head = Head { header: header as u8, kind, hold: OnceLock::new(), long: Vec::new() };
        let length = buffer.len();
        if length < LONG {
            let packet = Self(ThinArc::from_header_and_slice(head, &buffer[start..]));
            if buffer.capacity() <= SCRATCH_KEPT {
                SCRATCH.set(buffer);
            }
            return packet;
        }
        // The next one may be as long, and should not have to grow then.
        SCRATCH.set(Vec::with_capacity(length.min(SCRATCH_KEPT)));
        if buffer.capacity() - length > length / 4 {
            return Self(ThinArc::from_header_and_slice(head, &buffer[start..]));
        }
        head.long = buffer;
        Self(ThinArc::from_header_and_slice(head, &[]))
    }

    #[inline]
    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// The whole WebSocket frame, header first.
    #[inline]
    pub fn websocket_frame(&self) -> &[u8] {
        let head = self.head();
        if head.long.is_empty() { &self.0.slice } else { &head.long[ROOM - usize::from(head.header)..] }
    }

    /// The packet without the WebSocket header: type digit and text, or the bare bytes of a binary message.
    #[inline]
    pub fn body(&self) -> &[u8] {
        &self.websocket_frame()[usize::from(self.head().header)..]
    }

    /// Whether this is a binary message.
    #[inline]
    pub fn is_binary(&self) -> bool {
        self.head().kind == Kind::Binary
    }

    /// Counts the packet against a budget, once, until it is freed.
    pub fn hold(&self, budget: &Arc<Budget>) {
        self.head().hold.get_or_init(|| Some(budget.hold(self.weight())));
    }

    /// One owner's part of its memory.
    pub fn share(&self) -> usize {
        self.weight() / ThinArc::strong_count(&self.0).max(1)
    }

    /// Its memory: the bytes, and what stands before them.
    fn weight(&self) -> usize {
        size_of::<Head>() + 2 * size_of::<usize>() + self.0.slice.len() + self.head().long.capacity()
    }

    /// Appends the packet as a polling payload has it: text as it is, binary as `b` and base64.
    pub fn append_to_payload(&self, payload: &mut Vec<u8>) {
        match self.head().kind {
            Kind::Text => payload.extend_from_slice(self.body()),
            Kind::Binary => {
                payload.push(b'b');
                payload.extend_from_slice(STANDARD.encode(self.body()).as_bytes());
            }
        }
    }
}

impl PartialEq for EncodedPacket {
    fn eq(&self, other: &Self) -> bool {
        self.is_binary() == other.is_binary() && self.body() == other.body()
    }
}

impl Eq for EncodedPacket {}

impl std::fmt::Debug for EncodedPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.head().kind {
            Kind::Text => write!(f, "EncodedPacket({})", String::from_utf8_lossy(self.body())),
            Kind::Binary => write!(f, "EncodedPacket({} bytes)", self.body().len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_buffer_serves_both_transports() {
        let packet = EncodedPacket::text_message(|b| b.extend_from_slice(b"2[\"a\"]"));
        assert_eq!(packet.websocket_frame(), b"\x81\x0742[\"a\"]");
        let mut payload = Vec::new();
        packet.append_to_payload(&mut payload);
        assert_eq!(payload, b"42[\"a\"]");
    }

    #[test]
    fn binary_is_bare_on_websocket_and_base64_in_a_payload() {
        let packet = EncodedPacket::binary_message(&[1, 2, 3, 4]);
        assert_eq!(packet.websocket_frame(), [0x82, 4, 1, 2, 3, 4]);
        let mut payload = Vec::new();
        packet.append_to_payload(&mut payload);
        assert_eq!(payload, b"bAQIDBA==");
    }

    #[test]
    fn a_packet_that_is_held_counts_once_until_its_last_owner_drops_it() {
        let budget = Budget::new(1_000);
        let packet = EncodedPacket::binary_message(&[7; 990]);
        let other = packet.clone();
        packet.hold(&budget);
        other.hold(&budget);
        assert!((990..1_100).contains(&budget.held()), "{}", budget.held());
        assert!(budget.is_over());
        assert_eq!(packet.share(), budget.held() / 2);
        drop(packet);
        assert_ne!(budget.held(), 0);
        drop(other);
        assert_eq!((budget.held(), budget.is_over()), (0, false));
    }

    #[test]
    fn packets_that_live_for_ever_are_not_counted() {
        let budget = Budget::new(0);
        EncodedPacket::ping().hold(&budget);
        EncodedPacket::probe_pong().hold(&budget);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn long_packets_get_longer_headers() {
        for (len, header) in [(125, 2), (126, 4), (LONG, 4), (65_535, 4), (65_536, 10)] {
            let packet = EncodedPacket::binary_message(&vec![7; len]);
            assert_eq!(packet.websocket_frame().len(), header + len);
            assert_eq!(packet.body().len(), len);
        }
    }

    #[test]
    fn a_long_packet_lies_where_it_was_written() {
        for len in [LONG, 10 * LONG, 2 * SCRATCH_KEPT] {
            let mut written = std::ptr::null();
            let packet = EncodedPacket::text_message(|buffer| {
                buffer.reserve_exact(len);
                written = buffer.as_ptr_range().end;
                buffer.resize(buffer.len() + len, b'x');
            });
            assert_eq!(packet.body()[1..].as_ptr(), written, "{len}");
            assert_eq!(packet.body().len(), 1 + len);
        }
    }

    #[test]
    fn a_packet_takes_little_more_memory_than_its_bytes() {
        for len in [1, LONG - 100, LONG, 5 * LONG, 33 * LONG] {
            let packet = EncodedPacket::text_message(|buffer| {
                buffer.reserve(3 * len);
                buffer.resize(buffer.len() + len, b'x');
            });
            assert!(packet.share() < len + len / 2 + 200, "{} for {len}", packet.share());
            assert_eq!(packet.body(), [&b"4"[..], &vec![b'x'; len]].concat());
        }
    }

    #[test]
    fn a_packet_that_cannot_be_written_leaves_the_next_one_alone() {
        let failed = EncodedPacket::try_text_message(|buffer| {
            buffer.extend_from_slice(b"half of it");
            Err("no more")
        });
        assert_eq!(failed, Err("no more"));
        assert_eq!(EncodedPacket::control("2").websocket_frame(), b"\x81\x012");
    }
}
