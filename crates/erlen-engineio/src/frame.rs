//! WebSocket frames, the server's side: read and unmasked in place, headers of what goes out.
//!
//! Not the opening handshake, not extensions, no I/O. The WebSocket transport calls [`parse`] on
//! what it has read until that says `None`, gives each frame to its connection's [`Assembler`], and
//! keeps only the incomplete tail. Outgoing frames are never fragmented and never masked.
//! Spec: RFC 6455, sections 5 (framing) and 7.4 (close codes).

mod assembler;

pub use crate::error::FrameError;
pub use assembler::{Assembler, AssemblerLimits, Incoming};

/// The longest header of an outgoing frame.
pub const MAX_HEADER: usize = 10;

/// The longest payload of a control frame (5.5).
const MAX_CONTROL: usize = 125;

/// What a frame is (5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that is open.
    Continuation,
    /// A message of UTF-8, or its first fragment.
    Text,
    /// A message of bytes, or its first fragment.
    Binary,
    /// The end of the connection.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether this frame may stand between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// One frame of a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// Its payload, already unmasked where it was read.
    pub payload: &'a mut [u8],
}

/// Reads the frame at the start of `buf`, and says how many bytes it took.
///
/// `None` if it is not there as a whole; `buf` is then unchanged. The rules are checked as soon as
/// the bytes that they speak of are there: a length beyond `max_payload` is refused before any
/// of the payload has come.
///
/// ```
/// use erlen_engineio::frame::{self, Opcode};
///
/// let mut read = *b"\x81\x82\x01\x02\x03\x045m and more";
/// let (frame, consumed) = frame::parse(&mut read, 1_000_000).unwrap().unwrap();
/// assert_eq!((frame.fin, frame.opcode), (true, Opcode::Text));
/// assert_eq!(frame.payload, b"4o");
/// assert_eq!(consumed, 8);
/// ```
///
/// # Errors
/// The first rule of RFC 6455 that the header breaks, or `FrameTooBig`.
pub fn parse(buf: &mut [u8], max_payload: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some(header) = Header::parse(buf, max_payload)? else { return Ok(None) };
    let Some(rest) = buf.get_mut(header.length..) else { return Ok(None) };
    let Some((key, rest)) = rest.split_first_chunk_mut::<4>() else { return Ok(None) };
    let Some(payload) = rest.get_mut(..header.payload) else { return Ok(None) };
    unmask(payload, *key);
    let frame = Frame { fin: header.fin, opcode: header.opcode, payload };
    Ok(Some((frame, header.length + key.len() + header.payload)))
}

/// A frame's header without its masking key.
struct Header {
    fin: bool,
    opcode: Opcode,
    length: usize,
    payload: usize,
}

impl Header {
    fn parse(buf: &[u8], max_payload: usize) -> Result<Option<Self>, FrameError> {
        let [first, second, extended @ ..] = buf else { return Ok(None) };
        let (fin, short) = (first & 0x80 != 0, second & 0x7f);
        let opcode = Opcode::from_bits(first & 0x0f);
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        let opcode = opcode.ok_or(FrameError::ReservedOpcode)?;
        if second & 0x80 == 0 {
            return Err(FrameError::Unmasked);
        }
        if opcode.is_control() {
            return match (fin, usize::from(short)) {
                (false, _) => Err(FrameError::FragmentedControl),
                (true, payload @ ..=MAX_CONTROL) => Ok(Some(Self { fin, opcode, length: 2, payload })),
                (true, _) => Err(FrameError::ControlTooLong),
            };
        }
        let Some((length, payload)) = payload_length(short, extended)? else { return Ok(None) };
        match usize::try_from(payload) {
            Ok(payload) if payload <= max_payload => Ok(Some(Self { fin, opcode, length, payload })),
            _ => Err(FrameError::FrameTooBig(payload)),
        }
    }
}

/// The length of the header, and the length that it gives to the payload.
fn payload_length(short: u8, extended: &[u8]) -> Result<Option<(usize, u64)>, FrameError> {
    let (header, payload, least) = match short {
        126 => match extended.first_chunk() {
            Some(bytes) => (4, u64::from(u16::from_be_bytes(*bytes)), 126),
            None => return Ok(None),
        },
        127 => match extended.first_chunk() {
            Some(bytes) => (10, u64::from_be_bytes(*bytes), 0x1_0000),
            None => return Ok(None),
        },
        short => (2, u64::from(short), 0),
    };
    if payload >> 63 != 0 {
        return Err(FrameError::LengthOverflow);
    }
    if payload < least {
        return Err(FrameError::NonMinimalLength);
    }
    Ok(Some((header, payload)))
}

/// Takes the mask off (5.3), eight bytes at a time. Eight is a multiple of the key's length, so each
/// piece and the rest begin with the key's first byte.
fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (pieces, rest) = payload.as_chunks_mut::<8>();
    for piece in pieces {
        *piece = (u64::from_ne_bytes(*piece) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// Writes the header of a whole, unmasked frame to the start of `out`, and returns its length.
///
/// ```
/// use erlen_engineio::frame::{self, MAX_HEADER, Opcode};
///
/// let mut header = [0; MAX_HEADER];
/// let length = frame::write_header(&mut header, Opcode::Binary, 300);
/// assert_eq!(header[..length], [0x82, 126, 0x01, 0x2c]);
/// ```
pub fn write_header(out: &mut [u8; MAX_HEADER], opcode: Opcode, len: usize) -> usize {
    let [first, second, extended @ ..] = out;
    *first = 0x80 | opcode.bits();
    if let Ok(short @ ..126) = u8::try_from(len) {
        *second = short;
        return 2;
    }
    if let Ok(medium) = u16::try_from(len) {
        *second = 126;
        let [high, low, ..] = extended;
        [*high, *low] = medium.to_be_bytes();
        return 4;
    }
    *second = 127;
    // A usize has at most 64 bits on every target of Rust.
    *extended = (len as u64).to_be_bytes();
    MAX_HEADER
}

/// A close frame with this code and no reason, and how many of its bytes count.
pub fn close_frame(code: Option<u16>) -> ([u8; 4], usize) {
    let first = 0x80 | Opcode::Close.bits();
    match code.map(u16::to_be_bytes) {
        Some([high, low]) => ([first, 2, high, low], 4),
        None => ([first, 0, 0, 0], 2),
    }
}
