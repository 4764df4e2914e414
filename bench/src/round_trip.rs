//! Scenarios in which every message is answered by one: echo and ack. Every client has one in
//! flight and sends the next as soon as the answer is there. Called by `work`.

use crate::error::LoadError;
use crate::event;
use crate::fleet::Arrival;
use crate::outcome::{Outcome, Unit};
use crate::plan::Plan;

/// An event answered by an event.
pub fn echo(plan: &Plan) -> Result<Outcome, LoadError> {
    run(plan, &event::echo(plan.case.payload))
}

/// An event answered by its ack.
pub fn ack(plan: &Plan) -> Result<Outcome, LoadError> {
    run(plan, &event::ack(plan.case.payload))
}

fn run(plan: &Plan, frame: &[u8]) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    for client in 0..fleet.len() {
        fleet.send(client, frame)?;
    }
    let mut answered = Vec::new();
    plan.measure_messages(Unit::RoundTrip, plan.case.payload, &mut fleet, |fleet| {
        answered.clear();
        for arrival in fleet.turn()? {
            match *arrival {
                Arrival::Messages(client, 1) => answered.push(client),
                Arrival::Messages(client, many) => {
                    let sentence = format!("client {client} got {many} answers to one message");
                    return Err(LoadError::Count(sentence));
                }
                Arrival::Joined(_) | Arrival::Ended(_) | Arrival::Stamp(..) => {}
            }
        }
        for &client in &answered {
            fleet.send(client, frame)?;
        }
        Ok(())
    })
}
