//! The scenario of heartbeats: connections that do nothing else, until each has been pinged and has answered. It takes as long
//! as the server's interval, 25 s by default. Called by `work`.

use std::time::{Duration, Instant};

use crate::error::LoadError;
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};
use crate::plan::Plan;

/// Longer than any server's interval.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the server has for the pongs behind the last ping.
const LAST_PONGS: Duration = Duration::from_millis(200);

/// What a ping and its pong cost.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    fleet.reset()?;
    let before = Usage::of(plan.server_pid)?;
    let start = Instant::now();
    while fleet.tally.pings < plan.case.clients as u64 {
        let left = PATIENCE.checked_sub(start.elapsed()).ok_or(LoadError::Stalled)?;
        fleet.turn_within(left)?;
    }
    // The last pongs are read too.
    let end = Instant::now() + LAST_PONGS;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        fleet.turn_within(left)?;
    }
    let used = Usage::of(plan.server_pid)? - before;
    let mut outcome = Outcome::of_work(Unit::Heartbeat, fleet.tally.pings, used, start.elapsed());
    outcome.clients = fleet.len();
    Ok(outcome)
}
