//! Why a session ended.

use std::fmt;

/// The cause of a session's end, with the reference's text where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// No pong in time.
    PingTimeout,
    /// The client said `1`, or its connection closed.
    TransportClose,
    /// A fault of the connection, an overlapping request, a wrong heartbeat.
    TransportError,
    /// A packet that cannot be parsed.
    ParseError,
    /// A message over the limit.
    PayloadTooLarge,
    /// The server closed the session on purpose.
    ForcedClose,
    /// The client broke a rule of the layer above.
    ForcedServerClose,
    /// The client takes its packets too slowly.
    SlowConsumer,
    /// The client sends faster than its handlers take.
    TooManyEvents,
    /// The server is going away.
    ServerShuttingDown,
}

impl CloseReason {
    /// The detail of a session that the client has closed by its own packet `1`; the reason is
    /// [`TransportClose`](Self::TransportClose) then.
    pub const BY_CLIENT: &str = "the client closed the session";

    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::PingTimeout,
        Self::TransportClose,
        Self::TransportError,
        Self::ParseError,
        Self::PayloadTooLarge,
        Self::ForcedClose,
        Self::ForcedServerClose,
        Self::SlowConsumer,
        Self::TooManyEvents,
        Self::ServerShuttingDown,
    ];

    /// The text that logs, counters and handlers see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::PayloadTooLarge => "payload too large",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::SlowConsumer => "slow consumer",
            Self::TooManyEvents => "too many events",
            Self::ServerShuttingDown => "server shutting down",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
