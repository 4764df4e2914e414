//! `npm ci` of a locked package list, run in the build's own output folder.
//!
//! This is not a general npm wrapper: it installs what one committed `package-lock.json` names, runs no
//! package's scripts, and turns every failure into one sentence that says what to install or to mend.
//! The build scripts of `erlen-client-js` and of Erlen Live call it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use flate2::{Compression, write::GzEncoder};

/// Installs the packages that `manifest_dir`'s lock names below `out_dir` and returns the `node_modules` folder.
///
/// Ends the build with one sentence when that cannot be done.
pub(crate) fn install(manifest_dir: &Path, out_dir: &Path) -> PathBuf {
    let home = out_dir.join("npm");
    let modules = home.join("node_modules");
    let lock = read(&manifest_dir.join("package-lock.json"));
    println!("cargo:rerun-if-changed={}", manifest_dir.join("package.json").display());
    println!("cargo:rerun-if-changed={}", manifest_dir.join("package-lock.json").display());

    // Written last, so a half-finished install is done again.
    let stamp = home.join("installed.lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return modules;
    }
    write(&home.join("package.json"), &read(&manifest_dir.join("package.json")));
    write(&home.join("package-lock.json"), &lock);
    run_npm(&home);
    write(&stamp, &lock);
    modules
}

fn run_npm(home: &Path) {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let result = Command::new(program)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(home)
        .output();
    match result {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!(
            "npm could not fetch the JavaScript libraries; check that this machine reaches the npm registry. npm said:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(_) => fail(
            "npm was not found, and the JavaScript libraries come from it; install Node.js 18 or newer with npm \
             (Debian and Ubuntu: apt-get install npm) and build again.",
        ),
    }
}

/// The bytes of a file that the build cannot go on without.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| fail(&format!("could not read {}: {error}", path.display())))
}

/// Writes a file of the build's output, with the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    written.unwrap_or_else(|error| fail(&format!("could not write {}: {error}", path.display())));
}

/// The bytes as gzip at its best level, so that a server can send them compressed without compressing.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.unwrap_or_else(|error| fail(&format!("could not compress a file: {error}")))
}

/// Says one sentence and ends the build; a panic would bury it under a backtrace.
pub(crate) fn fail(sentence: &str) -> ! {
    eprintln!("\n{sentence}\n");
    exit(1)
}
