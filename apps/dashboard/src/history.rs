//! An hour of every series at one value a second, in memory.
//!
//! A column is a ring indexed by the second itself, so reading and writing need no search. It keeps values, not
//! packets (`ring.rs` does), and knows no names. `live.rs` writes it each second and answers backfills from it.

use crate::catalogue::{Fold, SeriesId};

/// How many seconds are kept.
pub const SECONDS: i64 = 3600;

/// All columns, the newest second, and the first with a value.
#[derive(Debug)]
pub struct History {
    columns: Vec<Box<[f64]>>,
    first: i64,
    newest: i64,
}

impl History {
    /// An empty history whose first second comes next.
    pub fn new(first: i64) -> Self {
        Self { columns: Vec::new(), first, newest: first - 1 }
    }

    /// The newest second that has been reached.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The oldest second that can still hold a value.
    pub fn oldest(&self) -> i64 {
        self.newest - SECONDS + 1
    }

    /// The first second that may hold a value: the run's first, or an older one that was posted.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// Adds a column, all gap.
    pub fn add_column(&mut self) {
        self.columns.push(vec![f64::NAN; SECONDS as usize].into_boxed_slice());
    }

    /// Moves on to a second; what falls out of the hour becomes a gap.
    pub fn advance(&mut self, to: i64) {
        let skipped = (to - self.newest).clamp(0, SECONDS);
        for second in (to - skipped + 1)..=to {
            let slot = slot(second);
            for column in &mut self.columns {
                column[slot] = f64::NAN;
            }
        }
        self.newest = self.newest.max(to);
    }

    /// Writes a value; false when the second is outside the hour.
    pub fn set(&mut self, series: SeriesId, second: i64, value: f64) -> bool {
        if !self.holds(second) {
            return false;
        }
        let Some(column) = self.columns.get_mut(series.0) else { return false };
        column[slot(second)] = value;
        self.first = self.first.min(second);
        true
    }

    /// The value of a second, none where there is a gap.
    pub fn at(&self, series: SeriesId, second: i64) -> Option<f64> {
        if !self.holds(second) {
            return None;
        }
        self.columns.get(series.0).map(|column| column[slot(second)]).filter(|value| value.is_finite())
    }

    /// One value for the seconds after `after` up to `to`, none where all are gaps.
    pub fn fold(&self, series: SeriesId, after: i64, to: i64, fold: Fold) -> Option<f64> {
        let mut values = (after.max(self.oldest() - 1) + 1..=to).filter_map(|second| self.at(series, second));
        match fold {
            Fold::Last => values.next_back(),
            Fold::Max => values.reduce(f64::max),
            Fold::Mean => {
                let first = values.next()?;
                let (sum, count) =
                    values.fold((first, 1.0), |(sum, count), value| (sum + value, count + 1.0));
                Some(sum / count)
            }
        }
    }

    fn holds(&self, second: i64) -> bool {
        second >= self.oldest() && second <= self.newest
    }
}

/// `SECONDS` is positive, so the remainder is a valid index for any second.
fn slot(second: i64) -> usize {
    second.rem_euclid(SECONDS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SeriesId = SeriesId(0);

    fn one_column(from: i64, values: &[f64]) -> History {
        let mut history = History::new(from);
        history.add_column();
        for (second, value) in (from..).zip(values) {
            history.advance(second);
            assert!(history.set(A, second, *value));
        }
        history
    }

    #[test]
    fn a_value_stays_for_an_hour_and_then_is_gone() {
        let mut history = one_column(1000, &[7.0]);
        history.advance(1000 + SECONDS - 1);
        assert_eq!(history.at(A, 1000), Some(7.0));
        history.advance(1000 + SECONDS);
        assert_eq!(history.at(A, 1000), None);
        assert_eq!(history.at(A, 1000 + SECONDS), None, "the slot is reused, its old value must not show");
    }

    #[test]
    fn a_leap_over_more_than_an_hour_leaves_nothing_behind() {
        let mut history = one_column(1000, &[1.0, 2.0, 3.0]);
        history.advance(1000 + 3 * SECONDS);
        assert!((history.oldest()..=history.newest()).all(|second| history.at(A, second).is_none()));
    }

    #[test]
    fn seconds_outside_the_hour_are_refused() {
        let mut history = one_column(10_000, &[1.0]);
        assert!(!history.set(A, 10_001, 1.0), "the future");
        assert!(!history.set(A, 10_000 - SECONDS, 1.0), "older than an hour");
        assert!(history.set(A, 10_001 - SECONDS, 5.0));
        assert_eq!(history.at(A, 10_001 - SECONDS), Some(5.0));
    }

    #[test]
    fn folding_steps_over_gaps() {
        let history = one_column(0, &[1.0, f64::NAN, 5.0, f64::NAN]);
        assert_eq!(history.fold(A, -1, 3, Fold::Mean), Some(3.0));
        assert_eq!(history.fold(A, -1, 3, Fold::Last), Some(5.0));
        assert_eq!(history.fold(A, -1, 3, Fold::Max), Some(5.0));
        assert_eq!(history.fold(A, 2, 3, Fold::Mean), None);
    }
}
