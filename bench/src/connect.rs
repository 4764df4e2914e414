//! The scenario of coming and going: connect, handshake over WebSocket, namespace joined, close,
//! and the server has closed too. A few at a time, so that no backlog builds up. Called by `work`.

use crate::error::LoadError;
use crate::fleet::{Arrival, Fleet};
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};
use crate::plan::{Plan, repeat};

/// Cycles with a window of `clients` connections.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = Fleet::new(plan.addr, plan.headers)?;
    for client in 0..plan.case.clients {
        fleet.open(client)?;
    }
    let mut cycles = 0;
    repeat(plan.warm_up(), || turn(&mut fleet, &mut cycles))?;
    cycles = 0;
    let before = Usage::of(plan.server_pid)?;
    let took = repeat(plan.duration, || turn(&mut fleet, &mut cycles))?;
    let used = Usage::of(plan.server_pid)? - before;
    let mut outcome = Outcome::of_work(Unit::Cycle, cycles, used, took);
    outcome.clients = plan.case.clients;
    Ok(outcome)
}

fn turn(fleet: &mut Fleet, cycles: &mut u64) -> Result<(), LoadError> {
    for arrival in fleet.turn()?.to_vec() {
        match arrival {
            Arrival::Joined(client) => fleet.close(client)?,
            Arrival::Ended(client) => {
                *cycles += 1;
                fleet.open(client)?;
            }
            Arrival::Messages(..) | Arrival::Stamp(..) => {}
        }
    }
    Ok(())
}
