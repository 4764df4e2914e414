//! The heartbeat of revision 4 as values: the server pings, the client answers.
//!
//! ```text
//!          ping_interval               pong
//! Resting ───────────────▶ Waiting ───────────▶ Resting
//!                             │ ping_timeout (once more if anything else arrived)
//!                             ▼
//!                          timeout
//! ```

use std::time::Instant;

use crate::Config;

/// Where the heartbeat of a session stands.
#[derive(Debug)]
pub(crate) enum Heartbeat {
    /// The next ping is due at this time.
    Resting(Instant),
    /// A ping is out; its pong is due at this time. `extended`: another packet has moved it once.
    Waiting { until: Instant, extended: bool },
}

/// What a deadline of the heartbeat asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    Ping,
    TimedOut,
}

impl Heartbeat {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        Self::Resting(now + config.ping_interval)
    }

    /// A pong, or nothing if none is awaited: one in advance pays for no later ping.
    pub(crate) fn handle_pong(&mut self, config: &Config, now: Instant) {
        if let Self::Waiting { .. } = self {
            *self = Self::new(config, now);
        }
    }

    /// Any other packet: a sign of life, which extends the wait for a pong once a ping.
    pub(crate) fn handle_packet(&mut self, config: &Config, now: Instant) {
        if let Self::Waiting { until, extended: extended @ false } = self {
            *until = now + config.ping_timeout;
            *extended = true;
        }
    }

    pub(crate) fn handle_timeout(&mut self, config: &Config, now: Instant) -> Beat {
        match *self {
            Self::Resting(at) if at <= now => {
                *self = Self::Waiting { until: now + config.ping_timeout, extended: false };
                Beat::Ping
            }
            Self::Waiting { until, .. } if until <= now => Beat::TimedOut,
            _ => Beat::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        match *self {
            Self::Resting(at) => at,
            Self::Waiting { until, .. } => until,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }
}
