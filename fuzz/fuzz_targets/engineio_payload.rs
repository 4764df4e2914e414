//! A polling body: it decodes without a panic, its first error is its end, and its messages, joined
//! again by the encoder, come back.
//!
//! Run it with `cargo fuzz run -s none engineio_payload`.

#![no_main]

use erlen_engineio::{
    EncodedPacket, Message, Packet,
    payload::{self, PayloadPacket, SEPARATOR},
};
use libfuzzer_sys::fuzz_target;

const MAX_PACKETS: usize = 16;

fuzz_target!(|body: &[u8]| {
    let mut packets = Vec::new();
    let mut decoder = payload::decode(body, MAX_PACKETS);
    for item in decoder.by_ref() {
        match item {
            Ok(packet) => packets.push(packet),
            Err(_) => break,
        }
    }
    assert!(decoder.next().is_none(), "something behind the end");
    assert!(packets.len() <= MAX_PACKETS);

    packets.retain(|packet| {
        matches!(packet, PayloadPacket::Binary(_) | PayloadPacket::Text(Packet::Message(_)))
    });
    let mut joined = Vec::new();
    for packet in &packets {
        if !joined.is_empty() {
            joined.push(SEPARATOR);
        }
        encode(packet).append_to_payload(&mut joined);
    }
    if !packets.is_empty() {
        let again: Result<Vec<_>, _> = payload::decode(&joined, MAX_PACKETS).collect();
        assert_eq!(again.as_ref(), Ok(&packets));
    }
});

fn encode(packet: &PayloadPacket<'_>) -> EncodedPacket {
    match packet {
        PayloadPacket::Text(Packet::Message(Message::Text(text))) => {
            EncodedPacket::text_message(|buffer| buffer.extend_from_slice(text.as_bytes()))
        }
        PayloadPacket::Binary(bytes) => EncodedPacket::binary_message(bytes),
        other => panic!("{other:?} is no message"),
    }
}
