//! The processes that `compare` starts: a server on one core, the load on another, each ended for
//! sure. Called by `compare` and by the tests.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::sys;

const POLL: Duration = Duration::from_millis(10);

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    /// Starts `command` on `core`, `{port}` replaced by a free port, and waits until it listens.
    /// The words of the command are parted by spaces; the first is the server itself, no shell.
    pub fn start(command: &str, core: usize) -> io::Result<Self> {
        // Someone else may take the free port first, so an early end is not the last word.
        Self::start_once(command, core)
            .or_else(|_| Self::start_once(command, core))
            .or_else(|_| Self::start_once(command, core))
    }

    fn start_once(command: &str, core: usize) -> io::Result<Self> {
        let port = free_port()?;
        let mut words = command.split_whitespace().map(|word| word.replace("{port}", &port.to_string()));
        let program = words.next().ok_or_else(|| io::Error::other("the command is empty"))?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        sys::pin(&mut command, core);
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { child: command.spawn()?, addr };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let refused = match TcpStream::connect_timeout(&self.addr, Duration::from_secs(1)) {
                Ok(_) => return Ok(()),
                Err(refused) => refused,
            };
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended: {status}")));
            }
            if Instant::now() > deadline {
                return Err(refused);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Runs the load generator on `core` against the server, for at most `limit`.
pub fn run_load(server: &Server, arguments: &[String], core: usize, limit: Duration) -> io::Result<Outcome> {
    let mut command = Command::new(sibling("load")?);
    command
        .arg("--server-pid")
        .arg(server.pid().to_string())
        .arg("--addr")
        .arg(server.addr().to_string())
        .arg("--json")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    sys::pin(&mut command, core);
    let mut load = command.spawn()?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = load.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            load.kill()?;
            load.wait()?;
            return Err(io::Error::other("the load took too long"));
        }
        thread::sleep(POLL);
    };
    let mut json = String::new();
    if let Some(mut stdout) = load.stdout.take() {
        stdout.read_to_string(&mut json)?;
    }
    if !status.success() {
        return Err(io::Error::other(format!("the load ended: {status}")));
    }
    serde_json::from_str(&json).map_err(io::Error::other)
}

/// Another program of the benchmark, beside the one that runs.
pub fn sibling(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}
