//! Hostile and broken input against a real server: raw bytes in, and what a sound server answers.
//!
//! Each module is a table of the contract on hostile input; its tests carry the row's id. They speak HTTP and
//! WebSocket frames by hand (support.rs), so that nothing between them and the server mends what is broken.
//! Spec: Engine.IO protocol v4, Socket.IO protocol v5, RFC 9112, RFC 6455.

mod arrival;
mod budget;
mod deadlines;
mod engine_packets;
mod faults;
mod frames;
mod handshake;
mod kept;
mod leaks;
mod limits;
mod logs;
mod polling_get;
mod polling_post;
mod reasons;
mod reports;
mod socket_packets;
mod sockets;
mod support;
mod upgrade;
