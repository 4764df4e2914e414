//! `cargo xtask bench`: Erlen beside the floor and its peers, each installed from its registry by the versions in `bench/peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, cargo, output, root, step, target_dir};
use crate::tools;

/// Who can be measured beside Erlen in Rust and the floor.
const PEERS: [(&str, Install); 6] = [
    ("erlen-flask", erlen_flask),
    ("socketioxide", socketioxide),
    ("node", node),
    ("gevent", || flask("gevent")),
    ("threading", || flask("threading")),
    ("uvicorn", uvicorn),
];

/// Installs a peer.
type Install = fn() -> Result<Peer, Failure>;

/// A server that can be started.
struct Peer {
    command: String,
    /// Of what it is made.
    versions: String,
}

/// `[--peers a,b|all|none]` and what `compare` takes, such as `--suite growth`; or `--routes [RUNS [SECONDS]]`, or
/// `--live [SECONDS]`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("--routes", rest)) => return routes(rest),
        Some(("--live", rest)) => return live(rest),
        _ => {}
    }
    let mut wanted = "all".to_owned();
    let mut rest = Vec::new();
    let mut given = arguments.iter();
    while let Some(argument) = given.next() {
        if argument == "--peers" {
            wanted = given.next().cloned().ok_or_else(|| Failure::usage(crate::USAGE))?;
        } else {
            rest.push(argument.as_str());
        }
    }
    let peers = chosen(&wanted)?;
    step("build", cargo(&["build", "--release", "--package", "erlen-bench", "--bins"]))?;
    let bin = target_dir().join("release");
    // What it does not take, it says before peers are installed for it.
    let mut check = Command::new(bin.join("compare"));
    check.args(["--check", "--floor"]).args(&rest);
    step("arguments", check)?;
    let mut compare = Command::new(bin.join("compare"));
    let own = format!("{} {{port}}", bin.join("five-events").display());
    let is_alone = rest.windows(2).any(|pair| pair == ["--suite", "shards"]);
    if is_alone {
        // Erlen beside itself, on the same core: with the same clients, and with as many for each shard.
        let two = ["two-shards", "two-shards*2"].map(|name| format!("{name}=env SHARDS=2 {own}"));
        compare.args(["--server", &format!("one-shard={own}"), "--server", &two[0], "--server", &two[1]]);
    } else {
        compare.args(["--floor", "--server", &format!("erlen={own}")]);
    }
    for name in peers.into_iter().filter(|_| !is_alone) {
        let install = PEERS.iter().find(|(peer, _)| *peer == name).map(|(_, install)| install);
        let install = install.ok_or_else(|| Failure::usage(crate::USAGE))?;
        let peer = install()?;
        println!("- {name}: {}", peer.versions);
        compare.args(["--server", &format!("{name}={}", peer.command)]);
    }
    println!("- {}", version("rustc"));
    compare.args(rest).current_dir(root());
    step("compare", compare)
}

/// Plain Flask routes beside the servers that people use for them.
fn routes(arguments: &[String]) -> Result<(), Failure> {
    step("build", cargo(&["build", "--release", "--package", "erlen-bench", "--bins"]))?;
    erlen_flask()?;
    let mut routes = Command::new(flask_python()?);
    routes.arg(peer("flask/routes.py")).arg(target_dir().join("release/load")).args(arguments);
    step("routes", routes)
}

/// What Erlen Live itself costs: its page in a browser, and many viewers of one board.
fn live(arguments: &[String]) -> Result<(), Failure> {
    tools::node()?;
    let chromium = tools::chromium()?;
    let packages = ["--package", "erlen-bench", "--package", "erlen-dashboard"];
    step("build", cargo(&[&["build", "--release", "--bins"], packages.as_slice()].concat()))?;
    let folder = tools::folder("apps/dashboard/tests/page");
    tools::npm_ci(&folder)?;
    let bin = target_dir().join("release");
    let mut cost = Command::new("node");
    cost.arg("cost.js").args(arguments).current_dir(folder).env("CHROMIUM", chromium);
    cost.env("ERLEN_LIVE_BIN", bin.join("erlen-dashboard")).env("VIEWERS_BIN", bin.join("viewers"));
    step("live", cost)
}

