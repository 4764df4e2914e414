//! One Socket.IO packet, decoded.
//!
//! Not the Engine.IO packet around it, whose type digit is gone before a text comes here. Made by
//! the [`Decoder`](crate::Decoder). Spec: Socket.IO protocol, "Exchange protocol".

use std::borrow::Cow;

use crate::Args;

/// The kind of a packet, by its digit on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// `0`: asks to join a namespace, or grants it.
    Connect,
    /// `1`: leaves a namespace.
    Disconnect,
    /// `2`: an event.
    Event,
    /// `3`: the answer to an event.
    Ack,
    /// `4`: refuses a CONNECT.
    ConnectError,
    /// `5`: an event with attachments.
    BinaryEvent,
    /// `6`: an answer with attachments.
    BinaryAck,
}

impl PacketKind {
    /// The kind that a digit stands for.
    pub fn from_digit(digit: char) -> Option<Self> {
        Some(match digit {
            '0' => Self::Connect,
            '1' => Self::Disconnect,
            '2' => Self::Event,
            '3' => Self::Ack,
            '4' => Self::ConnectError,
            '5' => Self::BinaryEvent,
            '6' => Self::BinaryAck,
            _ => return None,
        })
    }

    /// The ASCII digit of the kind.
    pub fn digit(self) -> u8 {
        match self {
            Self::Connect => b'0',
            Self::Disconnect => b'1',
            Self::Event => b'2',
            Self::Ack => b'3',
            Self::ConnectError => b'4',
            Self::BinaryEvent => b'5',
            Self::BinaryAck => b'6',
        }
    }

    /// Whether attachments follow a packet of this kind.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// One decoded packet. Its texts borrow from the input when it came without attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The namespace, with a query behind `?` if the peer sent one; `/` when the packet names none.
    pub namespace: Cow<'a, str>,
    /// What the packet says.
    pub data: PacketData<'a>,
}

impl Packet<'_> {
    /// The packet with texts of its own.
    pub fn into_owned(self) -> Packet<'static> {
        Packet { namespace: Cow::Owned(self.namespace.into_owned()), data: self.data.into_owned() }
    }
}

/// What a packet says, by its kind. Binary events and acks are events and acks whose [`Args`] have
/// attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketData<'a> {
    /// Asks to join the namespace.
    Connect {
        /// The JSON text of an object.
        auth: Option<Cow<'a, str>>,
    },
    /// Leaves the namespace.
    Disconnect,
    /// An event.
    Event {
        /// Under which id the sender waits for an ack, if it does.
        id: Option<u64>,
        /// The name, then the arguments.
        args: Args<'a>,
    },
    /// The answer to an event.
    Ack {
        /// The id of the event.
        id: u64,
        /// What it is answered with.
        args: Args<'a>,
    },
    /// Refuses a CONNECT. Only a server sends it.
    ConnectError {
        /// The JSON text of an object or a string.
        data: Cow<'a, str>,
    },
}

impl PacketData<'_> {
    /// The same with texts of its own.
    pub fn into_owned(self) -> PacketData<'static> {
        match self {
            Self::Connect { auth } => {
                PacketData::Connect { auth: auth.map(|auth| Cow::Owned(auth.into_owned())) }
            }
            Self::Disconnect => PacketData::Disconnect,
            Self::Event { id, args } => PacketData::Event { id, args: args.into_owned() },
            Self::Ack { id, args } => PacketData::Ack { id, args: args.into_owned() },
            Self::ConnectError { data } => PacketData::ConnectError { data: Cow::Owned(data.into_owned()) },
        }
    }
}
