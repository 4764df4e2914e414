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
//! in a scenario has that in its line, and the others go on.

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

struct Comparison {
    servers: Vec<(String, String)>,
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
            servers.push(("floor".to_owned(), format!("{} {{port}}", floor.display())));
        }
        let commands = args.values("--server")?;
        servers.extend(commands.into_iter().map(named));
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
        let mut arguments = self.load_arguments.clone();
        arguments.extend(["--scenario".to_owned(), case.to_string()]);
        let limit = Duration::from_secs_f64(self.seconds * 2.0 + 120.0);
        let mut rows: Vec<Row> = Vec::new();
        let servers: Vec<_> =
            self.servers.iter().filter(|(name, _)| case.scenario.has_floor() || name != "floor").collect();
        for (name, _) in &servers {
            rows.push(Row { server: name.clone(), runs: Vec::new(), failure: None });
        }
        for _ in 0..self.runs {
            for ((_, command), row) in servers.iter().zip(&mut rows) {
                if row.failure.is_some() {
                    continue;
                }
                let outcome = Server::start(command, SERVER_CORE)
                    .and_then(|server| run_load(&server, &arguments, LOAD_CORE, limit));
                match outcome {
                    Ok(outcome) => row.runs.push(outcome),
                    Err(error) => row.failure = Some(error.to_string()),
                }
            }
        }
        rows
    }
}

/// `NAME=COMMAND`, or a command that is called by its program's file name.
fn named(command: String) -> (String, String) {
    let first_word = command.split_whitespace().next().unwrap_or_default();
    if let Some((name, _)) = first_word.split_once('=') {
        let rest = command.trim_start().get(name.len() + 1..);
        return (name.to_owned(), rest.unwrap_or_default().to_owned());
    }
    let name = first_word.rsplit('/').next().unwrap_or_default().to_owned();
    (name, command)
}

fn cases(suite: Option<String>, list: Option<String>) -> Result<Vec<Case>, UsageError> {
    if let Some(list) = list {
        return list.split(',').map(str::parse).collect();
    }
    let suite = suite.unwrap_or_else(|| "table".to_owned());
    let unknown = || UsageError::new(format!("{suite:?} is not a suite: {}", case::SUITES.join(", ")));
    case::suite(&suite).ok_or_else(unknown)
}
