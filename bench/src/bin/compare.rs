//! Runs the load against the floor and against servers, in turn, and prints what each costs and
//! the ratio to the first of them.
//!
//! `compare [--floor] [--server [NAME=]'COMMAND with {port}']... [--runs 5] [--suite NAME | --scenarios a,b,c]
//! [--seconds 3] [--browser-headers] [--json FILE] [--check]`
//!
//! With `--check` nothing is measured: the arguments are looked at. A scenario may say its sizes, `echo/payload=1024`; a suite is a list of such (`case`).
//!
//! Every run gets a fresh server on core 0, the load runs on core 1; for each scenario the servers
//! alternate (A B A B), so that a machine that gets slower does so for all. A command is split at
//! spaces and started without a shell: its process must be the server itself. A server that fails
//! in a scenario has that in its line, and the others go on. One that is called `NAME*2` gets twice the clients.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use erlen_bench::args::{Args, UsageError};
use erlen_bench::case::{self, Case};
use erlen_bench::child::{Server, run_load, sibling};
use erlen_bench::table::{self, Row};
use erlen_bench::{host, sys};

const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;

struct Named {
    name: String,
    command: String,
    /// How many times a case's clients it gets.
    share: usize,
}

struct Comparison {
    servers: Vec<Named>,
    cases: Vec<Case>,
    runs: usize,
    seconds: f64,
    load_arguments: Vec<String>,
    json: Option<String>,
}

fn main() -> ExitCode {
    let mut args = Args::of_process();
    let is_check = args.flag("--check");
    let comparison = match Comparison::parse(args) {
        Ok(_) if is_check => return ExitCode::SUCCESS,
        Ok(comparison) => comparison,
        Err(error) => {
            eprintln!("compare: {error}");
            return ExitCode::from(2);
        }
    };
    match comparison.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Comparison {
    fn parse(mut args: Args) -> Result<Self, UsageError> {
        let mut servers = Vec::new();
        if args.flag("--floor") {
            let floor = sibling("floor").map_err(|error| UsageError::new(error.to_string()))?;
            servers.push(named(format!("floor={} {{port}}", floor.display())));
        }
        servers.extend(args.values("--server")?.into_iter().map(named));
        if servers.is_empty() {
            return Err(UsageError::new("nothing to measure: give --floor or --server"));
        }
        let seconds = args.value("--seconds")?.unwrap_or(3.0);
        let mut load_arguments = vec!["--seconds".to_owned(), f64::to_string(&seconds)];
        if args.flag("--browser-headers") {
            load_arguments.push("--browser-headers".to_owned());
        }
        let comparison = Self {
            servers,
            cases: cases(args.value("--suite")?, args.value("--scenarios")?)?,
            runs: args.value("--runs")?.unwrap_or(5),
            seconds,
            load_arguments,
            json: args.value("--json")?,
        };
        args.finish()?;
        Ok(comparison)
    }

    fn run(&self) -> Result<(), Box<dyn Error>> {
        sys::raise_file_limit()?;
        print!(
            "{}- medians of {} runs of {} s\n\n{}",
            host::describe(),
            self.runs,
            self.seconds,
            table::heading()
        );
        let mut raw = serde_json::Map::new();
        raw.insert("host".to_owned(), host::describe().into());
        for &case in &self.cases {
            let rows = self.measure(case);
            print!("{}", table::lines(&case.to_string(), &rows));
            let runs = rows.into_iter().map(|row| (row.server, row.runs));
            let runs: Vec<_> = runs.collect();
            raw.insert(case.to_string(), serde_json::json!(runs));
        }
        if let Some(file) = &self.json {
            std::fs::write(file, serde_json::to_string_pretty(&raw)?)?;
        }
        Ok(())
    }

    fn measure(&self, case: Case) -> Vec<Row> {
        let arguments = |server: &Named| {
            let case = Case { clients: case.clients * server.share, ..case };
            [self.load_arguments.as_slice(), &["--scenario".to_owned(), case.to_string()]].concat()
        };
        let limit = Duration::from_secs_f64(self.seconds * 2.0 + 120.0);
        let mut rows: Vec<Row> = Vec::new();
        let servers: Vec<_> = self
            .servers
            .iter()
            .filter(|server| case.scenario.has_floor() || server.name != "floor")
            .collect();
        for server in &servers {
            rows.push(Row { server: server.name.clone(), runs: Vec::new(), failure: None });
        }
        for _ in 0..self.runs {
            for (named, row) in servers.iter().zip(&mut rows) {
                if row.failure.is_some() {
                    continue;
                }
                let outcome = Server::start(&named.command, SERVER_CORE)
                    .and_then(|server| run_load(&server, &arguments(named), LOAD_CORE, limit));
                match outcome {
                    Ok(outcome) => row.runs.push(outcome),
                    Err(error) => row.failure = Some(error.to_string()),
                }
            }
        }
        rows
    }
}

/// `NAME=COMMAND`, `NAME*2=COMMAND`, or a command that is called by its program's file name.
fn named(text: String) -> Named {
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let (name, command) = match first_word.split_once('=') {
        Some((name, _)) => (name, text.trim_start().get(name.len() + 1..).unwrap_or_default()),
        None => (first_word.rsplit('/').next().unwrap_or_default(), text.as_str()),
    };
    let share = name.rsplit_once('*').and_then(|(_, times)| times.parse().ok()).unwrap_or(1);
    Named { name: name.to_owned(), command: command.to_owned(), share }
}

fn cases(suite: Option<String>, list: Option<String>) -> Result<Vec<Case>, UsageError> {
    if let Some(list) = list {
        return list.split(',').map(str::parse).collect();
    }
    let suite = suite.unwrap_or_else(|| "table".to_owned());
    let unknown = || UsageError::new(format!("{suite:?} is not a suite: {}", case::SUITES.join(", ")));
    case::suite(&suite).ok_or_else(unknown)
}
