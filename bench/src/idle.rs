//! The scenario of connections that do nothing: what each adds to the server's resident memory.
//!
//! Some clients join first and stay, so that what a server allocates once, at the first
//! connections, is not charged to the others. Called by `work`.

use std::time::Instant;

use crate::error::LoadError;
use crate::meter::{Usage, settled_kib};
use crate::outcome::{Outcome, Unit};
use crate::plan::{Plan, WARM_CLIENTS};

/// Memory that `clients` more connections cost, each.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(WARM_CLIENTS)?;
    let before = settled_kib(plan.server_pid)?;
    let start = Instant::now();
    fleet.grow(WARM_CLIENTS + plan.case.clients)?;
    let took = start.elapsed();
    let after = settled_kib(plan.server_pid)?;
    let operations = plan.case.clients as u64;
    let mut outcome = Outcome::of_work(Unit::Connection, operations, Usage::default(), took);
    outcome.clients = plan.case.clients;
    outcome.cost = (after as f64 - before as f64) / plan.case.clients.max(1) as f64;
    Ok(outcome)
}
