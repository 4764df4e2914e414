//! The scenarios by name, their usual sizes, and the frame around each: warm up, measure, say the
//! outcome. The work itself is in the modules that `run` names. Called by `load`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::error::LoadError;
use crate::event::ARGUMENT_LEN;
use crate::fleet::Fleet;
use crate::handshake::Headers;
use crate::meter::Usage;
use crate::outcome::{Outcome, Unit};
use crate::{
    binary, broadcast, connect, heartbeat, http, idle, join, latency, memory, round_trip, slow, sys,
};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Memory of connections that do nothing.
    Idle,
    /// One broadcast at a time to all clients.
    BcastPaced,
    /// 32 broadcasts in flight.
    Bcast32,
    /// One emit to each room of ten at a time.
    Rooms,
    /// An event answered by an event.
    Echo,
    /// An event answered by an ack.
    Ack,
    /// An event posted, and its answer fetched, over long-polling.
    Polling,
    /// Connect, handshake, join, close.
    Connect,
    /// An event with an attachment, answered by the same.
    Binary,
    /// Broadcasts at fixed times: how late each copy arrives.
    Latency,
    /// One broadcast at a time to clients of which some read nothing.
    Slow,
    /// A room joined, and acknowledged.
    Join,
    /// A ping and its pong, of connections that do nothing else.
    Heartbeat,
    /// Memory after many events at once.
    Burst,
    /// Memory after connections have gone.
    Gone,
    /// A plain route of HTTP, for servers that have one at `/`.
    Route,
}

impl Scenario {
    /// Those that every server can do, in the order of the tables.
    pub const ALL: [Self; 11] = [
        Self::BcastPaced,
        Self::Bcast32,
        Self::Rooms,
        Self::Echo,
        Self::Ack,
        Self::Polling,
        Self::Connect,
        Self::Idle,
        Self::Binary,
        Self::Latency,
        Self::Slow,
    ];

    /// Those beside them, which are measured in suites of their own.
    const OTHERS: [Self; 5] = [Self::Route, Self::Join, Self::Heartbeat, Self::Burst, Self::Gone];

    /// Whether the floor has it: it reads no HTTP beyond a handshake, takes no attachments and sends no pings.
    pub fn has_floor(self) -> bool {
        !matches!(self, Self::Polling | Self::Route | Self::Binary | Self::Heartbeat)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::BcastPaced => "bcast-paced",
            Self::Bcast32 => "bcast-32",
            Self::Rooms => "rooms",
            Self::Echo => "echo",
            Self::Ack => "ack",
            Self::Polling => "polling",
            Self::Connect => "connect",
            Self::Binary => "binary",
            Self::Latency => "latency",
            Self::Slow => "slow",
            Self::Join => "join",
            Self::Heartbeat => "heartbeat",
            Self::Burst => "burst",
            Self::Gone => "gone",
            Self::Route => "route",
        }
    }

    /// How many clients it has unless told otherwise.
    pub fn usual_clients(self) -> usize {
        match self {
            Self::Idle => 5000,
            Self::BcastPaced | Self::Bcast32 | Self::Rooms | Self::Latency => 1000,
            Self::Heartbeat | Self::Burst | Self::Gone => 1000,
            Self::Echo | Self::Ack | Self::Polling | Self::Binary | Self::Join | Self::Slow => 100,
            Self::Route => 32,
            Self::Connect => 4,
        }
    }

    /// How long the argument of its events is unless told otherwise.
    pub fn usual_payload(self) -> usize {
        match self {
            // Enough to fill the sockets of those that do not read within a second.
            Self::Slow => 16 * 1024,
            Self::Burst => 1024,
            _ => ARGUMENT_LEN,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().chain(Self::OTHERS).find(|scenario| scenario.name() == name).ok_or(())
    }
}

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
    /// Runs the scenario against the server.
    pub fn run(&self) -> Result<Outcome, LoadError> {
        self.check_file_limit()?;
        let mut outcome = match self.case.scenario {
            Scenario::Idle => idle::run(self),
            Scenario::BcastPaced => broadcast::paced(self),
            Scenario::Bcast32 => broadcast::in_flight(self, 32),
            Scenario::Rooms => broadcast::rooms(self),
            Scenario::Echo => round_trip::echo(self),
            Scenario::Ack => round_trip::ack(self),
            Scenario::Polling => http::polling(self),
            Scenario::Connect => connect::run(self),
            Scenario::Binary => binary::run(self),
            Scenario::Latency => latency::run(self),
            Scenario::Slow => slow::run(self),
            Scenario::Join => join::run(self),
            Scenario::Heartbeat => heartbeat::run(self),
            Scenario::Burst => memory::burst(self),
            Scenario::Gone => memory::gone(self),
            Scenario::Route => http::route(self),
        }?;
        outcome.scenario = self.case.to_string();
        Ok(outcome)
    }

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

    fn check_file_limit(&self) -> Result<(), LoadError> {
        let allowed = sys::raise_file_limit().map_err(|e| LoadError::Io("file limit", e))?;
        let needed = self.case.clients + self.case.bystanders + idle::WARM_CLIENTS + 16;
        if needed > allowed {
            return Err(LoadError::FileLimit { needed, allowed });
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name() {
        for scenario in Scenario::ALL.into_iter().chain(Scenario::OTHERS) {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        assert!("bcast".parse::<Scenario>().is_err());
    }
}
