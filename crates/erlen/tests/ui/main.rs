//! What the compiler says to a handler that is wrong: it names the argument or the value, and what to write instead.
//!
//! The expected messages stand beside each program. They are those of the toolchain that the project is built with;
//! `TRYBUILD=overwrite` writes them anew.

#[test]
fn wrong_handlers_are_refused_with_messages_that_help() {
    trybuild::TestCases::new().compile_fail("tests/ui/wrong/*.rs");
}
