//! A validating JSON scanner: RFC 8259 to the letter, in one pass, without recursion or allocation.
//!
//! It makes no values. What it has accepted travels on as text, and becomes values when a handler
//! asks for them, or never. The decoder calls it once a packet; the server calls it for payloads
//! that it did not build itself. Spec: <https://www.rfc-editor.org/rfc/rfc8259>
//!
//! It differs from `serde_json` in that lone surrogate escapes (`"\ud800"`) pass, and the depth is
//! counted over the whole text.

mod string;
mod tokens;

use std::{error, fmt};

pub(crate) use string::{plain_len, unescape};
pub(crate) use tokens::{Token, Tokens};

/// The deepest nesting that any [`Rules`] can allow.
pub const MAX_DEPTH: usize = OpenContainers::WORDS * 64;

/// The longest run of digits that is below the largest `f64` whatever the digits are.
const SAFE_DIGITS: usize = 308;

/// What [`validate`] allows beyond and below RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How many arrays and objects may be open at once; at most [`MAX_DEPTH`].
    pub max_depth: usize,
    /// Takes `NaN`, `Infinity` and `-Infinity` for numbers, as Python's `json` does. A number too
    /// large for an `f64` then passes too, since it means infinity there.
    pub barewords: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { max_depth: 128, barewords: false }
    }
}

/// Which rule of JSON a text broke, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// The text ends inside a value.
    UnexpectedEnd,
    /// A byte that cannot stand where it stands.
    UnexpectedByte(usize),
    /// A control character inside a string.
    ControlCharacter(usize),
    /// A backslash with something that is no escape.
    Escape(usize),
    /// A number too large for an `f64`.
    NumberTooLarge(usize),
    /// More open arrays and objects than allowed.
    TooDeep(usize),
    /// Something stands behind the value.
    TrailingText(usize),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match self {
            Self::UnexpectedEnd => return f.write_str("the JSON text ends inside a value"),
            Self::UnexpectedByte(at) => ("unexpected byte in JSON", at),
            Self::ControlCharacter(at) => ("control character in a JSON string", at),
            Self::Escape(at) => ("unknown escape in a JSON string", at),
            Self::NumberTooLarge(at) => ("a number too large for f64", at),
            Self::TooDeep(at) => ("JSON is nested too deeply", at),
            Self::TrailingText(at) => ("text behind the JSON value", at),
        };
        write!(f, "{what} at byte {at}")
    }
}

impl error::Error for JsonError {}

/// Whether `text` is one JSON value under `rules`, with nothing but white space around it.
///
/// ```
/// use erlen_socketio::json::{Rules, validate};
///
/// assert!(validate(r#"["chat", {"text": "hi"}]"#, &Rules::default()).is_ok());
/// assert!(validate("[1,]", &Rules::default()).is_err());
/// ```
pub fn validate(text: &str, rules: &Rules) -> Result<(), JsonError> {
    let mut scanner = Scanner { text, at: 0, rules, open: OpenContainers::default() };
    loop {
        if scanner.value()? == Progress::Opened {
            continue;
        }
        if scanner.after_value()? == End::Document {
            return Ok(());
        }
    }
}

/// What the beginning of a value led to.
#[derive(PartialEq, Eq)]
enum Progress {
    /// The value is complete.
    Complete,
    /// An array or object with something in it: its first value comes next.
    Opened,
}

/// What came behind a complete value.
#[derive(PartialEq, Eq)]
enum End {
    /// Another value of the array or object around it.
    Element,
    /// The end of the text.
    Document,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    rules: &'a Rules,
    open: OpenContainers,
}

