//! A process that is told to stop by real signals while clients of both transports, and a download without an end, hang on it.
//!
//! The process is this test binary again, which runs `the_process` alone. Unix only.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use erlen::Server;

const PROCESS: &str = "ERLEN_TEST_OF_SIGNALS";

/// Not a test: what the others start. It serves until it is told to stop.
#[tokio::test]
async fn the_process() {
    if std::env::var_os(PROCESS).is_none() {
        return;
    }
    let io = Server::new();
    let download = || async {
        let piece = || Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 1024]));
        Body::from_stream(futures_util::stream::repeat_with(piece))
    };
    let app = axum::Router::new().route("/download", axum::routing::get(download));
    let bound = io.listen("127.0.0.1:0").router(app).stop_on_signals().bind().await.unwrap();
    eprintln!("listens on {}", bound.local_addr());
    bound.await.unwrap();
    // The harness would say that the test has passed; the exit code says it too.
}

struct Process {
    child: Child,
    addr: SocketAddr,
    clients: Vec<TcpStream>,
}

impl Process {
    /// Starts it, and 50 clients on each transport, and the download.
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process", "--nocapture"])
            .env(PROCESS, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listens on ")?.parse().ok());
        let mut process = Self { child, addr: addr.expect("it listens"), clients: Vec::new() };
        for _ in 0..50 {
            process.websocket();
            process.polling();
        }
        let mut download = process.request("/download", "");
        download.read_exact(&mut [0; 4096]).unwrap();
        process.clients.push(download);
        process
    }

    fn request(&self, target: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.addr).unwrap();
        stream
    }

    fn websocket(&mut self) {
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut stream = self.request("/socket.io/?EIO=4&transport=websocket", headers);
        stream.read_exact(&mut [0; 64]).unwrap();
        self.clients.push(stream);
    }

    /// A session whose GET hangs.
    fn polling(&mut self) {
        let mut stream = self.request("/socket.io/?EIO=4&transport=polling", "Connection: close\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        self.clients.push(self.request(&target, ""));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// How long it takes to end, which has to be with success.
    fn ends(&mut self) -> Duration {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn b41_an_interrupt_ends_it_within_its_grace() {
    let mut process = Process::start();
    process.signal("-INT");
    let took = process.ends();
    assert!(took < Duration::from_secs(20), "its grace is 5 s: {took:?}");
    assert!(TcpStream::connect(process.addr).is_err(), "nobody listens any longer");
}

#[test]
fn b41_a_second_signal_ends_a_gentle_stop_at_once() {
    let mut process = Process::start();
    process.signal("-TERM");
    // It has begun when it listens no longer.
    let began = Instant::now();
    while TcpStream::connect(process.addr).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not stop to listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.signal("-INT");
    let took = process.ends();
    assert!(took < Duration::from_secs(20), "the gentle stop waits 30 s for the download: {took:?}");
}
