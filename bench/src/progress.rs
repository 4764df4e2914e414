//! How far messages have come that every client must get exactly once; a server that loses or doubles one is refused.

use crate::error::LoadError;
use crate::fleet::{Arrival, Fleet};

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
pub struct Progress {
    /// Broadcasts that each client has got.
    got: Vec<u64>,
    /// Broadcasts that everyone has got.
    done: u64,
    /// For broadcast n, at n modulo the window: how many clients have got it.
    reached: Vec<usize>,
}

impl Progress {
    /// Nothing has come of `window` broadcasts in flight to so many clients.
    pub fn new(clients: usize, window: usize) -> Self {
        Self { got: vec![0; clients], done: 0, reached: vec![0; window] }
    }

    /// A client has got so many of them.
    pub fn arrived(&mut self, client: usize, messages: u64) -> Result<(), LoadError> {
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
    pub fn take_done(&mut self) -> usize {
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
