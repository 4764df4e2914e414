//! What is posted: points of JSON, of Influx line protocol, or of a Socket.IO event, as one type.
//!
//! The two parsers live below; this file holds the point, the limits and the refusal. Parsing keeps nothing and touches
//! no history: a body is taken whole or refused whole, and `live.rs` applies what passed.

mod json;
mod line;

pub use json::{BatchColumns, parse_json};
pub use line::{Precision, parse_lines};

use std::collections::BTreeMap;
use std::fmt;

use crate::catalogue::INGEST;

/// The most bytes of one body.
pub const MAX_BODY: usize = 1024 * 1024;
/// The most points of one body: lines, or objects of a list.
pub const MAX_POINTS: usize = 10_000;
/// The most values in one point.
pub const MAX_VALUES: usize = 256;
/// The most tags of one point.
pub const MAX_TAGS: usize = 16;
/// The most bytes of a name, a tag's key or its value.
pub const MAX_NAME: usize = 128;
/// The most series that can be posted to one run.
pub const MAX_SERIES: usize = 512;

/// One value for one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The full name of the series, tags included.
    pub series: String,
    /// Unix seconds; none means "now".
    pub t: Option<f64>,
    /// A finite number.
    pub value: f64,
}

/// Why a post is refused: the line, where there is one, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Counted from one.
    pub line: Option<usize>,
    /// What is wrong, as the rest of a sentence.
    pub what: String,
}

impl Refusal {
    fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// `ingest.temp`, with tags `ingest.temp{room=kitchen}`, the tags sorted by key.
fn series_name(name: &str, tags: &BTreeMap<String, String>) -> Result<String, String> {
    check_name("a name", name)?;
    if tags.len() > MAX_TAGS {
        return Err(format!("{} tags, and at most {MAX_TAGS} are taken", tags.len()));
    }
    if tags.is_empty() {
        return Ok(format!("{INGEST}{name}"));
    }
    let mut pairs = Vec::with_capacity(tags.len());
    for (key, value) in tags {
        check_name("a tag", key)?;
        check_name("a tag's value", value)?;
        pairs.push(format!("{key}={value}"));
    }
    Ok(format!("{INGEST}{name}{{{}}}", pairs.join(",")))
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if name.len() > MAX_NAME {
        return Err(format!("{what} has {} bytes, and at most {MAX_NAME} are taken", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("{what} holds a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_part_of_the_name_in_a_fixed_order() {
        let tags =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        assert_eq!(series_name("temp", &tags(&[])).unwrap(), "ingest.temp");
        assert_eq!(series_name("temp", &tags(&[("b", "2"), ("a", "1")])).unwrap(), "ingest.temp{a=1,b=2}");
    }

    #[test]
    fn names_are_bounded_and_plain() {
        let none = BTreeMap::new();
        assert!(series_name(&"x".repeat(MAX_NAME), &none).is_ok());
        assert!(series_name(&"x".repeat(MAX_NAME + 1), &none).unwrap_err().contains("129 bytes"));
        assert!(series_name("", &none).is_err() && series_name("a\nb", &none).is_err());
        let many = (0..=MAX_TAGS).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        assert!(series_name("x", &many).unwrap_err().starts_with("17 tags"));
    }

    #[test]
    fn a_refusal_opens_with_the_line() {
        assert_eq!(Refusal::at(3, "no value").to_string(), "line 3: no value");
    }
}
