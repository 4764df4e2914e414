//! Viewers of a board of Erlen Live: how old a tick is when it arrives, and what so many of them cost the server.
//!
//! Each joins the board as the page does. The age is that of the second which the tick is about: what the server takes to
//! wake, to look at the machine and to encode counts, as it does for people. Called by the program `viewers`.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::LoadError;
use crate::fleet::{Arrival, Fleet};
use crate::frame::masked_text;
use crate::handshake::Headers;
use crate::latency::percentiles;
use crate::meter::Usage;
use crate::outcome::Latency;
use crate::sys;

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Viewers {
    /// The server's process.
    pub server_pid: u32,
    /// Where it listens.
    pub addr: SocketAddr,
    /// How many look at the board.
    pub clients: usize,
    /// Which one, as the page calls it.
    pub board: String,
    /// How long.
    pub duration: Duration,
}

/// What was found.
#[derive(Debug)]
pub struct Seen {
    clients: usize,
    /// Ticks that arrived, at whatever client.
    pub ticks: usize,
    /// Their ages in µs.
    pub age: Latency,
    /// The greatest of them in µs.
    pub oldest: u32,
    /// Seconds of CPU a second.
    server: f64,
}

impl Viewers {
    /// Joins all, waits until each has had a tick, and looks on.
    pub fn run(&self) -> Result<Seen, LoadError> {
        sys::raise_file_limit().map_err(|e| LoadError::Io("file limit", e))?;
        let mut fleet = Fleet::new(self.addr, Headers::Browser)?;
        fleet.find_stamps(tick_times);
        fleet.grow(self.clients)?;
        let join = self.join();
        for client in 0..self.clients {
            fleet.send(client, &join)?;
        }
        wait_for_each(&mut fleet)?;
        let before = Usage::of(self.server_pid)?;
        let start = Instant::now();
        let ages = ages_within(&mut fleet, self.duration)?;
        let used = Usage::of(self.server_pid)? - before;
        Ok(Seen {
            clients: self.clients,
            ticks: ages.len(),
            oldest: ages.iter().copied().max().unwrap_or(0),
            age: percentiles(ages),
            server: used.total / start.elapsed().as_secs_f64(),
        })
    }

    /// What the page sends when it is opened.
    fn join(&self) -> Vec<u8> {
        let argument = format!(r#"{{"id":"{}","rate":"1s","window_s":300}}"#, self.board);
        masked_text(format!(r#"420["join_dashboard",{argument}]"#).as_bytes())
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |micros: f64| micros / 1000.0;
        write!(
            f,
            "{} viewers of a board: {} ticks arrived, age p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; server {:.1} % of a core",
            self.clients,
            self.ticks,
            ms(self.age.p50),
            ms(self.age.p99),
            ms(f64::from(self.oldest)),
            self.server * 100.0
        )
    }
}

/// Turns until every client has had a tick: all have joined then, and what they joined with has arrived.
fn wait_for_each(fleet: &mut Fleet) -> Result<(), LoadError> {
    let mut has_one = vec![false; fleet.len()];
    while has_one.contains(&false) {
        for arrival in fleet.turn()? {
            if let Arrival::Stamp(client, _) = *arrival
                && let Some(has_one) = has_one.get_mut(client)
            {
                *has_one = true;
            }
        }
    }
    Ok(())
}

/// How old each tick was that arrived within `duration`, in µs.
fn ages_within(fleet: &mut Fleet, duration: Duration) -> Result<Vec<u32>, LoadError> {
    let end = Instant::now() + duration;
    let mut ages = Vec::new();
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let arrivals = fleet.turn_within(left)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ages.extend(arrivals.iter().filter_map(|arrival| match *arrival {
            Arrival::Stamp(_, t) => {
                let age = now.saturating_sub(Duration::from_secs(t));
                Some(u32::try_from(age.as_micros()).unwrap_or(u32::MAX))
            }
            _ => None,
        }));
    }
    Ok(ages)
}

/// The seconds that the ticks in these bytes are about.
fn tick_times(bytes: &[u8], found: &mut Vec<u64>) {
    const EVENT: &[u8] = br#"42["update_dashboard","#;
    const TIME: &[u8] = br#","t":"#;
    let mut rest = bytes;
    while let Some(tick) = after(rest, EVENT) {
        rest = tick;
        // The columns have a `t` too, which is a list.
        let mut fields = tick;
        while let Some(value) = after(fields, TIME) {
            fields = value;
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = value.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
            if let Some(t) = digits.and_then(|digits| digits.parse().ok()) {
                found.push(t);
                break;
            }
        }
    }
}

fn after<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(needle.len()).position(|window| window == needle)?;
    bytes.get(at + needle.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tick_of_a_read_has_its_time_and_columns_have_none() {
        let tick = |t: u64| {
            format!(r#"42["update_dashboard",{{"cols":{{"ingest.a":[1.5],"t":[9]}},"seq":7,"t":{t}}}]"#)
        };
        let read = format!(
            "\u{1}{}\u{1}2\u{1}42[\"new_series\",{{\"t\":3,\"t\":4}}]{}",
            tick(1_700_000_000),
            tick(5)
        );
        let mut found = Vec::new();
        tick_times(read.as_bytes(), &mut found);
        assert_eq!(found, [1_700_000_000, 5]);
    }
}
