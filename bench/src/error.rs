//! Why a measurement could not be made. Called by every module of the load generator; the programs
//! print it and exit with 1.

use std::fmt;
use std::io;

/// Why a measurement could not be made, or could not be trusted.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// A system call failed; the text says what was tried.
    Io(&'static str, io::Error),
    /// The server's answer to the handshake was not what the protocol says.
    Handshake(String),
    /// The server sent a frame that no server may send to this client.
    Frame(&'static str),
    /// The server closed a connection that was in use.
    Lost,
    /// Nothing arrived for so long that the server must have forgotten something.
    Stalled,
    /// The server does not read: its receive buffer is full.
    NotRead,
    /// More or fewer messages than the scenario makes arrived at one client.
    Count(String),
    /// The server's messages are shorter than what it was asked to send.
    ShortMessages(f64),
    /// Too few open files are allowed for that many clients.
    FileLimit {
        /// What would be needed.
        needed: usize,
        /// What the hard limit allows.
        allowed: usize,
    },
    /// /proc said something that could not be read.
    Proc(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Handshake(what) => write!(f, "handshake: {what}"),
            Self::Frame(what) => write!(f, "frame: {what}"),
            Self::Lost => f.write_str("the server closed a connection"),
            Self::Stalled => f.write_str("no message arrived for ten seconds"),
            Self::NotRead => f.write_str("the server does not read what it is sent"),
            Self::Count(what) => write!(f, "wrong number of messages: {what}"),
            Self::ShortMessages(bytes) => {
                write!(f, "messages of {bytes:.0} bytes are shorter than their argument")
            }
            Self::FileLimit { needed, allowed } => write!(
                f,
                "{needed} open files are needed, {allowed} are allowed: fewer --clients or a higher ulimit -Hn"
            ),
            Self::Proc(what) => write!(f, "/proc: {what}"),
        }
    }
}

impl std::error::Error for LoadError {}
