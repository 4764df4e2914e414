//! What the benchmark's programs share: a load generator that only counts frames, a meter of the
//! server's CPU and memory, and the few system calls that the standard library does not have.
//!
//! Not here: the servers. `floor` and `five-events` are binaries of their own, and any other
//! Socket.IO server with the five events (`echo`, `ack`, `bcast`, `join`, `room`) can be measured
//! as well. The programs `load`, `floor` and `compare` call this crate. Linux only.
//!
//! The protocol that is spoken: <https://github.com/socketio/socket.io-protocol>.

pub mod args;
pub mod binary;
pub mod broadcast;
pub mod case;
pub mod child;
pub mod connect;
pub mod error;
pub mod event;
pub mod fleet;
pub mod frame;
pub mod handshake;
pub mod heartbeat;
pub mod host;
pub mod http;
pub mod idle;
pub mod join;
pub mod latency;
pub mod memory;
pub mod meter;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod round_trip;
pub mod scenario;
pub mod slow;
pub mod sys;
pub mod table;
pub mod viewers;
pub mod work;
