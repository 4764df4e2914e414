//! What was asked for, and the frame around each scenario: connect, warm up, measure, say the outcome.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::error::LoadError;
use crate::fleet::Fleet;
use crate::handshake::Headers;
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};

/// Clients that join before the first look at the memory.
pub const WARM_CLIENTS: usize = 200;

/// What `load` was asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The server's process.
    pub server_pid: u32,
    /// Where it listens.
    pub addr: SocketAddr,
    /// What is measured, and how large.
    pub case: Case,
    /// For how long, the warm-up of a fifth not included.
    pub duration: Duration,
    /// Headers of every handshake.
    pub headers: Headers,
}

impl Plan {
    /// A fleet with this many clients, all joined, and the bystanders, who are connected beside it as long as both live.
    pub fn fleet(&self, clients: usize) -> Result<Fleet, LoadError> {
        let mut fleet = Fleet::new(self.addr, self.headers)?;
        fleet.grow(clients + self.case.bystanders)?;
        fleet.set_aside(self.case.bystanders);
        Ok(fleet)
    }

    /// Repeats `step` for the warm-up and then for the duration, and says what the messages of the
    /// second part cost. Their payload has to be at least so long.
    pub fn measure_messages(
        &self,
        unit: Unit,
        payload: usize,
        fleet: &mut Fleet,
        mut step: impl FnMut(&mut Fleet) -> Result<(), LoadError>,
    ) -> Result<Outcome, LoadError> {
        repeat(self.warm_up(), || step(fleet))?;
        fleet.reset()?;
        let before = Usage::of(self.server_pid)?;
        let took = repeat(self.duration, || step(fleet))?;
        let used = Usage::of(self.server_pid)? - before;
        Outcome::of_work(unit, fleet.tally.messages, used, took).with_messages(fleet, payload)
    }

    /// How long the work goes on before it is measured.
    pub fn warm_up(&self) -> Duration {
        self.duration / 5
    }
}

/// Repeats `step` until `duration` is over and says how long it really took.
pub fn repeat(
    duration: Duration,
    mut step: impl FnMut() -> Result<(), LoadError>,
) -> Result<Duration, LoadError> {
    let start = Instant::now();
    while start.elapsed() < duration {
        step()?;
    }
    Ok(start.elapsed())
}
