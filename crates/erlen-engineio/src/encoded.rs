//! A packet on its way out: encoded once, shared by every recipient and every transport.
//!
//! One contiguous buffer holds the WebSocket header and the packet behind it. A WebSocket takes
//! all of it, a polling payload takes what stands behind the header. A clone is a reference.

use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::frame::{self, MAX_HEADER, Opcode};

/// An encoded packet. Cheap to clone: the bytes are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedPacket {
    buffer: Arc<[u8]>,
    header: u8,
    kind: Kind,
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

    /// A binary message.
    pub fn binary_message(data: &[u8]) -> Self {
        Self::build(Kind::Binary, |buffer| buffer.extend_from_slice(data))
    }

    /// Any other packet by its text, the type digit first.
    pub fn control(text: &str) -> Self {
        Self::build(Kind::Text, |buffer| buffer.extend_from_slice(text.as_bytes()))
    }

    /// `2`, the heartbeat.
    pub(crate) fn ping() -> Self {
        static PING: OnceLock<EncodedPacket> = OnceLock::new();
        PING.get_or_init(|| Self::control("2")).clone()
    }

    /// `3probe`, the answer to a probe.
    pub(crate) fn probe_pong() -> Self {
        static PONG: OnceLock<EncodedPacket> = OnceLock::new();
        PONG.get_or_init(|| Self::control("3probe")).clone()
    }

    fn build(kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(MAX_HEADER + 118);
        buffer.resize(MAX_HEADER, 0);
        write(&mut buffer);
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        let mut header = [0; MAX_HEADER];
        let length = frame::write_header(&mut header, opcode, buffer.len() - MAX_HEADER);
        let start = MAX_HEADER - length;
        buffer[start..MAX_HEADER].copy_from_slice(&header[..length]);
        Self { buffer: Arc::from(&buffer[start..]), header: length as u8, kind }
    }

    /// The whole WebSocket frame, header first.
    #[inline]
    pub fn websocket_frame(&self) -> &[u8] {
        &self.buffer
    }

    /// The packet without the WebSocket header: type digit and text, or the bare bytes of a binary message.
    #[inline]
    pub fn body(&self) -> &[u8] {
        &self.buffer[usize::from(self.header)..]
    }

    /// Whether this is a binary message.
    #[inline]
    pub fn is_binary(&self) -> bool {
        self.kind == Kind::Binary
    }

    /// Appends the packet as a polling payload has it: text as it is, binary as `b` and base64.
    pub fn append_to_payload(&self, payload: &mut Vec<u8>) {
        match self.kind {
            Kind::Text => payload.extend_from_slice(self.body()),
            Kind::Binary => {
                payload.push(b'b');
                payload.extend_from_slice(STANDARD.encode(self.body()).as_bytes());
            }
        }
    }
}

impl std::fmt::Debug for EncodedPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
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
    fn long_packets_get_longer_headers() {
        for (len, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let packet = EncodedPacket::binary_message(&vec![7; len]);
            assert_eq!(packet.websocket_frame().len(), header + len);
            assert_eq!(packet.body().len(), len);
        }
    }
}
