//! A stream: one board at one rate, its ticks numbered and kept.
//!
//! It decides what a client that comes back gets: the missing ticks, or a resync. It encodes nothing and sends nothing;
//! `live.rs` pushes into it and asks it, the server's glue emits. A stream is also a room of that name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::SECONDS;
use crate::ring::Ring;

/// The ladder of rates, in seconds a tick.
pub const RATES: [i64; 4] = [1, 2, 5, 10];

/// A stream's ring holds an hour at most, and at most this.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Where a client was when it lost the stream.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Since {
    /// The stream's name.
    pub stream: String,
    /// The epoch that the numbers belong to.
    pub epoch: u64,
    /// The number of the last tick that it has.
    pub seq: u64,
}

/// What a client that names its place gets.
#[derive(Debug)]
pub enum Resume {
    /// The missing ticks, oldest first; perhaps none.
    Missed(Vec<Arc<str>>),
    /// The place is of another epoch or stream, or too old: begin again from a backfill.
    Resync,
}

/// A stream's name: `dash:overview@1s`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamName {
    /// The board's id.
    pub board: String,
    /// Seconds a tick.
    pub rate: i64,
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dash:{}@{}s", self.board, self.rate)
    }
}

impl FromStr for StreamName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (board, rate) = text.strip_prefix("dash:").and_then(|rest| rest.split_once('@')).ok_or(())?;
        let rate = rate.strip_suffix('s').and_then(|rate| rate.parse().ok()).ok_or(())?;
        if !RATES.contains(&rate) {
            return Err(());
        }
        Ok(Self { board: board.to_owned(), rate })
    }
}

/// The rate of the ladder that comes nearest from above, for a wish in milliseconds.
pub fn rate_for(refresh_ms: u64) -> i64 {
    let wished = i64::try_from(refresh_ms.div_ceil(1000)).unwrap_or(i64::MAX);
    RATES.into_iter().find(|rate| *rate >= wished).unwrap_or(RATES[RATES.len() - 1])
}

/// One board at one rate.
#[derive(Debug)]
pub struct Stream {
    name: StreamName,
    epoch: u64,
    ring: Ring,
}

impl Stream {
    /// A stream without ticks.
    pub fn new(name: StreamName, epoch: u64) -> Self {
        let ticks = usize::try_from(SECONDS / name.rate).unwrap_or(1);
        Self { name, epoch, ring: Ring::new(ticks, MAX_BYTES) }
    }

    /// Its name, which is its room.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The place after all that was pushed.
    pub fn place(&self) -> Since {
        Since { stream: self.name.to_string(), epoch: self.epoch, seq: self.ring.next_seq() - 1 }
    }

    /// Numbers, encodes and keeps a tick; gives the encoded text back for the room.
    pub fn push(&mut self, encode: impl FnOnce(&Since) -> String) -> Arc<str> {
        let place = Since { stream: self.name.to_string(), epoch: self.epoch, seq: self.ring.next_seq() };
        let tick: Arc<str> = encode(&place).into();
        self.ring.push(Arc::clone(&tick));
        tick
    }

    /// What a client at this place misses.
    pub fn resume(&self, since: &Since) -> Resume {
        if since.epoch != self.epoch || since.stream != self.name.to_string() {
            return Resume::Resync;
        }
        self.ring.after(since.seq).map_or(Resume::Resync, Resume::Missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(ticks: usize) -> Stream {
        let mut stream = Stream::new("dash:host@1s".parse().unwrap(), 77);
        for _ in 0..ticks {
            stream.push(|place| format!("{{\"seq\":{}}}", place.seq));
        }
        stream
    }

    #[test]
    fn names_are_read_as_they_are_written_and_others_are_refused() {
        let name: StreamName = "dash:overview@5s".parse().unwrap();
        assert_eq!(name.to_string(), "dash:overview@5s");
        for wrong in ["dash:overview", "dash:overview@3s", "room:overview@1s", "dash:overview@-1s", ""] {
            assert!(wrong.parse::<StreamName>().is_err(), "{wrong} passed");
        }
    }

    #[test]
    fn a_client_that_was_away_gets_the_missing_ticks_in_order() {
        let stream = stream(9);
        let since = Since { seq: 6, ..stream.place() };
        let Resume::Missed(ticks) = stream.resume(&since) else {
            panic!("a resync for a place that is kept")
        };
        assert_eq!(
            ticks.iter().map(|tick| &**tick).collect::<Vec<_>>(),
            [r#"{"seq":7}"#, r#"{"seq":8}"#, r#"{"seq":9}"#]
        );
    }

    #[test]
    fn another_epoch_or_stream_or_a_number_too_old_is_a_resync() {
        let stream = stream(9);
        for since in [
            Since { epoch: 78, ..stream.place() },
            Since { stream: "dash:host@2s".into(), ..stream.place() },
            Since { seq: 10, ..stream.place() },
        ] {
            assert!(matches!(stream.resume(&since), Resume::Resync), "{since:?}");
        }
    }

    #[test]
    fn an_hour_of_ticks_is_kept_and_no_more() {
        let stream = stream(3700);
        assert!(
            matches!(stream.resume(&Since { seq: 100, ..stream.place() }), Resume::Missed(ticks) if ticks.len() == 3600)
        );
        assert!(matches!(stream.resume(&Since { seq: 99, ..stream.place() }), Resume::Resync));
    }

    #[test]
    fn a_wished_rate_is_rounded_up_to_the_ladder() {
        assert_eq!([0, 1000, 1001, 4000, 9000, u64::MAX].map(rate_for), [1, 1, 2, 5, 10, 10]);
    }
}
