//! The heart: once a second it takes samples and posted points in and gives encoded ticks out.
//!
//! It has no clock, socket or thread: the caller says what time it is, brings the samples and emits what comes back.
//! Every stream encodes each tick once; who listens is the server's affair. `server.rs` owns it behind a lock.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::boards::{BOARDS, Board};
use crate::catalogue::{Catalogue, Fold, Series, SeriesId, Unit};
use crate::columns::{self, Columns, Span};
use crate::history::{History, SECONDS};
use crate::ingest::{MAX_SERIES, Point, Refusal};
use crate::stream::{RATES, Resume, Since, Stream, StreamName};

/// Points that wait for the next tick; beyond it posts are put off.
const MAX_PENDING: usize = 100_000;
/// A posted time may be this far ahead: clocks differ.
const MAX_AHEAD: f64 = 60.0;
/// The last batch ids of `/ingest`, by which a repeated batch is known.
const MAX_BATCHES: usize = 4096;
/// A backfill has no more rows than this.
const MAX_ROWS: usize = 1200;

/// What was measured for one second.
#[derive(Debug, Default)]
pub struct Sample {
    /// Values by series.
    pub values: Vec<(Series, f64)>,
    /// Rows by table.
    pub tables: BTreeMap<&'static str, Value>,
}

impl Sample {
    /// Adds a value.
    pub fn put(&mut self, name: impl Into<String>, unit: Unit, fold: Fold, value: f64) {
        self.values.push((Series { name: name.into(), unit, fold }, value));
    }
}

/// What a second brought forth.
#[derive(Debug, Default)]
pub struct Out {
    /// The ticks: the room, and the encoded argument of `update_dashboard`.
    pub ticks: Vec<(String, Arc<str>)>,
    /// Series that nobody knew, for `new_series`.
    pub new_series: Vec<Series>,
}

/// What a post came to.
#[derive(Debug, PartialEq, Eq)]
pub enum PostError {
    /// The post is wrong; nothing of it was taken.
    Refused(Refusal),
    /// Too much waits for the next tick; the same post will do later.
    Busy,
}

/// What a client gets when it joins a board.
#[derive(Debug)]
pub struct Joined {
    /// The board.
    pub board: &'static Board,
    /// The series that its stream carries so far.
    pub catalogue: Vec<Series>,
    /// The stream, and the place after its last tick.
    pub place: Since,
    /// The missing ticks, or a resync.
    pub resume: Resume,
}

struct Rate {
    stream: Stream,
    board: &'static Board,
    /// The time of its last tick.
    last: i64,
    /// Rows that changed behind the last tick.
    late: BTreeMap<i64, BTreeSet<SeriesId>>,
}

/// All state of a run.
pub struct Live {
    catalogue: Catalogue,
    history: History,
    rates: Vec<Rate>,
    epoch: u64,
    pending: Vec<(SeriesId, Option<i64>, f64)>,
    new_series: Vec<Series>,
    batches: (HashSet<String>, VecDeque<String>),
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    points: u64,
    posts: u64,
    refused: u64,
}

impl Live {
    /// An empty state; `epoch` differs from that of every run before, `now` is the first second.
    pub fn new(epoch: u64, now: i64) -> Self {
        Self {
            catalogue: Catalogue::default(),
            history: History::new(now),
            rates: all_streams(epoch, now),
            epoch,
            pending: Vec::new(),
            new_series: Vec::new(),
            batches: Default::default(),
            counts: Counts::default(),
        }
    }

    /// Takes points, all or none; `now` is the wall clock in Unix seconds.
    pub fn post(&mut self, points: &[Point], now: f64) -> Result<usize, PostError> {
        let result = self.judge(points, now);
        match result {
            Ok(()) => {}
            Err(PostError::Refused(_)) => {
                self.count_refusal();
                return result.map(|()| 0);
            }
            Err(PostError::Busy) => return Err(PostError::Busy),
        }
        for point in points {
            let series = Series { name: point.series.clone(), unit: Unit::Number, fold: Fold::Last };
            let id = self.ensure(series);
            let second = point.t.map(|t| t.floor() as i64);
            self.pending.push((id, second, point.value));
        }
        self.counts.posts += 1;
        self.counts.points += points.len() as u64;
        Ok(points.len())
    }

