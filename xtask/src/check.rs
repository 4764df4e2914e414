//! `cargo xtask check`: what must hold at every commit.

use crate::run::{Failure, cargo, output, step};

/// Crates that the two protocol crates must not reach: they are without I/O, clock and randomness.
const BANNED: [&str; 6] = ["tokio", "mio", "libc", "rand", "getrandom", "hyper"];

pub(crate) fn all() -> Result<(), Failure> {
    lints()?;
    step("fast tests", cargo(&["test", "--workspace", "--lib", "--bins", "--quiet"]))
}

/// Format, lints, docs, the dependency rule.
pub(crate) fn lints() -> Result<(), Failure> {
    step("format", cargo(&["fmt", "--all", "--", "--check"]))?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "erlen/tls",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    step("clippy", cargo(&clippy))?;
    let portable =
        ["clippy", "--package", "erlen", "--features", "tls,portable", "--quiet", "--", "-D", "warnings"];
    step("clippy, as on other systems", cargo(&portable))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    step("docs", docs)?;
    dependencies()
}

/// The protocol crates know bytes and JSON, and nothing of the world.
fn dependencies() -> Result<(), Failure> {
    for package in ["erlen-engineio", "erlen-socketio"] {
        let tree = cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        let tree = output(tree).ok_or_else(|| Failure::failed("cargo tree failed"))?;
        let reached =
            tree.lines().filter_map(|line| line.split(' ').next()).find(|name| BANNED.contains(name));
        if let Some(name) = reached {
            return Err(Failure::failed(format!(
                "{package} reaches {name}: the protocol crates are without I/O"
            )));
        }
    }
    Ok(())
}
