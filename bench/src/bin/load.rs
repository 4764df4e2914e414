//! The load generator: one thread that drives a Socket.IO server with the five events and reads
//! from /proc what that cost the server.
//!
//! `load --server-pid PID --addr 127.0.0.1:PORT --scenario CASE [--seconds S] [--browser-headers] [--json]`
//!
//! A CASE is a scenario's name and the sizes that are not the usual ones, such as `echo/clients=10/payload=1024`.
//! Not a test of the server: it counts frames and no more. Pin it and the server to two cores, as
//! `compare` does. See the crate's `scenario` for what each scenario is, and `case` for the sizes.

use std::process::ExitCode;
use std::time::Duration;

use erlen_bench::args::{Args, UsageError};
use erlen_bench::case::Case;
use erlen_bench::handshake::Headers;
use erlen_bench::plan::Plan;
use erlen_bench::work;

fn main() -> ExitCode {
    let (plan, json) = match plan(Args::of_process()) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(2);
        }
    };
    match work::run(&plan) {
        Ok(outcome) if json => println!("{}", serde_json::json!(outcome)),
        Ok(outcome) => println!("{outcome}"),
        Err(error) => {
            eprintln!("load: {}: {error}", plan.case);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn plan(mut args: Args) -> Result<(Plan, bool), UsageError> {
    let json = args.flag("--json");
    let headers = match args.flag("--browser-headers") {
        true => Headers::Browser,
        false => Headers::Bare,
    };
    let case: String = args.required("--scenario")?;
    let seconds = args.value("--seconds")?.unwrap_or(3.0);
    let plan = Plan {
        server_pid: args.required("--server-pid")?,
        addr: args.required("--addr")?,
        case: case.parse::<Case>()?,
        duration: Duration::try_from_secs_f64(seconds)
            .map_err(|error| UsageError::new(format!("--seconds {seconds}: {error}")))?,
        headers,
    };
    args.finish()?;
    Ok((plan, json))
}