    /// Takes a batch of the `/ingest` namespace once; the flag says that it was there before.
    pub fn post_batch(
        &mut self,
        batch_id: &str,
        points: &[Point],
        now: f64,
    ) -> Result<(usize, bool), PostError> {
        if self.batches.0.contains(batch_id) {
            return Ok((0, true));
        }
        let accepted = self.post(points, now)?;
        self.batches.0.insert(batch_id.to_owned());
        self.batches.1.push_back(batch_id.to_owned());
        if self.batches.1.len() > MAX_BATCHES {
            let oldest = self.batches.1.pop_front();
            oldest.map(|oldest| self.batches.0.remove(&oldest));
        }
        Ok((accepted, false))
    }

    /// Counts a post that was refused before it had points.
    pub fn count_refusal(&mut self) {
        self.counts.refused += 1;
    }

    /// Brings a second to its end: stores the sample and what was posted, and encodes the ticks that are due.
    pub fn tick(&mut self, now: i64, sample: Sample) -> Out {
        if now <= self.history.newest() {
            // A clock that was set back by a little waits; by more, the numbers begin anew.
            if self.history.newest() - now < 5 {
                return Out::default();
            }
            self.begin_anew(now);
        }
        let seconds = (now - self.history.newest()).clamp(1, SECONDS) as f64;
        self.history.advance(now);
        for (series, value) in sample.values {
            let id = self.ensure(series);
            self.history.set(id, now, value);
        }
        self.store_counts(now, seconds);
        self.store_pending(now);
        let mut rates = std::mem::take(&mut self.rates);
        let ticks = rates.iter_mut().filter_map(|rate| self.tick_of(rate, now, &sample.tables)).collect();
        self.rates = rates;
        Out { ticks, new_series: std::mem::take(&mut self.new_series) }
    }

    /// What a client gets that joins `board` at `rate`, at a place that it remembers or none.
    pub fn join(&self, board: &str, rate: i64, since: Option<&Since>) -> Option<Joined> {
        let rate = self.rate(board, rate)?;
        let carried = self.catalogue.iter().filter(|(_, series)| rate.board.carries(&series.name));
        Some(Joined {
            board: rate.board,
            catalogue: carried.map(|(_, series)| series.clone()).collect(),
            place: rate.stream.place(),
            resume: since.map_or(Resume::Resync, |since| rate.stream.resume(since)),
        })
    }

    /// The last `window` seconds of a board, up to the place that comes with them.
    pub fn backfill(&self, board: &str, rate: i64, window: i64) -> Option<(Since, Columns)> {
        let rate = self.rate(board, rate)?;
        let window = window.clamp(1, SECONDS);
        let span = Span {
            from: rate.last - window + 1,
            to: rate.last,
            rate: rate.stream.name().rate,
            max_rows: MAX_ROWS,
        };
        let series = self.carried(|name| rate.board.carries(name));
        Some((rate.stream.place(), columns::read(&self.history, &self.catalogue, &series, span)))
    }

    /// A panel's series from `from` to `to`, with about as many rows as it has pixels.
    pub fn query(&self, board: &str, panel: &str, from: i64, to: i64, px: usize) -> Option<Columns> {
        let panel = Board::find(board)?.panel(panel)?;
        let (from, to) = (from.max(self.history.oldest()), to.min(self.history.newest()));
        let span = Span { from, to, rate: 1, max_rows: px.clamp(1, MAX_ROWS) };
        let series = self.carried(|name| panel.shows(name));
        Some(columns::read(&self.history, &self.catalogue, &series, span))
    }

    fn rate(&self, board: &str, rate: i64) -> Option<&Rate> {
        self.rates.iter().find(|each| each.board.id == board && each.stream.name().rate == rate)
    }

    fn carried(&self, wanted: impl Fn(&str) -> bool) -> Vec<SeriesId> {
        self.catalogue.iter().filter(|(_, series)| wanted(&series.name)).map(|(id, _)| id).collect()
    }

    fn ensure(&mut self, series: Series) -> SeriesId {
        let (id, is_new) = self.catalogue.ensure(series.clone());
        if is_new {
            self.history.add_column();
            self.new_series.push(series);
        }
        id
    }

    fn judge(&self, points: &[Point], now: f64) -> Result<(), PostError> {
        let refuse = |what: String| Err(PostError::Refused(Refusal { line: None, what }));
        if self.pending.len() + points.len() > MAX_PENDING {
            return Err(PostError::Busy);
        }
        let unknown: HashSet<&str> = points.iter().map(|point| point.series.as_str()).collect();
        let new = unknown.into_iter().filter(|name| self.catalogue.find(name).is_none()).count();
        if self.catalogue.posted() + new > MAX_SERIES {
            return refuse(format!(
                "this would make more than {MAX_SERIES} posted series; use fewer names or tag values"
            ));
        }
        for point in points {
            let Some(t) = point.t else { continue };
            if t > now + MAX_AHEAD {
                return refuse(format!(
                    "{} has a time {:.0} s ahead of this server; check its unit and clock",
                    point.series,
                    t - now
                ));
            }
            if t < now - SECONDS as f64 {
                return refuse(format!(
                    "{} has a time {:.0} s ago, and one hour is kept; check its unit",
                    point.series,
                    now - t
                ));
            }
        }
        Ok(())
    }

