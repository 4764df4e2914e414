//! WebSocket frames by the rules of RFC 6455: what is read, what is refused and with which close
//! code, and how early.

#![allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use erlen_engineio::frame::{
    self, Assembler, AssemblerLimits, Frame, FrameError, Incoming, MAX_HEADER, Opcode, close_frame,
    write_header,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const MAX: usize = 1_000_000;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A client's frame: first byte, length by the shortest form, key, masked payload.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; MAX_HEADER];
    let length = write_header(&mut header, Opcode::Text, payload.len());
    header[0] = first;
    header[1] |= MASKED;
    let mut bytes = header[..length].to_vec();
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn header_error(bytes: &[u8]) -> Option<FrameError> {
    frame::parse(&mut bytes.to_vec(), MAX).err()
}

struct Connection {
    assembler: Assembler,
    limits: AssemblerLimits,
    now: Instant,
}

impl Connection {
    fn new(limits: AssemblerLimits) -> Self {
        Self { assembler: Assembler::new(), limits, now: Instant::now() }
    }

    fn push(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) -> Result<Incoming<'static>, FrameError> {
        let mut payload = payload.to_vec();
        let frame = Frame { fin, opcode, payload: &mut payload };
        self.assembler.push(&self.limits, self.now, frame).map(|incoming| match incoming {
            Incoming::Text(text) => Incoming::Text(Cow::Owned(text.into_owned())),
            Incoming::Binary(bytes) => Incoming::Binary(Cow::Owned(bytes.into_owned())),
            Incoming::Ping(bytes) => Incoming::Binary(Cow::Owned([b"ping ", bytes].concat())),
            Incoming::Pong => Incoming::Pong,
            Incoming::Close(code) => Incoming::Close(code),
            Incoming::Fragment => Incoming::Fragment,
        })
    }
}

fn text(text: &str) -> Result<Incoming<'static>, FrameError> {
    Ok(Incoming::Text(Cow::Owned(text.to_owned())))
}

fn binary(bytes: &[u8]) -> Result<Incoming<'static>, FrameError> {
    Ok(Incoming::Binary(Cow::Owned(bytes.to_vec())))
}

#[test]
fn the_masked_hello_of_the_rfc_is_read_in_place() {
    let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58behind";
    let (frame, consumed) = frame::parse(&mut bytes, MAX).expect("legal").expect("complete");
    assert_eq!((frame.fin, frame.opcode, &*frame.payload), (true, Opcode::Text, &b"Hello"[..]));
    assert_eq!(consumed, 11);
    assert_eq!(bytes[6..], *b"Hellobehind");
}

#[test]
fn every_length_is_read_whole_and_unmasked() {
    for length in (0..40).chain([125, 126, 127, 128, 65_535, 65_536, 100_003]) {
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        let mut bytes = client_frame(FIN | 2, &payload);
        let whole = bytes.len();
        let (frame, consumed) = frame::parse(&mut bytes, MAX).expect("legal").expect("complete");
        assert_eq!((frame.opcode, &*frame.payload), (Opcode::Binary, &payload[..]), "{length} bytes");
        assert_eq!(consumed, whole);
    }
}

#[test]
fn an_incomplete_frame_is_left_as_it_was() {
    for payload in [&b"4hello"[..], &[7; 300], &[7; 70_000]] {
        let whole = client_frame(FIN | 1, payload);
        for length in (0..20).chain([whole.len() - 1]).filter(|length| *length < whole.len()) {
            let mut part = whole[..length].to_vec();
            assert_eq!(frame::parse(&mut part, MAX), Ok(None), "{length} of {}", whole.len());
            assert_eq!(part, whole[..length]);
        }
    }
}

#[test]
fn reserved_bits_and_opcodes_are_refused_by_two_bytes() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(header_error(&[FIN | bit | 1, MASKED]), Some(FrameError::ReservedBits));
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(header_error(&[FIN | opcode, MASKED]), Some(FrameError::ReservedOpcode));
    }
}

#[test]
fn an_unmasked_frame_is_refused_by_two_bytes() {
    for opcode in [0, 1, 2, 8, 9, 10] {
        assert_eq!(header_error(&[FIN | opcode, 5]), Some(FrameError::Unmasked));
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        assert_eq!(header_error(&[opcode, MASKED]), Some(FrameError::FragmentedControl));
        assert_eq!(header_error(&[FIN | opcode, MASKED | 126]), Some(FrameError::ControlTooLong));
        assert_eq!(header_error(&[FIN | opcode, MASKED | 127]), Some(FrameError::ControlTooLong));
        let mut longest = client_frame(FIN | opcode, &[b'x'; 125]);
        let (frame, _) = frame::parse(&mut longest, 10).expect("no message, no limit").expect("complete");
        assert_eq!(frame.payload, [b'x'; 125]);
    }
}

