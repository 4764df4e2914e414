//! A process that has no descriptors left, and one that gives itself as many as it may.
//!
//! The process is this test binary again, which runs `the_process` alone, under a limit of its own. Linux only: what it is
//! allowed and what it does is read from `/proc`.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use erlen::{Raw, Server, Socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const PROCESS: &str = "ERLEN_TEST_OF_DESCRIPTORS";
const PATIENCE: Duration = Duration::from_secs(20);
/// The soft limit under which each process starts.
const FEW: u64 = 64;

/// Not a test: what the others start. It serves until it is killed.
#[tokio::test]
async fn the_process() {
    let Ok(how) = std::env::var(PROCESS) else {
        return;
    };
    let maximum = if how == "exhausted" { Some(FEW) } else { getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, Rlimit { current: Some(FEW), maximum }).unwrap();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let builder = Server::builder().shards(1).header_timeout(Duration::from_secs(600));
    let builder = if how == "exhausted" { builder.max_sessions(usize::MAX) } else { builder };
    let io = builder.build().unwrap();
    io.on("echo", |socket: Socket, Raw(args): Raw| socket.emit("echo", args));
    let listen = io.listen("127.0.0.1:0");
    let listen = if how == "kept" { listen.keep_file_limit() } else { listen };
    let bound = listen.bind().await.unwrap();
    eprintln!("listens on {}", bound.local_addr());
    bound.await.unwrap();
}

struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
    addr: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(how: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process", "--nocapture"])
            .env(PROCESS, how)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let addr = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(addr) = line.strip_prefix("listens on ") {
                break addr.trim().parse().unwrap();
            }
        };
        Self { child, log, addr }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A client that has joined `/`, unless it is turned away.
    fn join(&self) -> Option<TcpStream> {
        let mut stream = self.connect();
        let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(head.as_bytes()).ok()?;
        read_until(&mut stream, "maxPayload")?;
        stream.write_all(b"\x81\x82\0\0\0\x0040").ok()?;
        read_until(&mut stream, "40{\"sid\"")?;
        Some(stream)
    }

    /// Soft and hard limit of its open files.
    fn limits(&self) -> (u64, u64) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX));
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Whether every thread of it waits for something.
    fn is_at_rest(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        threads.map_while(Result::ok).all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        })
    }

    /// What it has written to its log, after its end.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        log
    }
}

/// Reads until `needle` has come; `None` when the connection ends before.
fn read_until(stream: &mut TcpStream, needle: &str) -> Option<()> {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(needle) {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(n) => seen.push_str(&String::from_utf8_lossy(&buffer[..n])),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error} after {seen:?}"),
        }
    }
    Some(())
}

/// Asks again and again until it holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !holds() {
        assert!(asked.elapsed() < PATIENCE, "it never came to: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn without_descriptors_a_newcomer_is_closed_at_once_and_whoever_is_inside_goes_on() {
    let process = Process::start("exhausted");
    let mut inside = Vec::new();
    while let Some(client) = process.join() {
        inside.push(client);
        assert!(inside.len() < FEW as usize);
    }
    assert!(inside.len() > 8, "{} found a place", inside.len());
    for _ in 0..200 {
        assert!(read_until(&mut process.connect(), "anything").is_none());
    }
    for client in &mut inside {
        client.write_all(b"\x81\x8a\0\0\0\x0042[\"echo\"]").unwrap();
        read_until(client, "42[\"echo\"]").unwrap();
    }
    until("no thread is busy", || process.is_at_rest());
    inside.truncate(inside.len() - 3);
    until("a place has come free", || process.join().is_some());
    let log = process.end();
    let told: Vec<_> = log.lines().filter(|line| line.contains("no connection can be accepted")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("ulimit"), "{log}");
}

#[test]
fn a_listener_raises_the_limit_and_with_it_how_many_sessions_there_may_be() {
    let process = Process::start("raised");
    let (soft, hard) = process.limits();
    assert!(soft == hard && hard > 4 * FEW, "{soft} of {hard}");
    let inside: Vec<_> = (0..3 * FEW).map(|_| process.join()).collect();
    assert!(inside.iter().all(Option::is_some));
}

#[test]
fn a_listener_keeps_the_limit_where_it_is_told_to() {
    let process = Process::start("kept");
    let (soft, hard) = process.limits();
    assert!(soft == FEW && hard > FEW, "{soft} of {hard}");
}
