//! Packets on their way out: encoded once, whoever and how many they are for.

use bytes::Bytes;
use erlen_engineio::EncodedPacket;
use erlen_socketio::{
    PacketKind, SocketId, encode_connect, encode_connect_error, encode_disconnect, encode_header,
    encode_string, is_reserved_event,
};
use smallvec::{SmallVec, smallvec};

use crate::args::{Encoded, IntoArgs};
use crate::error::EmitError;

/// A packet of Socket.IO as packets of Engine.IO: the text, then its attachments.
pub(crate) type Packets = SmallVec<[EncodedPacket; 1]>;

/// An event, encoded for a namespace: its packet without an ack id, and its attachments.
#[derive(Clone, Debug)]
pub struct Event {
    text: EncodedPacket,
    /// Bytes of `["name",args…]`, with which the packet ends.
    json: usize,
    attachments: Vec<Bytes>,
}

impl Event {
    pub(crate) fn new(
        namespace: &str,
        name: &str,
        data: &impl IntoArgs,
        max_attachments: usize,
    ) -> Result<Self, EmitError> {
        if is_reserved_event(name) {
            return Err(EmitError::ReservedName(name.to_owned()));
        }
        let (mut json, mut attachments) = (0, Vec::new());
        let text = EncodedPacket::try_text_message(|buffer| {
            let header = buffer.len();
            encode_header(buffer, PacketKind::Event, namespace, None, 0);
            let start = buffer.len();
            buffer.push(b'[');
            encode_string(buffer, name);
            data.append(buffer, &mut attachments)?;
            buffer.push(b']');
            json = buffer.len().saturating_sub(start);
            if !attachments.is_empty() {
                // How many there are is known now alone.
                let mut binary = Vec::new();
                encode_header(&mut binary, PacketKind::BinaryEvent, namespace, None, attachments.len());
                buffer.splice(header..start, binary);
            }
            Ok(())
        });
        let text = text.map_err(EmitError::Serialize)?;
        if attachments.len() > max_attachments {
            return Err(EmitError::TooManyAttachments { count: attachments.len(), max: max_attachments });
        }
        Ok(Self { text, json, attachments })
    }

    /// The same event for another namespace.
    pub(crate) fn within(&self, namespace: &str) -> Self {
        let text = self.encode(namespace, None);
        Self { text, json: self.json, attachments: self.attachments.clone() }
    }

    /// The JSON text of the event's array, its name first. A bus sends it as it is.
    pub fn json(&self) -> &[u8] {
        let packet = self.text.body();
        packet.get(packet.len() - self.json..).unwrap_or_default()
    }

    /// The event's attachments, in the order of their placeholders' numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The packets for every recipient.
    pub(crate) fn packets(self) -> Packets {
        with_attachments(self.text, &self.attachments)
    }

    /// The packets for every recipient in `namespace`, which are asked for an ack.
    pub(crate) fn packets_with_ack(&self, namespace: &str, id: u64) -> Packets {
        with_attachments(self.encode(namespace, Some(id)), &self.attachments)
    }

    fn encode(&self, namespace: &str, id: Option<u64>) -> EncodedPacket {
        let kind = if self.attachments.is_empty() { PacketKind::Event } else { PacketKind::BinaryEvent };
        text(kind, namespace, id, self.json(), &self.attachments)
    }
}

/// The answer to an event.
pub(crate) fn ack(namespace: &str, id: u64, args: &Encoded) -> Packets {
    let kind = if args.attachments.is_empty() { PacketKind::Ack } else { PacketKind::BinaryAck };
    with_attachments(text(kind, namespace, Some(id), &args.json, &args.attachments), &args.attachments)
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

fn text(
    kind: PacketKind,
    namespace: &str,
    id: Option<u64>,
    json: &[u8],
    attachments: &[Bytes],
) -> EncodedPacket {
    EncodedPacket::text_message(|buffer| {
        encode_header(buffer, kind, namespace, id, attachments.len());
        buffer.extend_from_slice(json);
    })
}

fn with_attachments(text: EncodedPacket, attachments: &[Bytes]) -> Packets {
    let mut packets: Packets = smallvec![text];
    packets.extend(attachments.iter().map(|data| EncodedPacket::binary_message(data)));
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Binary;

    fn texts(packets: &Packets) -> Vec<&str> {
        packets.iter().map(|packet| std::str::from_utf8(packet.body()).unwrap()).collect()
    }

    #[test]
    fn an_event_is_encoded_for_its_namespace_with_and_without_an_ack_id() {
        for (namespace, behind) in [("/", ""), ("/chat", "/chat,")] {
            let event = Event::new(namespace, "say", &("hi", 1), 0).unwrap();
            assert_eq!(event.json(), br#"["say","hi",1]"#);
            let asking = event.packets_with_ack(namespace, 12);
            assert_eq!(texts(&asking), [format!(r#"42{behind}12["say","hi",1]"#)]);
            assert_eq!(texts(&event.packets()), [format!(r#"42{behind}["say","hi",1]"#)]);
        }
    }

    #[test]
    fn attachments_are_counted_in_front_and_follow() {
        let data = (Binary::from("a"), Binary::from("b"));
        let json = r#"["say",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        let event = Event::new("/chat", "say", &data, 2).unwrap();
        assert_eq!(event.json(), json.as_bytes());
        let asking = event.packets_with_ack("/chat", 3);
        assert_eq!(texts(&asking), [&format!("452-/chat,3{json}"), "a", "b"]);
        assert_eq!(texts(&event.packets()), [&format!("452-/chat,{json}"), "a", "b"]);
        assert!(matches!(
            Event::new("/chat", "say", &data, 1),
            Err(EmitError::TooManyAttachments { count: 2, max: 1 })
        ));
    }

    #[test]
    fn an_event_goes_to_another_namespace_as_it_is() {
        let event = Event::new("/", "say", &Binary::from("a"), 1).unwrap().within("/b");
        assert_eq!(event.json(), br#"["say",{"_placeholder":true,"num":0}]"#);
        assert_eq!(texts(&event.packets()), [r#"451-/b,["say",{"_placeholder":true,"num":0}]"#, "a"]);
    }
}
