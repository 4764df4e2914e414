//! The scenarios of memory that has to come back: after many events at once, and after connections have gone.
//!
//! The level before is that of a server to which some clients are connected, as in `idle`. Called by `scenario`.

use std::time::Instant;

use crate::error::LoadError;
use crate::event;
use crate::fleet::{Arrival, Fleet};
use crate::idle::WARM_CLIENTS;
use crate::meter::{CpuTime, resident_kib, settled_kib};
use crate::outcome::{Memory, Outcome, Unit};
use crate::scenario::Plan;

/// Echoes that each client has in flight in a burst, and bursts.
const IN_FLIGHT: usize = 64;
const BURSTS: usize = 5;

/// Many events of every client at once, several times.
pub fn burst(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frames = event::echo(plan.case.payload).repeat(IN_FLIGHT);
    let before = settled_kib(plan.server_pid)?;
    let mut peak = before;
    let start = Instant::now();
    for _ in 0..BURSTS {
        for client in 0..fleet.len() {
            fleet.send(client, &frames)?;
        }
        peak = peak.max(resident_kib(plan.server_pid)?);
        fleet.receive((IN_FLIGHT * fleet.len()) as u64)?;
    }
    let after = settled_kib(plan.server_pid)?;
    let operations = (BURSTS * IN_FLIGHT * fleet.len()) as u64;
    Ok(growth(operations, fleet.len(), start, Memory { before, peak: peak.max(after), after }))
}

/// Connections that come, do nothing, and go.
pub fn gone(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(WARM_CLIENTS)?;
    let before = settled_kib(plan.server_pid)?;
    let start = Instant::now();
    fleet.grow(WARM_CLIENTS + plan.case.clients)?;
    let peak = settled_kib(plan.server_pid)?;
    leave(&mut fleet, WARM_CLIENTS)?;
    let after = settled_kib(plan.server_pid)?;
    let memory = Memory { before, peak, after };
    Ok(growth(plan.case.clients as u64, plan.case.clients, start, memory))
}

/// Closes all clients from the one at `first` on, and waits until the server has closed its side too.
fn leave(fleet: &mut Fleet, first: usize) -> Result<(), LoadError> {
    let mut open = fleet.len() - first;
    for client in first..fleet.len() {
        fleet.close(client)?;
    }
    while open > 0 {
        open -= fleet.turn()?.iter().filter(|arrival| matches!(arrival, Arrival::Ended(_))).count();
    }
    Ok(())
}

fn growth(operations: u64, clients: usize, start: Instant, memory: Memory) -> Outcome {
    let mut outcome = Outcome::of_work(Unit::Growth, operations, CpuTime::default(), start.elapsed());
    outcome.clients = clients;
    outcome.cost = (memory.after as f64 / memory.before.max(1) as f64 - 1.0) * 100.0;
    outcome.memory = Some(memory);
    outcome
}
