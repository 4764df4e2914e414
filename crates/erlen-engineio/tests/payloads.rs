//! Polling bodies, well-formed and hostile: what is yielded, and where reading ends.

use erlen_engineio::{
    DecodeError, Message, Packet,
    payload::{self, PayloadPacket},
};

type Item<'a> = Result<PayloadPacket<'a>, DecodeError>;

fn decode(body: &[u8]) -> Vec<Item<'_>> {
    payload::decode(body, 1024).collect()
}

fn text(text: &str) -> Item<'_> {
    Ok(PayloadPacket::Text(Packet::Message(Message::Text(text))))
}

fn binary(bytes: &[u8]) -> Item<'static> {
    Ok(PayloadPacket::Binary(bytes.to_vec()))
}

#[test]
fn packets_come_in_order() {
    let items = decode("4hällo\x1e3probe\x1e1\x1e4".as_bytes());
    let pong = Ok(PayloadPacket::Text(Packet::Pong("probe")));
    let close = Ok(PayloadPacket::Text(Packet::Close));
    assert_eq!(items, [text("hällo"), pong, close, text("")]);
}

#[test]
fn one_bad_packet_is_the_whole_answer() {
    assert_eq!(decode(b""), [Err(DecodeError::Empty)]);
    assert_eq!(decode(b"\x1e"), [Err(DecodeError::Empty)]);
    assert_eq!(decode(b"7"), [Err(DecodeError::UnknownType(b'7'))]);
    assert_eq!(decode(b"xyz"), [Err(DecodeError::UnknownType(b'x'))]);
    assert_eq!(decode("é".as_bytes()), [Err(DecodeError::UnknownType(0xc3))]);
}

#[test]
fn packets_before_the_bad_one_are_delivered_and_none_behind_it() {
    let first = text(r#"2["echo",1]"#);
    let trailing = decode(b"42[\"echo\",1]\x1e");
    assert_eq!(trailing, [first.clone(), Err(DecodeError::Empty)]);
    let between = decode(b"42[\"echo\",1]\x1eZ\x1e42[\"echo\",2]");
    assert_eq!(between, [first, Err(DecodeError::UnknownType(b'Z'))]);
}

#[test]
fn base64_is_taken_in_both_alphabets_padded_or_not() {
    assert_eq!(decode(b"bAQI="), [binary(&[1, 2])]);
    assert_eq!(decode(b"bAQI"), [binary(&[1, 2])]);
    assert_eq!(decode(b"b"), [binary(&[])]);
    assert_eq!(decode(b"b+/+/"), [binary(&[0xfb, 0xff, 0xbf])]);
    assert_eq!(decode(b"b-_-_"), [binary(&[0xfb, 0xff, 0xbf])]);
    assert_eq!(decode(b"b-w=="), [binary(&[0xfb])]);
    assert_eq!(decode(b"b__8"), [binary(&[0xff, 0xff])]);
}

#[test]
fn base64_is_taken_in_lines() {
    assert_eq!(
        decode(b"bAQID\n\x1ebAQ\r\nID\r\n\x1e4a\n"),
        [binary(&[1, 2, 3]), binary(&[1, 2, 3]), text("a\n")]
    );
}

#[test]
fn what_is_not_base64_is_refused() {
    for body in
        ["b@@@@", "b!!!!", "bA", "bAAAAA", "b=", "bAQ=I", "bAQI==", "bAQI=AQI=", "b+_+_", "bAQ I", "bé"]
    {
        assert_eq!(decode(body.as_bytes()), [Err(DecodeError::Base64)], "{body}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_behind_what_is() {
    let items = decode(b"4a\x1e42[\"\xff\xfe\xc3\x28\"]\x1e4b");
    assert_eq!(items, [text("a"), Err(DecodeError::Utf8)]);
    assert_eq!(decode(b"4\xed\xa0\x80"), [Err(DecodeError::Utf8)]);
    assert_eq!(decode(b"4\xc3\x1e4\xa9"), [Err(DecodeError::Utf8)]);
}

#[test]
fn too_many_packets_are_refused_before_the_first() {
    let full = vec!["6"; 1024].join("\x1e");
    assert_eq!(decode(full.as_bytes()).len(), 1024);
    assert!(decode(full.as_bytes()).iter().all(|item| *item == Ok(PayloadPacket::Text(Packet::Noop))));
    let over = format!("{full}\x1e6");
    assert_eq!(decode(over.as_bytes()), [Err(DecodeError::TooManyPackets)]);
    let flood = vec!["6"; 300_000].join("\x1e");
    assert_eq!(decode(flood.as_bytes()), [Err(DecodeError::TooManyPackets)]);
}

#[test]
fn the_end_stays_the_end() {
    for body in [&b"4a"[..], b"", b"4a\x1e", b"6\x1e6"] {
        let mut packets = payload::decode(body, 1);
        while packets.next().is_some() {}
        assert_eq!(packets.next(), None, "{body:?}");
    }
}
