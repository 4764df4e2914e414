//! The scenarios by name, and their usual sizes. The work itself is in the modules that `work` names.

use std::fmt;
use std::str::FromStr;

use crate::event::ARGUMENT_LEN;

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
