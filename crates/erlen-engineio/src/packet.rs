//! One packet of Engine.IO: a type digit and its data.
//!
//! Decoding only; what goes out is an [`EncodedPacket`](crate::EncodedPacket).
//! Spec: Engine.IO protocol, "Packet encoding".

use crate::DecodeError;

/// What a `message` packet carries to and from the layer above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// One decoded packet, borrowed from what came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: a server's greeting; from a client it is ignored.
    Open(&'a str),
    /// `1`: the peer ends the session.
    Close,
    /// `2`: heartbeat of the server, or a client's probe.
    Ping(&'a str),
    /// `3`: the answer to a ping.
    Pong(&'a str),
    /// `4`, or a binary frame: data of the layer above.
    Message(Message<'a>),
    /// `5`: the client moves to the transport that it probed.
    Upgrade,
    /// `6`: nothing; it ends a waiting poll.
    Noop,
}

impl<'a> Packet<'a> {
    /// Decodes one text packet. A binary message has no type digit: make it from [`Message::Binary`].
    ///
    /// # Errors
    /// [`DecodeError::Empty`] without a type, [`DecodeError::UnknownType`] for one beyond the spec.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let kind = *text.as_bytes().first().ok_or(DecodeError::Empty)?;
        let data = text.get(1..).unwrap_or_default();
        Ok(match kind {
            b'0' => Self::Open(data),
            b'1' => Self::Close,
            b'2' => Self::Ping(data),
            b'3' => Self::Pong(data),
            b'4' => Self::Message(Message::Text(data)),
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            other => return Err(DecodeError::UnknownType(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_spec_is_read() {
        let cases = [
            ("0{}", Packet::Open("{}")),
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("3probe", Packet::Pong("probe")),
            ("4héllo", Packet::Message(Message::Text("héllo"))),
            ("4", Packet::Message(Message::Text(""))),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ];
        for (text, packet) in cases {
            assert_eq!(Packet::decode(text), Ok(packet));
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(Packet::decode(""), Err(DecodeError::Empty));
        for text in ["7", "hello", "b", "é", "\u{1e}"] {
            assert!(matches!(Packet::decode(text), Err(DecodeError::UnknownType(_))), "{text:?}");
        }
    }
}
