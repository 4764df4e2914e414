//! The decoder: text and binary messages in, whole packets out.
//!
//! ```text
//!            text of a plain packet ──► packet
//!          ┌──────┐  text of a binary packet   ┌─────────┐
//!          │ idle │ ─────────────────────────► │ pending │ ◄─┐ attachment, more are missing
//!          └──────┘ ◄───────────────────────── └─────────┘ ──┘
//!                    the last attachment ──► packet
//! ```
//!
//! Every error ends the connection, and drops what is pending. The decoder knows the form of a
//! packet alone; whether its namespace exists, or its id is known, is the server's to judge.
//! Spec: Socket.IO protocol, "Packet encoding".

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Args, DecodeError, Packet, PacketData, PacketKind,
    args::{Element, Text},
    encode::is_reserved_event,
    header::Header,
    json::{self, Rules, Token, unescape},
    placeholder,
};

/// The limits of a [`Decoder`].
#[derive(Clone, Debug)]
pub struct DecoderConfig {
    /// Attachments of one packet. JavaScript's clients take 10.
    pub max_attachments: usize,
    /// Arrays and objects that may be open at once, the array of the arguments included; at most
    /// [`json::MAX_DEPTH`].
    pub max_depth: usize,
    /// Bytes of a namespace's name.
    pub max_namespace: usize,
    /// Bytes of all attachments of one packet, each counted as often as a placeholder names it.
    pub max_attachment_bytes: usize,
    /// How long attachments may take to arrive.
    pub attachment_timeout: Duration,
    /// Takes `NaN`, `Infinity` and `-Infinity` for numbers; see [`Rules::barewords`].
    pub barewords: bool,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_depth: 128,
            max_namespace: 256,
            max_attachment_bytes: 4_000_000,
            attachment_timeout: Duration::from_secs(10),
            barewords: false,
        }
    }
}

impl DecoderConfig {
    fn rules(&self) -> Rules {
        Rules { max_depth: self.max_depth, barewords: self.barewords }
    }
}

/// Decodes the packets of one connection. It holds something only while attachments are missing.
///
/// ```
/// use std::time::Instant;
/// use erlen_socketio::{Decoder, DecoderConfig, PacketData};
///
/// let config = DecoderConfig::default();
/// let packet = Decoder::new().decode_text(&config, Instant::now(), r#"2/chat,7["hello",1]"#)?;
/// let packet = packet.expect("complete, since it has no attachments");
/// assert_eq!(packet.namespace, "/chat");
/// let PacketData::Event { id: Some(7), args } = packet.data else { panic!("an event") };
/// assert_eq!(args.event_name(), "hello");
/// assert_eq!(args.iter().collect::<Vec<_>>(), ["\"hello\"", "1"]);
/// # Ok::<(), erlen_socketio::DecodeError>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
}

impl Decoder {
    /// A decoder that waits for nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a text message, the Engine.IO type already taken off.
    ///
    /// `None` says that there is nothing to do: the packet waits for its attachments, or it is an
    /// ack without an id, which answers nothing.
    pub fn decode_text<'a>(
        &mut self,
        config: &DecoderConfig,
        now: Instant,
        text: &'a str,
    ) -> Result<Option<Packet<'a>>, DecodeError> {
        if self.pending.take().is_some() {
            return Err(DecodeError::UnexpectedText);
        }
        let header = Header::parse(config, text)?;
        if header.kind.is_binary() {
            self.pending = Some(Box::new(Pending::new(config, now, &header)?));
            return Ok(None);
        }
        let data = decode_data(config, &header)?;
        Ok(data.map(|data| Packet { namespace: Cow::Borrowed(header.namespace), data }))
    }

    /// Takes a binary message, which is an attachment of the last text. `None` as above.
    pub fn decode_binary(
        &mut self,
        config: &DecoderConfig,
        data: &[u8],
    ) -> Result<Option<Packet<'static>>, DecodeError> {
        let mut pending = self.pending.take().ok_or(DecodeError::UnexpectedBinary)?;
        pending.attach(config, data)?;
        if pending.is_complete() {
            return pending.finish(config);
        }
        self.pending = Some(pending);
        Ok(None)
    }

    /// When the missing attachments are overdue, if any are missing. The owner then closes the
    /// connection.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref()?.deadline
    }
}

/// `None` for an ack that answers nothing.
fn decode_data<'a>(
    config: &DecoderConfig,
    header: &Header<'a>,
) -> Result<Option<PacketData<'a>>, DecodeError> {
    let payload = Cow::Borrowed(header.payload);
    let args = |first| Args::new(Text::Borrowed(header.payload), first, Vec::new());
    Ok(Some(match header.kind {
        PacketKind::Connect => PacketData::Connect { auth: check_auth(config, header)?.then_some(payload) },
        PacketKind::Disconnect => {
            check_disconnect(header)?;
            PacketData::Disconnect
        }
        PacketKind::ConnectError => {
            check_connect_error(config, header)?;
            PacketData::ConnectError { data: payload }
        }
        PacketKind::Event | PacketKind::BinaryEvent => {
            let name = check_event(config, header.payload)?;
            PacketData::Event { id: header.id, args: args(name) }
        }
        PacketKind::Ack | PacketKind::BinaryAck => {
            check_array(config, header.payload)?;
            let Some(id) = header.id else { return Ok(None) };
            PacketData::Ack { id, args: args(Element::first(header.payload)) }
        }
    }))
}

