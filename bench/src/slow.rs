//! The scenario of slow consumers: a tenth of the clients reads nothing, the others get one broadcast at a time and must lose
//! none. What the server keeps for the slow ones shows in its memory. Called by `work`.

use crate::error::LoadError;
use crate::event;
use crate::meter::resident_kib;
use crate::outcome::{Memory, Outcome, Unit};
use crate::plan::Plan;
use crate::progress::one_message_each;

/// Rounds between two looks at the memory, which take longer than a round.
const ROUNDS_A_LOOK: u64 = 50;

/// Broadcasts to readers, beside clients that do not read.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frame = event::bcast(plan.case.payload);
    fleet.stop_reading(fleet.len() / 10)?;
    let before = resident_kib(plan.server_pid)?;
    let mut peak = before;
    let mut round = 0;
    let mut outcome = plan.measure_messages(Unit::Delivery, plan.case.payload, &mut fleet, |fleet| {
        fleet.send(0, &frame)?;
        one_message_each(fleet)?;
        round += 1;
        if round % ROUNDS_A_LOOK == 0 {
            peak = peak.max(resident_kib(plan.server_pid)?);
        }
        Ok(())
    })?;
    let after = resident_kib(plan.server_pid)?;
    outcome.memory = Some(Memory { before, peak: peak.max(after), after });
    Ok(outcome)
}
