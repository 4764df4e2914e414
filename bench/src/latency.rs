//! The scenario of lateness: broadcasts at fixed times, and how long after its time each copy arrives.
//!
//! The time that counts is the one at which a broadcast was to be sent, not the one at which the load came to it: a server
//! that stands still for a while is charged with all that it should have got meanwhile. Called by `work`.
//! <https://www.youtube.com/watch?v=lJ8ydIuPFeU>, "How not to measure latency".

use std::time::{Duration, Instant};

use crate::error::LoadError;
use crate::event;
use crate::fleet::{Arrival, Fleet};
use crate::meter::Usage;
use crate::outcome::{Latency, Outcome, Unit};
use crate::plan::Plan;

/// Copies a second, whatever the number of clients: a quarter of what a server of 10 µs a copy can do.
const COPIES_A_SECOND: u32 = 25_000;

/// How long after the last broadcast its copies may arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Broadcasts to all clients at fixed times.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frame = event::bcast(plan.case.payload);
    let clients = u32::try_from(fleet.len()).unwrap_or(u32::MAX);
    let interval = Duration::from_secs(1) * clients / COPIES_A_SECOND;
    paced(&mut fleet, &frame, interval, plan.warm_up())?;
    fleet.reset()?;
    let before = Usage::of(plan.server_pid)?;
    let start = Instant::now();
    let late = paced(&mut fleet, &frame, interval, plan.duration)?;
    let used = Usage::of(plan.server_pid)? - before;
    let mut outcome = Outcome::of_work(Unit::Delivery, late.len() as u64, used, start.elapsed())
        .with_messages(&fleet, plan.case.payload)?;
    let latency = percentiles(late);
    outcome.unit = Unit::Lateness;
    outcome.cost = latency.p99;
    outcome.latency = Some(latency);
    Ok(outcome)
}

/// Sends at `interval` for `duration`, at least once, and waits for all copies. How late each was, in µs.
fn paced(
    fleet: &mut Fleet,
    frame: &[u8],
    interval: Duration,
    duration: Duration,
) -> Result<Vec<u32>, LoadError> {
    let start = Instant::now();
    let mut times: Vec<Instant> = Vec::new();
    let mut got = vec![0_usize; fleet.len()];
    let mut late = Vec::new();
    let mut next = Some(start);
    loop {
        while let Some(time) = next.filter(|time| *time <= Instant::now()) {
            fleet.send(0, frame)?;
            times.push(time);
            next = Some(time + interval).filter(|time| *time < start + duration);
        }
        if next.is_none() && late.len() == times.len() * got.len() {
            return Ok(late);
        }
        let until = next.unwrap_or(start + duration + PATIENCE);
        let arrivals = fleet.turn_within(until.saturating_duration_since(Instant::now()))?;
        let now = Instant::now();
        if next.is_none() && now >= until {
            return Err(LoadError::Stalled);
        }
        for arrival in arrivals {
            let Arrival::Messages(client, messages) = *arrival else { continue };
            let Some(got) = got.get_mut(client) else { continue };
            for _ in 0..messages {
                let time = times.get(*got).ok_or_else(|| {
                    LoadError::Count(format!(
                        "client {client} has more than the {} that were sent",
                        times.len()
                    ))
                })?;
                let micros = now.saturating_duration_since(*time).as_micros();
                late.push(u32::try_from(micros).unwrap_or(u32::MAX));
                *got += 1;
            }
        }
    }
}

/// What half, 99 of 100 and 999 of 1 000 of the times do not exceed.
pub(crate) fn percentiles(mut late: Vec<u32>) -> Latency {
    late.sort_unstable();
    let at = |part: f64| {
        let rank = (late.len() as f64 * part).ceil() as usize;
        late.get(rank.saturating_sub(1)).copied().map_or(0.0, f64::from)
    };
    Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_that_so_many_do_not_exceed() {
        let latency = percentiles((1..=1000).rev().collect());
        assert_eq!((latency.p50, latency.p99, latency.p999), (500.0, 990.0, 999.0));
        assert_eq!(percentiles(vec![7]), Latency { p50: 7.0, p99: 7.0, p999: 7.0 });
        assert_eq!(percentiles(Vec::new()).p99, 0.0);
    }
}
