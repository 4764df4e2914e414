//! Encoding: packets as text, appended to a buffer of the caller.
//!
//! The buffer may already hold what comes before on the wire (a frame header, the Engine.IO type),
//! so that a packet is encoded once, in place, for every recipient. JSON comes in as text; it is
//! not checked again. Called by emit. Spec: Socket.IO protocol, "Packet encoding".

use crate::{PacketKind, json::plain_len};

/// Appends `<type>[<n>-][/nsp,][id]`; the payload comes behind it.
///
/// The number of attachments is written for the binary kinds alone. A binary kind without
/// attachments is written as its plain kind, since peers refuse `50-`.
///
/// ```
/// use erlen_socketio::{PacketKind, encode_header};
///
/// let mut buf = b"4".to_vec();
/// encode_header(&mut buf, PacketKind::BinaryEvent, "/admin", Some(13), 2);
/// assert_eq!(buf, b"452-/admin,13");
/// ```
pub fn encode_header(
    buf: &mut Vec<u8>,
    kind: PacketKind,
    namespace: &str,
    id: Option<u64>,
    attachments: usize,
) {
    buf.push(plain_if_empty(kind, attachments).digit());
    if kind.is_binary() && attachments > 0 {
        encode_decimal(buf, attachments as u64);
        buf.push(b'-');
    }
    if namespace != "/" {
        buf.extend_from_slice(namespace.as_bytes());
        buf.push(b',');
    }
    if let Some(id) = id {
        encode_decimal(buf, id);
    }
}

fn plain_if_empty(kind: PacketKind, attachments: usize) -> PacketKind {
    match (kind, attachments) {
        (PacketKind::BinaryEvent, 0) => PacketKind::Event,
        (PacketKind::BinaryAck, 0) => PacketKind::Ack,
        _ => kind,
    }
}

/// Appends a CONNECT: a server's answer with the socket's id, or a client's with its auth. An empty
/// `payload_json` is no payload.
pub fn encode_connect(buf: &mut Vec<u8>, namespace: &str, payload_json: &str) {
    encode_header(buf, PacketKind::Connect, namespace, None, 0);
    buf.extend_from_slice(payload_json.as_bytes());
}

/// Appends a CONNECT_ERROR with an object, or a string, that says why.
pub fn encode_connect_error(buf: &mut Vec<u8>, namespace: &str, payload_json: &str) {
    encode_header(buf, PacketKind::ConnectError, namespace, None, 0);
    buf.extend_from_slice(payload_json.as_bytes());
}

/// Appends a DISCONNECT.
pub fn encode_disconnect(buf: &mut Vec<u8>, namespace: &str) {
    encode_header(buf, PacketKind::Disconnect, namespace, None, 0);
}

/// Appends a text as a JSON string: an event's name, or an argument. Without allocating for it.
///
/// ```
/// let mut buf = Vec::new();
/// erlen_socketio::encode_string(&mut buf, "say \"hi\"");
/// assert_eq!(buf, br#""say \"hi\"""#);
/// ```
pub fn encode_string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, tail)) = rest.split_at_checked(plain_len(rest)) {
        buf.extend_from_slice(plain);
        let Some((special, tail)) = tail.split_first() else { break };
        encode_escape(buf, *special);
        rest = tail;
    }
    buf.push(b'"');
}

fn encode_escape(buf: &mut Vec<u8>, byte: u8) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x8 => b'b',
        0xc => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            buf.extend_from_slice(b"\\u00");
            buf.extend([byte >> 4, byte & 0xf].map(|nibble| HEX[usize::from(nibble)]));
            return;
        }
    };
    buf.extend_from_slice(&[b'\\', short]);
}

/// Appends the placeholder that stands in the JSON text for attachment `index`.
pub fn encode_placeholder(buf: &mut Vec<u8>, index: usize) {
    buf.extend_from_slice(br#"{"_placeholder":true,"num":"#);
    encode_decimal(buf, index as u64);
    buf.push(b'}');
}

/// Whether the name of an event is kept for the library itself: such an event is never sent, and
/// closes the connection when it comes.
pub fn is_reserved_event(name: &str) -> bool {
    matches!(
        name,
        "connect" | "connect_error" | "disconnect" | "disconnecting" | "newListener" | "removeListener"
    )
}

fn encode_decimal(buf: &mut Vec<u8>, mut number: u64) {
    let start = buf.len();
    loop {
        buf.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = buf.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encode: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buf = Vec::new();
        encode(&mut buf);
        String::from_utf8(buf).expect("text")
    }

    #[test]
    fn attachments_are_counted_in_binary_kinds_alone() {
        let header = |kind, n| written(|buf| encode_header(buf, kind, "/", None, n));
        assert_eq!(header(PacketKind::Event, 3), "2");
        assert_eq!(header(PacketKind::BinaryEvent, 3), "53-");
        assert_eq!(header(PacketKind::BinaryEvent, 0), "2");
        assert_eq!(header(PacketKind::BinaryAck, 0), "3");
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(written(|buf| encode_decimal(buf, number)), number.to_string());
        }
    }

    #[test]
    fn control_characters_are_escaped_as_javascript_does() {
        assert_eq!(
            written(|buf| encode_string(buf, "\0\u{8}\t\n\u{c}\r\u{1f}\"\\/é\u{2028}")),
            "\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/é\u{2028}\""
        );
        assert_eq!(written(|buf| encode_string(buf, "")), "\"\"");
    }
}
