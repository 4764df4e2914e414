//! `cargo xtask test`, the part `flask`: the wheel is built, installed in a fresh environment, and tested there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, step, target_dir};
use crate::tools;

/// Checks the package's Python, builds the wheel, and runs its tests on the reference and on Erlen.
pub(crate) fn test() -> Result<(), Failure> {
    tools::proxies();
    let package = tools::folder("python");
    let tools_python = tools::venv("venv-python-dev", &package.join("requirements-dev.txt"))?;
    let wheel = build(&tools_python, &package)?;
    let python = tools::fresh_venv("venv-wheel", &package.join("tests/requirements.txt"))?;
    pip(&python, &wheel)?;
    let in_package = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(&tools_python);
        command.arg("-m").args(arguments).current_dir(&package);
        step(name, command)
    };
    in_package("ruff", &["ruff", "check", "erlen"])?;
    in_package("ruff format", &["ruff", "format", "--check", "erlen"])?;
    in_package("mypy", &["mypy", "--python-executable", &python.to_string_lossy()])?;
    let mut tests = Command::new(&python);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(package.join("tests"));
    step("Flask door", tests)
}

/// The wheel, in a folder of its own.
fn build(python: &Path, package: &Path) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("wheels");
    // A wheel of an earlier version would be found too.
    let _ = std::fs::remove_dir_all(&folder);
    let mut build = Command::new(python);
    build.args(["-m", "maturin", "build", "--release", "--quiet", "--out"]).arg(&folder).current_dir(package);
    build.env("CARGO_TARGET_DIR", target_dir());
    step("build the wheel", build)?;
    let found = std::fs::read_dir(&folder).ok().and_then(|entries| entries.flatten().next());
    found.map(|entry| entry.path()).ok_or_else(|| Failure::failed("maturin has built no wheel"))
}

fn pip(python: &Path, wheel: &Path) -> Result<(), Failure> {
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).arg(wheel);
    step("install the wheel", install)
}
