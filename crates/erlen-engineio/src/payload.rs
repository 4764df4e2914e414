//! A polling body: packets with a separator between them, binary ones as `b` and base64.
//!
//! Reading alone, and one packet at a time, so that what stands before a bad packet is still
//! delivered. What goes out is an [`EncodedPacket`](crate::EncodedPacket). The polling transport
//! calls it with the body of a POST. Spec: Engine.IO protocol, "HTTP long-polling, packet encoding".

use std::{borrow::Cow, iter::FusedIterator, mem};

use base64::{
    Engine as _,
    alphabet::{self, Alphabet},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{DecodeError, Packet};

/// What stands between two packets of a payload (U+001E, record separator).
pub const SEPARATOR: u8 = 0x1e;

/// One packet of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadPacket<'a> {
    /// A packet with a type digit, borrowed from the body.
    Text(Packet<'a>),
    /// The bytes of a binary message, decoded from base64.
    Binary(Vec<u8>),
}

/// The packets of one body, in order. The first error is the last item.
#[derive(Clone, Debug)]
pub struct PayloadDecoder<'a> {
    rest: Rest<'a>,
}

#[derive(Clone, Debug)]
enum Rest<'a> {
    Refused(DecodeError),
    Body(&'a [u8]),
    Done,
}

/// Reads `body`, which came in one POST.
///
/// A body of more than `max_packets` yields [`DecodeError::TooManyPackets`] and nothing else. Base64
/// is taken with and without padding, in lines or in one, in the standard and in the URL-safe alphabet.
///
/// ```
/// use erlen_engineio::{Message, Packet, payload::{self, PayloadPacket}};
///
/// let mut packets = payload::decode(b"4hello\x1ebAQID", 1024);
/// assert_eq!(packets.next(), Some(Ok(PayloadPacket::Text(Packet::Message(Message::Text("hello"))))));
/// assert_eq!(packets.next(), Some(Ok(PayloadPacket::Binary(vec![1, 2, 3]))));
/// assert_eq!(packets.next(), None);
/// ```
pub fn decode(body: &[u8], max_packets: usize) -> PayloadDecoder<'_> {
    let separators = memchr::memchr_iter(SEPARATOR, body).count();
    let rest = match separators < max_packets {
        true => Rest::Body(body),
        false => Rest::Refused(DecodeError::TooManyPackets),
    };
    PayloadDecoder { rest }
}

impl<'a> Iterator for PayloadDecoder<'a> {
    type Item = Result<PayloadPacket<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, rest) = match mem::replace(&mut self.rest, Rest::Done) {
            Rest::Body(body) => split_first(body),
            Rest::Refused(error) => return Some(Err(error)),
            Rest::Done => return None,
        };
        let decoded = decode_packet(packet);
        if let (Ok(_), Some(rest)) = (&decoded, rest) {
            self.rest = Rest::Body(rest);
        }
        Some(decoded)
    }
}

impl FusedIterator for PayloadDecoder<'_> {}

/// The first packet, and what is behind its separator.
fn split_first(body: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = memchr::memchr(SEPARATOR, body).and_then(|end| body.split_at_checked(end));
    end.map_or((body, None), |(first, rest)| (first, rest.get(1..)))
}

/// Reads one packet as a payload has it. A client without binary frames sends these on a WebSocket too, as text.
///
/// # Errors
/// What is wrong with the packet.
pub fn decode_packet(packet: &[u8]) -> Result<PayloadPacket<'_>, DecodeError> {
    if let Some(base64) = packet.strip_prefix(b"b") {
        return decode_base64(base64).map(PayloadPacket::Binary);
    }
    // The separator is ASCII, so a packet is UTF-8 exactly if its part of the body is.
    let text = simdutf8::basic::from_utf8(packet).map_err(|_| DecodeError::Utf8)?;
    Packet::decode(text).map(PayloadPacket::Text)
}

fn decode_base64(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
    const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);
    let text = without_line_breaks(text);
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let decoded = if url_safe { URL_SAFE.decode(text) } else { STANDARD.decode(text) };
    decoded.map_err(|_| DecodeError::Base64)
}

/// Android's encoder, which the Java client uses, breaks its lines and ends the last one.
fn without_line_breaks(text: &[u8]) -> Cow<'_, [u8]> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    if !text.iter().any(is_break) {
        return Cow::Borrowed(text);
    }
    text.iter().copied().filter(|byte| !is_break(byte)).collect()
}

const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}
