//! The scenarios of memory that has to come back: after many events at once, and after connections have gone.
//!
//! The level before is that of a server which has had as much to do once before: what its tables and its allocator keep of
//! that, they keep once. Before each look others come and go for a while, since an allocator that is not called gives
//! nothing back. Called by `work`.

use std::time::Instant;

use crate::error::LoadError;
use crate::event::{self, ARGUMENT_LEN};
use crate::fleet::Fleet;
use crate::meter::{Usage, resident_kib, settled_kib};
use crate::outcome::{Memory, Outcome, Unit};
use crate::plan::{Plan, WARM_CLIENTS, repeat};
use crate::progress::one_message_each;

/// Echoes that each client has in flight in a burst, and bursts.
const IN_FLIGHT: usize = 64;
const BURSTS: usize = 5;

/// Clients that come and go before a look.
const VISITORS: usize = 20;

/// Many events of every client at once, several times.
pub fn burst(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frames = event::echo(plan.case.payload).repeat(IN_FLIGHT);
    let clients = fleet.len();
    let operations = BURSTS * IN_FLIGHT * clients;
    growth(plan, operations, &mut fleet, |fleet| {
        let mut peak = 0;
        for _ in 0..BURSTS {
            for client in 0..clients {
                fleet.send(client, &frames)?;
            }
            peak = peak.max(resident_kib(plan.server_pid)?);
            fleet.receive((IN_FLIGHT * clients) as u64)?;
        }
        Ok(peak)
    })
}

/// Connections that come, do nothing, and go.
pub fn gone(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(WARM_CLIENTS)?;
    growth(plan, plan.case.clients, &mut fleet, |fleet| {
        fleet.grow(WARM_CLIENTS + plan.case.clients)?;
        let peak = settled_kib(plan.server_pid)?;
        leave(fleet, WARM_CLIENTS)?;
        Ok(peak)
    })
}

/// The growth over a second time of the work, which answers how high the memory went.
fn growth(
    plan: &Plan,
    operations: usize,
    fleet: &mut Fleet,
    mut work: impl FnMut(&mut Fleet) -> Result<u64, LoadError>,
) -> Result<Outcome, LoadError> {
    work(fleet)?;
    go_on(plan, fleet)?;
    let before = settled_kib(plan.server_pid)?;
    let start = Instant::now();
    let peak = work(fleet)?;
    let took = start.elapsed();
    go_on(plan, fleet)?;
    let after = settled_kib(plan.server_pid)?;
    let memory = Memory { before, peak: peak.max(before).max(after), after };
    let mut outcome = Outcome::of_work(Unit::Growth, operations as u64, Usage::default(), took);
    outcome.clients = plan.case.clients;
    outcome.cost = (after as f64 / before.max(1) as f64 - 1.0) * 100.0;
    outcome.memory = Some(memory);
    Ok(outcome)
}

/// Others come, have an echo, and go, again and again.
fn go_on(plan: &Plan, fleet: &mut Fleet) -> Result<(), LoadError> {
    let echo = event::echo(ARGUMENT_LEN);
    let clients = fleet.len();
    repeat(plan.duration, || {
        fleet.grow(clients + VISITORS)?;
        for client in 0..fleet.len() {
            fleet.send(client, &echo)?;
        }
        one_message_each(fleet)?;
        leave(fleet, clients)
    })
    .map(drop)
}

/// Closes the clients from the one at `first` on, and waits until the server has closed its side too.
fn leave(fleet: &mut Fleet, first: usize) -> Result<(), LoadError> {
    for client in first..fleet.len() {
        fleet.close(client)?;
    }
    while fleet.len() > first {
        fleet.turn()?;
        fleet.forget_ended();
    }
    Ok(())
}
