//! Medians, spreads and ratios of several runs, as a table for people. Called by `compare`.

use std::fmt::Write;

use crate::outcome::{Outcome, Unit};

/// All runs of one server in one scenario.
#[derive(Debug, Clone)]
pub struct Row {
    /// The server's name.
    pub server: String,
    /// Its outcomes, in the order of the runs.
    pub runs: Vec<Outcome>,
    /// Why one of its runs came to nothing; its other runs count for nothing then.
    pub failure: Option<String>,
}

impl Row {
    /// The run whose cost is the middle one.
    fn middle(&self) -> Option<&Outcome> {
        let mut sorted: Vec<&Outcome> = self.runs.iter().collect();
        sorted.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }
}

/// A middle value and how far the runs lay apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; none of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

/// The table's first lines.
pub fn heading() -> String {
    "| scenario | server | median (min..max) | unit | ratio | user µs (ratio) | waits (ratio) | messages a write | \
     busy | more |\n\
     |---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned()
}

/// The lines of one scenario. The first row is what the others are compared with,
/// run by run.
pub fn lines(scenario: &str, rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let base = rows.first().map_or(&[][..], |row| &row.runs);
        line(&mut text, scenario, row, base);
    }
    text
}

fn line(text: &mut String, scenario: &str, row: &Row, base: &[Outcome]) {
    if let Some(failure) = &row.failure {
        let failure = failure.replace(['|', '\n'], " ");
        let _ = writeln!(text, "| {scenario} | {} | failed: {failure} | | | | | | | |", row.server);
        return;
    }
    let (Some(cost), Some(first)) = (cost(row), row.runs.first()) else {
        return;
    };
    let median = |figure: fn(&Outcome) -> f64| {
        Spread::of(row.runs.iter().map(figure)).map_or(0.0, |spread| spread.median)
    };
    let beside = |digits: usize, figure: fn(&Outcome) -> f64| match ratios(row, base, figure) {
        Some(ratio) => format!("{:.digits$} ({:.2})", median(figure), ratio.median),
        None => format!("{:.digits$}", median(figure)),
    };
    let ratio = match ratios(row, base, |outcome| outcome.cost) {
        // The floor keeps nothing for a connection or a message, so memory has no ratio to it.
        Some(ratio) if !matches!(first.unit, Unit::Connection | Unit::Growth) => {
            format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.min, ratio.max)
        }
        _ => "-".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "| {scenario} | {} | {:.2} ({:.2}..{:.2}) | {} | {ratio} | {} | {} | {:.2} | {:.0} % | {} |",
        row.server,
        cost.median,
        cost.min,
        cost.max,
        first.unit.label(),
        beside(2, |outcome| outcome.user_us),
        beside(4, |outcome| outcome.waits),
        median(|outcome| outcome.messages_per_write),
        median(|outcome| outcome.server_busy * 100.0),
        row.middle().and_then(Outcome::more).unwrap_or_default(),
    );
}

/// The ratios of runs that were made one after the other, so that a machine that gets slower
/// between the first pair and the last does not show in them. None of a figure that a run does not have.
fn ratios(row: &Row, base: &[Outcome], figure: fn(&Outcome) -> f64) -> Option<Spread> {
    let pairs = row.runs.iter().zip(base).map(|(run, base)| (figure(run), figure(base)));
    Spread::of(pairs.filter(|(_, base)| *base > 0.0).map(|(run, base)| run / base))
}

fn cost(row: &Row) -> Option<Spread> {
    Spread::of(row.runs.iter().map(|outcome| outcome.cost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Usage;
    use std::time::Duration;

    fn row(server: &str, costs: &[f64]) -> Row {
        let used = Usage::default();
        let second = Duration::from_secs(1);
        let runs =
            costs.iter().map(|&cost| Outcome { cost, ..Outcome::of_work(Unit::Delivery, 1, used, second) });
        Row { server: server.to_owned(), runs: runs.collect(), failure: None }
    }

    #[test]
    fn a_server_that_failed_is_shown_as_such() {
        let failed = Row { failure: Some("it closed\na | connection".to_owned()), ..row("b", &[3.0]) };
        let text = lines("echo", &[row("floor", &[2.0]), failed]);
        assert_eq!(
            text.lines().nth(1),
            Some("| echo | b | failed: it closed a   connection | | | | | | | |")
        );
    }

    #[test]
    fn a_median_stands_in_the_middle() {
        let odd = Spread::of([3.0, 1.0, 2.0]).expect("values");
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of([1.0, 2.0]).expect("values").median, 1.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_those_of_neighbouring_runs() {
        let text = lines("echo", &[row("floor", &[2.0, 4.0, 3.0]), row("b", &[3.0, 6.0, 6.0])]);
        let rows: Vec<&str> = text.lines().collect();
        let first = "| echo | floor | 3.00 (2.00..4.00) | µs/delivery | 1.00 (1.00..1.00) | 0.00 | 0.0000 |";
        assert!(rows[0].starts_with(first), "{text}");
        let second = "| echo | b | 6.00 (3.00..6.00) | µs/delivery | 1.50 (1.50..2.00) | 0.00 | 0.0000 |";
        assert!(rows[1].starts_with(second), "{text}");
    }

    #[test]
    fn waits_have_a_ratio_too() {
        let with = |server: &str, waits: f64| {
            let mut row = row(server, &[1.0]);
            row.runs[0].waits = waits;
            row
        };
        let text = lines("echo", &[with("one", 0.25), with("two", 0.5)]);
        assert!(text.contains("| 0.5000 (2.00) |"), "{text}");
    }
}
