//! The binary of Erlen Live: reads the options, says the address and what to try, serves.
//!
//! What goes wrong is one line on stderr that says how to mend it, and exit code 2.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, ExitCode, Stdio};

use erlen_dashboard::options::{Options, Stop};
use erlen_dashboard::serve;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("ERLEN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Text(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Stop::Wrong(line)) => {
            eprintln!("erlen-dashboard: {line}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Stop> {
    let options = Options::parse_args(std::env::args_os())?;
    let dashboard = serve::bind(&options).await.map_err(Stop::Wrong)?;
    let address = reachable(dashboard.address());
    greet(address, dashboard.is_guarded());
    if options.open {
        open(&format!("http://{address}/"));
    }
    dashboard
        .run()
        .await
        .map_err(|error| Stop::Wrong(format!("the listener failed: {error}; start it again.")))
}

/// What to try next.
fn greet(address: SocketAddr, is_guarded: bool) {
    let token = if is_guarded { "-H 'Authorization: Bearer TOKEN' " } else { "" };
    println!("Erlen Live is on http://{address}\n");
    println!("  Open it in a browser, then watch a number become a chart:");
    println!("    curl http://{address}/ingest {token}-d '{{\"values\":{{\"temp\":21.5}}}}'");
    println!("\n  Ctrl+C stops it; --help lists the options.");
}

/// The address as a browser of this machine can use it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Opens the page; a desktop without a browser leaves the printed address.
fn open(url: &str) {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let opened =
        Command::new(program).args(before).arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        eprintln!("erlen-dashboard: no browser could be opened; visit {url}");
    }
}
