//! What the tests need beyond cargo: found, or installed by the system's packages, or named in one line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::run::{Failure, command, output, root, step};

/// Whether a program is there. One that is there and does not answer is no program that is missing: what it says is told.
fn has(program: &str) -> Result<bool, Failure> {
    // Not in the workspace's root: where that has gone, no program would start, and each would look as if it were missing.
    match Command::new(program).arg("--version").output() {
        Ok(answer) if answer.status.success() => Ok(true),
        Ok(answer) => Err(refusal(&format!("{program} --version"), &answer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::failed(format!("{program} does not start: {error}"))),
    }
}

/// Where a program lies.
fn path_of(program: &str) -> Option<String> {
    let mut which = Command::new("which");
    which.arg(program);
    output(which).map(|path| path.trim().to_owned())
}

/// That a command has failed, by its status and its words.
fn refusal(command: &str, answer: &Output) -> Failure {
    let words = String::from_utf8_lossy(&answer.stderr);
    Failure::failed(format!("{command} failed ({}) {}", answer.status, words.trim()))
}

/// Installs packages of Debian's kind, if this is such a system and we may.
fn apt_install(what: &str, packages: &[&str]) -> Result<(), Failure> {
    let missing = |why: &str| {
        let names = packages.join(" ");
        Failure::missing(format!("{what} is missing{why}; install it ({names}), or leave the part out"))
    };
    if !has("apt-get")? || output(command("id", &["-u"])).is_none_or(|id| id.trim() != "0") {
        return Err(missing(""));
    }
    eprintln!("   installing {what} by apt-get");
    let apt_get = |arguments: &[&str]| {
        let mut run = Command::new("apt-get");
        // Others may be installing, too.
        run.args(["-o", "DPkg::Lock::Timeout=120"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let answer =
            run.output().map_err(|error| missing(&format!(", and apt-get does not start: {error}")))?;
        let failed = || missing(&format!(", and {}", refusal("apt-get", &answer).sentence));
        answer.status.success().then_some(()).ok_or_else(failed)
    };
    apt_get(&["update"])?;
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// Node.js and npm.
pub(crate) fn node() -> Result<(), Failure> {
    if has("node")? && has("npm")? {
        return Ok(());
    }
    apt_install("Node.js with npm", &["nodejs", "npm"])
}

/// The packages of a folder's lock file.
pub(crate) fn npm_ci(folder: &Path) -> Result<(), Failure> {
    let mut install = command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
    install.current_dir(folder);
    step("npm ci", install)
}

/// The Python of the tests' virtual environment with a requirements file installed.
pub(crate) fn python(requirements: &Path) -> Result<PathBuf, Failure> {
    venv("venv", requirements)
}

/// The Python of a virtual environment of that name with a requirements file installed.
pub(crate) fn venv(name: &str, requirements: &Path) -> Result<PathBuf, Failure> {
    if !has("python3")? {
        apt_install("Python", &["python3", "python3-venv"])?;
    }
    let venv = crate::run::target_dir().join(name);
    let python = venv.join("bin/python");
    if !python.exists() {
        let create = || command("python3", &["-m", "venv", &venv.to_string_lossy()]);
        if output(create()).is_none() {
            apt_install("Python's venv", &["python3-venv"])?;
            step("python venv", create())?;
        }
    }
    let list = requirements.to_string_lossy();
    let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &list];
    step("pip install", command(&python, &arguments))?;
    Ok(python)
}

/// The same, made anew: nothing of an earlier run is in it.
pub(crate) fn fresh_venv(name: &str, requirements: &Path) -> Result<PathBuf, Failure> {
    let folder = crate::run::target_dir().join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Failure::failed(format!("{} cannot be removed: {error}", folder.display())))?;
    }
    venv(name, requirements)
}

/// A Chromium, by the variable `CHROMIUM`, on the path, or from the system's packages.
pub(crate) fn chromium() -> Result<String, Failure> {
    if let Ok(path) = std::env::var("CHROMIUM") {
        return Ok(path);
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let find = || names.iter().find_map(|name| path_of(name));
    if let Some(path) = find() {
        return Ok(path);
    }
    apt_install("Chromium", &["chromium"])?;
    find().ok_or_else(|| {
        Failure::missing("Chromium is missing after its installation; set CHROMIUM to its path")
    })
}

/// What applications stand beside: the proxies that the deployment page is about, and Redis. Their tests are skipped, and say so, where
/// one cannot be installed.
pub(crate) fn neighbours() {
    for name in ["nginx", "caddy", "redis-server"] {
        if path_of(name).is_none()
            && let Err(failure) = apt_install(name, &[name])
        {
            eprintln!("   {}; its tests are skipped", failure.sentence);
        }
    }
}

/// Valgrind, whose callgrind counts instructions.
pub(crate) fn valgrind() -> Result<(), Failure> {
    if has("valgrind")? { Ok(()) } else { apt_install("Valgrind", &["valgrind"]) }
}

/// cargo-fuzz.
pub(crate) fn cargo_fuzz() -> Result<(), Failure> {
    if output(crate::run::cargo(&["fuzz", "--version"])).is_some() {
        return Ok(());
    }
    if !has("c++")? {
        apt_install("a C++ compiler, which libFuzzer needs", &["g++"])?;
    }
    step("install cargo-fuzz", crate::run::cargo(&["install", "cargo-fuzz", "--locked", "--quiet"]))
}

/// A folder of the workspace.
pub(crate) fn folder(path: &str) -> PathBuf {
    root().join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_missing_where_there_is_none_and_not_where_it_fails() {
        assert!(matches!(has("cargo"), Ok(true)));
        assert!(matches!(has("a-program-that-nobody-has"), Ok(false)));
        let failure = has("false").err().map(|failure| failure.sentence);
        assert!(
            failure.is_some_and(|sentence| sentence.starts_with("false --version failed (exit status: 1)"))
        );
    }
}
