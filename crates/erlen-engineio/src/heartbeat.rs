//! The heartbeat of revision 4 as values: the server pings, the client answers.
//!
//! ```text
//!          ping_interval               pong
//! Resting ───────────────▶ Waiting ───────────▶ Resting
//!                             │ ping_timeout (once more if anything else arrived)
//!                             ▼
//!                          timeout
//! ```

use std::time::{Duration, Instant};

use crate::Config;

/// How late a timer may be without the client being given more time.
const LATE: Duration = Duration::from_millis(128);

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
                // The pong is due as long after the ping was due, unless the timer was later than a timer is.
                let slack = LATE.min(config.ping_timeout / 10);
                let sent = if now.saturating_duration_since(at) <= slack { at } else { now };
                *self = Self::Waiting { until: sent + config.ping_timeout, extended: false };
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

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has to start its time somewhere")]
mod tests {
    use super::*;

    fn config() -> Config {
        let (ping_interval, ping_timeout) = (Duration::from_millis(300), Duration::from_millis(200));
        Config { ping_interval, ping_timeout, ..Config::default() }
    }

    #[test]
    fn a_timer_that_is_a_little_late_does_not_move_the_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(&config(), start);
        assert_eq!(heartbeat.handle_timeout(&config(), start + Duration::from_millis(308)), Beat::Ping);
        assert_eq!(heartbeat.deadline(), start + Duration::from_millis(500));
    }

    #[test]
    fn a_timer_that_is_much_too_late_leaves_the_client_its_whole_time() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(&config(), start);
        assert_eq!(heartbeat.handle_timeout(&config(), start + Duration::from_millis(5_000)), Beat::Ping);
        assert_eq!(heartbeat.deadline(), start + Duration::from_millis(5_200));
    }
}
