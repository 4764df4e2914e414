//! What the conformance servers share: their command line, a handshake as JSON, dates.
//!
//! Each binary in `src/bin` is the server of one suite, written against the public API alone, as a user would write
//! it. What the suites ask of them stands in `docs/conformance.md`, with what they found. No test lives here: those
//! that CI runs are in `tests/clients`.

mod command_line;
mod date;
mod handshake;

pub use command_line::{address, tls};
pub use date::{http_date, iso_date};
pub use handshake::handshake_json;
