//! How many write calls a burst costs: one a connection and turn, however many packets wait.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use erlen::{Data, Server, Socket};

const CLIENTS: u64 = 20;
const BURST: u64 = 32;
/// How long anything may take before a test says that it does not come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nobody is pinged meanwhile.
const HOUR: Duration = Duration::from_secs(3600);

const HANDSHAKE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn join(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    read_until(&mut stream, "maxPayload", 1);
    stream.write_all(&masked("40")).unwrap();
    read_until(&mut stream, "40{\"sid\"", 1);
    stream
}

/// A client's text frame of up to 125 bytes, masked with zeros.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Reads until `needle` has come so many times; gives what came.
fn read_until(stream: &mut TcpStream, needle: &str, times: usize) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 65536];
    while seen.matches(needle).count() < times {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "closed after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    seen
}

fn start(shards: usize) -> (Server, SocketAddr, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let io =
        runtime.block_on(async { Server::builder().shards(shards).ping_interval(HOUR).build() }).unwrap();
    io.on("bcast", |socket: Socket, Data(n): Data<u64>| socket.namespace().emit("bcast", n));
    io.on("echo", |socket: Socket, Data(n): Data<u64>| socket.emit("echo", n));
    let bound = runtime.block_on(io.listen("127.0.0.1:0").bind()).unwrap();
    let address = bound.local_addr();
    runtime.spawn(std::future::IntoFuture::into_future(bound));
    (io, address, runtime)
}

/// The writes since `before`, once as many packets have been written.
fn writes_for(io: &Server, before: &erlen::engine::EngineMetrics, packets: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = io.metrics();
        if now.packets_out - before.packets_out >= packets {
            return now.writes - before.writes;
        }
        assert!(Instant::now() < deadline, "{} packets of {packets}", now.packets_out - before.packets_out);
        std::thread::yield_now();
    }
}

#[test]
fn a_burst_of_broadcasts_is_one_write_a_connection() {
    count_writes_of_bursts(1);
}

#[test]
fn a_burst_of_broadcasts_is_one_write_a_connection_of_another_thread_too() {
    count_writes_of_bursts(2);
}

/// The first client broadcasts as many events at once; returns when all have got them.
fn burst(clients: &mut [TcpStream]) {
    let events: Vec<u8> = (0..BURST).flat_map(|n| masked(&format!("42[\"bcast\",{n}]"))).collect();
    clients[0].write_all(&events).unwrap();
    for client in clients {
        read_until(client, "42[\"bcast\",", BURST as usize);
    }
}

/// Bursts that one client sends to all, on so many threads.
fn count_writes_of_bursts(shards: usize) {
    let (io, address, _runtime) = start(shards);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| join(address)).collect();
    for round in 0..20 {
        let before = io.metrics();
        burst(&mut clients);
        let writes = writes_for(&io, &before, CLIENTS * BURST);
        // Before the first, the threads may still have had something to do for those who joined.
        assert!(round == 0 || writes == CLIENTS, "{writes} writes in round {round}");
    }
}

/// Two threads with as many clients each as one has wait no oftener for a delivery.
#[cfg(target_os = "linux")]
#[test]
fn a_burst_wakes_each_thread_once() {
    const ROUNDS: u64 = 100;
    let (io, address, _runtime) = start(2);
    io.on("waits", |socket: Socket| socket.emit("waits", waits_of_this_thread()));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| join(address)).collect();
    // The first two are of two threads.
    let before = [0, 1].map(|n| ask_for_waits(&mut clients[n]));
    for _ in 0..ROUNDS {
        burst(&mut clients);
    }
    for (n, before) in before.into_iter().enumerate() {
        let waits = ask_for_waits(&mut clients[n]) - before;
        // Some are for a lock that the other thread has just then; a thread that is late for one burst is awake for the next.
        assert!((1..ROUNDS * 5 / 4).contains(&waits), "thread {n} waited {waits} times for {ROUNDS} bursts");
    }
}

/// How often the thread of that client has waited so far.
#[cfg(target_os = "linux")]
fn ask_for_waits(client: &mut TcpStream) -> u64 {
    client.write_all(&masked("42[\"waits\"]")).unwrap();
    let answer = read_until(client, "42[\"waits\",", 1);
    let number = answer.split_once("[\"waits\",").and_then(|(_, rest)| rest.split_once(']'));
    number.unwrap().0.parse().unwrap()
}

/// See proc_pid_status(5).
#[cfg(target_os = "linux")]
fn waits_of_this_thread() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    waits.unwrap().trim().parse().unwrap()
}

#[test]
fn what_waits_for_the_end_of_one_threads_turn_holds_up_nobody_elses() {
    let (io, address, _runtime) = start(2);
    let ((held, holds), (go_on, gone_on)) = (channel(), channel::<()>());
    let gone_on = Mutex::new(gone_on);
    io.on("hold", move |socket: Socket| {
        socket.namespace().emit("bcast", 0).unwrap();
        held.send(()).unwrap();
        gone_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    });
    // They are of two threads.
    let [mut holder, mut other] = [join(address), join(address)];
    holder.write_all(&masked("42[\"hold\"]")).unwrap();
    holds.recv_timeout(PATIENCE).unwrap();
    other.write_all(&masked("42[\"echo\",1]")).unwrap();
    read_until(&mut other, "42[\"echo\",1]", 1);
    go_on.send(()).unwrap();
    read_until(&mut holder, "42[\"bcast\",0]", 1);
}

#[test]
fn lone_echoes_are_one_write_each() {
    let (io, address, _runtime) = start(1);
    let mut client = join(address);
    let before = io.metrics();
    for n in 0..50 {
        client.write_all(&masked(&format!("42[\"echo\",{n}]"))).unwrap();
        read_until(&mut client, "42[\"echo\",", 1);
    }
    assert_eq!(writes_for(&io, &before, 50), 50);
}

#[test]
fn a_websocket_is_opened_by_one_write() {
    let (io, address, _runtime) = start(1);
    let before = io.metrics();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut buffer = [0; 4096];
    let n = stream.read(&mut buffer).unwrap();
    let answer = String::from_utf8_lossy(&buffer[..n]);
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains("maxPayload"), "{answer}");
    assert_eq!(writes_for(&io, &before, 1), 1);
}
