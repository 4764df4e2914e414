//! Every example of the Socket.IO protocol document, read and written.
//!
//! Spec: Socket.IO protocol, "Packet encoding".

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::time::Instant;

use erlen_socketio::{
    Args, Decoder, DecoderConfig, Packet, PacketData, PacketKind, encode_connect, encode_connect_error,
    encode_disconnect, encode_header, encode_placeholder, encode_string, placeholder_index,
};

fn decode(text: &str) -> Packet<'_> {
    let mut decoder = Decoder::new();
    let packet = decoder.decode_text(&DecoderConfig::default(), Instant::now(), text);
    assert_eq!(decoder.deadline(), None, "{text}");
    packet.expect(text).expect("a plain packet is complete")
}

fn decode_binary(text: &str, attachments: &[&[u8]]) -> Packet<'static> {
    let config = DecoderConfig::default();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode_text(&config, Instant::now(), text), Ok(None), "{text}");
    let (last, first) = attachments.split_last().expect("at least one attachment");
    for attachment in first {
        assert_eq!(decoder.decode_binary(&config, attachment), Ok(None), "{text}");
    }
    decoder.decode_binary(&config, last).expect(text).expect("the last attachment completes the packet")
}

fn connect<'a>(packet: &'a Packet<'_>) -> (&'a str, Option<&'a str>) {
    let PacketData::Connect { auth } = &packet.data else { panic!("not a CONNECT: {packet:?}") };
    (&packet.namespace, auth.as_deref())
}

fn event<'a, 'b>(packet: &'a Packet<'b>) -> (&'a str, Option<u64>, &'a Args<'b>) {
    let PacketData::Event { id, args } = &packet.data else { panic!("not an EVENT: {packet:?}") };
    (&packet.namespace, *id, args)
}

fn ack<'a, 'b>(packet: &'a Packet<'b>) -> (&'a str, u64, &'a Args<'b>) {
    let PacketData::Ack { id, args } = &packet.data else { panic!("not an ACK: {packet:?}") };
    (&packet.namespace, *id, args)
}

fn written(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buf = Vec::new();
    encode(&mut buf);
    String::from_utf8(buf).expect("packets are text")
}

fn written_args(kind: PacketKind, namespace: &str, id: Option<u64>, json: &str) -> String {
    written(|buf| {
        encode_header(buf, kind, namespace, id, 0);
        buf.extend_from_slice(json.as_bytes());
    })
}

fn written_binary(kind: PacketKind, namespace: &str, id: Option<u64>, name: &str, n: usize) -> String {
    written(|buf| {
        encode_header(buf, kind, namespace, id, n);
        buf.push(b'[');
        encode_string(buf, name);
        for index in 0..n {
            buf.push(b',');
            encode_placeholder(buf, index);
        }
        buf.push(b']');
    })
}