fn chosen(wanted: &str) -> Result<Vec<&str>, Failure> {
    match wanted {
        "all" => Ok(PEERS.iter().map(|(name, _)| *name).collect()),
        "none" => Ok(Vec::new()),
        list => {
            let names: Vec<_> = list.split(',').collect();
            match names.iter().find(|name| !PEERS.iter().any(|(peer, _)| peer == *name)) {
                Some(unknown) => {
                    Err(Failure::usage(&format!("there is no peer {unknown}\n{}", crate::USAGE)))
                }
                None => Ok(names),
            }
        }
    }
}

fn peer(path: &str) -> PathBuf {
    tools::folder("bench/peers").join(path)
}

/// What a program says of its version.
fn version(program: &str) -> String {
    let said = output(crate::run::command(program, &["--version"])).unwrap_or_default();
    format!("{program} {}", said.trim().trim_start_matches(program).trim())
}

/// The lines of a list that begin with one of the words, whatever is drawn before them, as one.
fn lines_with(list: &str, words: &[&str]) -> String {
    let lines = list.lines().map(|line| line.trim_start_matches(|c: char| !c.is_alphanumeric()).trim_end());
    lines.filter(|line| words.iter().any(|word| line.starts_with(word))).collect::<Vec<_>>().join(", ")
}

fn node() -> Result<Peer, Failure> {
    tools::node()?;
    // With its scripts: bufferutil brings or builds a native module.
    let mut install = crate::run::command("npm", &["ci", "--no-audit", "--no-fund", "--silent"]);
    install.current_dir(peer("node"));
    step("npm ci", install)?;
    let mut list = crate::run::command("npm", &["ls", "--depth=0"]);
    list.current_dir(peer("node"));
    let packages = lines_with(&output(list).unwrap_or_default(), &["socket.io@", "bufferutil@"]);
    Ok(Peer {
        command: format!("node {} {{port}}", peer("node/server.js").display()),
        versions: format!("{}, {packages}", version("node")),
    })
}

fn socketioxide() -> Result<Peer, Failure> {
    let manifest = peer("socketioxide/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let target = target_dir().join("peers");
    let target = target.to_string_lossy();
    let build = ["build", "--release", "--locked", "--manifest-path", &manifest, "--target-dir", &target];
    step("build socketioxide", cargo(&build))?;
    let tree = ["tree", "--locked", "--manifest-path", &manifest, "--depth", "1", "--prefix", "none"];
    let tree = output(cargo(&tree)).unwrap_or_default();
    Ok(Peer {
        command: format!("{target}/release/bench-socketioxide {{port}}"),
        versions: lines_with(&tree, &["socketioxide v", "axum v"]),
    })
}

fn flask_python() -> Result<PathBuf, Failure> {
    tools::venv("venv-bench-flask", &peer("flask/requirements.txt"))
}

fn flask(mode: &str) -> Result<Peer, Failure> {
    let python = flask_python()?;
    Ok(Peer {
        command: format!("{} {} {mode} {{port}}", python.display(), peer("flask/server.py").display()),
        versions: python_versions(
            &python,
            &["erlen==", "flask==", "flask-socketio==", "python-socketio==", "gevent=="],
        ),
    })
}

/// The interpreter's version and those of some packages of its environment.
fn python_versions(python: &Path, packages: &[&str]) -> String {
    let said = output(crate::run::command(python, &["--version"])).unwrap_or_default();
    let list = ["-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"];
    let list = output(crate::run::command(python, &list)).unwrap_or_default();
    format!("{}, {}", said.trim(), lines_with(&list.to_lowercase(), packages))
}

fn erlen_flask() -> Result<Peer, Failure> {
    let python = flask_python()?;
    let package = tools::folder("python");
    let mut install = Command::new(python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--force-reinstall",
        "--no-deps",
    ]);
    install.arg(package);
    step("build and install the wheel", install)?;
    flask("erlen")
}

fn uvicorn() -> Result<Peer, Failure> {
    let python = tools::venv("venv-bench-uvicorn", &peer("uvicorn/requirements.txt"))?;
    Ok(Peer {
        command: format!("{} {} {{port}}", python.display(), peer("uvicorn/server.py").display()),
        versions: python_versions(&python, &["uvicorn==", "python-socketio==", "uvloop=="]),
    })
}
