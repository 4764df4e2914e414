//! What an idle client costs, on a WebSocket and polling: bytes and blocks of heap, counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};

use erlen::Server;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A browser's handshake.
const HEADERS: &str = "Host: 127.0.0.1:5000\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\nCookie: session=eyJ1c2VyIjo0Mn0.aBcDeF.0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// Opens a session on a WebSocket and joins the root namespace.
fn join(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    read_until(&mut stream, b"maxPayload");
    stream.write_all(b"\x81\x82\0\0\0\x0040").unwrap();
    read_until(&mut stream, b"40{\"sid\"");
    stream
}

fn read_until(stream: &mut TcpStream, needle: &[u8]) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.windows(needle.len()).any(|window| window == needle) {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "closed after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// A session that polls, has joined the root namespace and waits for what comes, all on one connection.
fn poll(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut ask = |method: &str, sid: &str, body: &str, end: &[u8]| {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let target = format!("/socket.io/?EIO=4&transport=polling{sid}");
        let headers = HEADERS.lines().filter(|line| !line.contains("Upgrade") && !line.starts_with("Sec-"));
        let headers: String = headers.map(|line| format!("{line}\r\n")).collect();
        stream
            .write_all(format!("{method} {target} HTTP/1.1\r\n{headers}{length}\r\n{body}").as_bytes())
            .unwrap();
        if end.is_empty() { String::new() } else { read_until(&mut stream, end) }
    };
    let open = ask("GET", "", "", b"maxPayload");
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let sid = format!("&sid={sid}");
    ask("POST", &sid, "40", b"\r\n\r\nok");
    ask("GET", &sid, "", b"40{\"sid\"");
    ask("GET", &sid, "", b"");
    stream
}

/// Bytes and blocks of a client of this kind.
fn idle(client: fn(SocketAddr) -> TcpStream) -> (f64, f64) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let io = runtime.block_on(async { Server::builder().shards(1).build() }).unwrap();
    let bound = runtime.block_on(io.listen("127.0.0.1:0").bind()).unwrap();
    let address = bound.local_addr();
    runtime.spawn(std::future::IntoFuture::into_future(bound));

    // A power of two, so that tables that double have just done so at both ends of the measurement. When the last has its
    // answer, those before it are read.
    let many = || (0..256).map(|_| client(address)).chain([join(address)]).collect::<Vec<_>>();
    let warm = many();
    let before = dhat::HeapStats::get();
    let joined = many();
    let after = dhat::HeapStats::get();
    drop((warm, joined));
    let each = |before: usize, after: usize| (after - before) as f64 / 257.0;
    (each(before.curr_bytes, after.curr_bytes), each(before.curr_blocks, after.curr_blocks))
}

#[test]
fn an_idle_websocket_connection_takes_at_most_two_kibibytes_in_four_blocks() {
    let (bytes, blocks) = idle(join);
    println!("an idle connection: {bytes:.0} bytes in {blocks:.2} blocks");
    assert!(bytes <= 2048.0, "{bytes} bytes");
    assert!(blocks <= 4.5, "{blocks} blocks");
}

#[test]
fn an_idle_client_that_polls_takes_at_most_six_kibibytes() {
    let (bytes, blocks) = idle(poll);
    println!("an idle client that polls: {bytes:.0} bytes in {blocks:.2} blocks");
    assert!(bytes <= 6.0 * 1024.0, "{bytes} bytes");
}
