//! The head of a request that the engine reads itself: whatever is taken, hyper takes as the same request, and sees its end at
//! the same byte; no part of it is taken.
//!
//! Run it with `cargo fuzz run -s none request_head`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    erlen::engine::check_request_head(input);
});
