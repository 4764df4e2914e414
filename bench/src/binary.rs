//! The scenario of attachments: an event with one, answered by the same. Every client has one in flight.
//! A packet with an attachment is two messages each way. Called by `work`.

use crate::error::LoadError;
use crate::event;
use crate::fleet::Arrival;
use crate::outcome::{Outcome, Unit};
use crate::plan::Plan;

/// Messages of one packet: the text, then the attachment.
const MESSAGES: u64 = 2;

/// Round trips of an event with an attachment.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let frames = event::binary_echo(plan.case.payload);
    let mut fleet = plan.fleet(plan.case.clients)?;
    for client in 0..fleet.len() {
        fleet.send(client, &frames)?;
    }
    let mut got = vec![0; fleet.len()];
    let mut answered = Vec::new();
    // Half of the messages are short.
    let outcome = plan.measure_messages(Unit::RoundTrip, plan.case.payload / 2, &mut fleet, |fleet| {
        answered.clear();
        for arrival in fleet.turn()? {
            let Arrival::Messages(client, messages) = *arrival else { continue };
            let Some(got) = got.get_mut(client) else { continue };
            *got += messages;
            if *got > MESSAGES {
                let sentence = format!("client {client} got {got} messages for one packet");
                return Err(LoadError::Count(sentence));
            }
            if *got == MESSAGES {
                *got = 0;
                answered.push(client);
            }
        }
        for &client in &answered {
            fleet.send(client, &frames)?;
        }
        Ok(())
    })?;
    let [cost, user_us, waits] =
        [outcome.cost, outcome.user_us, outcome.waits].map(|of_a_message| of_a_message * MESSAGES as f64);
    Ok(Outcome { operations: outcome.operations / MESSAGES, cost, user_us, waits, ..outcome })
}