#[test]
fn connection_to_a_namespace() {
    let sid = r#"{"sid":"wZX3oN0bSVIhsaknAAAI"}"#;
    for (text, namespace, auth) in [
        ("0".to_owned(), "/", None),
        (format!("0{sid}"), "/", Some(sid)),
        ("0/admin,".to_owned(), "/admin", None),
        (format!("0/admin,{sid}"), "/admin", Some(sid)),
        (r#"0/admin,{"token":"123"}"#.to_owned(), "/admin", Some(r#"{"token":"123"}"#)),
    ] {
        assert_eq!(connect(&decode(&text)), (namespace, auth));
        assert_eq!(written(|buf| encode_connect(buf, namespace, auth.unwrap_or_default())), text);
    }
}

#[test]
fn refusal_of_a_connection() {
    let data = r#"{"message":"Not authorized"}"#;
    let text = written(|buf| encode_connect_error(buf, "/", data));
    assert_eq!(text, r#"4{"message":"Not authorized"}"#);
    assert_eq!(decode(&text).data, PacketData::ConnectError { data: data.into() });
    assert_eq!(decode("4/x,\"no\"").data, PacketData::ConnectError { data: "\"no\"".into() });
}

#[test]
fn events_and_acks() {
    for (text, kind, namespace, id, json) in [
        (r#"2["foo"]"#, PacketKind::Event, "/", None, r#"["foo"]"#),
        (r#"2/admin,["bar"]"#, PacketKind::Event, "/admin", None, r#"["bar"]"#),
        (r#"212["foo"]"#, PacketKind::Event, "/", Some(12), r#"["foo"]"#),
        (r#"2/admin,13["foo"]"#, PacketKind::Event, "/admin", Some(13), r#"["foo"]"#),
        (r#"215["foo"]"#, PacketKind::Event, "/", Some(15), r#"["foo"]"#),
        ("312[]", PacketKind::Ack, "/", Some(12), "[]"),
        (r#"3/admin,13["bar"]"#, PacketKind::Ack, "/admin", Some(13), r#"["bar"]"#),
        (r#"314["bar"]"#, PacketKind::Ack, "/", Some(14), r#"["bar"]"#),
    ] {
        let packet = decode(text);
        let (got_namespace, got_id, args) = match kind {
            PacketKind::Event => event(&packet),
            _ => {
                let (namespace, id, args) = ack(&packet);
                (namespace, Some(id), args)
            }
        };
        assert_eq!((got_namespace, got_id, args.json()), (namespace, id, json));
        assert!(args.attachments().is_empty());
        assert_eq!(written_args(kind, namespace, id, json), text);
    }
}

#[test]
fn an_event_with_an_attachment() {
    let text = r#"51-["baz",{"_placeholder":true,"num":0}]"#;
    assert_eq!(written_binary(PacketKind::BinaryEvent, "/", None, "baz", 1), text);
    let packet = decode_binary(text, &[&[1, 2, 3, 4]]);
    let (namespace, id, args) = event(&packet);
    assert_eq!((namespace, id), ("/", None));
    assert_eq!(args.event_name(), "baz");
    assert_eq!(args.attachments(), [[1, 2, 3, 4].as_slice()]);
}

#[test]
fn an_event_with_two_attachments_in_a_namespace() {
    let text = r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(written_binary(PacketKind::BinaryEvent, "/admin", None, "baz", 2), text);
    let packet = decode_binary(text, &[&[1, 2], &[3, 4]]);
    let (namespace, _, args) = event(&packet);
    assert_eq!(namespace, "/admin");
    assert_eq!(args.attachments(), [[1, 2].as_slice(), [3, 4].as_slice()]);
    let indexes: Vec<_> = args.iter().map(placeholder_index).collect();
    assert_eq!(indexes, [None, Some(0), Some(1)]);
}

#[test]
fn a_binary_event_with_an_id_and_a_binary_ack() {
    let text = r#"51-14["foo",{"_placeholder":true,"num":0}]"#;
    assert_eq!(written_binary(PacketKind::BinaryEvent, "/", Some(14), "foo", 1), text);
    assert_eq!(event(&decode_binary(text, &[&[1]])).1, Some(14));

    let text = r#"61-15["bar",{"_placeholder":true,"num":0}]"#;
    assert_eq!(written_binary(PacketKind::BinaryAck, "/", Some(15), "bar", 1), text);
    let packet = decode_binary(text, &[&[1, 2, 3, 4]]);
    let (namespace, id, args) = ack(&packet);
    assert_eq!((namespace, id), ("/", 15));
    assert_eq!(args.attachments(), [[1, 2, 3, 4].as_slice()]);
}

#[test]
fn disconnection_from_a_namespace() {
    for (text, namespace) in [("1", "/"), ("1/admin,", "/admin")] {
        let packet = decode(text);
        assert_eq!((packet.namespace.as_ref(), packet.data), (namespace, PacketData::Disconnect));
        assert_eq!(written(|buf| encode_disconnect(buf, namespace)), text);
    }
}

#[test]
fn the_sample_session() {
    let packet = decode(r#"2["hey","Jude"]"#);
    let (_, _, args) = event(&packet);
    assert_eq!(args.event_name(), "hey");
    assert_eq!(args.iter().collect::<Vec<_>>(), [r#""hey""#, r#""Jude""#]);
    assert_eq!(event(&decode(r#"2["hello"]"#)).2.event_name(), "hello");
    assert_eq!(connect(&decode("0/admin,")), ("/admin", None));
}
