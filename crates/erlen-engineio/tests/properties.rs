//! Properties of the decoders: nothing panics, nothing depends on how the stream was cut, and
//! every frame means to tungstenite what it means here, in both directions.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    time::Instant,
};

use erlen_engineio::{
    Packet,
    frame::{
        self, Assembler, AssemblerLimits, FrameError, Incoming, MAX_HEADER, Opcode, close_frame, write_header,
    },
    handshake::Query,
    payload::{self, PayloadPacket},
};
use proptest::{collection::vec, prelude::*};
use tungstenite::{
    Message, WebSocket,
    protocol::{
        Role,
        frame::{
            Frame, FrameHeader,
            coding::{CloseCode, Control, Data, OpCode},
        },
    },
};

const MAX: usize = 1_000_000;

/// One end of a connection in memory.
#[derive(Default)]
struct Wire {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buf) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            read => read,
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.output.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came in, free of its buffer.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

/// Reads as the transport does: parse what is there, keep the incomplete tail.
#[derive(Default)]
struct Reader {
    assembler: Assembler,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

impl Reader {
    fn read(&mut self, bytes: &[u8], now: Instant) -> Result<(), FrameError> {
        self.buffer.extend_from_slice(bytes);
        let limits = AssemblerLimits::default();
        let mut rest = &mut self.buffer[..];
        while let Some((frame, consumed)) = frame::parse(rest, MAX)? {
            match self.assembler.push(&limits, now, frame)? {
                Incoming::Text(text) => self.events.push(Event::Text(text.into_owned())),
                Incoming::Binary(bytes) => self.events.push(Event::Binary(bytes.into_owned())),
                Incoming::Ping(bytes) => self.events.push(Event::Ping(bytes.to_vec())),
                Incoming::Pong => self.events.push(Event::Pong),
                Incoming::Close(code) => self.events.push(Event::Close(code)),
                Incoming::Fragment => {}
            }
            rest = &mut rest[consumed..];
        }
        let kept = rest.len();
        self.buffer.drain(..self.buffer.len() - kept);
        Ok(())
    }

    /// All events of a stream that comes in pieces, and how it ended.
    fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), FrameError>) {
        let now = Instant::now();
        let mut reader = Self::default();
        let end = pieces.map(|piece| reader.read(piece, now)).find(Result::is_err).unwrap_or(Ok(()));
        (reader.events, end)
    }
}

fn client_message() -> impl Strategy<Value = (Message, Event)> {
    let long = prop_oneof![4 => 0..200_usize, 1 => 65_500..65_600_usize];
    prop_oneof![
        ".{0,80}".prop_map(|text| (Message::text(text.clone()), Event::Text(text))),
        long.prop_map(|length| (Message::text("ä".repeat(length)), Event::Text("ä".repeat(length)))),
        vec(any::<u8>(), 0..300).prop_map(|data| (Message::binary(data.clone()), Event::Binary(data))),
        vec(any::<u8>(), 0..125).prop_map(|data| (Message::Ping(data.clone().into()), Event::Ping(data))),
        vec(any::<u8>(), 0..125).prop_map(|data| (Message::Pong(data.into()), Event::Pong)),
    ]
}

/// A message in fragments, with a ping behind each but the last, written by tungstenite's frames.
fn fragmented(key: [u8; 4], binary: bool, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let data = match (index, binary) {
            (0, true) => Data::Binary,
            (0, false) => Data::Text,
            _ => Data::Continue,
        };
        let last = index + 1 == parts.len();
        write_frame(&mut bytes, key, last, OpCode::Data(data), part);
        if !last {
            write_frame(&mut bytes, key, true, OpCode::Control(Control::Ping), &[]);
        }
    }
    bytes
}

fn write_frame(bytes: &mut Vec<u8>, key: [u8; 4], is_final: bool, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader { is_final, opcode, mask: Some(key), ..FrameHeader::default() };
    Frame::from_payload(header, payload.to_vec().into()).format(bytes).expect("a Vec takes all");
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut sizes = sizes.iter().cycle();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().expect("a cycle")));
        pieces.push(piece.to_vec());
        rest = behind;
    }
    pieces
}

