//! Series as one binary attachment: what a backfill and `query_range` carry.
//!
//! The bytes are little-endian doubles, first all times, then one column after the other; a gap is NaN. The names stand
//! beside them as JSON. Downsampling is by equal buckets of whole ticks, each folded as its series says.

use serde::Serialize;

use crate::catalogue::{Catalogue, SeriesId};
use crate::history::History;

/// The JSON that describes the bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layout {
    /// How many times, and how many values in each column.
    pub rows: usize,
    /// Seconds between two rows.
    pub step: i64,
    /// The columns' names, in their order.
    pub names: Vec<String>,
}

/// A layout and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// What the bytes are.
    pub layout: Layout,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Which seconds, and how finely.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub to: i64,
    /// Seconds a tick of the stream that asks.
    pub rate: i64,
    /// No more rows than this.
    pub max_rows: usize,
}

impl Span {
    /// Seconds a row: a whole number of ticks.
    fn step(&self) -> i64 {
        let rows = i64::try_from(self.max_rows.max(1)).unwrap_or(i64::MAX);
        let seconds = (self.to - self.from + 1).max(1);
        let step = (seconds + rows - 1) / rows;
        ((step + self.rate - 1) / self.rate).max(1) * self.rate
    }
}

/// Reads the series out of the history.
pub fn read(history: &History, catalogue: &Catalogue, series: &[SeriesId], span: Span) -> Columns {
    let first = span.from.max(history.oldest()).max(history.first());
    let span = Span { from: first, to: span.to.min(history.newest()), ..span };
    let step = span.step();
    // Rows end on multiples of the step, as ticks do, so a backfill and the ticks after it share their grid.
    let ends: Vec<i64> = std::iter::successors(Some(ceil(span.from, step)), |end| Some(end + step))
        .take_while(|end| *end <= span.to)
        .collect();

    let mut bytes = Vec::with_capacity((series.len() + 1) * ends.len() * 8);
    let mut put = |value: f64| bytes.extend_from_slice(&value.to_le_bytes());
    ends.iter().for_each(|end| put(*end as f64));
    let mut names = Vec::with_capacity(series.len());
    for id in series {
        let Some(described) = catalogue.series(*id) else { continue };
        names.push(described.name.clone());
        for end in &ends {
            put(history.fold(*id, end - step, *end, described.fold).unwrap_or(f64::NAN));
        }
    }
    Columns { layout: Layout { rows: ends.len(), step, names }, bytes }
}

/// The first multiple of `step` at or after a second.
pub fn ceil(second: i64, step: i64) -> i64 {
    second + (-second).rem_euclid(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Fold, Series, Unit};

    fn sample(seconds: i64) -> (History, Catalogue, SeriesId) {
        let mut catalogue = Catalogue::default();
        let series = Series { name: "host.x".into(), unit: Unit::Number, fold: Fold::Mean };
        let (id, _) = catalogue.ensure(series);
        let mut history = History::new(1000);
        history.add_column();
        for second in 1000..1000 + seconds {
            history.advance(second);
            history.set(id, second, second as f64);
        }
        (history, catalogue, id)
    }

    fn doubles(columns: &Columns) -> Vec<f64> {
        columns.bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    #[test]
    fn at_one_second_every_value_is_there() {
        let (history, catalogue, id) = sample(4);
        let columns = read(&history, &catalogue, &[id], Span { from: 0, to: 9999, rate: 1, max_rows: 100 });
        assert_eq!(columns.layout, Layout { rows: 4, step: 1, names: vec!["host.x".into()] });
        assert_eq!(doubles(&columns), [1000., 1001., 1002., 1003., 1000., 1001., 1002., 1003.]);
    }

    #[test]
    fn rows_stay_below_the_bound_and_on_the_grid_of_the_rate() {
        let (history, catalogue, id) = sample(600);
        let columns = read(&history, &catalogue, &[id], Span { from: 0, to: 9999, rate: 5, max_rows: 50 });
        assert_eq!(columns.layout.step, 15);
        assert!(columns.layout.rows <= 50);
        let values = doubles(&columns);
        assert_eq!(values[1] % 15.0, 0.0);
        assert_eq!(values[columns.layout.rows + 1], values[1] - 7.0, "the mean of 15 consecutive seconds");
    }

    #[test]
    fn a_second_that_was_never_measured_is_a_gap() {
        let (mut history, catalogue, id) = sample(2);
        history.advance(1003);
        let columns =
            read(&history, &catalogue, &[id], Span { from: 1000, to: 1003, rate: 1, max_rows: 100 });
        let values = doubles(&columns);
        assert!(values[6].is_nan() && values[7].is_nan() && values[5] == 1001.0, "{values:?}");
    }

    #[test]
    fn an_empty_history_has_no_rows() {
        let columns = read(
            &History::new(5),
            &Catalogue::default(),
            &[],
            Span { from: 0, to: 10, rate: 1, max_rows: 10 },
        );
        assert_eq!((columns.layout.rows, columns.bytes.len()), (0, 0));
    }
}
