//! Scenarios in which one message in makes many out: paced, with several in flight, and by rooms.
//!
//! Every client must get every broadcast exactly once (`progress`). Called by `work`.

use crate::error::LoadError;
use crate::event;
use crate::fleet::Arrival;
use crate::join;
use crate::outcome::{Outcome, Unit};
use crate::plan::Plan;
use crate::progress::{Progress, one_message_each};

const ROOM_SIZE: usize = 10;

/// One client sends, waits until all copies have arrived, and sends the next.
pub fn paced(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frame = event::bcast(plan.case.payload);
    plan.measure_messages(Unit::Delivery, plan.case.payload, &mut fleet, |fleet| {
        fleet.send(0, &frame)?;
        one_message_each(fleet)
    })
}

/// The first member of each room emits to it; the next round begins when all copies have arrived.
pub fn rooms(plan: &Plan) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    for client in 0..fleet.len() {
        fleet.send(client, &event::join(client / ROOM_SIZE))?;
    }
    one_message_each(&mut fleet)?;
    join::other_rooms(&mut fleet, plan.case.rooms)?;
    let rooms = fleet.len().div_ceil(ROOM_SIZE);
    let frames: Vec<Vec<u8>> = (0..rooms).map(|room| event::room(room, plan.case.payload)).collect();
    plan.measure_messages(Unit::Delivery, plan.case.payload, &mut fleet, |fleet| {
        for (room, frame) in frames.iter().enumerate() {
            fleet.send(room * ROOM_SIZE, frame)?;
        }
        one_message_each(fleet)
    })
}

/// One client keeps `window` broadcasts in flight: as many as have reached everyone are replaced,
/// by one write, after each turn of the load.
pub fn in_flight(plan: &Plan, window: usize) -> Result<Outcome, LoadError> {
    let mut fleet = plan.fleet(plan.case.clients)?;
    let frames = event::bcast(plan.case.payload).repeat(window);
    let frame_len = frames.len() / window;
    let mut progress = Progress::new(fleet.len(), window);
    fleet.send(0, &frames)?;
    let outcome = plan.measure_messages(Unit::Delivery, plan.case.payload, &mut fleet, |fleet| {
        for arrival in fleet.turn()? {
            if let Arrival::Messages(client, messages) = *arrival {
                progress.arrived(client, messages)?;
            }
        }
        let done = progress.take_done();
        if done > 0 {
            let replacement = frames.get(..done * frame_len).unwrap_or_default();
            fleet.send(0, replacement)?;
        }
        Ok(())
    })?;
    Ok(outcome)
}
