//! What the heap gives back, at once and not only after some deadline: what a burst of events took, and all of connections
//! that have gone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use erlen::{Data, Server, Socket};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CONNECTIONS: usize = 1_000;

/// Opens a session on a WebSocket, joins the root namespace and a room of its own.
fn join(address: SocketAddr, room: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    read_until(&mut stream, "maxPayload");
    send(&mut stream, "40");
    read_until(&mut stream, "40{\"sid\"");
    send(&mut stream, &format!("420[\"join\",\"r{room}\"]"));
    read_until(&mut stream, "430[");
    stream
}

/// A text frame of up to 125 bytes, masked with zeros.
fn send(stream: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

fn read_until(stream: &mut TcpStream, needle: &str) {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(needle) {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "closed after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

/// A server, and whoever counts its heap: one at a time.
fn counted(test: impl FnOnce(SocketAddr)) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let io = runtime.block_on(async { Server::builder().shards(1).build() }).unwrap();
    io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
    io.on("echo", |socket: Socket, Data(text): Data<String>| socket.emit("echo", text));
    let bound = runtime.block_on(io.listen("127.0.0.1:0").bind()).unwrap();
    let address = bound.local_addr();
    runtime.spawn(std::future::IntoFuture::into_future(bound));
    test(address);
}

/// Waits until the heap is at most so much over what it was.
fn settles(before: &dhat::HeapStats, bytes: usize) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let now = dhat::HeapStats::get();
        let left = now.curr_bytes.saturating_sub(before.curr_bytes);
        if left <= bytes {
            return;
        }
        let blocks = now.curr_blocks.saturating_sub(before.curr_blocks);
        assert!(Instant::now() < deadline, "{left} bytes are left in {blocks} blocks, {bytes} may be");
        std::thread::yield_now();
    }
}

#[test]
fn connections_that_have_gone_leave_nothing_on_the_heap() {
    counted(|address| {
        let warm: Vec<_> = (0..20).map(|room| join(address, room)).collect();
        let before = dhat::HeapStats::get();
        let gone: Vec<_> = (0..CONNECTIONS).map(|room| join(address, 100 + room)).collect();
        let taken = dhat::HeapStats::get().curr_bytes - before.curr_bytes;
        assert!(taken > CONNECTIONS * 1024, "they took {taken} bytes");
        drop(gone);
        // Tables keep some places.
        settles(&before, taken / 10);
        drop(warm);
    });
}

#[test]
fn a_burst_of_events_leaves_nothing_on_the_heap() {
    const EVENTS: usize = 100;
    counted(|address| {
        let mut clients: Vec<_> = (0..50).map(|room| join(address, room)).collect();
        let text = "x".repeat(100);
        let burst = |clients: &mut Vec<TcpStream>| {
            for client in &mut *clients {
                (0..EVENTS).for_each(|_| send(client, &format!("42[\"echo\",\"{text}\"]")));
            }
            for client in clients {
                let mut answers = vec![0; EVENTS * (2 + text.len() + "42[\"echo\",\"\"]".len())];
                client.read_exact(&mut answers).unwrap();
            }
        };
        // The buffers of the thread grow once.
        burst(&mut clients);
        let before = dhat::HeapStats::get();
        for _ in 0..3 {
            burst(&mut clients);
        }
        settles(&before, 16 * 1024);
    });
}

/// A session has one entry among the deadlines, however often it is looked at.
#[test]
fn events_one_by_one_leave_nothing_on_the_heap() {
    const EVENTS: usize = 10_000;
    counted(|address| {
        let mut client = join(address, 0);
        let mut round_trip = || {
            send(&mut client, "42[\"echo\",\"x\"]");
            client.read_exact(&mut [0; 2 + "42[\"echo\",\"x\"]".len()]).unwrap();
        };
        round_trip();
        let before = dhat::HeapStats::get();
        (0..EVENTS).for_each(|_| round_trip());
        settles(&before, EVENTS);
    });
}
