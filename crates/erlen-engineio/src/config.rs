//! What a session has to know: intervals, limits, transports.
//!
//! The defaults are those of the reference where clients depend on them, and bounded where the
//! reference is not.

use std::time::Duration;

/// Intervals, deadlines and bounds of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Time between two pings of the server. Default 25 s.
    pub ping_interval: Duration,
    /// What the client is told beyond that: it waits so much longer for a ping. Default none.
    pub ping_grace: Duration,
    /// Time that a client has for its pong. Default 20 s.
    pub ping_timeout: Duration,
    /// How long a WebSocket may probe before it is closed; the session goes on polling. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How long a queue may wait for a WebSocket that takes no bytes. Default 10 s.
    pub write_stall: Duration,
    /// How long a closed polling session waits for the GET that takes its last packets. Default 30 s.
    pub close_linger: Duration,
    /// Bytes of one POST body and of one WebSocket message, told to the client. Default 1 000 000.
    pub max_payload: usize,
    /// Packets of one POST body. Default 1 024.
    pub max_payload_packets: usize,
    /// Bytes that may wait for a client. One packet of any size may enter an empty queue. Default 1 MiB.
    pub max_queue_bytes: usize,
    /// Packets that may wait for a client. Default 4 096.
    pub max_queue_packets: usize,
    /// Whether a polling session may move to WebSocket. Default true.
    pub allow_upgrades: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_millis(25_000),
            ping_grace: Duration::ZERO,
            ping_timeout: Duration::from_millis(20_000),
            upgrade_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            close_linger: Duration::from_secs(30),
            max_payload: 1_000_000,
            max_payload_packets: 1_024,
            max_queue_bytes: 1 << 20,
            max_queue_packets: 4_096,
            allow_upgrades: true,
        }
    }
}
