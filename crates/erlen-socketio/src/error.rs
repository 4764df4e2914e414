//! What a peer can do wrong in a Socket.IO packet, one variant per broken rule.
//!
//! Broken JSON is a [`JsonError`] inside. What a well-formed packet may not do at its moment (an
//! event before CONNECT, an unknown namespace) is for the server to judge, not for the decoder.
//! Spec: Socket.IO protocol, "Packet encoding".

use std::{error, fmt};

use crate::json::JsonError;

/// Why a packet could not be decoded. The connection ends with `parse error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet without a type.
    Empty,
    /// The first character is no packet type.
    UnknownType(char),
    /// The number of attachments is not digits and `-`, or is zero.
    AttachmentCount,
    /// More attachments announced than allowed.
    TooManyAttachments,
    /// The namespace is longer than allowed.
    NamespaceTooLong,
    /// The ack id is above 2^53 - 1, where JavaScript's integers end.
    IdTooLarge,
    /// An ack id on a packet that cannot have one.
    UnexpectedId,
    /// The payload of a kind that must have one is missing.
    MissingPayload,
    /// A payload on a DISCONNECT.
    UnexpectedPayload,
    /// The payload is not JSON.
    Json(JsonError),
    /// The payload is JSON of a type that this kind of packet cannot have.
    PayloadType,
    /// The first argument of an event is neither a string nor a number.
    EventName,
    /// The event's name is kept for the library itself.
    ReservedEvent,
    /// A placeholder points at no attachment.
    Placeholder,
    /// The attachments are larger than allowed, counted as often as they are used.
    AttachmentsTooLarge,
    /// A text packet while attachments are missing.
    UnexpectedText,
    /// Binary data that no packet announced.
    UnexpectedBinary,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType(kind) => return write!(f, "unknown packet type {kind:?}"),
            Self::Json(error) => return error.fmt(f),
            Self::Empty => "empty packet",
            Self::AttachmentCount => "invalid number of attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::NamespaceTooLong => "namespace is too long",
            Self::IdTooLarge => "ack id is too large",
            Self::UnexpectedId => "ack id on a packet that cannot have one",
            Self::MissingPayload => "packet without its payload",
            Self::UnexpectedPayload => "payload on a packet that cannot have one",
            Self::PayloadType => "payload of a type that the packet cannot have",
            Self::EventName => "event name is neither a string nor a number",
            Self::ReservedEvent => "event name is reserved",
            Self::Placeholder => "placeholder without its attachment",
            Self::AttachmentsTooLarge => "attachments are too large",
            Self::UnexpectedText => "text packet while attachments are missing",
            Self::UnexpectedBinary => "binary data that no packet announced",
        })
    }
}

impl error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}
