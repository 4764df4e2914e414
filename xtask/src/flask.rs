//! `cargo xtask test`, the parts `flask` and `example`: the wheel is built and installed, and tested there, and so is an
//! application on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, command, step, target_dir};
use crate::tools;

/// Checks the package's Python, builds the wheel, and runs its tests on the reference and on Erlen.
pub(crate) fn test() -> Result<(), Failure> {
    tools::neighbours();
    let package = tools::folder("python");
    let tools_python = tools_python()?;
    let wheel = wheel()?;
    let python = tools::fresh_venv("venv-wheel", &package.join("tests/requirements.txt"))?;
    install(&python, &[], &wheel)?;
    let in_package = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(&tools_python);
        command.arg("-m").args(arguments).current_dir(&package);
        step(name, command)
    };
    in_package("ruff", &["ruff", "check", "erlen"])?;
    in_package("ruff format", &["ruff", "format", "--check", "erlen"])?;
    in_package("mypy", &["mypy", "--python-executable", &python.to_string_lossy()])?;
    let tests = package.join("tests");
    tools::node()?;
    tools::npm_ci(&tests.join("pyright"))?;
    step("Flask door", pytest(&python, &tests))?;
    oldest(&tests, &wheel)?;
    green(&tests, &wheel)
}

/// What looks at Flask itself, on the oldest that the package works with.
fn oldest(tests: &Path, wheel: &Path) -> Result<(), Failure> {
    let python = tools::fresh_venv("venv-flask23", &tests.join("requirements-flask23.txt"))?;
    install(&python, &[], wheel)?;
    let mut run = pytest(&python, tests);
    let names =
        ["contexts", "routing", "sessions", "connect", "disconnect", "dispatch", "http", "middleware"];
    run.args(["--engine", "erlen"]).args(names.map(|name| format!("test_{name}.py")));
    step("Flask 2.3", run)
}

/// The tests of applications that gevent and eventlet have patched. They are skipped, and say so, where those cannot be installed.
fn green(tests: &Path, wheel: &Path) -> Result<(), Failure> {
    let python = match tools::fresh_venv("venv-green", &tests.join("requirements-green.txt")) {
        Ok(python) => python,
        Err(failure) => {
            eprintln!("   {}; the tests of gevent and eventlet are skipped", failure.sentence);
            return Ok(());
        }
    };
    install(&python, &[], wheel)?;
    let mut run = pytest(&python, tests);
    run.args(["unit/test_green.py", "test_redis_listener.py"]);
    step("gevent and eventlet", run)
}

/// The dashboard in Flask: its tests without a browser and those in one, on both engines.
pub(crate) fn example() -> Result<(), Failure> {
    tools::node()?;
    let chromium = tools::chromium()?;
    let folder = tools::folder("examples/dashboard-flask");
    let wheel = wheel()?;
    let python = tools::venv("venv-example", &folder.join("requirements-dev.txt"))?;
    // The environment is kept, for what the dashboard needs is large; the wheel in it is always this one.
    install(&python, &["--force-reinstall", "--no-deps"], &wheel)?;
    for engine in ["flask-socketio", "erlen"] {
        let mut tests = pytest(&python, &folder);
        tests.env("ENGINE", engine);
        step(&format!("dashboard on {engine}"), tests)?;
    }
    tools::npm_ci(&folder)?;
    let mut page = command("npm", &["test", "--silent"]);
    page.current_dir(folder).env("PYTHON", python).env("CHROMIUM", chromium);
    step("dashboard in a browser", page)
}

fn pytest(python: &Path, folder: &Path) -> Command {
    let mut tests = Command::new(python);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(folder);
    tests
}

/// The Python that has what builds and checks the package.
fn tools_python() -> Result<PathBuf, Failure> {
    tools::venv("venv-python-dev", &tools::folder("python/requirements-dev.txt"))
}

/// The wheel, in a folder of its own.
fn wheel() -> Result<PathBuf, Failure> {
    let folder = target_dir().join("wheels");
    // A wheel of an earlier version would be found too.
    let _ = std::fs::remove_dir_all(&folder);
    let mut build = Command::new(tools_python()?);
    build.args(["-m", "maturin", "build", "--release", "--quiet", "--out"]).arg(&folder);
    build.current_dir(tools::folder("python"));
    build.env("CARGO_TARGET_DIR", target_dir());
    step("build the wheel", build)?;
    let found = std::fs::read_dir(&folder).ok().and_then(|entries| entries.flatten().next());
    found.map(|entry| entry.path()).ok_or_else(|| Failure::failed("maturin has built no wheel"))
}

fn install(python: &Path, options: &[&str], wheel: &Path) -> Result<(), Failure> {
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(options).arg(wheel);
    step("install the wheel", install)
}
