//! What each feature of the server owes its user, by the public API alone.
//!
//! One module a feature. The duties are those of Socket.IO's server API, where Erlen does not say that it differs;
//! what is about rooms, acks and fetching runs on one server in memory and on two over a bus (support.rs).
//! Not hostile input (tests/hostile), not the wire of the official clients (conformance).
//! Spec: <https://socket.io/docs/v4/server-api/>.

mod ack;
mod binary;
mod connect;
mod doors;
mod events;
mod lifecycle;
mod plain_engineio;
mod rooms;
mod routes;
mod service;
mod support;
#[cfg(feature = "tls")]
mod tls;
