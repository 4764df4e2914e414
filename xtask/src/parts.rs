//! `cargo xtask test` in its parts, and the longer commands.

use std::process::Command;

use crate::check;
use crate::counts;
use crate::flask;
use crate::run::{Failure, cargo, command, root, step, target_dir};
use crate::tools;

type Part = (&'static str, fn() -> Result<(), Failure>);

/// In this order: what fails fast comes first.
const PARTS: [Part; 9] = [
    ("check", check::lints),
    ("rust", rust),
    ("fuzz", fuzz),
    ("clients", clients),
    ("python", python),
    ("flask", flask::test),
    ("example", flask::example),
    ("counts", counts::test),
    ("page", page),
];

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;

pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    let mut without = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match (argument.as_str(), rest.next()) {
            ("--without", Some(part)) if PARTS.iter().any(|(name, _)| name == part) => {
                without.push(part.as_str())
            }
            _ => return Err(Failure::usage(crate::USAGE)),
        }
    }
    for (name, run) in PARTS {
        if without.contains(&name) {
            eprintln!("── {name}: left out");
            continue;
        }
        run()?;
    }
    Ok(())
}

/// All tests of all crates, doctests among them.
fn rust() -> Result<(), Failure> {
    step("cargo test", cargo(&["test", "--workspace", "--features", "erlen/tls"]))?;
    let portable = ["test", "--package", "erlen", "--features", "tls,portable", "--test", "it"];
    step("cargo test, as on other systems", cargo(&portable))
}

/// Every fuzz target for some seconds, on the stable toolchain.
fn fuzz() -> Result<(), Failure> {
    tools::cargo_fuzz()?;
    let entries = std::fs::read_dir(tools::folder("fuzz/fuzz_targets"));
    let entries = entries.map_err(|e| Failure::failed(format!("fuzz_targets cannot be read: {e}")))?;
    let mut targets: Vec<_> = entries
        .flatten()
        .filter_map(|e| Some(e.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    targets.sort();
    let seconds = format!("-max_total_time={FUZZ_SECONDS}");
    for target in targets {
        let arguments = ["fuzz", "run", "-s", "none", &target, "--", &seconds, "-verbosity=0"];
        step(&format!("fuzz {target}"), cargo(&arguments))?;
    }
    Ok(())
}

/// The clients of npm against the conformance servers.
fn clients() -> Result<(), Failure> {
    tools::node()?;
    build_conformance()?;
    let folder = tools::folder("tests/clients");
    tools::npm_ci(&folder)?;
    let mut test = command("node", &["--test", "--test-timeout=120000"]);
    test.current_dir(folder).env("ERLEN_BIN_DIR", target_dir().join("debug"));
    step("clients of npm", test)
}

/// The client of PyPI against the conformance servers.
fn python() -> Result<(), Failure> {
    build_conformance()?;
    let folder = tools::folder("tests/clients/python");
    let python = tools::python(&folder.join("requirements.txt"))?;
    let mut test = Command::new(python);
    test.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(folder);
    test.env("ERLEN_BIN_DIR", target_dir().join("debug"));
    step("client of PyPI", test)
}

fn build_conformance() -> Result<(), Failure> {
    step("build conformance servers", cargo(&["build", "--package", "conformance", "--bins"]))
}

/// The page of Erlen Live in a real browser.
fn page() -> Result<(), Failure> {
    tools::node()?;
    let chromium = tools::chromium()?;
    step("build Erlen Live", cargo(&["build", "--package", "erlen-dashboard"]))?;
    let folder = tools::folder("apps/dashboard/tests/page");
    tools::npm_ci(&folder)?;
    let mut test = command("node", &["--test", "--test-timeout=300000"]);
    test.current_dir(folder).env("CHROMIUM", chromium);
    test.env("ERLEN_LIVE_BIN", target_dir().join("debug/erlen-dashboard"));
    step("page", test)
}

/// The README's pictures.
pub(crate) fn screenshots() -> Result<(), Failure> {
    tools::node()?;
    let chromium = tools::chromium()?;
    step("build Erlen Live", cargo(&["build", "--release", "--package", "erlen-dashboard"]))?;
    let folder = tools::folder("apps/dashboard/tests/page");
    tools::npm_ci(&folder)?;
    let pictures = root().join("docs/pictures");
    let mut take = command("node", &["screenshots.js", &pictures.to_string_lossy()]);
    take.current_dir(folder).env("CHROMIUM", chromium);
    take.env("ERLEN_LIVE_BIN", target_dir().join("release/erlen-dashboard"));
    step("screenshots", take)
}
