//! Scenarios in which one message in makes many out: paced, with several in flight, and by rooms.
//!
//! Every client must get every broadcast exactly once; a server that loses or doubles one is
//! refused. Called by `scenario`.

use crate::error::LoadError;
use crate::event;
use crate::fleet::{Arrival, Fleet};
use crate::join;
use crate::outcome::{Outcome, Unit};
use crate::scenario::Plan;

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

/// Waits until each client has got one message.
pub fn one_message_each(fleet: &mut Fleet) -> Result<(), LoadError> {
    let mut progress = Progress::new(fleet.len(), 1);
    while progress.take_done() == 0 {
        for arrival in fleet.turn()? {
            if let Arrival::Messages(client, messages) = *arrival {
                progress.arrived(client, messages)?;
            }
        }
    }
    Ok(())
}

/// How far the broadcasts in flight have come.
#[derive(Debug)]
struct Progress {
    /// Broadcasts that each client has got.
    got: Vec<u64>,
    /// Broadcasts that everyone has got.
    done: u64,
    /// For broadcast n, at n modulo the window: how many clients have got it.
    reached: Vec<usize>,
}

impl Progress {
    fn new(clients: usize, window: usize) -> Self {
        Self { got: vec![0; clients], done: 0, reached: vec![0; window] }
    }

    fn arrived(&mut self, client: usize, messages: u64) -> Result<(), LoadError> {
        let window = self.reached.len() as u64;
        let Some(got) = self.got.get_mut(client) else {
            return Ok(());
        };
        let from = *got;
        *got += messages;
        if *got > self.done + window {
            let sentence = format!("client {client} has {got}, {} were sent", self.done + window);
            return Err(LoadError::Count(sentence));
        }
        for n in from..from + messages {
            let at = usize::try_from(n % window).unwrap_or(0);
            if let Some(reached) = self.reached.get_mut(at) {
                *reached += 1;
            }
        }
        Ok(())
    }

    /// How many more broadcasts have reached everyone since the last call.
    fn take_done(&mut self) -> usize {
        let window = self.reached.len();
        let mut done = 0;
        while done < window {
            let at = usize::try_from(self.done % window as u64).unwrap_or(0);
            match self.reached.get_mut(at) {
                Some(reached) if *reached == self.got.len() => *reached = 0,
                _ => break,
            }
            self.done += 1;
            done += 1;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_is_done_when_the_last_client_has_it() {
        let mut progress = Progress::new(2, 4);
        progress.arrived(0, 4).expect("in the window");
        assert_eq!(progress.take_done(), 0);
        progress.arrived(1, 3).expect("in the window");
        assert_eq!(progress.take_done(), 3);
        progress.arrived(0, 3).expect("in the window");
        progress.arrived(1, 1).expect("in the window");
        assert_eq!(progress.take_done(), 1);
        progress.arrived(1, 3).expect("in the window");
        assert_eq!(progress.take_done(), 3);
    }

    #[test]
    fn a_copy_too_many_is_refused() {
        let mut progress = Progress::new(2, 1);
        progress.arrived(0, 1).expect("in the window");
        assert!(matches!(progress.arrived(0, 1), Err(LoadError::Count(_))));
    }
}
