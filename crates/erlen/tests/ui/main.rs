//! What the compiler says to a handler that is wrong: it names the argument or the value, and what to write instead.
//!
//! The expected messages stand beside each program. Their wording is one compiler's, so another one is not asked;
//! `TRYBUILD=overwrite` writes them anew.

use std::process::Command;

/// The compiler whose words the expected messages are.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn wrong_handlers_are_refused_with_messages_that_help() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("cargo has found a rustc");
    let version = String::from_utf8_lossy(&version.stdout);
    if !version.starts_with(COMPILER) && std::env::var_os("TRYBUILD").is_none() {
        eprintln!(
            "not asked: the expected messages are those of {COMPILER}x, and this is {}",
            version.trim()
        );
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/wrong/*.rs");
}
