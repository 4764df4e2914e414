//! Arguments as JSON, the common way: the very text of Python's `json`, for values of Python's own plain types.
//!
//! Whatever else there is (subclasses, NaN, integers past 64 bits, keys that are coerced, deep nests, cycles) is left to
//! Python's encoder, which the caller asks then: `None` says so.

use std::io::Write;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Deeper nests, and cycles among them, are Python's.
const DEPTH: usize = 64;

/// The text and the attachments.
type Encoded<'py, Text> = (Text, Vec<Bound<'py, PyBytes>>);

/// The text of a list or tuple of arguments, with placeholders for `bytes`, and those bytes; `None` if Python is to encode it.
/// Spec: Socket.IO protocol, "Packet encoding".
#[pyfunction]
pub(crate) fn encode<'py>(args: &Bound<'py, PyAny>) -> Option<Encoded<'py, Bound<'py, PyString>>> {
    let (text, attachments) = plain(args)?;
    Some((PyString::new(args.py(), &text), attachments))
}

/// The same for Rust.
pub(crate) fn plain<'py>(args: &Bound<'py, PyAny>) -> Option<Encoded<'py, String>> {
    let mut encoder = Encoder { text: Vec::with_capacity(128), attachments: Vec::new() };
    encoder.value(args, DEPTH)?;
    // ASCII alone has been written.
    Some((String::from_utf8(encoder.text).ok()?, encoder.attachments))
}

struct Encoder<'py> {
    text: Vec<u8>,
    attachments: Vec<Bound<'py, PyBytes>>,
}

impl<'py> Encoder<'py> {
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if let Ok(value) = value.cast_exact::<PyString>() {
            self.string(value)?;
        } else if let Ok(value) = value.cast_exact::<PyFloat>() {
            self.float(value.value())?;
        } else if let Ok(value) = value.cast_exact::<PyInt>() {
            self.integer(value)?;
        } else if let Ok(value) = value.cast_exact::<PyDict>() {
            self.dict(value, depth)?;
        } else if let Ok(value) = value.cast_exact::<PyList>() {
            self.array(value.iter(), depth)?;
        } else if let Ok(value) = value.cast_exact::<PyTuple>() {
            self.array(value.iter(), depth)?;
        } else if value.is_none() {
            self.text.extend_from_slice(b"null");
        } else if let Ok(value) = value.cast_exact::<PyBool>() {
            self.text.extend_from_slice(if value.is_true() { b"true" } else { b"false" });
        } else {
            self.placeholder(value.cast_exact::<PyBytes>().ok()?);
        }
        Some(())
    }

    fn array(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Option<()> {
        self.text.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            self.value(&item, depth)?;
        }
        self.text.push(b']');
        Some(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, depth: usize) -> Option<()> {
        self.text.push(b'{');
        for (index, (key, item)) in dict.iter().enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            self.string(key.cast_exact::<PyString>().ok()?)?;
            self.text.push(b':');
            self.value(&item, depth)?;
        }
        self.text.push(b'}');
        Some(())
    }

    fn integer(&mut self, value: &Bound<'py, PyInt>) -> Option<()> {
        let number: i64 = value.extract().ok()?;
        self.text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Some(())
    }

    /// As `float.__repr__`: the shortest digits that give the number back, with an exponent below 1e-4 and from 1e16.
    fn float(&mut self, value: f64) -> Option<()> {
        if !value.is_finite() {
            return None;
        }
        let mut buffer = zmij::Buffer::new();
        let written = buffer.format_finite(value);
        // The library's own exponents begin below 1e-5, and it writes no zero in front of them.
        let (sign, digits) = written.strip_prefix('-').map_or(("", written), |digits| ("-", digits));
        let (mantissa, exponent) = match digits.strip_prefix("0.0000") {
            Some(mantissa) => (mantissa, -5),
            None => match digits.split_once('e') {
                Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
                None => {
                    self.text.extend_from_slice(written.as_bytes());
                    return Some(());
                }
            },
        };
        let (first, rest) = mantissa.split_at_checked(1)?;
        let rest = rest.trim_start_matches('.');
        let point = if rest.is_empty() { "" } else { "." };
        let (direction, exponent) = (if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs());
        write!(self.text, "{sign}{first}{point}{rest}e{direction}{exponent:02}").ok()
    }

    /// As `json` with `ensure_ascii`.
    fn string(&mut self, value: &Bound<'py, PyString>) -> Option<()> {
        let encoded = value.encode_utf8().ok()?;
        let mut rest = std::str::from_utf8(encoded.as_bytes()).ok()?;
        self.text.push(b'"');
        while let Some(at) =
            rest.bytes().position(|byte| !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\')
        {
            let (plain, special) = rest.split_at_checked(at)?;
            self.text.extend_from_slice(plain.as_bytes());
            let mut characters = special.chars();
            self.escape(characters.next()?)?;
            rest = characters.as_str();
        }
        self.text.extend_from_slice(rest.as_bytes());
        self.text.push(b'"');
        Some(())
    }

    fn escape(&mut self, character: char) -> Option<()> {
        let short = match character {
            '"' | '\\' => character as u8,
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(self.text, "\\u{unit:04x}").ok()?;
                }
                return Some(());
            }
        };
        self.text.extend_from_slice(&[b'\\', short]);
        Some(())
    }

    fn placeholder(&mut self, data: &Bound<'py, PyBytes>) {
        // Writing to a vector cannot fail.
        let _ = write!(self.text, "{{\"_placeholder\":true,\"num\":{}}}", self.attachments.len());
        self.attachments.push(data.clone());
    }
}