#[test]
fn a_length_in_too_many_bytes_is_refused() {
    assert_eq!(header_error(&[FIN | 1, MASKED | 126, 0, 125]), Some(FrameError::NonMinimalLength));
    let wide = [FIN | 1, MASKED | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    assert_eq!(header_error(&wide), Some(FrameError::NonMinimalLength));
    let negative = [FIN | 1, MASKED | 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(header_error(&negative), Some(FrameError::LengthOverflow));
}

#[test]
fn a_frame_beyond_the_limit_is_refused_before_its_payload_comes() {
    let huge = [FIN | 1, MASKED | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(header_error(&huge), Some(FrameError::FrameTooBig(i64::MAX as u64)));
    let exact = client_frame(FIN | 2, &[0; 200]);
    assert!(matches!(frame::parse(&mut exact.clone(), 200), Ok(Some(_))));
    assert_eq!(frame::parse(&mut exact[..4].to_vec(), 199), Err(FrameError::FrameTooBig(200)));
    assert_eq!(frame::parse(&mut [FIN | 1, MASKED | 11], 10), Err(FrameError::FrameTooBig(11)));
}

#[test]
fn whole_messages_are_borrowed() {
    let limits = AssemblerLimits::default();
    let mut assembler = Assembler::new();
    let mut payload = *b"4hi";
    let frame = Frame { fin: true, opcode: Opcode::Text, payload: &mut payload };
    let incoming = assembler.push(&limits, Instant::now(), frame);
    assert!(matches!(incoming, Ok(Incoming::Text(Cow::Borrowed("4hi")))));
    let frame = Frame { fin: true, opcode: Opcode::Binary, payload: &mut payload };
    let incoming = assembler.push(&limits, Instant::now(), frame);
    assert!(matches!(incoming, Ok(Incoming::Binary(Cow::Borrowed(b"4hi")))));
}

#[test]
fn an_idle_assembler_is_a_pointer() {
    assert!(size_of::<Assembler>() <= 16);
    assert_eq!(Assembler::new().deadline(), None);
}

#[test]
fn fragments_make_one_message_and_control_frames_pass_between_them() {
    let mut connection = Connection::new(AssemblerLimits::default());
    assert_eq!(connection.push(false, Opcode::Text, b"4h\xc3"), Ok(Incoming::Fragment));
    assert_eq!(connection.push(true, Opcode::Ping, b"1"), binary(b"ping 1"));
    assert_eq!(connection.push(false, Opcode::Continuation, b""), Ok(Incoming::Fragment));
    assert_eq!(connection.push(true, Opcode::Pong, b"2"), Ok(Incoming::Pong));
    assert_eq!(connection.push(true, Opcode::Continuation, b"\xa4llo"), text("4hällo"));
    assert_eq!(connection.assembler.deadline(), None);
    assert_eq!(connection.push(false, Opcode::Binary, b"\xff"), Ok(Incoming::Fragment));
    assert_eq!(connection.push(true, Opcode::Continuation, b"\xfe"), binary(b"\xff\xfe"));
    assert_eq!(connection.push(true, Opcode::Text, b""), text(""));
}

#[test]
fn a_close_between_fragments_is_heard() {
    let mut connection = Connection::new(AssemblerLimits::default());
    assert_eq!(connection.push(false, Opcode::Text, b"4h"), Ok(Incoming::Fragment));
    assert_eq!(connection.push(true, Opcode::Close, b"\x03\xe9"), Ok(Incoming::Close(Some(1001))));
}

#[test]
fn fragments_out_of_turn_are_refused() {
    for fin in [false, true] {
        let mut connection = Connection::new(AssemblerLimits::default());
        assert_eq!(connection.push(fin, Opcode::Continuation, b"x"), Err(FrameError::UnexpectedContinuation));
        for opcode in [Opcode::Text, Opcode::Binary] {
            let mut connection = Connection::new(AssemblerLimits::default());
            assert_eq!(connection.push(false, Opcode::Text, b"x"), Ok(Incoming::Fragment));
            assert_eq!(connection.push(fin, opcode, b"x"), Err(FrameError::ExpectedContinuation));
        }
    }
    let mut connection = Connection::new(AssemblerLimits::default());
    assert_eq!(connection.push(true, Opcode::Text, b"x"), text("x"));
    assert_eq!(connection.push(true, Opcode::Continuation, b"x"), Err(FrameError::UnexpectedContinuation));
}

#[test]
fn a_fragmented_message_is_bounded_in_bytes() {
    let limits = AssemblerLimits { max_message: 10, ..AssemblerLimits::default() };
    let mut connection = Connection::new(limits);
    assert_eq!(connection.push(false, Opcode::Binary, b"123456"), Ok(Incoming::Fragment));
    assert_eq!(connection.push(true, Opcode::Continuation, b"7890"), binary(b"1234567890"));
    assert_eq!(connection.push(false, Opcode::Binary, b"123456"), Ok(Incoming::Fragment));
    assert_eq!(connection.push(false, Opcode::Continuation, b"78901"), Err(FrameError::MessageTooBig(11)));
    assert_eq!(connection.push(false, Opcode::Binary, b"12345678901"), Err(FrameError::MessageTooBig(11)));
    assert_eq!(connection.push(true, Opcode::Binary, b"12345678901"), Err(FrameError::MessageTooBig(11)));
}

#[test]
fn a_fragmented_message_is_bounded_in_fragments() {
    let mut connection = Connection::new(AssemblerLimits::default());
    assert_eq!(connection.push(false, Opcode::Text, b""), Ok(Incoming::Fragment));
    for _ in 1..1024 {
        assert_eq!(connection.push(false, Opcode::Continuation, b""), Ok(Incoming::Fragment));
    }
    assert_eq!(connection.push(true, Opcode::Continuation, b""), Err(FrameError::TooManyFragments));
}

#[test]
fn a_fragmented_message_has_a_deadline_that_no_fragment_moves() {
    let mut connection = Connection::new(AssemblerLimits::default());
    let deadline = connection.now + Duration::from_secs(20);
    assert_eq!(connection.push(false, Opcode::Text, b"4"), Ok(Incoming::Fragment));
    assert_eq!(connection.assembler.deadline(), Some(deadline));
    connection.now = deadline - Duration::from_millis(1);
    assert_eq!(connection.push(false, Opcode::Continuation, b"a"), Ok(Incoming::Fragment));
    assert_eq!(connection.assembler.deadline(), Some(deadline));
    connection.now = deadline;
    assert_eq!(connection.push(true, Opcode::Continuation, b"b"), Err(FrameError::FragmentTimeout));
}

#[test]
fn text_must_be_utf8_as_a_whole() {
    for bad in [&b"4\xff"[..], b"4\xc3", b"4\xed\xa0\x80", b"4\xc0\xaf", b"4\xf4\x90\x80\x80"] {
        let mut connection = Connection::new(AssemblerLimits::default());
        assert_eq!(connection.push(true, Opcode::Text, bad), Err(FrameError::Utf8));
        assert_eq!(connection.push(false, Opcode::Text, bad), Ok(Incoming::Fragment));
        assert_eq!(connection.push(true, Opcode::Continuation, b"."), Err(FrameError::Utf8));
    }
}

#[test]
fn close_frames_carry_nothing_or_a_legal_code_and_a_reason() {
    let mut connection = Connection::new(AssemblerLimits::default());
    let mut close = |payload: &[u8]| connection.push(true, Opcode::Close, payload);
    assert_eq!(close(b""), Ok(Incoming::Close(None)));
    assert_eq!(close(b"\x03"), Err(FrameError::CloseLength));
    for code in (1000..=1003_u16).chain(1007..=1011).chain([3000, 3999, 4000, 4999]) {
        let payload = [&code.to_be_bytes()[..], "grüße".as_bytes()].concat();
        assert_eq!(close(&payload), Ok(Incoming::Close(Some(code))));
        let payload = [&code.to_be_bytes()[..], b"\xff"].concat();
        assert_eq!(close(&payload), Err(FrameError::CloseReason));
    }
    for code in [0, 999, 1004, 1005, 1006, 1012, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
        assert_eq!(close(&code.to_be_bytes()), Err(FrameError::CloseCode), "{code}");
    }
}

#[test]
fn each_broken_rule_has_its_close_code() {
    for (error, code) in [
        (FrameError::ReservedBits, 1002),
        (FrameError::ReservedOpcode, 1002),
        (FrameError::Unmasked, 1002),
        (FrameError::FragmentedControl, 1002),
        (FrameError::ControlTooLong, 1002),
        (FrameError::NonMinimalLength, 1002),
        (FrameError::UnexpectedContinuation, 1002),
        (FrameError::ExpectedContinuation, 1002),
        (FrameError::CloseLength, 1002),
        (FrameError::CloseCode, 1002),
        (FrameError::CloseReason, 1002),
        (FrameError::Utf8, 1007),
        (FrameError::TooManyFragments, 1008),
        (FrameError::FragmentTimeout, 1008),
        (FrameError::LengthOverflow, 1009),
        (FrameError::FrameTooBig(2), 1009),
        (FrameError::MessageTooBig(2), 1009),
    ] {
        assert_eq!(error.close_code(), code, "{error}");
    }
}

#[test]
fn outgoing_headers_use_the_shortest_length() {
    for (length, header) in [
        (0, &[0x81, 0][..]),
        (125, &[0x81, 125]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 0xff, 0xff]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = [0; MAX_HEADER];
        let written = write_header(&mut out, Opcode::Text, length);
        assert_eq!(out[..written], *header);
    }
    for (opcode, first) in
        [(Opcode::Binary, 0x82), (Opcode::Close, 0x88), (Opcode::Ping, 0x89), (Opcode::Pong, 0x8a)]
    {
        let mut out = [0; MAX_HEADER];
        assert_eq!((write_header(&mut out, opcode, 1), out[0]), (2, first));
    }
}

#[test]
fn a_close_frame_has_a_code_or_nothing() {
    let (frame, length) = close_frame(Some(1009));
    assert_eq!(frame[..length], [0x88, 2, 0x03, 0xf1]);
    let (frame, length) = close_frame(None);
    assert_eq!(frame[..length], [0x88, 0]);
}