/// Says whether there is one.
fn check_auth(config: &DecoderConfig, header: &Header<'_>) -> Result<bool, DecodeError> {
    check_no_id(header)?;
    if header.payload.is_empty() {
        return Ok(false);
    }
    check_payload(config, header.payload, b"{")?;
    Ok(true)
}

fn check_disconnect(header: &Header<'_>) -> Result<(), DecodeError> {
    check_no_id(header)?;
    if header.payload.is_empty() { Ok(()) } else { Err(DecodeError::UnexpectedPayload) }
}

fn check_connect_error(config: &DecoderConfig, header: &Header<'_>) -> Result<(), DecodeError> {
    check_no_id(header)?;
    check_payload(config, header.payload, b"{\"")
}

fn check_no_id(header: &Header<'_>) -> Result<(), DecodeError> {
    if header.id.is_none() { Ok(()) } else { Err(DecodeError::UnexpectedId) }
}

/// Finds the event's name.
fn check_event(config: &DecoderConfig, payload: &str) -> Result<Element, DecodeError> {
    check_array(config, payload)?;
    let name = Element::first(payload);
    match name.token(payload) {
        Some(Token::String(inside)) => {
            let reserved =
                if name.has_escapes(inside) { is_reserved(inside) } else { is_reserved_event(inside) };
            if reserved { Err(DecodeError::ReservedEvent) } else { Ok(name) }
        }
        // Of all scalars, the numbers alone end in a digit.
        Some(Token::Scalar(text)) if text.ends_with(|c: char| c.is_ascii_digit()) => Ok(name),
        _ => Err(DecodeError::EventName),
    }
}

/// The same as `is_reserved_event` for the inside of a JSON string with escapes.
fn is_reserved(inside: &str) -> bool {
    // The longest reserved name has 14 characters.
    let mut name = [0; 16];
    let mut length = 0;
    for character in unescape(inside) {
        let (Ok(byte), Some(slot)) = (u8::try_from(character), name.get_mut(length)) else {
            return false;
        };
        *slot = byte;
        length += 1;
    }
    let name = name.get(..length).and_then(|name| std::str::from_utf8(name).ok());
    name.is_some_and(is_reserved_event)
}

fn check_array(config: &DecoderConfig, payload: &str) -> Result<(), DecodeError> {
    check_payload(config, payload, b"[")
}

/// That the payload is JSON, and begins with one of `starts`.
fn check_payload(config: &DecoderConfig, payload: &str, starts: &[u8]) -> Result<(), DecodeError> {
    let first = payload.as_bytes().first().ok_or(DecodeError::MissingPayload)?;
    json::validate(payload, &config.rules())?;
    if starts.contains(first) { Ok(()) } else { Err(DecodeError::PayloadType) }
}

/// A binary packet whose attachments are not all there.
#[derive(Debug)]
struct Pending {
    namespace: Box<str>,
    kind: PacketKind,
    id: Option<u64>,
    json: Arc<str>,
    first: Element,
    attachments: Vec<Bytes>,
    expected: usize,
    bytes: usize,
    deadline: Option<Instant>,
}

impl Pending {
    fn new(config: &DecoderConfig, now: Instant, header: &Header<'_>) -> Result<Self, DecodeError> {
        decode_data(config, header)?;
        placeholder::for_each(header.payload, |number| {
            if number < header.attachments { Ok(()) } else { Err(DecodeError::Placeholder) }
        })?;
        Ok(Self {
            namespace: header.namespace.into(),
            kind: header.kind,
            id: header.id,
            json: header.payload.into(),
            first: Element::first(header.payload),
            attachments: Vec::new(),
            expected: header.attachments,
            bytes: 0,
            deadline: now.checked_add(config.attachment_timeout),
        })
    }

    fn attach(&mut self, config: &DecoderConfig, data: &[u8]) -> Result<(), DecodeError> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > config.max_attachment_bytes {
            return Err(DecodeError::AttachmentsTooLarge);
        }
        self.attachments.push(Bytes::copy_from_slice(data));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.attachments.len() >= self.expected
    }

    fn finish(self, config: &DecoderConfig) -> Result<Option<Packet<'static>>, DecodeError> {
        self.check_expanded(config)?;
        let args = Args::new(Text::Shared(self.json), self.first, self.attachments);
        let data = match (self.kind, self.id) {
            (PacketKind::BinaryAck, None) => return Ok(None),
            (PacketKind::BinaryAck, Some(id)) => PacketData::Ack { id, args },
            (_, id) => PacketData::Event { id, args },
        };
        Ok(Some(Packet { namespace: Cow::Owned(self.namespace.into()), data }))
    }

    /// Many placeholders may name one attachment, and each becomes a copy where the packet is sent
    /// on: that must not make much out of little.
    fn check_expanded(&self, config: &DecoderConfig) -> Result<(), DecodeError> {
        let mut total = 0_usize;
        placeholder::for_each(&self.json, |number| {
            let length = self.attachments.get(number).map_or(0, Bytes::len);
            total = total.saturating_add(length);
            if total <= config.max_attachment_bytes { Ok(()) } else { Err(DecodeError::AttachmentsTooLarge) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_decoder_is_one_pointer() {
        assert!(size_of::<Decoder>() <= 16);
    }

    #[test]
    fn reserved_names_are_seen_through_escapes() {
        assert!(is_reserved("connect"));
        assert!(is_reserved(r"c\u006fnnect"));
        assert!(is_reserved(r"r\u0065moveListener"));
        assert!(!is_reserved(r"connect\u0000"));
        assert!(!is_reserved(r"\u0063onnection, and longer than any"));
        assert!(!is_reserved(r"\ud800"));
    }
}
