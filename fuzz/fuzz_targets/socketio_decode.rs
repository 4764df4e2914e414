//! The messages of one connection, text and binary: no panic, the decoder waits only after a binary
//! packet, and a packet written again is the packet that was read.
//!
//! The input is split at 0xff, which no text holds; a message that is UTF-8 and begins with an
//! ASCII digit is text, any other is binary. Run it with `cargo fuzz run -s none socketio_decode`.

#![no_main]

use std::{sync::LazyLock, time::Instant};

use erlen_socketio::{
    Decoder, DecoderConfig, Packet, PacketData, PacketKind, encode_connect, encode_connect_error,
    encode_disconnect, encode_header,
};
use libfuzzer_sys::fuzz_target;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|data: &[u8]| {
    let config = DecoderConfig { max_attachment_bytes: 64, ..DecoderConfig::default() };
    let mut decoder = Decoder::new();
    for message in data.split(|byte| *byte == 0xff) {
        let text = std::str::from_utf8(message).ok();
        let result = match text.filter(|text| text.starts_with(|c: char| c.is_ascii_digit())) {
            Some(text) => decoder.decode_text(&config, *START, text),
            None => decoder.decode_binary(&config, message),
        };
        if !matches!(result, Ok(None)) {
            assert_eq!(decoder.deadline(), None, "{result:?}");
        }
        if let Ok(Some(packet)) = result {
            assert_eq!(decode_again(&config, &packet), packet.into_owned());
        }
    }
});

fn decode_again(config: &DecoderConfig, packet: &Packet<'_>) -> Packet<'static> {
    let text = String::from_utf8(encode(packet)).expect("packets are text");
    let mut decoder = Decoder::new();
    let mut again = decoder.decode_text(config, *START, &text).expect("readable").map(Packet::into_owned);
    if let PacketData::Event { args, .. } | PacketData::Ack { args, .. } = &packet.data {
        assert!(args.iter().all(|element| !element.is_empty()));
        for attachment in args.attachments() {
            again = decoder.decode_binary(config, attachment).expect("readable");
        }
    }
    again.expect("complete")
}

fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    let namespace = packet.namespace.as_ref();
    let (kind, id, args) = match &packet.data {
        PacketData::Connect { auth } => {
            encode_connect(&mut buf, namespace, auth.as_deref().unwrap_or_default());
            return buf;
        }
        PacketData::ConnectError { data } => {
            encode_connect_error(&mut buf, namespace, data);
            return buf;
        }
        PacketData::Disconnect => {
            encode_disconnect(&mut buf, namespace);
            return buf;
        }
        PacketData::Event { id, args } if args.attachments().is_empty() => (PacketKind::Event, *id, args),
        PacketData::Event { id, args } => (PacketKind::BinaryEvent, *id, args),
        PacketData::Ack { id, args } if args.attachments().is_empty() => (PacketKind::Ack, Some(*id), args),
        PacketData::Ack { id, args } => (PacketKind::BinaryAck, Some(*id), args),
    };
    encode_header(&mut buf, kind, namespace, id, args.attachments().len());
    buf.extend_from_slice(args.json().as_bytes());
    buf
}
