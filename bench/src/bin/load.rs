//! The load generator: one thread that drives a Socket.IO server with the five events and reads
//! from /proc what that cost the server.
//!
//! `load --server-pid PID --addr 127.0.0.1:PORT --scenario NAME [--clients N] [--seconds S]
//! [--browser-headers] [--json]`
//!
//! Not a test of the server: it counts frames and no more. Pin it and the server to two cores, as
//! `compare` does. See the crate's `scenario` for what each scenario is.

use std::process::ExitCode;
use std::time::Duration;

use erlen_bench::args::{Args, UsageError};
use erlen_bench::handshake::Headers;
use erlen_bench::scenario::{Plan, Scenario};

fn main() -> ExitCode {
    let (plan, json) = match plan(Args::of_process()) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(2);
        }
    };
    match plan.run() {
        Ok(outcome) if json => println!("{}", serde_json::json!(outcome)),
        Ok(outcome) => println!("{outcome}"),
        Err(error) => {
            eprintln!("load: {}: {error}", plan.scenario);
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
    let scenario: Scenario = args.required("--scenario")?;
    let clients = args.value("--clients")?;
    let seconds = args.value("--seconds")?.unwrap_or(3.0);
    let plan = Plan {
        server_pid: args.required("--server-pid")?,
        addr: args.required("--addr")?,
        scenario,
        clients: clients.unwrap_or(scenario.usual_clients()),
        duration: Duration::try_from_secs_f64(seconds)
            .map_err(|error| UsageError::new(format!("--seconds {seconds}: {error}")))?,
        headers,
    };
    args.finish()?;
    if plan.clients == 0 {
        return Err(UsageError::new("--clients must be at least 1"));
    }
    Ok((plan, json))
}
