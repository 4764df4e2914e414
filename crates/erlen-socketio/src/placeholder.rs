//! Placeholders: where in the JSON text of a binary packet its attachments belong.
//!
//! A placeholder is an object with `"_placeholder": true`, whatever else is in it, and `num` the
//! number of the attachment; the last of equal keys counts. Only binary packets have them: in plain
//! packets such an object is data. Called by the decoder, and by the server when it hands
//! attachments to handlers. Spec: Socket.IO protocol, "Packet encoding".

use crate::{
    DecodeError,
    json::{Token, Tokens, unescape},
};

/// The number of the attachment that the JSON value `json` is a placeholder for, if it is one.
///
/// ```
/// use erlen_socketio::placeholder_index;
///
/// assert_eq!(placeholder_index(r#"{"_placeholder":true,"num":1}"#), Some(1));
/// assert_eq!(placeholder_index(r#"{"num":1}"#), None);
/// ```
pub fn placeholder_index(json: &str) -> Option<usize> {
    let mut index = None;
    walk(json, |place, number| {
        if place == Place::Whole {
            index = number;
        }
        Ok(())
    })
    .ok()?;
    index
}

/// Calls `found` with the number of every placeholder in the text. One without a proper number is
/// an error.
pub(crate) fn for_each(
    json: &str,
    mut found: impl FnMut(usize) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    walk(json, |_, number| found(number.ok_or(DecodeError::Placeholder)?))
}

/// Where a placeholder was found.
#[derive(PartialEq, Eq)]
enum Place {
    /// It is the whole text.
    Whole,
    /// It is a part of the text.
    Inside,
}

fn walk(
    json: &str,
    mut found: impl FnMut(Place, Option<usize>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut open: Vec<Fields> = Vec::new();
    let mut key = Key::Other;
    for token in Tokens::new(json) {
        match token {
            Token::Key(inside) => {
                key = Key::of(inside);
                continue;
            }
            Token::End => {
                let Some(Fields { marked: true, number }) = open.pop() else { continue };
                found(if open.is_empty() { Place::Whole } else { Place::Inside }, number)?;
            }
            value => {
                if let Some(fields) = open.last_mut() {
                    fields.set(key, value);
                }
                if matches!(value, Token::ArrayStart | Token::ObjectStart) {
                    open.push(Fields::default());
                }
            }
        }
        key = Key::Other;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Key {
    Marker,
    Number,
    Other,
}

impl Key {
    fn of(inside: &str) -> Self {
        if unescape(inside).eq("_placeholder".chars()) {
            Self::Marker
        } else if unescape(inside).eq("num".chars()) {
            Self::Number
        } else {
            Self::Other
        }
    }
}

/// The two fields of an object that matter. An array never has any.
#[derive(Default)]
struct Fields {
    marked: bool,
    number: Option<usize>,
}

impl Fields {
    fn set(&mut self, key: Key, value: Token<'_>) {
        match key {
            Key::Marker => self.marked = value == Token::Scalar("true"),
            Key::Number => self.number = index(value),
            Key::Other => {}
        }
    }
}

fn index(value: Token<'_>) -> Option<usize> {
    match value {
        Token::Scalar(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(json: &str) -> Result<Vec<usize>, DecodeError> {
        let mut numbers = Vec::new();
        for_each(json, |number| {
            numbers.push(number);
            Ok(())
        })?;
        Ok(numbers)
    }

    #[test]
    fn placeholders_are_found_at_every_depth() {
        let json = r#"["a",{"_placeholder":true,"num":1},[{"b":{"num":0,"_placeholder":true}}]]"#;
        assert_eq!(numbers(json), Ok(vec![1, 0]));
    }

    #[test]
    fn escapes_and_equal_keys_count_as_in_javascript() {
        assert_eq!(numbers(r#"[{"\u005fplaceholder":true,"n\u0075m":3}]"#), Ok(vec![3]));
        assert_eq!(numbers(r#"[{"_placeholder":true,"num":1,"num":2}]"#), Ok(vec![2]));
        assert_eq!(numbers(r#"[{"_placeholder":true,"num":1,"_placeholder":{}}]"#), Ok(vec![]));
    }

    #[test]
    fn only_true_marks_a_placeholder() {
        for value in ["false", "1", "\"true\"", "null", "[true]", "{}"] {
            assert_eq!(numbers(&format!(r#"[{{"_placeholder":{value},"num":0}}]"#)), Ok(vec![]), "{value}");
        }
        assert_eq!(numbers(r#"[["_placeholder",true,"num",0]]"#), Ok(vec![]));
    }

    #[test]
    fn a_placeholder_needs_a_number() {
        for number in ["-1", "0.5", "1e0", "\"0\"", "null", "[0]", "99999999999999999999999"] {
            let json = format!(r#"[{{"_placeholder":true,"num":{number}}}]"#);
            assert_eq!(numbers(&json), Err(DecodeError::Placeholder), "{number}");
        }
        assert_eq!(numbers(r#"[{"_placeholder":true}]"#), Err(DecodeError::Placeholder));
    }

    #[test]
    fn only_the_value_itself_has_an_index() {
        assert_eq!(placeholder_index(r#"{"_placeholder":true,"num":4}"#), Some(4));
        assert_eq!(placeholder_index(r#"{"a":{"_placeholder":true,"num":4}}"#), None);
        assert_eq!(placeholder_index(r#"{"_placeholder":true}"#), None);
        assert_eq!(placeholder_index("4"), None);
    }
}