    fn begin_anew(&mut self, now: i64) {
        self.epoch += 1;
        self.rates = all_streams(self.epoch, now);
        let columns = self.catalogue.iter().count();
        self.history = History::new(now);
        (0..columns).for_each(|_| self.history.add_column());
    }

    fn store_counts(&mut self, now: i64, seconds: f64) {
        let counts = std::mem::take(&mut self.counts);
        let posted = self.catalogue.posted() as f64;
        for (name, unit, fold, value) in [
            ("erlen.ingest.series", Unit::Count, Fold::Last, posted),
            ("erlen.ingest.points", Unit::PerSecond, Fold::Mean, counts.points as f64 / seconds),
            ("erlen.ingest.posts", Unit::PerSecond, Fold::Mean, counts.posts as f64 / seconds),
            ("erlen.ingest.refused", Unit::PerSecond, Fold::Mean, counts.refused as f64 / seconds),
        ] {
            let id = self.ensure(Series { name: name.to_owned(), unit, fold });
            self.history.set(id, now, value);
        }
    }

    /// Writes what waited; a time that is still ahead waits on.
    fn store_pending(&mut self, now: i64) {
        for (id, second, value) in std::mem::take(&mut self.pending) {
            let second = second.unwrap_or(now);
            if second > now {
                self.pending.push((id, Some(second), value));
            } else if self.history.set(id, second, value) {
                self.note_late(id, second);
            }
        }
    }

    fn note_late(&mut self, id: SeriesId, second: i64) {
        for rate in &mut self.rates {
            let row = columns::ceil(second, rate.stream.name().rate);
            if row <= rate.last {
                rate.late.entry(row).or_default().insert(id);
            }
        }
    }

    /// The tick of one stream, when it is due.
    fn tick_of(
        &self,
        rate: &mut Rate,
        now: i64,
        tables: &BTreeMap<&'static str, Value>,
    ) -> Option<(String, Arc<str>)> {
        let seconds = rate.stream.name().rate;
        let t = now - now.rem_euclid(seconds);
        if t <= rate.last {
            return None;
        }
        rate.last = t;
        let mut row = Map::from_iter([("t".to_owned(), json!([t]))]);
        for (id, series) in self.catalogue.iter().filter(|(_, series)| rate.board.carries(&series.name)) {
            if let Some(value) = self.history.fold(id, t - seconds, t, series.fold) {
                row.insert(series.name.clone(), json!([value]));
            }
        }
        let kpi =
            |series: &str| row.get(series).and_then(|values| values.get(0)).cloned().unwrap_or(Value::Null);
        let kpis: Map<_, _> =
            rate.board.kpis.iter().map(|each| (each.id.to_owned(), kpi(each.series))).collect();
        let tables: Map<_, _> = tables
            .iter()
            .filter(|(id, _)| rate.board.has_table(id))
            .map(|(id, rows)| ((*id).to_owned(), rows.clone()))
            .collect();
        let late = self.late_columns(&std::mem::take(&mut rate.late), rate.board, seconds);
        let tick = rate.stream.push(|place| {
            json!({ "stream": place.stream, "epoch": place.epoch, "seq": place.seq, "t": t,
                    "cols": row, "kpis": kpis, "tables": tables, "late": late })
            .to_string()
        });
        Some((rate.stream.name().to_string(), tick))
    }

    /// The rows that changed behind the last tick, as columns; null where a series did not change.
    fn late_columns(
        &self,
        late: &BTreeMap<i64, BTreeSet<SeriesId>>,
        board: &Board,
        seconds: i64,
    ) -> Option<Value> {
        let changed: BTreeSet<SeriesId> = late.values().flatten().copied().collect();
        let mut cols = Map::new();
        for id in changed {
            let Some(series) = self.catalogue.series(id).filter(|series| board.carries(&series.name)) else {
                continue;
            };
            let value = |(row, ids): (&i64, &BTreeSet<SeriesId>)| {
                ids.contains(&id).then(|| self.history.fold(id, row - seconds, *row, series.fold)).flatten()
            };
            cols.insert(series.name.clone(), late.iter().map(value).collect());
        }
        if cols.is_empty() {
            return None;
        }
        cols.insert("t".to_owned(), late.keys().copied().collect());
        Some(Value::Object(cols))
    }
}

