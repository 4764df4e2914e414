//! The JSON scanner: no panic on any text, and what `serde_json` makes a value of, it takes.
//!
//! Of what it takes, `serde_json` refuses nothing but lone surrogates.
//! Run it with `cargo fuzz run -s none socketio_json`.

#![no_main]

use erlen_socketio::{
    json::{Rules, validate},
    placeholder_index,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let strict = validate(text, &Rules::default());
    let with_barewords = validate(text, &Rules { barewords: true, ..Rules::default() });
    if strict.is_ok() {
        assert_eq!(with_barewords, Ok(()));
    }
    let _ = placeholder_index(text);
    match (strict, serde_json::from_str::<Value>(text)) {
        (Err(error), Ok(_)) => panic!("serde_json takes it: {error}"),
        // One level more than serde_json's own limit passes, since an element has one less.
        (Ok(()), Err(error)) => {
            let error = error.to_string();
            let known = ["surrogate", "hex escape", "recursion limit"];
            assert!(known.iter().any(|known| error.contains(known)), "{error}");
        }
        _ => {}
    }
});
