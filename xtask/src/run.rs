//! Running a command: say what runs, and say it again when it fails.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Why xtask ends without success.
pub(crate) struct Failure {
    pub(crate) sentence: String,
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn usage(sentence: &str) -> Self {
        Self { sentence: sentence.to_owned(), code: 2 }
    }

    pub(crate) fn missing(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Runs a step, with its name and its time.
pub(crate) fn step(name: &str, mut command: Command) -> Result<(), Failure> {
    eprintln!("── {name}");
    let started = Instant::now();
    let status =
        command.status().map_err(|e| Failure::failed(format!("{name}: {command:?} does not start: {e}")))?;
    if !status.success() {
        return Err(Failure::failed(format!("{name} failed ({status}); the command was {command:?}")));
    }
    eprintln!("   {name}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What a command prints, if it succeeds.
pub(crate) fn output(mut command: Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
