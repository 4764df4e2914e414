//! Influx line protocol, as far as it carries numbers.
//!
//! `measurement,tag=value field=1.5,other=2i 1700000000000000000`. Booleans become 0 and 1; text fields are read and left
//! out, since a chart cannot show them. It applies nothing; `http.rs` calls it for `/write` and `/api/v2/write`.
//! See [the reference](https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/).

use std::collections::BTreeMap;

use super::{MAX_POINTS, MAX_VALUES, Point, Refusal, series_name};

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// The protocol's default.
    Nanoseconds,
    /// `us`, or `u` as InfluxDB 1 says.
    Microseconds,
    /// `ms`.
    Milliseconds,
    /// `s`.
    Seconds,
}

impl Precision {
    /// The value of the query parameter `precision`.
    pub fn from_query(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("ns" | "n" | "") => Ok(Self::Nanoseconds),
            Some("us" | "u") => Ok(Self::Microseconds),
            Some("ms") => Ok(Self::Milliseconds),
            Some("s") => Ok(Self::Seconds),
            Some(_) => Err(Refusal { line: None, what: "precision must be ns, us, ms or s".to_owned() }),
        }
    }

    fn a_second(self) -> f64 {
        match self {
            Self::Nanoseconds => 1e9,
            Self::Microseconds => 1e6,
            Self::Milliseconds => 1e3,
            Self::Seconds => 1.0,
        }
    }
}

/// Reads a body; empty lines and `#` comments are passed over.
pub fn parse_lines(body: &[u8], precision: Precision) -> Result<Vec<Point>, Refusal> {
    let mut points = Vec::new();
    let mut taken = 0;
    for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        let line = std::str::from_utf8(line).map_err(|_| Refusal::at(number, "it is not UTF-8"))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        taken += 1;
        if taken > MAX_POINTS {
            return Err(Refusal::at(number, format!("at most {MAX_POINTS} lines are taken at once")));
        }
        parse_line(line, precision, &mut points).map_err(|what| Refusal::at(number, what))?;
    }
    Ok(points)
}

fn parse_line(line: &str, precision: Precision, points: &mut Vec<Point>) -> Result<(), String> {
    let mut parts = split(line, ' ').into_iter().filter(|part| !part.is_empty());
    let (Some(key), Some(fields)) = (parts.next(), parts.next()) else {
        return Err("it has no fields; expected measurement,tag=a field=1.5".to_owned());
    };
    let t = parts.next().map(|text| timestamp(text, precision)).transpose()?;
    if parts.next().is_some() {
        return Err("something follows the timestamp; spaces in names and tags are written '\\ '".to_owned());
    }

    let mut key_parts = split(key, ',').into_iter();
    let measurement = unescape(key_parts.next().unwrap_or_default());
    let tags = key_parts.map(|part| pair("tag", part)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let fields = split(fields, ',');
    if fields.len() > MAX_VALUES {
        return Err(format!("{} fields in one line, and at most {MAX_VALUES} are taken", fields.len()));
    }
    for field in fields {
        let (name, _) = pair("field", field)?;
        let Some(value) = number(&name, raw_value(field))? else { continue };
        let name = if name == "value" { measurement.clone() } else { format!("{measurement}.{name}") };
        points.push(Point { series: series_name(&name, &tags)?, t, value });
    }
    Ok(())
}

/// Splits at a separator that is neither escaped nor inside a quoted text.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A quote opens a text only as the first character of a field's value.
            '"' if quoted || text[..at].ends_with('=') => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn pair(what: &str, text: &str) -> Result<(String, String), String> {
    match split(text, '=').as_slice() {
        [key, value] if !key.is_empty() && !value.is_empty() => Ok((unescape(key), unescape(value))),
        _ => Err(format!("{what} '{}' is not name=value", shorten(text))),
    }
}

fn raw_value(field: &str) -> &str {
    split(field, '=').get(1).copied().unwrap_or_default()
}

/// The number of a field; none for a text.
fn number(name: &str, text: &str) -> Result<Option<f64>, String> {
    let wrong = || format!("field '{}' is no number: '{}'", shorten(name), shorten(text));
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        return Ok(None);
    }
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Some(1.0)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Some(0.0)),
        _ => {}
    }
    if let Some(whole) = text.strip_suffix('i') {
        return whole.parse::<i64>().map(|value| Some(value as f64)).map_err(|_| wrong());
    }
    if let Some(whole) = text.strip_suffix('u') {
        return whole.parse::<u64>().map(|value| Some(value as f64)).map_err(|_| wrong());
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(wrong()),
    }
}

