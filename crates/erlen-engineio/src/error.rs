//! What a peer can do wrong on the wire, one variant per broken rule.
//!
//! [`DecodeError`] is about packets and payloads, [`FrameError`] about WebSocket frames. The refusal
//! of a handshake is a [`HandshakeError`](crate::handshake::HandshakeError); the end of a session is a close
//! reason, not an error. Spec: Engine.IO protocol, "Packet encoding"; RFC 6455, sections 5 and 7.

use std::{error, fmt};

/// Why a packet or a payload could not be read. The session ends with `parse error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet without a type, or a body without a packet.
    Empty,
    /// The first byte is no packet type of the spec.
    UnknownType(u8),
    /// A text packet is not UTF-8.
    Utf8,
    /// A binary packet of a payload is not base64.
    Base64,
    /// A payload holds more packets than allowed.
    TooManyPackets,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty packet"),
            Self::UnknownType(byte) => write!(f, "unknown packet type {:?}", char::from(*byte)),
            Self::Utf8 => f.write_str("packet is not UTF-8"),
            Self::Base64 => f.write_str("binary packet is not base64"),
            Self::TooManyPackets => f.write_str("too many packets in one payload"),
        }
    }
}

impl error::Error for DecodeError {}

/// Which rule of RFC 6455, or which limit, a client's frame broke. The connection ends with
/// [`close_code`](Self::close_code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set, and no extension was agreed on (5.2).
    ReservedBits,
    /// An opcode that RFC 6455 keeps for later (5.2).
    ReservedOpcode,
    /// A client must mask its frames (5.1).
    Unmasked,
    /// A control frame without FIN (5.4).
    FragmentedControl,
    /// A control frame of more than 125 bytes (5.5).
    ControlTooLong,
    /// A length in more bytes than it needs (5.2).
    NonMinimalLength,
    /// A length with its highest bit set (5.2).
    LengthOverflow,
    /// A frame of so many bytes, which is longer than the largest message allowed.
    FrameTooBig(u64),
    /// A fragmented message longer than allowed, of so many bytes up to here.
    MessageTooBig(u64),
    /// A message in more fragments than allowed.
    TooManyFragments,
    /// A fragmented message that took longer than allowed.
    FragmentTimeout,
    /// A continuation, and no message is open (5.4).
    UnexpectedContinuation,
    /// A new message while another is open (5.4).
    ExpectedContinuation,
    /// A text message is not UTF-8 (8.1).
    Utf8,
    /// A close frame with a body of one byte (5.5.1).
    CloseLength,
    /// A close code that must not be on the wire (7.4).
    CloseCode,
    /// A close reason that is not UTF-8 (5.5.1).
    CloseReason,
}

impl FrameError {
    /// The code of the close frame that answers: 1002 for a broken rule, 1007 for text that is not
    /// UTF-8, 1008 for too many or too slow fragments, 1009 for what is too big.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Utf8 => 1007,
            Self::TooManyFragments | Self::FragmentTimeout => 1008,
            Self::FrameTooBig(_) | Self::MessageTooBig(_) | Self::LengthOverflow => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "reserved bits are set",
            Self::ReservedOpcode => "reserved opcode",
            Self::Unmasked => "client frame without a mask",
            Self::FragmentedControl => "fragmented control frame",
            Self::ControlTooLong => "control frame of more than 125 bytes",
            Self::NonMinimalLength => "frame length in more bytes than it needs",
            Self::LengthOverflow => "frame length of more than 63 bits",
            Self::FrameTooBig(bytes) => return write!(f, "frame of {bytes} bytes is too big"),
            Self::MessageTooBig(bytes) => return write!(f, "message of {bytes} bytes or more is too big"),
            Self::TooManyFragments => "message has too many fragments",
            Self::FragmentTimeout => "fragmented message took too long",
            Self::UnexpectedContinuation => "continuation without a message",
            Self::ExpectedContinuation => "new message before the end of the last",
            Self::Utf8 => "text message is not UTF-8",
            Self::CloseLength => "close frame with a body of one byte",
            Self::CloseCode => "invalid close code",
            Self::CloseReason => "close reason is not UTF-8",
        })
    }
}

impl error::Error for FrameError {}
