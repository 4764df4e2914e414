//! What is left on the heap when connections have gone: nothing of theirs, at once, and not only after their deadlines.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
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

#[test]
fn connections_that_have_gone_leave_nothing_on_the_heap() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let io = runtime.block_on(async { Server::builder().shards(1).build() }).unwrap();
    io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
    let bound = runtime.block_on(io.listen("127.0.0.1:0").bind()).unwrap();
    let address = bound.local_addr();
    runtime.spawn(std::future::IntoFuture::into_future(bound));

    let warm: Vec<_> = (0..20).map(|room| join(address, room)).collect();
    let before = dhat::HeapStats::get();
    let gone: Vec<_> = (0..CONNECTIONS).map(|room| join(address, 100 + room)).collect();
    let between = dhat::HeapStats::get();
    drop(gone);
    let deadline = Instant::now() + Duration::from_secs(15);
    let taken = between.curr_bytes - before.curr_bytes;
    loop {
        let now = dhat::HeapStats::get();
        let left = now.curr_bytes.saturating_sub(before.curr_bytes);
        // What remains are tables that keep some places.
        if left * 10 < taken {
            break;
        }
        let blocks = now.curr_blocks.saturating_sub(before.curr_blocks);
        assert!(Instant::now() < deadline, "of {taken} bytes are left {left}, in {blocks} blocks");
        std::thread::yield_now();
    }
    drop(warm);
}
