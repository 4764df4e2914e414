//! Why a socket left its namespace.

use std::fmt;

use erlen_engineio::CloseReason;

/// The reason of a disconnect, with the reference's text, and the finer cause behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisconnectReason {
    kind: Kind,
    detail: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Server,
    Session(CloseReason),
}

impl DisconnectReason {
    /// The client left the namespace.
    pub const CLIENT: Self = Self { kind: Kind::Client, detail: "the client left the namespace" };
    /// The server disconnected the socket.
    pub const SERVER: Self = Self { kind: Kind::Server, detail: "the server disconnected the socket" };

    pub(crate) fn session(reason: CloseReason, detail: &'static str) -> Self {
        Self { kind: Kind::Session(reason), detail }
    }

    /// The text that Node's server has for it, where it has one.
    pub fn as_str(self) -> &'static str {
        match self.kind {
            Kind::Client => "client namespace disconnect",
            Kind::Server => "server namespace disconnect",
            Kind::Session(reason) => reason.as_str(),
        }
    }

    /// The finer cause, for people.
    pub fn detail(self) -> &'static str {
        self.detail
    }

    /// Whether the client has said itself that it goes: out of the namespace, or altogether.
    pub fn is_by_client(self) -> bool {
        self == Self::CLIENT || self.detail == CloseReason::BY_CLIENT
    }

    /// The reason of the session's end, if that took the socket along.
    pub fn close_reason(self) -> Option<CloseReason> {
        match self.kind {
            Kind::Session(reason) => Some(reason),
            Kind::Client | Kind::Server => None,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
