//! The head of a report: on what it was measured, and of what commit. Called by `compare`.

use std::fmt::Write;
use std::fs;
use std::process::Command;

/// Lines for people: commit, kernel, processor.
pub fn describe() -> String {
    let mut text = String::new();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "- Erlen {}, commit {}", env!("CARGO_PKG_VERSION"), commit());
    let _ = writeln!(text, "- Linux {}, {count} × {}", kernel.trim(), model.map_or("?", |(_, model)| model));
    text
}

/// The commit that is checked out, and whether files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(id) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => id,
        _ => format!("{id} and changes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_and_the_processors_are_named() {
        let text = describe();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("Linux ") && text.contains(" × "), "{text}");
    }
}
