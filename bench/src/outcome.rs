//! The result of one scenario, as `load` prints it and `compare` reads it. Not the table of
//! several runs: that is `table`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::event::ARGUMENT_LEN;
use crate::fleet::Fleet;
use crate::meter::CpuTime;

/// What one scenario cost the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// Clients that were connected, or the window of `connect`.
    pub clients: usize,
    /// What the cost is a piece of.
    pub unit: Unit,
    /// How many of them were done.
    pub operations: u64,
    /// How long that took.
    pub seconds: f64,
    /// The cost of one: µs of the server's CPU, or KiB of its resident memory.
    pub cost: f64,
    /// The user's part of the CPU time, in µs; its share is known to a clock tick.
    pub user_us: f64,
    /// Share of the time in which the server was on a CPU.
    pub server_busy: f64,
    /// Messages that one read returned on average: the server coalesced no more than this a write.
    pub messages_per_read: f64,
    /// Payload of a message on average.
    pub message_bytes: f64,
}

/// What a cost is a piece of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A broadcast's copy that one client got; µs.
    Delivery,
    /// A message and its answer; µs.
    RoundTrip,
    /// An HTTP request and its answer; µs.
    Request,
    /// Connect, handshake, namespace joined, close; µs.
    Cycle,
    /// A connection that does nothing; KiB.
    Connection,
}

impl Unit {
    /// How the cost is written.
    pub fn label(self) -> &'static str {
        match self {
            Self::Delivery => "µs/delivery",
            Self::RoundTrip => "µs/round trip",
            Self::Request => "µs/request",
            Self::Cycle => "µs/cycle",
            Self::Connection => "KiB/connection",
        }
    }
}

impl Outcome {
    /// The cost of work that was counted and timed.
    pub fn of_work(unit: Unit, operations: u64, used: CpuTime, took: Duration) -> Self {
        let cost = used.total * 1e6 / operations.max(1) as f64;
        Self {
            scenario: String::new(),
            clients: 0,
            unit,
            operations,
            seconds: took.as_secs_f64(),
            cost,
            user_us: cost * used.user_share(),
            server_busy: used.total / took.as_secs_f64(),
            messages_per_read: 0.0,
            message_bytes: 0.0,
        }
    }

    /// Adds what the fleet counted, and refuses messages that lack their argument.
    pub fn with_messages(mut self, fleet: &Fleet) -> Result<Self, LoadError> {
        let messages = fleet.tally.messages.max(1) as f64;
        self.clients = fleet.len();
        self.messages_per_read = messages / fleet.reads.max(1) as f64;
        self.message_bytes = fleet.tally.payload_bytes as f64 / messages;
        if self.message_bytes < ARGUMENT_LEN as f64 {
            return Err(LoadError::ShortMessages(self.message_bytes));
        }
        Ok(self)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.2} {} ({} clients, {} in {:.2} s",
            self.scenario,
            self.cost,
            self.unit.label(),
            self.clients,
            self.operations,
            self.seconds
        )?;
        if self.unit == Unit::Connection {
            return f.write_str(")");
        }
        write!(
            f,
            ", {:.0}/s, server {:.0} % busy, {:.2} µs user",
            self.operations as f64 / self.seconds,
            self.server_busy * 100.0,
            self.user_us
        )?;
        if self.messages_per_read > 0.0 {
            write!(
                f,
                ", {:.2} messages a read, {:.0} bytes each",
                self.messages_per_read, self.message_bytes
            )?;
        }
        f.write_str(")")
    }
}
