//! Frames to messages: fragments are collected, control frames pass between them.
//!
//! Not the reading of frames, which is [`parse`](super::parse), and no answers: the transport sends
//! the pong and the close frame. It holds memory only while a fragmented message is open.
//! Spec: RFC 6455, sections 5.4 (fragmentation), 5.5 (control frames), 7.4 (close codes), 8.1 (UTF-8).

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use super::{Frame, FrameError, Opcode};

/// Bounds of a fragmented message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblerLimits {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// The most fragments of one message.
    pub max_fragments: usize,
    /// How long a message may take from its first fragment to its last.
    pub timeout: Duration,
}

impl Default for AssemblerLimits {
    /// 1 000 000 bytes in at most 1 024 fragments within 20 s.
    fn default() -> Self {
        Self { max_message: 1_000_000, max_fragments: 1024, timeout: Duration::from_secs(20) }
    }
}

/// What a frame has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole message of text.
    Text(Cow<'a, str>),
    /// A whole message of bytes.
    Binary(Cow<'a, [u8]>),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// Nothing to do.
    Pong,
    /// The client closes, with this code. To be answered by a close frame; nothing may follow.
    Close(Option<u16>),
    /// Part of a message; nothing yet.
    Fragment,
}

/// One connection's way from frames to messages.
///
/// ```
/// use std::time::Instant;
/// use erlen_engineio::frame::{self, Assembler, AssemblerLimits, Incoming};
///
/// let mut read = *b"\x81\x82\x01\x02\x03\x045m";
/// let (frame, _) = frame::parse(&mut read, 1_000_000).unwrap().unwrap();
/// let mut assembler = Assembler::new();
/// let incoming = assembler.push(&AssemblerLimits::default(), Instant::now(), frame);
/// assert_eq!(incoming, Ok(Incoming::Text("4o".into())));
/// ```
#[derive(Debug, Default)]
pub struct Assembler {
    open: Option<Box<OpenMessage>>,
}

#[derive(Debug)]
struct OpenMessage {
    kind: Kind,
    data: Vec<u8>,
    fragments: usize,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Binary,
}

impl Assembler {
    /// No message is open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next frame of the connection.
    ///
    /// # Errors
    /// The rule or the limit that is broken. The connection ends then, with
    /// [`FrameError::close_code`]; pushing more has no meaning.
    pub fn push<'a>(
        &mut self,
        limits: &AssemblerLimits,
        now: Instant,
        frame: Frame<'a>,
    ) -> Result<Incoming<'a>, FrameError> {
        let payload: &'a [u8] = frame.payload;
        match frame.opcode {
            Opcode::Close => close_code(payload).map(Incoming::Close),
            Opcode::Ping => Ok(Incoming::Ping(payload)),
            Opcode::Pong => Ok(Incoming::Pong),
            Opcode::Continuation => self.more(limits, now, frame.fin, payload),
            Opcode::Text if frame.fin => self.whole(limits, Kind::Text, payload),
            Opcode::Binary if frame.fin => self.whole(limits, Kind::Binary, payload),
            Opcode::Text => self.first(limits, now, Kind::Text, payload),
            Opcode::Binary => self.first(limits, now, Kind::Binary, payload),
        }
    }

    /// When the open message must be complete. From then on the next fragment is refused; a
    /// transport that hears nothing ends the connection by [`FrameError::FragmentTimeout`] itself.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.as_ref()?.deadline
    }

    fn whole<'a>(
        &self,
        limits: &AssemblerLimits,
        kind: Kind,
        payload: &'a [u8],
    ) -> Result<Incoming<'a>, FrameError> {
        self.may_begin(limits, payload)?;
        Ok(match kind {
            Kind::Text => Incoming::Text(Cow::Borrowed(text(payload)?)),
            Kind::Binary => Incoming::Binary(Cow::Borrowed(payload)),
        })
    }

    fn first(
        &mut self,
        limits: &AssemblerLimits,
        now: Instant,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Incoming<'static>, FrameError> {
        self.may_begin(limits, payload)?;
        if limits.max_fragments == 0 {
            return Err(FrameError::TooManyFragments);
        }
        let deadline = now.checked_add(limits.timeout);
        self.open = Some(Box::new(OpenMessage { kind, data: payload.to_vec(), fragments: 1, deadline }));
        Ok(Incoming::Fragment)
    }

    fn may_begin(&self, limits: &AssemblerLimits, payload: &[u8]) -> Result<(), FrameError> {
        if self.open.is_some() {
            return Err(FrameError::ExpectedContinuation);
        }
        if payload.len() > limits.max_message {
            return Err(FrameError::MessageTooBig(payload.len() as u64));
        }
        Ok(())
    }

    fn more(
        &mut self,
        limits: &AssemblerLimits,
        now: Instant,
        fin: bool,
        payload: &[u8],
    ) -> Result<Incoming<'static>, FrameError> {
        let mut open = self.open.take().ok_or(FrameError::UnexpectedContinuation)?;
        open.append(limits, now, payload)?;
        if fin {
            return open.finish();
        }
        self.open = Some(open);
        Ok(Incoming::Fragment)
    }
}

impl OpenMessage {
    fn append(&mut self, limits: &AssemblerLimits, now: Instant, payload: &[u8]) -> Result<(), FrameError> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(FrameError::FragmentTimeout);
        }
        if payload.len() > limits.max_message.saturating_sub(self.data.len()) {
            return Err(FrameError::MessageTooBig(self.data.len().saturating_add(payload.len()) as u64));
        }
        if self.fragments >= limits.max_fragments {
            return Err(FrameError::TooManyFragments);
        }
        self.fragments += 1;
        self.data.extend_from_slice(payload);
        Ok(())
    }

    fn finish(self) -> Result<Incoming<'static>, FrameError> {
        Ok(match self.kind {
            Kind::Binary => Incoming::Binary(Cow::Owned(self.data)),
            Kind::Text => {
                let text = String::from_utf8(self.data).map_err(|_| FrameError::Utf8)?;
                Incoming::Text(Cow::Owned(text))
            }
        })
    }
}

fn text(payload: &[u8]) -> Result<&str, FrameError> {
    simdutf8::basic::from_utf8(payload).map_err(|_| FrameError::Utf8)
}

/// The code of a close frame's payload, which is empty or a code and a reason.
fn close_code(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::CloseLength) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1011 | 3000..=4999) {
        return Err(FrameError::CloseCode);
    }
    text(reason).map_err(|_| FrameError::CloseReason)?;
    Ok(Some(code))
}
