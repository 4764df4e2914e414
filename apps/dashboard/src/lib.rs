//! Erlen Live: a live dashboard on real data of this host, of the engine and of anything that is posted.
//!
//! This is the library behind the binary. The way of a value: `host` and `engine` are sampled each second by `ticks`, `ingest`
//! parses what is posted over `http` or `events`, [`live`] stores both and encodes one tick a stream, `ticks` emits it to
//! the stream's room. It uses the engine's public API alone.

mod app;
mod assets;
pub mod auth;
pub mod boards;
pub mod catalogue;
pub mod columns;
mod engine;
mod events;
pub mod history;
pub mod host;
mod http;
pub mod ingest;
pub mod live;
pub mod options;
pub mod ring;
pub mod serve;
pub mod stream;
mod ticks;
