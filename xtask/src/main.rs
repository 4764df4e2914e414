//! The project's own commands: `cargo xtask check`, `test`, `bench`, `screenshots`.
//!
//! `check` is what one runs while working; `test` is every test there is, and installs what a fresh machine lacks.
//! Exit codes: 0 all passed, 1 something failed, 2 something could not be installed or the call was wrong.

mod bench;
mod check;
mod counts;
mod flask;
mod parts;
mod run;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask check                    fmt, clippy, docs, the dependency rule, the fast tests
cargo xtask test [--without PART]…   every test; PART: check, rust, fuzz, clients, python, flask,
                                     example, counts, page
cargo xtask bench [--peers LIST] [--suite SUITE] […]
                                     Erlen beside the floor and its peers; LIST: all, none, or of
                                     erlen-flask,socketioxide,node,gevent,threading,uvicorn;
                                     SUITE: table, payloads, growth, bystanders, memory, or
                                     shards: Erlen with one and with two, on one core; see bench/
cargo xtask bench --routes           a plain Flask route on Erlen, gunicorn, waitress and granian
cargo xtask bench --live [SECONDS]   what Erlen Live costs: its page in Chromium, 1 000 viewers
cargo xtask screenshots              the README's pictures of Erlen Live";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let result = match arguments.split_first() {
        Some((verb, rest)) if verb == "check" && rest.is_empty() => check::all(),
        Some((verb, rest)) if verb == "test" => parts::test(rest),
        Some((verb, rest)) if verb == "bench" => bench::run(rest),
        Some((verb, rest)) if verb == "screenshots" && rest.is_empty() => parts::screenshots(),
        _ => Err(run::Failure::usage(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}
