//! Erlen Live: a live dashboard on real data of this host, of the engine and of anything that is posted.
//!
//! This is the library behind the binary. The way of a value: `host` and the engine's counters are sampled each second,
//! `ingest` parses what is posted, [`live`] stores both and encodes one tick a stream, the server's glue emits it to the
//! stream's room. It uses the engine's public API alone.

pub mod auth;
pub mod boards;
pub mod catalogue;
pub mod columns;
pub mod history;
pub mod host;
pub mod ingest;
pub mod live;
pub mod options;
pub mod ring;
pub mod stream;
