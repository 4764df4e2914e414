//! WebSocket frames, only as far as a load generator needs them: frames made ahead with a fixed
//! mask, and received frames counted by the length in their header, across any cut of the stream.
//!
//! Not a WebSocket codec: payloads are not looked at, but for the one byte of an Engine.IO ping.
//! Called by the fleet, the handshake and the floor.
//! <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>

use crate::error::LoadError;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A text frame as a client sends it, masked and ready to be written.
pub fn masked_text(payload: &[u8]) -> Vec<u8> {
    masked(0x81, payload)
}

/// A binary frame as a client sends it.
pub fn masked_binary(payload: &[u8]) -> Vec<u8> {
    masked(0x82, payload)
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    frame
}

/// A text frame as a server sends it.
pub fn unmasked_text(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(0x81, payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

fn header(first: u8, len: usize, mask_bit: u8) -> Vec<u8> {
    let mut header = vec![first];
    if let Ok(short @ 0..126) = u8::try_from(len) {
        header.push(mask_bit | short);
    } else if let Ok(medium) = u16::try_from(len) {
        header.push(mask_bit | 126);
        header.extend_from_slice(&medium.to_be_bytes());
    } else {
        header.push(mask_bit | 127);
        header.extend_from_slice(&(len as u64).to_be_bytes());
    }
    header
}

/// What has been counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Whole messages of more than one byte: Socket.IO packets.
    pub messages: u64,
    /// Bytes of those messages, their headers not included.
    pub payload_bytes: u64,
    /// Engine.IO pings, which want an answer.
    pub pings: u64,
    /// Close frames.
    pub closes: u64,
}

/// Counts the frames of one connection. Holds a header that is cut in two, and no payload.
#[derive(Debug, Default)]
pub struct FrameCounter {
    head: [u8; 11],
    head_len: usize,
    skip: u64,
}

impl FrameCounter {
    /// Counts what these bytes complete. A frame counts when its header is there, so the last
    /// frame's payload may still be on its way.
    pub fn feed(&mut self, mut bytes: &[u8], tally: &mut Tally) -> Result<(), LoadError> {
        loop {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.skip -= skipped as u64;
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(());
            };
            bytes = rest;
            if let Some(slot) = self.head.get_mut(self.head_len) {
                *slot = byte;
                self.head_len += 1;
            }
            let Some(head) = Head::parse(self.head.get(..self.head_len).unwrap_or_default())? else {
                continue;
            };
            self.head_len = 0;
            self.skip = head.remaining;
            head.count(tally);
        }
    }

    /// Whether the stream stands at the end of a frame.
    pub fn is_between_frames(&self) -> bool {
        self.skip == 0 && self.head_len == 0
    }
}

/// A complete header; the payload of a one-byte frame belongs to it.
struct Head {
    first: u8,
    len: u64,
    only_byte: Option<u8>,
    remaining: u64,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Option<Self>, LoadError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        if second & 0x80 != 0 {
            return Err(LoadError::Frame("a server must not mask"));
        }
        if first & 0x70 != 0 {
            return Err(LoadError::Frame("no extension was agreed on"));
        }
        let (len, rest) = match (second, rest) {
            (126, &[a, b, ref rest @ ..]) => (u64::from(u16::from_be_bytes([a, b])), rest),
            (127, &[a, b, c, d, e, f, g, h, ref rest @ ..]) => {
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
            }
            (126 | 127, _) => return Ok(None),
            (short, rest) => (u64::from(short), rest),
        };
        let only_byte = rest.first().copied();
        if len == 1 && only_byte.is_none() {
            return Ok(None);
        }
        let remaining = if len == 1 { 0 } else { len };
        Ok(Some(Self { first, len, only_byte, remaining }))
    }

    fn count(&self, tally: &mut Tally) {
        let is_final = self.first & 0x80 != 0;
        match self.first & 0x0f {
            0x8 => tally.closes += 1,
            0x0..=0x2 if self.len == 1 => tally.pings += u64::from(self.only_byte == Some(b'2')),
            0x0..=0x2 => {
                tally.messages += u64::from(is_final);
                tally.payload_bytes += self.len;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut stream = unmasked_text(b"42[\"a\"]");
        stream.extend(unmasked_text(b"2"));
        stream.extend(unmasked_text(&[b'x'; 300]));
        stream.extend(unmasked_text(&[b'y'; 70_000]));
        stream.extend([0x88, 0x00]);
        stream
    }

    #[test]
    fn every_cut_of_the_stream_counts_the_same() {
        let stream = stream();
        let cuts = (0..400).chain(stream.len() - 20..stream.len());
        for cut in cuts {
            let (mut counter, mut tally) = (FrameCounter::default(), Tally::default());
            counter.feed(&stream[..cut], &mut tally).expect("valid");
            counter.feed(&stream[cut..], &mut tally).expect("valid");
            let expected = Tally { messages: 3, payload_bytes: 70_307, pings: 1, closes: 1 };
            assert_eq!(tally, expected, "cut at {cut}");
            assert!(counter.is_between_frames());
        }
    }

    #[test]
    fn bytes_one_by_one_count_the_same() {
        let (mut counter, mut tally) = (FrameCounter::default(), Tally::default());
        for byte in stream() {
            counter.feed(&[byte], &mut tally).expect("valid");
        }
        assert_eq!((tally.messages, tally.pings, tally.closes), (3, 1, 1));
    }

    #[test]
    fn a_masked_frame_from_a_server_is_refused() {
        let mut tally = Tally::default();
        let refused = FrameCounter::default().feed(&masked_text(b"40"), &mut tally);
        assert!(matches!(refused, Err(LoadError::Frame(_))));
    }

    #[test]
    fn a_masked_frame_is_its_payload_xor_the_mask() {
        let frame = masked_text(b"42[]");
        assert_eq!(frame[..2], [0x81, 0x84]);
        let payload: Vec<u8> = frame[6..].iter().zip(&frame[2..6]).map(|(b, m)| b ^ m).collect();
        assert_eq!(payload, b"42[]");
    }
}