proptest! {
    #[test]
    fn what_tungstenite_sends_as_a_client_is_read(
        messages in vec(client_message(), 0..8),
        sizes in vec(1..400_usize, 1..6),
    ) {
        let mut client = WebSocket::from_raw_socket(Wire::default(), Role::Client, None);
        for (message, _) in &messages {
            client.send(message.clone()).expect("memory takes all");
        }
        client.close(None).expect("memory takes all");
        let stream = client.into_inner().output;
        let mut expected: Vec<Event> = messages.into_iter().map(|(_, event)| event).collect();
        expected.push(Event::Close(None));
        let pieces = cut(&stream, &sizes);
        let (events, end) = Reader::run(pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn fragments_of_any_cut_make_the_same_message(
        text in ".{0,60}",
        parts in vec(0..20_usize, 1..6),
        key in any::<[u8; 4]>(),
        binary in any::<bool>(),
        sizes in vec(1..40_usize, 1..6),
    ) {
        let mut fragments: Vec<Vec<u8>> = Vec::new();
        let mut rest = text.as_bytes();
        for part in parts {
            let (fragment, behind) = rest.split_at(part.min(rest.len()));
            fragments.push(fragment.to_vec());
            rest = behind;
        }
        fragments.push(rest.to_vec());
        let pieces = cut(&fragmented(key, binary, &fragments), &sizes);
        let (mut events, end) = Reader::run(pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(end, Ok(()));
        let message = if binary { Event::Binary(text.into_bytes()) } else { Event::Text(text) };
        prop_assert_eq!(events.pop(), Some(message));
        prop_assert_eq!(events, vec![Event::Ping(Vec::new()); fragments.len() - 1]);
    }

    #[test]
    fn what_is_written_here_is_read_by_tungstenite(
        text in ".{0,200}",
        data in vec(any::<u8>(), 0..125),
        length in prop_oneof![0..300_usize, 65_500..65_600_usize],
        code in prop_oneof![Just(None), (3000..5000_u16).prop_map(Some), Just(Some(1002)), Just(Some(1009))],
    ) {
        let mut wire = Wire::default();
        for (opcode, payload) in [
            (Opcode::Text, text.as_bytes()),
            (Opcode::Binary, &vec![7; length]),
            (Opcode::Ping, &data),
            (Opcode::Pong, &data),
        ] {
            let mut header = [0; MAX_HEADER];
            let written = write_header(&mut header, opcode, payload.len());
            wire.input.extend(&header[..written]);
            wire.input.extend(payload);
        }
        let (close, written) = close_frame(code);
        wire.input.extend(&close[..written]);
        let mut client = WebSocket::from_raw_socket(wire, Role::Client, None);
        let mut read = || client.read().expect("legal frames");
        prop_assert_eq!(read(), Message::text(text));
        prop_assert_eq!(read(), Message::binary(vec![7; length]));
        prop_assert_eq!(read(), Message::Ping(data.clone().into()));
        prop_assert_eq!(read(), Message::Pong(data.into()));
        let Message::Close(frame) = read() else { return Err(TestCaseError::fail("no close frame")) };
        prop_assert_eq!(frame.map(|frame| frame.code), code.map(CloseCode::from));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_no_frame_takes_more_than_there_is(
        bytes in vec(any::<u8>(), 0..300),
        max in 0..400_usize,
    ) {
        let mut buffer = bytes.clone();
        match frame::parse(&mut buffer, max) {
            Ok(Some((frame, consumed))) => {
                prop_assert!(frame.payload.len() <= max || frame.opcode.is_control());
                prop_assert!(frame.payload.len() + 6 <= consumed && consumed <= bytes.len());
                prop_assert_eq!(&buffer[consumed..], &bytes[consumed..]);
            }
            Ok(None) | Err(_) => prop_assert_eq!(buffer, bytes),
        }
    }

    #[test]
    fn a_hostile_stream_ends_the_same_way_however_it_is_cut(
        frames in vec((any::<u8>(), prop_oneof![Just(0), Just(0x80)], 0..6_u8), 1..12),
        noise in vec(any::<u8>(), 0..12),
        sizes in vec(1..9_usize, 1..6),
    ) {
        // Mostly legal first bytes, so that more than the first header is looked at.
        let mut stream = Vec::new();
        for (kind, fin, length) in frames {
            stream.extend([fin | [0, 1, 2, 2, 9, 10, 8, 3][usize::from(kind % 8)], 0x80 | length, 0, 0, 0, 0]);
            stream.extend(std::iter::repeat_n(b'x', usize::from(length)));
        }
        stream.extend(noise);
        let whole = Reader::run(std::iter::once(stream.as_slice()));
        let pieces = cut(&stream, &sizes);
        prop_assert_eq!(Reader::run(pieces.iter().map(Vec::as_slice)), whole);
    }

    #[test]
    fn a_payload_yields_what_was_joined(
        packets in vec(prop_oneof![
            "[0-6][^\u{1e}]{0,40}".prop_map(Ok),
            vec(any::<u8>(), 0..60).prop_map(Err),
        ], 1..20),
    ) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let encode = |packet: &Result<String, Vec<u8>>| match packet {
            Ok(text) => text.clone(),
            Err(bytes) => format!("b{}", STANDARD.encode(bytes)),
        };
        let body = packets.iter().map(encode).collect::<Vec<_>>().join("\u{1e}");
        let decoded: Vec<_> = payload::decode(body.as_bytes(), packets.len()).collect();
        let expected: Vec<_> = packets.iter().map(|packet| match packet {
            Ok(text) => Packet::decode(text).map(PayloadPacket::Text),
            Err(bytes) => Ok(PayloadPacket::Binary(bytes.clone())),
        }).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn an_arbitrary_payload_ends_at_its_first_error(
        body in vec(prop_oneof![any::<u8>(), Just(0x1e), Just(b'4'), Just(b'b')], 0..200),
        max in 0..60_usize,
    ) {
        let decoded: Vec<_> = payload::decode(&body, max).collect();
        prop_assert!(!decoded.is_empty());
        let (_, before) = decoded.split_last().expect("not empty");
        prop_assert!(before.iter().all(Result::is_ok));
        prop_assert!(before.len() <= max);
    }

    #[test]
    fn an_arbitrary_query_is_read_or_refused_alone_for_a_conflict(query in "[a-zA-Z0-9&=%+;\u{0}-\u{ff}]{0,80}") {
        if Query::parse(&query).is_err() {
            prop_assert!(query.matches('&').count() > 0, "one parameter cannot contradict itself");
        }
    }
}
