//! Many viewers of a board of Erlen Live, from one thread; says how old its ticks are when they arrive.
//!
//! `viewers --server-pid PID --addr 127.0.0.1:PORT [--clients N] [--board ID] [--seconds S]`
//!
//! See the crate's `viewers`. `cargo xtask bench --live` starts the server, posts to it, and calls this.

use std::process::ExitCode;
use std::time::Duration;

use erlen_bench::args::{Args, UsageError};
use erlen_bench::viewers::Viewers;

fn main() -> ExitCode {
    let viewers = match viewers(Args::of_process()) {
        Ok(viewers) => viewers,
        Err(error) => {
            eprintln!("viewers: {error}");
            return ExitCode::from(2);
        }
    };
    match viewers.run() {
        Ok(seen) => println!("{seen}"),
        Err(error) => {
            eprintln!("viewers: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn viewers(mut args: Args) -> Result<Viewers, UsageError> {
    let seconds = args.value("--seconds")?.unwrap_or(10.0);
    let viewers = Viewers {
        server_pid: args.required("--server-pid")?,
        addr: args.required("--addr")?,
        clients: args.value("--clients")?.unwrap_or(1000),
        board: args.value("--board")?.unwrap_or_else(|| "ingest".to_owned()),
        duration: Duration::try_from_secs_f64(seconds)
            .map_err(|error| UsageError::new(format!("--seconds {seconds}: {error}")))?,
    };
    args.finish()?;
    Ok(viewers)
}
