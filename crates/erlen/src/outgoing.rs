//! Packets on their way out: encoded once, whoever and how many they are for.

use bytes::Bytes;
use erlen_engineio::EncodedPacket;
use erlen_socketio::{
    PacketKind, SocketId, encode_connect, encode_connect_error, encode_disconnect, encode_event_name,
    encode_header, is_reserved_event,
};
use smallvec::{SmallVec, smallvec};

use crate::args::{Encoded, IntoArgs};
use crate::error::EmitError;

/// A packet of Socket.IO as packets of Engine.IO: the text, then its attachments.
pub(crate) type Packets = SmallVec<[EncodedPacket; 1]>;

/// An event before it is given an ack id: its array's text, and its attachments.
#[derive(Clone, Debug)]
pub struct Event {
    /// `["name",args…]`.
    json: Vec<u8>,
    attachments: Vec<Bytes>,
}

impl Event {
    pub(crate) fn new(name: &str, data: &impl IntoArgs, max_attachments: usize) -> Result<Self, EmitError> {
        if is_reserved_event(name) {
            return Err(EmitError::ReservedName(name.to_owned()));
        }
        let mut json = Vec::with_capacity(name.len() + 128);
        let mut attachments = Vec::new();
        json.push(b'[');
        encode_event_name(&mut json, name);
        data.append(&mut json, &mut attachments).map_err(EmitError::Serialize)?;
        json.push(b']');
        if attachments.len() > max_attachments {
            return Err(EmitError::TooManyAttachments { count: attachments.len(), max: max_attachments });
        }
        Ok(Self { json, attachments })
    }

    /// The JSON text of the event's array, its name first. A bus sends it as it is.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The event's attachments, in the order of their placeholders' numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The packets for every recipient in `namespace`.
    pub(crate) fn packets(&self, namespace: &str, id: Option<u64>) -> Packets {
        let kind = if self.attachments.is_empty() { PacketKind::Event } else { PacketKind::BinaryEvent };
        packets(kind, namespace, id, &self.json, &self.attachments)
    }
}

/// The answer to an event.
pub(crate) fn ack(namespace: &str, id: u64, args: &Encoded) -> Packets {
    let kind = if args.attachments.is_empty() { PacketKind::Ack } else { PacketKind::BinaryAck };
    packets(kind, namespace, Some(id), &args.json, &args.attachments)
}

/// The answer to a CONNECT that was granted.
pub(crate) fn connected(namespace: &str, id: &SocketId) -> Packets {
    let payload = [r#"{"sid":""#, id.as_str(), r#""}"#].concat();
    smallvec![EncodedPacket::text_message(|buffer| encode_connect(buffer, namespace, &payload))]
}

/// The answer to a CONNECT that was refused.
pub(crate) fn refused(namespace: &str, payload: &str) -> Packets {
    smallvec![EncodedPacket::text_message(|buffer| encode_connect_error(buffer, namespace, payload))]
}

/// The server's DISCONNECT.
pub(crate) fn disconnected(namespace: &str) -> Packets {
    smallvec![EncodedPacket::text_message(|buffer| encode_disconnect(buffer, namespace))]
}

fn packets(
    kind: PacketKind,
    namespace: &str,
    id: Option<u64>,
    json: &[u8],
    attachments: &[Bytes],
) -> Packets {
    let text = EncodedPacket::text_message(|buffer| {
        encode_header(buffer, kind, namespace, id, attachments.len());
        buffer.extend_from_slice(json);
    });
    with_attachments(text, attachments)
}

fn with_attachments(text: EncodedPacket, attachments: &[Bytes]) -> Packets {
    let mut packets: Packets = smallvec![text];
    packets.extend(attachments.iter().map(|data| EncodedPacket::binary_message(data)));
    packets
}
