//! The arguments of an event or an ack, as the text that came, and their attachments.
//!
//! Not values: a handler that wants values parses the text of the arguments it wants. Made by the
//! [`Decoder`](crate::Decoder), which has validated the text.

use std::{borrow::Cow, fmt, iter, ops::Deref, sync::Arc};

use bytes::Bytes;

use crate::json::{Token, Tokens, plain_len, unescape};

/// Arguments as they came: the JSON text of one array, validated, and the attachments that its
/// placeholders point at. The first element of an event is the event's name. A clone of owned ones
/// shares their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args<'a> {
    json: Text<'a>,
    first: Element,
    attachments: Vec<Bytes>,
}

/// A text of somebody else, or one that is shared.
#[derive(Clone)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Where an element of an array lies in its text; nowhere if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    start: usize,
    end: usize,
    /// It is known to be a string without escapes.
    plain: bool,
}

impl Element {
    /// The first element of an array that the scanner has accepted.
    pub(crate) fn first(json: &str) -> Self {
        // Nearly every event begins with a plain name.
        if let Some(inside) = json.strip_prefix("[\"") {
            let end = 2 + plain_len(inside.as_bytes());
            if json.as_bytes().get(end) == Some(&b'"') {
                return Self { start: 1, end: end + 1, plain: true };
            }
        }
        let mut tokens = Tokens::new(json);
        tokens.next();
        let start = tokens.skip_separators();
        if json.as_bytes().get(start) == Some(&b']') {
            return Self { start, end: start, plain: false };
        }
        tokens.skip_value();
        Self { start, end: tokens.position(), plain: false }
    }

    /// Whether `inside`, which stands between its quotes, has escapes.
    pub(crate) fn has_escapes(self, inside: &str) -> bool {
        !self.plain && inside.contains('\\')
    }

    /// Its text; of a string, what stands between the quotes.
    pub(crate) fn token(self, json: &str) -> Option<Token<'_>> {
        let text = json.get(self.start..self.end)?;
        match text.as_bytes().first()? {
            b'"' => Some(Token::String(text.get(1..text.len() - 1)?)),
            b'[' => Some(Token::ArrayStart),
            b'{' => Some(Token::ObjectStart),
            _ => Some(Token::Scalar(text)),
        }
    }
}

impl<'a> Args<'a> {
    /// Of the text of an array that the scanner has accepted, and its first element.
    pub(crate) fn new(json: Text<'a>, first: Element, attachments: Vec<Bytes>) -> Self {
        Self { json, first, attachments }
    }

    /// The text of the whole array, from `[` to `]`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The attachments, in the order of their numbers. Empty for packets without.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The name of an event, without quotes and escapes. A number gives its text, a lone surrogate
    /// U+FFFD; an ack, which has no name, gives its first argument if that is a string or number.
    pub fn event_name(&self) -> Cow<'_, str> {
        match self.first.token(&self.json) {
            Some(Token::String(inside)) if self.first.has_escapes(inside) => unescape(inside).collect(),
            Some(Token::String(text) | Token::Scalar(text)) => Cow::Borrowed(text),
            _ => Cow::Borrowed(""),
        }
    }

    /// The JSON text of each element in order, the name of an event included.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut tokens = Tokens::new(&self.json);
        tokens.next();
        iter::from_fn(move || {
            let start = tokens.skip_separators();
            tokens.skip_value();
            let element = self.json.get(start..tokens.position())?;
            (!element.is_empty() && element != "]").then_some(element)
        })
    }

    /// The text behind the first `skip` elements, up to the closing bracket: `b,c` of `["a",b,c]` behind one.
    pub fn tail(&self, skip: usize) -> &str {
        let mut tokens = Tokens::at(&self.json, if skip == 0 { self.first.start } else { self.first.end });
        for _ in 1..skip {
            tokens.skip_separators();
            tokens.skip_value();
        }
        let start = tokens.skip_separators();
        let text = self.json.get(start..).unwrap_or_default();
        text.trim_ascii_end().strip_suffix(']').unwrap_or_default()
    }

    /// The arguments with a text of their own.
    pub fn into_owned(self) -> Args<'static> {
        let json = match self.json {
            Text::Borrowed(text) => text.into(),
            Text::Shared(text) => text,
        };
        Args { json: Text::Shared(json), first: self.first, attachments: self.attachments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(json: &str) -> Args<'_> {
        Args::new(Text::Borrowed(json), Element::first(json), Vec::new())
    }

    #[test]
    fn elements_come_as_their_text() {
        let args = args(r#"[ "a]", [1, [2]] ,{"b":"}"},null , -1.5e3]"#);
        let elements: Vec<_> = args.iter().collect();
        assert_eq!(elements, [r#""a]""#, "[1, [2]]", r#"{"b":"}"}"#, "null", "-1.5e3"]);
    }

    #[test]
    fn an_empty_array_has_no_elements() {
        assert_eq!(args("[]").iter().count(), 0);
        assert_eq!(args("[ ]").iter().count(), 0);
        assert_eq!(args("[ ]").event_name(), "");
    }

    #[test]
    fn the_tail_is_what_stands_behind_the_name() {
        assert_eq!(args(r#"["a",1,{"b":"]"}]"#).tail(1), r#"1,{"b":"]"}"#);
        assert_eq!(args(r#"["a"]"#).tail(1), "");
        assert_eq!(args("[1,2]").tail(0), "1,2");
        assert_eq!(args("[]").tail(0), "");
        assert_eq!(args("[]").tail(3), "");
    }

    #[test]
    fn a_name_is_unescaped() {
        assert_eq!(args(r#"["caf\u00e9","x"]"#).event_name(), "café");
        assert_eq!(args("[12.5]").event_name(), "12.5");
        assert!(matches!(args(r#"["plain"]"#).event_name(), Cow::Borrowed("plain")));
    }

    #[test]
    fn owned_arguments_are_equal() {
        let borrowed = args(r#"["a",1]"#);
        assert_eq!(borrowed.clone().into_owned(), borrowed);
    }
}
