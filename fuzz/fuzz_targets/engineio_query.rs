//! The query of a request: it is read without a panic, and a sid that is found is spelled in it.
//!
//! Run it with `cargo fuzz run -s none engineio_query`.

#![no_main]

use erlen_engineio::handshake::{HandshakeError, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    match Query::parse(query) {
        Err(error) => assert_eq!(error, HandshakeError::BadRequest),
        Ok(parsed) => {
            let Ok(Some(sid)) = parsed.sid else { return };
            assert!(query.contains('%') || query.contains(sid.as_str()));
        }
    }
});
