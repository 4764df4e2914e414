//! Engine.IO, revision 4 of the protocol, without I/O.
//!
//! Bytes and the time come in as arguments, bytes and events go out as values. There is no socket,
//! clock, thread, runtime or random source in this crate, so every rule of the protocol can be
//! tested as a dialogue on virtual time.
//!
//! - [`Packet`] and [`EncodedPacket`]: one packet in, one packet out.
//! - [`payload`]: many packets in one HTTP body.
//! - [`frame`]: WebSocket frames (RFC 6455), the server's side.
//! - [`handshake`]: the request's query, the refusals, the open packet.
//! - [`Budget`]: what waits for slow clients, in all sessions together.
//! - [`Session`]: the state machine of one session: heartbeat, upgrade, queue, close.
//!
//! Spec: <https://github.com/socketio/engine.io-protocol>

mod budget;
mod close;
mod config;
mod encoded;
mod error;
pub mod frame;
pub mod handshake;
mod heartbeat;
mod packet;
pub mod payload;
mod queue;
mod session;
mod sid;
mod transport;

pub use budget::{Budget, Hold};
pub use close::CloseReason;
pub use config::Config;
pub use encoded::EncodedPacket;
pub use error::DecodeError;
pub use packet::{Message, Packet};
pub use session::{Completeness, Get, Input, Post, Probe, ProbeStep, SendError, Session, Timeout};
pub use sid::Sid;
pub use transport::Transport;
