//! JSON points: `{"t"?, "tags"?, "values": {name: number}}` or a list of them, and the columns of a Socket.IO batch.
//!
//! Checks happen while serde reads, so that each refusal knows its line. It applies nothing. `http.rs` and the
//! `/ingest` namespace call it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{MAX_POINTS, MAX_VALUES, Point, Refusal, series_name};

/// From here on a time must be meant in milliseconds; as seconds it would be in the year 5138.
const FIRST_MILLISECONDS: f64 = 1e11;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    t: Option<f64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    values: BTreeMap<String, f64>,
}

/// One object, already judged.
#[derive(Deserialize)]
#[serde(try_from = "RawPoint")]
struct Object(Vec<Point>);

impl TryFrom<RawPoint> for Object {
    type Error = String;

    fn try_from(raw: RawPoint) -> Result<Self, String> {
        if raw.values.is_empty() {
            return Err("\"values\" is empty".to_owned());
        }
        if raw.values.len() > MAX_VALUES {
            return Err(format!(
                "{} values in one point, and at most {MAX_VALUES} are taken",
                raw.values.len()
            ));
        }
        let t = raw.t.map(seconds);
        let points = raw.values.into_iter().map(|(name, value)| {
            let series = series_name(&name, &raw.tags)?;
            Ok(Point { series, t, value })
        });
        points.collect::<Result<_, String>>().map(Object)
    }
}

/// Reads a body; `t` counts Unix seconds, fractions allowed, or milliseconds as `Date.now()` gives them.
pub fn parse_json(body: &[u8]) -> Result<Vec<Point>, Refusal> {
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let objects: Vec<Object> = if is_list {
        serde_json::from_slice(body).map_err(|error| explain(&error))?
    } else {
        vec![serde_json::from_slice(body).map_err(|error| explain(&error))?]
    };
    if objects.len() > MAX_POINTS {
        return Err(Refusal {
            line: None,
            what: format!("{} points, and at most {MAX_POINTS} are taken at once", objects.len()),
        });
    }
    Ok(objects.into_iter().flat_map(|object| object.0).collect())
}

/// The columns of a batch: `{t: […], name: […]}`, all of one length, null for a gap.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchColumns {
    t: Vec<f64>,
    #[serde(flatten)]
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

impl BatchColumns {
    /// The points in the columns.
    pub fn into_points(self) -> Result<Vec<Point>, Refusal> {
        let refuse = |what: String| Refusal { line: None, what };
        if self.columns.is_empty() {
            return Err(refuse("\"cols\" holds no column beside \"t\"".to_owned()));
        }
        if self.t.len() > MAX_POINTS || self.columns.len() > MAX_VALUES {
            return Err(refuse(format!("more than {MAX_POINTS} rows or {MAX_VALUES} columns at once")));
        }
        let mut points = Vec::new();
        for (name, values) in self.columns {
            let series = series_name(&name, &BTreeMap::new()).map_err(refuse)?;
            if values.len() != self.t.len() {
                return Err(refuse(format!(
                    "\"{name}\" has {} values for {} times",
                    values.len(),
                    self.t.len()
                )));
            }
            let rows = self.t.iter().zip(values).filter_map(|(t, value)| value.map(|value| (*t, value)));
            points.extend(rows.map(|(t, value)| Point {
                series: series.clone(),
                t: Some(seconds(t)),
                value,
            }));
        }
        Ok(points)
    }
}

fn seconds(t: f64) -> f64 {
    if t >= FIRST_MILLISECONDS { t / 1000.0 } else { t }
}

/// serde_json puts the place at the end of its text; here it comes first.
fn explain(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let hint =
        if error.is_data() { "" } else { " (expected {\"values\": {\"name\": 1.5}} or a list of them)" };
    Refusal { line: Some(error.line().max(1)), what: format!("{what}{hint}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        parse_json(body.as_bytes()).expect_err(body).to_string()
    }

    #[test]
    fn one_object_gives_a_point_a_value() {
        let points = parse_json(
            br#"{"t": 1700000000.5, "tags": {"room": "kitchen"}, "values": {"temp": 21.5, "hum": 40}}"#,
        );
        let point = |name: &str, value| Point { series: name.into(), t: Some(1_700_000_000.5), value };
        assert_eq!(
            points.unwrap(),
            [point("ingest.hum{room=kitchen}", 40.0), point("ingest.temp{room=kitchen}", 21.5)]
        );
    }

    #[test]
    fn a_list_is_taken_and_a_time_in_milliseconds_understood() {
        let points =
            parse_json(b" [{\"values\":{\"a\":1}},\n{\"t\":1700000000500,\"values\":{\"a\":2}}]").unwrap();
        assert_eq!(points.iter().map(|point| point.t).collect::<Vec<_>>(), [None, Some(1_700_000_000.5)]);
        assert!(parse_json(b"[]").unwrap().is_empty());
    }

    #[test]
    fn a_refusal_names_the_line_and_the_fault() {
        let text = refusal("[{\"values\":{\"a\":1}},\n {\"values\":{\"a\":\"hot\"}}]");
        assert!(text.starts_with("line 2: ") && text.contains("\"hot\""), "{text}");
        let text = refusal("[{\"values\":{\"a\":1}},\n\n {\"values\":{}}]");
        assert!(text.starts_with("line 3: ") && text.contains("\"values\" is empty"), "{text}");
        let text = refusal("{\"value\":{\"a\":1}}");
        assert!(text.starts_with("line 1: ") && text.contains("`value`"), "{text}");
        assert!(refusal("{\"values\":{\"a\":1e999}}").starts_with("line 1: "));
        assert!(refusal("").contains("expected {"), "an empty body gets an example");
        assert!(refusal("hello").contains("expected {"));
    }

    #[test]
    fn a_point_with_too_many_values_is_refused() {
        let values: Vec<_> = (0..=MAX_VALUES).map(|n| format!("\"v{n}\":1")).collect();
        assert!(refusal(&format!("{{\"values\":{{{}}}}}", values.join(","))).contains("257 values"));
    }

    #[test]
    fn a_list_with_too_many_points_is_refused() {
        let list = vec!["{\"values\":{\"a\":1}}"; MAX_POINTS + 1].join(",");
        assert!(refusal(&format!("[{list}]")).contains("10001 points"));
    }

    #[test]
    fn columns_become_points_and_gaps_do_not() {
        let columns: BatchColumns = serde_json::from_str(r#"{"t":[10,11],"a":[1,null],"b":[3,4]}"#).unwrap();
        let points = columns.into_points().unwrap();
        let point = |name: &str, t, value| Point { series: name.into(), t: Some(t), value };
        assert_eq!(
            points,
            [point("ingest.a", 10., 1.), point("ingest.b", 10., 3.), point("ingest.b", 11., 4.)]
        );
    }

    #[test]
    fn columns_of_unequal_length_are_refused_by_name() {
        let columns: BatchColumns = serde_json::from_str(r#"{"t":[10,11],"a":[1]}"#).unwrap();
        assert!(columns.into_points().unwrap_err().to_string().contains("\"a\" has 1 values for 2 times"));
    }
}
