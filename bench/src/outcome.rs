//! The result of one scenario, as `load` prints it and `compare` reads it. Not the table of
//! several runs: that is `table`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::fleet::Fleet;
use crate::meter::Usage;

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
    /// How often the server's threads waited for one.
    pub waits: f64,
    /// Share of the time in which the server was on a CPU.
    pub server_busy: f64,
    /// Messages that one segment carried on average: those of one write, where a write is no longer than a segment.
    pub messages_per_write: f64,
    /// Payload of a message on average.
    pub message_bytes: f64,
    /// How late messages came, if that was measured.
    pub latency: Option<Latency>,
    /// The server's resident memory, if that was looked at.
    pub memory: Option<Memory>,
}

/// How late messages came, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them earlier.
    pub p50: f64,
    /// 99 of 100 earlier.
    pub p99: f64,
    /// 999 of 1 000 earlier.
    pub p999: f64,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Before the work.
    pub before: u64,
    /// At its height, as far as it was looked at.
    pub peak: u64,
    /// After it, when it no longer changed.
    pub after: u64,
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
    /// A room joined; µs.
    Join,
    /// A ping and its pong; µs.
    Heartbeat,
    /// A connection that does nothing; KiB.
    Connection,
    /// How late 99 of 100 messages were; µs.
    Lateness,
    /// Memory over the level before; per cent of it.
    Growth,
}

impl Unit {
    /// How the cost is written.
    pub fn label(self) -> &'static str {
        match self {
            Self::Delivery => "µs/delivery",
            Self::RoundTrip => "µs/round trip",
            Self::Request => "µs/request",
            Self::Cycle => "µs/cycle",
            Self::Join => "µs/join",
            Self::Heartbeat => "µs/heartbeat",
            Self::Connection => "KiB/connection",
            Self::Lateness => "µs at p99",
            Self::Growth => "% over before",
        }
    }

    /// Whether it is a time of the server's CPU.
    pub fn is_cpu(self) -> bool {
        !matches!(self, Self::Connection | Self::Lateness | Self::Growth)
    }
}

impl Outcome {
    /// The cost of work that was counted and timed.
    pub fn of_work(unit: Unit, operations: u64, used: Usage, took: Duration) -> Self {
        let cost = used.total * 1e6 / operations.max(1) as f64;
        Self {
            scenario: String::new(),
            clients: 0,
            unit,
            operations,
            seconds: took.as_secs_f64(),
            cost,
            user_us: cost * used.user_share(),
            waits: used.waits as f64 / operations.max(1) as f64,
            server_busy: used.total / took.as_secs_f64(),
            messages_per_write: 0.0,
            message_bytes: 0.0,
            latency: None,
            memory: None,
        }
    }

    /// Adds what the fleet counted, and refuses messages that lack their argument of `payload` bytes.
    pub fn with_messages(mut self, fleet: &Fleet, payload: usize) -> Result<Self, LoadError> {
        let messages = fleet.tally.messages.max(1) as f64;
        self.clients = fleet.len();
        self.messages_per_write = messages / fleet.segments()?.max(1) as f64;
        self.message_bytes = fleet.tally.payload_bytes as f64 / messages;
        if self.message_bytes < payload as f64 {
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
        if self.unit.is_cpu() {
            write!(
                f,
                ", {:.0}/s, server {:.0} % busy, {:.2} µs user, {:.4} waits",
                self.operations as f64 / self.seconds,
                self.server_busy * 100.0,
                self.user_us,
                self.waits
            )?;
        }
        if self.messages_per_write > 0.0 {
            write!(
                f,
                ", {:.2} messages a write, {:.0} bytes each",
                self.messages_per_write, self.message_bytes
            )?;
        }
        if let Some(more) = self.more() {
            write!(f, ", {more}")?;
        }
        f.write_str(")")
    }
}

impl Outcome {
    /// What only some scenarios have: lateness and memory.
    pub fn more(&self) -> Option<String> {
        let latency =
            self.latency.map(|l| format!("{:.0}, {:.0}, {:.0} µs at p50, p99, p99.9", l.p50, l.p99, l.p999));
        let memory = self.memory.map(|m| {
            let [before, peak, after] = [m.before, m.peak, m.after].map(|kib| kib as f64 / 1024.0);
            format!("{before:.1}, {peak:.1}, {after:.1} MiB before, at most, after")
        });
        let parts: Vec<String> = latency.into_iter().chain(memory).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