fn all_streams(epoch: u64, now: i64) -> Vec<Rate> {
    let mut rates = Vec::with_capacity(BOARDS.len() * RATES.len());
    for board in BOARDS {
        for rate in RATES {
            let name = StreamName { board: board.id.to_owned(), rate };
            // The first tick of a slower stream waits for the next whole step.
            let last = now - 1 - (now - 1).rem_euclid(rate);
            rates.push(Rate { stream: Stream::new(name, epoch), board, last, late: BTreeMap::new() });
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000;

    fn live() -> Live {
        Live::new(42, START)
    }

    fn cpu(value: f64) -> Sample {
        let mut sample = Sample::default();
        sample.put("host.cpu", Unit::Percent, Fold::Mean, value);
        sample
    }

    fn point(name: &str, t: Option<f64>, value: f64) -> Point {
        Point { series: format!("ingest.{name}"), t, value }
    }

    fn tick_for(out: &Out, room: &str) -> Option<Value> {
        let tick = out.ticks.iter().find(|(name, _)| name == room);
        tick.map(|(_, text)| serde_json::from_str(text).expect("a tick is JSON"))
    }

    #[test]
    fn each_second_gives_the_fast_streams_a_tick_and_the_slow_ones_their_mean() {
        let mut live = live();
        for second in 0..11 {
            let out = live.tick(START + second, cpu(second as f64));
            let fast = tick_for(&out, "dash:host@1s").expect("every second");
            assert_eq!(fast["seq"], second + 1);
            assert_eq!(fast["cols"]["host.cpu"], json!([second as f64]));
            assert_eq!(fast["kpis"]["cpu"], json!(second as f64));
            let slow = tick_for(&out, "dash:host@5s");
            assert_eq!(slow.is_some(), second % 5 == 0, "second {second}");
            if second == 10 {
                assert_eq!(slow.unwrap()["cols"]["host.cpu"], json!([8.0]), "the mean of 6 to 10");
            }
        }
    }

    #[test]
    fn boards_get_their_own_series_alone() {
        let mut live = live();
        let out = live.tick(START, cpu(1.0));
        assert!(tick_for(&out, "dash:overview@1s").unwrap()["cols"].get("host.cpu").is_some());
        assert!(tick_for(&out, "dash:ingest@1s").unwrap()["cols"].get("host.cpu").is_none());
    }

    #[test]
    fn a_posted_point_is_in_the_next_tick_and_its_series_is_announced_once() {
        let mut live = live();
        live.tick(START, Sample::default());
        assert_eq!(live.post(&[point("temp", None, 21.5)], START as f64 + 0.5), Ok(1));
        let out = live.tick(START + 1, Sample::default());
        let names = |out: &Out| out.new_series.iter().map(|series| series.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&out), ["ingest.temp"]);
        let tick = tick_for(&out, "dash:overview@1s").unwrap();
        assert_eq!(tick["cols"]["ingest.temp"], json!([21.5]));
        assert_eq!(tick_for(&out, "dash:ingest@1s").unwrap()["kpis"]["series"], json!(1.0));
        live.post(&[point("temp", None, 22.0)], START as f64 + 1.5).unwrap();
        assert!(names(&live.tick(START + 2, Sample::default())).is_empty());
    }

    #[test]
    fn a_point_of_the_past_comes_as_a_late_row() {
        let mut live = live();
        for second in 0..10 {
            live.tick(START + second, Sample::default());
        }
        live.post(&[point("temp", Some(START as f64 + 3.9), 7.0)], START as f64 + 9.5).unwrap();
        let tick = tick_for(&live.tick(START + 10, Sample::default()), "dash:ingest@1s").unwrap();
        assert_eq!(tick["late"], json!({ "t": [START + 3], "ingest.temp": [7.0] }));
        assert!(tick["cols"].get("ingest.temp").is_none());
        let (_, columns) = live.backfill("ingest", 1, 3600).unwrap();
        assert!(columns.layout.names.contains(&"ingest.temp".to_owned()));
    }

    #[test]
    fn a_point_a_little_ahead_waits_for_its_second() {
        let mut live = live();
        live.tick(START, Sample::default());
        live.post(&[point("temp", Some(START as f64 + 2.0), 7.0)], START as f64).unwrap();
        let early = tick_for(&live.tick(START + 1, Sample::default()), "dash:ingest@1s").unwrap();
        assert!(early["cols"].get("ingest.temp").is_none());
        let due = tick_for(&live.tick(START + 2, Sample::default()), "dash:ingest@1s").unwrap();
        assert_eq!(due["cols"]["ingest.temp"], json!([7.0]));
    }

    #[test]
    fn times_outside_the_hour_are_refused_whole() {
        let mut live = live();
        let now = START as f64;
        for t in [now + 61.0, now - 3601.0, -1e300] {
            let points = [point("good", None, 1.0), point("temp", Some(t), 7.0)];
            assert!(matches!(live.post(&points, now), Err(PostError::Refused(_))), "{t}");
        }
        let out = live.tick(START, Sample::default());
        assert!(tick_for(&out, "dash:ingest@1s").unwrap()["cols"].get("ingest.good").is_none());
        assert_eq!(tick_for(&out, "dash:ingest@1s").unwrap()["kpis"]["refused"], json!(3.0));
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let mut live = live();
        let points: Vec<_> = (0..=MAX_SERIES).map(|n| point(&format!("s{n}"), None, 1.0)).collect();
        assert!(matches!(live.post(&points, START as f64), Err(PostError::Refused(_))));
        assert_eq!(live.post(&points[1..], START as f64), Ok(MAX_SERIES));
        assert!(matches!(live.post(&points[..1], START as f64), Err(PostError::Refused(_))));
        assert_eq!(live.post(&points[1..2], START as f64), Ok(1), "a known series is still taken");
    }

    #[test]
    fn what_waits_for_a_tick_is_bounded_and_drains() {
        let mut live = live();
        let points = vec![point("a", None, 1.0); 50_000];
        assert!(live.post(&points, START as f64).is_ok() && live.post(&points, START as f64).is_ok());
        assert_eq!(live.post(&points[..1], START as f64), Err(PostError::Busy));
        live.tick(START, Sample::default());
        assert!(live.post(&points[..1], START as f64).is_ok());
    }

    #[test]
    fn a_repeated_batch_is_counted_once() {
        let mut live = live();
        let points = [point("a", None, 1.0)];
        assert_eq!(live.post_batch("b1", &points, START as f64), Ok((1, false)));
        assert_eq!(live.post_batch("b1", &points, START as f64), Ok((0, true)));
        assert_eq!(live.post_batch("b2", &points, START as f64), Ok((1, false)));
    }

    #[test]
    fn a_client_that_returns_gets_the_missing_ticks_and_after_a_restart_a_resync() {
        let mut live = live();
        live.tick(START, Sample::default());
        let since = live.join("host", 1, None).unwrap().place;
        live.tick(START + 1, Sample::default());
        live.tick(START + 2, Sample::default());
        let joined = live.join("host", 1, Some(&since)).unwrap();
        assert!(matches!(joined.resume, Resume::Missed(ticks) if ticks.len() == 2));
        let restarted = Live::new(43, START + 3);
        assert!(matches!(restarted.join("host", 1, Some(&since)).unwrap().resume, Resume::Resync));
    }

    #[test]
    fn a_clock_set_far_back_is_a_new_epoch_and_a_little_is_waited_out() {
        let mut live = live();
        for second in 0..100 {
            live.tick(START + second, Sample::default());
        }
        assert!(live.tick(START + 97, Sample::default()).ticks.is_empty());
        assert_eq!(live.join("host", 1, None).unwrap().place.epoch, 42);
        let out = live.tick(START + 10, cpu(3.0));
        assert_eq!(tick_for(&out, "dash:host@1s").unwrap()["epoch"], 43);
    }

    #[test]
    fn a_backfill_ends_where_the_next_tick_begins() {
        let mut live = live();
        for second in 0..10 {
            live.tick(START + second, cpu(second as f64));
        }
        let (place, columns) = live.backfill("host", 1, 5).unwrap();
        assert_eq!((place.seq, columns.layout.rows), (10, 5));
        let at = columns.layout.names.iter().position(|name| name == "host.cpu").unwrap();
        let values: Vec<f64> = columns
            .bytes
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(values[(at + 1) * 5..(at + 2) * 5], [5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    #[test]
    fn a_panel_can_be_asked_for_alone_and_unknown_ones_are_none() {
        let mut live = live();
        live.tick(START, cpu(5.0));
        let columns = live.query("host", "cpu", START - 10, START + 10, 100).unwrap();
        assert_eq!(columns.layout.names, ["host.cpu"]);
        assert!(
            live.query("host", "nothing", 0, 1, 1).is_none() && live.query("none", "cpu", 0, 1, 1).is_none()
        );
        assert_eq!(live.query("host", "cpu", i64::MIN, i64::MAX, usize::MAX).unwrap().layout.rows, 1);
    }
}
