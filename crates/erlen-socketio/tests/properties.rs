//! What holds for every packet: it survives the wire, and no input makes the decoder panic or
//! remember what it should not.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::time::Instant;

use erlen_socketio::{
    DecodeError, Decoder, DecoderConfig, Packet, PacketData, PacketKind, SocketId, encode_connect,
    encode_connect_error, encode_disconnect, encode_header, encode_placeholder, encode_string,
    is_reserved_event, placeholder_index,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

const MAX_ID: u64 = (1 << 53) - 1;

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,]{0,40}"]
}

fn event_name() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{1,12}"].prop_filter("reserved", |name| !is_reserved_event(name))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn text(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buf = Vec::new();
    encode(&mut buf);
    String::from_utf8(buf).expect("packets are text")
}

fn decode(text: &str) -> Packet<'_> {
    let packet = Decoder::new().decode_text(&DecoderConfig::default(), Instant::now(), text);
    packet.expect("what we wrote, we can read").expect("a plain packet is complete")
}

proptest! {
    #[test]
    fn a_plain_event_survives_the_wire(
        namespace in namespace(),
        id in option::of(0..=MAX_ID),
        name in event_name(),
        values in vec(value(), 0..4),
    ) {
        let written = text(|buf| {
            encode_header(buf, PacketKind::Event, &namespace, id, 0);
            buf.push(b'[');
            encode_string(buf, &name);
            for value in &values {
                buf.extend_from_slice(format!(",{value}").as_bytes());
            }
            buf.push(b']');
        });
        let packet = decode(&written);
        prop_assert_eq!(&packet.namespace, &namespace);
        let PacketData::Event { id: got, args } = packet.data else { panic!("an event") };
        prop_assert_eq!(got, id);
        prop_assert_eq!(args.event_name(), name.as_str());
        let texts: Vec<String> = args.iter().skip(1).map(str::to_owned).collect();
        let expected: Vec<String> = values.iter().map(Value::to_string).collect();
        prop_assert_eq!(texts, expected);
    }

    #[test]
    fn a_packet_with_attachments_survives_the_wire(
        namespace in namespace(),
        ack in any::<bool>(),
        id in 0..=MAX_ID,
        attachments in vec(vec(any::<u8>(), 0..32), 1..=10),
    ) {
        let kind = if ack { PacketKind::BinaryAck } else { PacketKind::BinaryEvent };
        let written = text(|buf| {
            encode_header(buf, kind, &namespace, Some(id), attachments.len());
            buf.extend_from_slice(b"[\"name\"");
            for index in 0..attachments.len() {
                buf.push(b',');
                encode_placeholder(buf, index);
            }
            buf.push(b']');
        });
        let config = DecoderConfig::default();
        let mut decoder = Decoder::new();
        let mut last = decoder.decode_text(&config, Instant::now(), &written).expect("readable");
        for attachment in &attachments {
            prop_assert_eq!(last, None);
            last = decoder.decode_binary(&config, attachment).expect("readable");
        }
        let packet = last.expect("complete");
        prop_assert_eq!(&packet.namespace, &namespace);
        let (got, args) = match packet.data {
            PacketData::Event { id: Some(got), args } if !ack => (got, args),
            PacketData::Ack { id: got, args } if ack => (got, args),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(got, id);
        prop_assert_eq!(args.attachments(), attachments.as_slice());
        let indexes: Option<Vec<usize>> = args.iter().skip(1).map(placeholder_index).collect();
        prop_assert_eq!(indexes, Some((0..attachments.len()).collect()));
    }

    #[test]
    fn the_packets_of_a_namespace_survive_the_wire(namespace in namespace(), fields in vec((any::<String>(), value()), 0..4)) {
        let object = fields.into_iter().collect::<Value>().to_string();
        let object = if object == "null" { json!({}).to_string() } else { object };
        let connect = text(|buf| encode_connect(buf, &namespace, &object));
        let error = text(|buf| encode_connect_error(buf, &namespace, &object));
        let disconnect = text(|buf| encode_disconnect(buf, &namespace));
        for (text, data) in [
            (connect, PacketData::Connect { auth: Some(object.as_str().into()) }),
            (error, PacketData::ConnectError { data: object.as_str().into() }),
            (disconnect, PacketData::Disconnect),
        ] {
            let expected = Packet { namespace: namespace.as_str().into(), data };
            prop_assert_eq!(decode(&text), expected);
        }
    }

    #[test]
    fn an_event_name_is_what_serde_json_writes_and_reads(name in any::<String>()) {
        let written = text(|buf| encode_string(buf, &name));
        prop_assert_eq!(serde_json::from_str::<String>(&written).ok(), Some(name.clone()));
        prop_assert_eq!(written, serde_json::to_string(&name).expect("a string"));
    }

    #[test]
    fn any_messages_leave_the_decoder_in_order(
        messages in vec(prop_oneof![
            "[0-7]{0,2}-?(/[a-z]{0,3},?)?[0-9]{0,3}.{0,12}".prop_map(Ok),
            r#"5[123]-\["a"(,\{"_placeholder":true,"num":[012]\}){0,3}\]"#.prop_map(Ok),
            any::<String>().prop_map(Ok),
            vec(any::<u8>(), 0..16).prop_map(Err),
        ], 0..12),
    ) {
        let config = DecoderConfig { max_attachment_bytes: 24, ..DecoderConfig::default() };
        let now = Instant::now();
        let mut decoder = Decoder::new();
        for message in messages {
            let waited = decoder.deadline().is_some();
            let result = match &message {
                Ok(text) => decoder.decode_text(&config, now, text),
                Err(data) => decoder.decode_binary(&config, data),
            };
            match (&message, waited) {
                (Ok(_), true) => prop_assert_eq!(&result, &Err(DecodeError::UnexpectedText)),
                (Err(_), false) => prop_assert_eq!(&result, &Err(DecodeError::UnexpectedBinary)),
                _ => {}
            }
            if !matches!(result, Ok(None)) {
                prop_assert_eq!(decoder.deadline(), None);
            }
            if let Ok(Some(packet)) = result {
                prop_assert!(packet.namespace.starts_with('/'));
                prop_assert_eq!(packet.clone().into_owned(), packet);
            }
        }
    }

    #[test]
    fn a_socket_id_survives_its_text(bytes in any::<[u8; 15]>()) {
        let id = SocketId::from_random(bytes);
        prop_assert_eq!(SocketId::parse(id.as_str()), Some(id));
    }
}
