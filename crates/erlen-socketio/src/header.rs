//! The part of a text packet before its payload: `<type>[<n>-][/nsp,][id]`.
//!
//! Takes the text apart and keeps the limits on each part; what the parts mean together is decided
//! in the decoder, which is the only caller. Spec: Socket.IO protocol, "Packet encoding".

use crate::{DecodeError, DecoderConfig, PacketKind};

/// The largest ack id: 2^53 - 1, where JavaScript's integers end.
const MAX_ID: u64 = (1 << 53) - 1;

/// A packet taken apart, its payload not yet looked at.
pub(crate) struct Header<'a> {
    pub(crate) kind: PacketKind,
    /// At least one for the binary kinds, zero for the others.
    pub(crate) attachments: usize,
    pub(crate) namespace: &'a str,
    pub(crate) id: Option<u64>,
    /// Without white space around it; empty if there is none.
    pub(crate) payload: &'a str,
}

impl<'a> Header<'a> {
    pub(crate) fn parse(config: &DecoderConfig, text: &'a str) -> Result<Self, DecodeError> {
        let (kind, rest) = split_kind(text)?;
        let (attachments, rest) = match kind.is_binary() {
            true => split_attachments(config, rest)?,
            false => (0, rest),
        };
        let (namespace, rest) = split_namespace(config, rest)?;
        let (id, rest) = split_id(rest)?;
        Ok(Self { kind, attachments, namespace, id, payload: trim(rest) })
    }
}

/// Takes JSON's white space off both ends, which is hardly ever there.
fn trim(payload: &str) -> &str {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    match payload.as_bytes() {
        [first, .., last] if !space(first) && !space(last) => payload,
        _ => payload.trim_matches([' ', '\t', '\n', '\r']),
    }
}

fn split_kind(text: &str) -> Result<(PacketKind, &str), DecodeError> {
    let mut rest = text.chars();
    let digit = rest.next().ok_or(DecodeError::Empty)?;
    let kind = PacketKind::from_digit(digit).ok_or(DecodeError::UnknownType(digit))?;
    Ok((kind, rest.as_str()))
}

fn split_attachments<'a>(config: &DecoderConfig, text: &'a str) -> Result<(usize, &'a str), DecodeError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::AttachmentCount)?;
    match decimal(digits) {
        0 => Err(DecodeError::AttachmentCount),
        count => match usize::try_from(count) {
            Ok(count) if count <= config.max_attachments => Ok((count, rest)),
            _ => Err(DecodeError::TooManyAttachments),
        },
    }
}

/// A namespace ends at the first comma, or with the packet. Without one it is `/`.
fn split_namespace<'a>(config: &DecoderConfig, text: &'a str) -> Result<(&'a str, &'a str), DecodeError> {
    if !text.starts_with('/') {
        return Ok(("/", text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace.len() > config.max_namespace {
        return Err(DecodeError::NamespaceTooLong);
    }
    Ok((namespace, rest))
}

fn split_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match decimal(digits) {
        id if id > MAX_ID => Err(DecodeError::IdTooLarge),
        id => Ok((Some(id), rest)),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(count).unwrap_or((text, ""))
}

/// The number that `digits` spell; what is too large for a `u64` stays at its end.
fn decimal(digits: &str) -> u64 {
    digits.bytes().fold(0, |sum: u64, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(PacketKind, usize, &str, Option<u64>, &str), DecodeError> {
        let header = Header::parse(&DecoderConfig::default(), text)?;
        Ok((header.kind, header.attachments, header.namespace, header.id, header.payload))
    }

    #[test]
    fn every_part_is_found() {
        let expected = (PacketKind::BinaryEvent, 2, "/admin", Some(13), "[\"a\"]");
        assert_eq!(parts("52-/admin,13[\"a\"]"), Ok(expected));
    }

    #[test]
    fn every_part_but_the_type_may_be_missing() {
        assert_eq!(parts("0"), Ok((PacketKind::Connect, 0, "/", None, "")));
        assert_eq!(parts("1/custom"), Ok((PacketKind::Disconnect, 0, "/custom", None, "")));
        assert_eq!(parts("37[]"), Ok((PacketKind::Ack, 0, "/", Some(7), "[]")));
    }

    #[test]
    fn an_id_is_exact_or_refused() {
        assert_eq!(parts("29007199254740991[]").map(|parts| parts.3), Ok(Some(MAX_ID)));
        assert_eq!(parts("29007199254740992[]"), Err(DecodeError::IdTooLarge));
        assert_eq!(parts(&format!("2{}[]", "1".repeat(400))), Err(DecodeError::IdTooLarge));
    }
}