fn timestamp(text: &str, precision: Precision) -> Result<f64, String> {
    let count: i64 = text.parse().map_err(|_| format!("timestamp '{}' is no whole number", shorten(text)))?;
    Ok(count as f64 / precision.a_second())
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\'
            && characters.peek().is_some_and(|next| matches!(next, ',' | ' ' | '=' | '\\' | '"'))
        {
            plain.extend(characters.next());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// A refusal quotes at most this much of what it got.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str) -> Vec<(String, Option<f64>, f64)> {
        let points = parse_lines(text.as_bytes(), Precision::Nanoseconds)
            .unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        points.into_iter().map(|point| (point.series, point.t, point.value)).collect()
    }

    fn refusal(text: &str) -> String {
        parse_lines(text.as_bytes(), Precision::Nanoseconds).expect_err(text).to_string()
    }

    #[test]
    fn a_line_of_telegraf_becomes_series() {
        let line = "cpu,cpu=cpu-total,host=den usage_idle=97.5,usage_user=2i 1700000000500000000\n";
        assert_eq!(
            points(line),
            [
                ("ingest.cpu.usage_idle{cpu=cpu-total,host=den}".into(), Some(1_700_000_000.5), 97.5),
                ("ingest.cpu.usage_user{cpu=cpu-total,host=den}".into(), Some(1_700_000_000.5), 2.0),
            ]
        );
    }

    #[test]
    fn the_field_named_value_is_the_measurement_itself() {
        assert_eq!(points("temp value=21.5"), [("ingest.temp".into(), None, 21.5)]);
    }

    #[test]
    fn escapes_and_quoted_texts_are_understood() {
        let line = r#"my\ room,where=top\,\ left text="a b, c=1 \" d",n=5u,on=true"#;
        assert_eq!(
            points(line),
            [
                ("ingest.my room.n{where=top, left}".into(), None, 5.0),
                ("ingest.my room.on{where=top, left}".into(), None, 1.0)
            ]
        );
    }

    #[test]
    fn comments_and_empty_lines_count_as_lines_only() {
        assert_eq!(points("# a comment\n\na value=1\r\n").len(), 1);
        assert!(
            refusal("# a comment\n\na value=hot").starts_with("line 3: field 'value' is no number: 'hot'")
        );
    }

    #[test]
    fn each_fault_names_its_line() {
        for (text, what) in [
            ("a value=1\nb", "line 2: it has no fields"),
            ("a value=", "line 1: field 'value=' is not name=value"),
            ("a,tag value=1", "line 1: tag 'tag' is not name=value"),
            ("a value=NaN", "line 1: field 'value' is no number"),
            ("a value=1.5i", "line 1: field 'value' is no number"),
            ("a value=1 soon", "line 1: timestamp 'soon'"),
            ("a value=1 5 6", "line 1: something follows the timestamp"),
            ("a,b=1,c==2 value=1", "line 1: tag 'c==2'"),
            (",a=1 value=1", "line 1: a name"),
        ] {
            let text = refusal(text);
            assert!(text.starts_with(what), "{text} does not open with {what}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_name_their_line() {
        let refusal = parse_lines(b"a value=1\n\xff value=1", Precision::Seconds).unwrap_err();
        assert_eq!(refusal.to_string(), "line 2: it is not UTF-8");
    }

    #[test]
    fn the_precision_scales_the_timestamp() {
        for (text, t) in [("s", 1_700_000_000.0), ("ms", 1_700_000.0), ("us", 1700.0), ("ns", 1.7)] {
            let precision = Precision::from_query(Some(text)).unwrap();
            assert_eq!(parse_lines(b"a value=1 1700000000", precision).unwrap()[0].t, Some(t));
        }
        assert!(Precision::from_query(Some("h")).is_err());
    }

    #[test]
    fn too_many_lines_are_refused_at_the_first_that_is_too_many() {
        let text = "a value=1\n".repeat(MAX_POINTS + 1);
        assert!(refusal(&text).starts_with("line 10001: at most 10000"));
    }
}
