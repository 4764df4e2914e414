//! The series that there are: their names, units, and how several seconds become one value.
//!
//! Holds no values (`history.rs` does) and no layout (`boards.rs` does). `live.rs` fills it as series turn up; the
//! page gets it as JSON with the acknowledgement of `join_dashboard`, and each later series by `new_series`.

use std::collections::HashMap;

use serde::Serialize;

/// What a value counts; the page turns it into the text on the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number.
    Number,
    /// A number of things, from zero up.
    Count,
    /// Things a second.
    PerSecond,
    /// 0 to 100.
    Percent,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// A duration in seconds.
    Seconds,
}

/// How the seconds of a slower tick become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// The mean: rates and shares.
    Mean,
    /// The newest: states and whatever is posted.
    Last,
    /// The greatest: latencies, whose peaks must not be smoothed away.
    Max,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// Its full name, such as `host.cpu.0` or `ingest.temp{room=kitchen}`.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How seconds are folded.
    pub fold: Fold,
}

/// A series' place in the catalogue and in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub usize);

/// All series that this run has seen.
#[derive(Debug, Default)]
pub struct Catalogue {
    list: Vec<Series>,
    by_name: HashMap<String, SeriesId>,
}

/// The sources, as the first word of each name.
pub const INGEST: &str = "ingest.";

impl Catalogue {
    /// The place of the series, added when it is new; the flag says whether it was.
    pub fn ensure(&mut self, series: Series) -> (SeriesId, bool) {
        if let Some(&id) = self.by_name.get(&series.name) {
            return (id, false);
        }
        let id = SeriesId(self.list.len());
        self.by_name.insert(series.name.clone(), id);
        self.list.push(series);
        (id, true)
    }

    /// Where the series of this name is.
    pub fn find(&self, name: &str) -> Option<SeriesId> {
        self.by_name.get(name).copied()
    }

    /// The series at a place that this catalogue gave out.
    pub fn series(&self, id: SeriesId) -> Option<&Series> {
        self.list.get(id.0)
    }

    /// All series in the order in which they turned up.
    pub fn iter(&self) -> impl Iterator<Item = (SeriesId, &Series)> {
        self.list.iter().enumerate().map(|(at, series)| (SeriesId(at), series))
    }

    /// How many series were posted, as against measured here.
    pub fn posted(&self) -> usize {
        self.list.iter().filter(|series| series.name.starts_with(INGEST)).count()
    }
}

/// Whether a name fits a pattern: equal, or with one `*` that stands for one or more characters.
pub fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_its_place() {
        let mut catalogue = Catalogue::default();
        let series = |name: &str| Series { name: name.into(), unit: Unit::Number, fold: Fold::Last };
        let (first, new) = catalogue.ensure(series("ingest.a"));
        assert!(new);
        let (second, _) = catalogue.ensure(series("host.b"));
        assert_eq!(catalogue.ensure(series("ingest.a")), (first, false));
        assert_eq!(catalogue.find("host.b"), Some(second));
        assert_eq!(catalogue.posted(), 1);
    }

    #[test]
    fn a_star_stands_for_at_least_one_character() {
        assert!(fits("host.net.*.received", "host.net.eth0.received"));
        assert!(
            !fits("host.net.*.received", "host.net..received")
                && !fits("host.net.*.received", "host.net.received")
        );
        assert!(fits("ingest.*", "ingest.temp{room=kitchen}") && !fits("ingest.*", "host.cpu"));
        assert!(fits("host.cpu", "host.cpu") && !fits("host.cpu", "host.cpu.0"));
    }
}
