//! How packets travel: HTTP long-polling or WebSocket.
//!
//! Spec: Engine.IO protocol, "Transports".

use std::fmt;

/// A transport of Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling: GET drains, POST feeds.
    Polling,
    /// WebSocket: one packet a message.
    WebSocket,
}

impl Transport {
    /// The name in the query's `transport` and in the list of upgrades.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }

    /// The transport of that name, if it is one that this crate speaks.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
