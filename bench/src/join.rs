//! The scenario of joining: each client joins one room after another, each acknowledged. Must not cost more where there are
//! many other clients or rooms. Called by `work`; `broadcast` makes its other rooms here.

use std::time::Instant;

use crate::error::LoadError;
use crate::event;
use crate::fleet::Fleet;
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};
use crate::plan::Plan;
use crate::progress::one_message_each;

/// Rooms that a client joins in the warm-up, and at most in all: servers bound them, Erlen at 1 024.
const WARM: usize = 50;
const MOST: usize = 900;

/// Other rooms that one client is in, or more if there are too few clients.
const OTHERS: usize = 100;

/// Joins of rooms that nobody is in yet.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    other_rooms(&mut fleet, plan.case.rooms)?;
    let mut joined = 0;
    while joined < WARM {
        join_each(&mut fleet, joined)?;
        joined += 1;
    }
    fleet.reset()?;
    let before = Usage::of(plan.server_pid)?;
    let start = Instant::now();
    while joined < MOST && start.elapsed() < plan.duration {
        join_each(&mut fleet, joined)?;
        joined += 1;
    }
    let took = start.elapsed();
    let used = Usage::of(plan.server_pid)? - before;
    // The answer has no argument.
    Outcome::of_work(Unit::Join, fleet.tally.messages, used, took).with_messages(&fleet, 0)
}

fn join_each(fleet: &mut Fleet, number: usize) -> Result<(), LoadError> {
    for client in 0..fleet.len() {
        fleet.send(client, &event::join_named(&format!("j{client}-{number}")))?;
    }
    one_message_each(fleet)
}

/// Makes so many rooms of one member each, spread over all clients, bystanders first.
pub fn other_rooms(fleet: &mut Fleet, rooms: usize) -> Result<(), LoadError> {
    let mut made = 0;
    for client in (0..fleet.connected()).rev() {
        let some = (rooms - made).min(OTHERS.max(rooms.div_ceil(fleet.connected())));
        if some == 0 {
            break;
        }
        let names = made..made + some;
        let frames: Vec<u8> = names.flat_map(|number| event::join_named(&format!("o{number}"))).collect();
        fleet.send(client, &frames)?;
        fleet.receive(some as u64)?;
        made += some;
    }
    Ok(())
}