impl Scanner<'_> {
    fn value(&mut self) -> Result<Progress, JsonError> {
        match self.skip_space() {
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'[') => return self.open(Container::Array),
            Some(b'{') => return self.open(Container::Object),
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'N') if self.rules.barewords => self.word("NaN")?,
            Some(b'I') if self.rules.barewords => self.word("Infinity")?,
            _ => return Err(self.unexpected()),
        }
        Ok(Progress::Complete)
    }

    fn open(&mut self, container: Container) -> Result<Progress, JsonError> {
        if self.open.depth >= self.rules.max_depth || !self.open.push(container) {
            return Err(JsonError::TooDeep(self.at));
        }
        self.at += 1;
        if self.skip_space() == Some(container.close()) {
            self.close();
            return Ok(Progress::Complete);
        }
        if container == Container::Object {
            self.key()?;
        }
        Ok(Progress::Opened)
    }

    fn close(&mut self) {
        self.at += 1;
        self.open.depth -= 1;
    }

    /// Closes what ends here, up to the next value or the end of the text.
    fn after_value(&mut self) -> Result<End, JsonError> {
        loop {
            let next = self.skip_space();
            let Some(container) = self.open.innermost() else {
                return match next {
                    None => Ok(End::Document),
                    Some(_) => Err(JsonError::TrailingText(self.at)),
                };
            };
            match next {
                Some(b',') => {
                    self.at += 1;
                    if container == Container::Object {
                        self.skip_space();
                        self.key()?;
                    }
                    return Ok(End::Element);
                }
                Some(byte) if byte == container.close() => self.close(),
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        self.string()?;
        if self.skip_space() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at += plain_len(self.rest());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(JsonError::ControlCharacter(self.at)),
                None => return Err(JsonError::UnexpectedEnd),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let length = match self.rest() {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', hex @ ..] => match hex.get(..4) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                Some(_) => return Err(JsonError::Escape(self.at)),
                None => return Err(JsonError::UnexpectedEnd),
            },
            [_, _, ..] => return Err(JsonError::Escape(self.at)),
            _ => return Err(JsonError::UnexpectedEnd),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.rules.barewords && self.peek() == Some(b'I') {
                return self.word("Infinity");
            }
        }
        let integer = match self.peek() {
            Some(b'0') => {
                self.at += 1;
                1
            }
            _ => self.digits()?,
        };
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if !exponent && integer <= SAFE_DIGITS || self.rules.barewords {
            return Ok(());
        }
        self.check_range(start)
    }

    /// At least one digit; says how many.
    fn digits(&mut self) -> Result<usize, JsonError> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.unexpected()) } else { Ok(count) }
    }

    fn check_range(&self, start: usize) -> Result<(), JsonError> {
        let number = self.text.get(start..self.at).and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(number) if number.is_finite() => Ok(()),
            _ => Err(JsonError::NumberTooLarge(start)),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        let same = self.rest().iter().zip(word.bytes()).take_while(|(a, b)| **a == *b).count();
        self.at += same;
        if same == word.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_space(&mut self) -> Option<u8> {
        loop {
            let next = self.peek();
            if !matches!(next, Some(b' ' | b'\t' | b'\n' | b'\r')) {
                return next;
            }
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self) -> JsonError {
        if self.at < self.text.len() { JsonError::UnexpectedByte(self.at) } else { JsonError::UnexpectedEnd }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

impl Container {
    fn close(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }
}

/// A stack of one bit an open container, in place of the call stack.
#[derive(Default)]
struct OpenContainers {
    objects: [u64; Self::WORDS],
    depth: usize,
}

impl OpenContainers {
    const WORDS: usize = 16;

    /// False if the stack is full.
    fn push(&mut self, container: Container) -> bool {
        let Some(word) = self.objects.get_mut(self.depth / 64) else {
            return false;
        };
        let bit = 1 << (self.depth % 64);
        match container {
            Container::Array => *word &= !bit,
            Container::Object => *word |= bit,
        }
        self.depth += 1;
        true
    }

    fn innermost(&self) -> Option<Container> {
        let index = self.depth.checked_sub(1)?;
        let word = self.objects.get(index / 64)?;
        Some(if word >> (index % 64) & 1 == 1 { Container::Object } else { Container::Array })
    }
}
