//! Work to be counted in instructions: `instructions WORK COUNT`, a server and its clients in one process.
//!
//! `encode`: events emitted while nobody is connected. `decode`: events that no handler takes. `echo`: an event answered by
//! an event, one at a time; `large`: the same with 16 KiB. `route`: a broadcast's copies to a hundred clients. `polling`: an event posted, and the event that
//! answers it fetched, on one connection.
//!
//! Nothing is measured here: `cargo xtask test` runs it under callgrind with COUNT and with twice as many, and the
//! difference is what one more costs, the clients' few instructions and the wake-ups of threads included.

use std::future::IntoFuture;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;

use erlen::{Raw, RawArgs, Server, Socket};
use erlen_bench::event::{self, ARGUMENT_LEN};
use erlen_bench::frame::{masked_text, unmasked_text};
use erlen_bench::handshake::{Handshake, Headers, Step, request};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of the string that an event of `large` carries.
const LARGE: usize = 16 * 1024;
/// Clients of `route`.
const CLIENTS: usize = 100;
/// Events of `decode` that one write carries.
const BURST: usize = 100;

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let work = arguments.next();
    let (Some(work), Some(count)) = (work, arguments.next().and_then(|count| count.parse().ok())) else {
        eprintln!("usage: instructions encode|decode|echo|large|route|polling COUNT");
        return ExitCode::from(2);
    };
    match run(&work, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {work}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(work: &str, count: usize) -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let io = runtime.block_on(async { Server::builder().shards(1).build() })?;
    io.on("echo", |socket: Socket, Raw(x): Raw| socket.emit("echo", x));
    io.on("ack", |Raw(x): Raw| -> RawArgs { x });
    let bound = runtime.block_on(io.listen("127.0.0.1:0").bind())?;
    let address = bound.local_addr();
    runtime.spawn(bound.into_future());
    match work {
        "encode" => encode(&io, count),
        "decode" => decode(address, count),
        "echo" => echo(address, ARGUMENT_LEN, count),
        "large" => echo(address, LARGE, count),
        "route" => route(&io, address, count),
        "polling" => polling(address, count),
        _ => Err("no such work".into()),
    }
}

fn encode(io: &Server, count: usize) -> Done {
    let argument = "x".repeat(ARGUMENT_LEN);
    for _ in 0..count {
        io.emit("bcast", argument.as_str())?;
    }
    Ok(())
}

fn decode(address: SocketAddr, count: usize) -> Done {
    let mut client = join(address)?;
    let argument = "x".repeat(ARGUMENT_LEN);
    let burst = masked_text(format!(r#"42["nobody","{argument}"]"#).as_bytes()).repeat(BURST);
    let mut answer = room(r#"431[""]"#.len() + ARGUMENT_LEN);
    for _ in 0..count / BURST {
        client.write_all(&burst)?;
        // The answer comes behind them.
        round_trip(&mut client, &event::ack(ARGUMENT_LEN), &mut answer)?;
    }
    Ok(())
}

fn echo(address: SocketAddr, length: usize, count: usize) -> Done {
    let mut client = join(address)?;
    let frame = event::echo(length);
    let mut answer = room(r#"42["echo",""]"#.len() + length);
    for _ in 0..count {
        round_trip(&mut client, &frame, &mut answer)?;
    }
    Ok(())
}

fn route(io: &Server, address: SocketAddr, count: usize) -> Done {
    let mut clients = (0..CLIENTS).map(|_| join(address)).collect::<Result<Vec<_>, _>>()?;
    let argument = "x".repeat(ARGUMENT_LEN);
    let mut copy = room(r#"42["bcast",""]"#.len() + ARGUMENT_LEN);
    for _ in 0..count / CLIENTS {
        io.emit("bcast", argument.as_str())?;
        for client in &mut clients {
            receive(client, &mut copy)?;
        }
    }
    Ok(())
}

fn polling(address: SocketAddr, count: usize) -> Done {
    let mut client = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    let open = poll(&mut client, &polling_request("GET", address, "", ""), "}")?;
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).ok_or("no sid")?;
    let post = |body: &str| polling_request("POST", address, sid, body);
    let get = polling_request("GET", address, sid, "");
    poll(&mut client, &post("40"), "ok")?;
    poll(&mut client, &get, "}")?;
    let event = format!(r#"42["echo","{}"]"#, "x".repeat(ARGUMENT_LEN));
    let post = post(&event);
    for _ in 0..count {
        poll(&mut client, &post, "\r\n\r\nok")?;
        poll(&mut client, &get, &event)?;
    }
    Ok(())
}

fn polling_request(method: &str, address: SocketAddr, sid: &str, body: &str) -> String {
    let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!(
        "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {address}\r\n{length}\r\n{body}"
    )
}

/// Sends a request and reads its answer, up to a text with which it ends.
fn poll(client: &mut TcpStream, request: &str, end: &str) -> Result<String, Box<dyn std::error::Error>> {
    client.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with(end.as_bytes()) {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Err("the connection ends".into());
        }
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    Ok(String::from_utf8(answer)?)
}

fn round_trip(client: &mut TcpStream, frame: &[u8], answer: &mut [u8]) -> Done {
    client.write_all(frame)?;
    receive(client, answer)
}

/// Room for a frame of text with a payload of so many bytes, its header written.
fn room(payload: usize) -> Vec<u8> {
    unmasked_text(&vec![0; payload])
}

/// Reads a frame over one of the same length.
fn receive(client: &mut TcpStream, frame: &mut [u8]) -> Done {
    let header = frame.first_chunk::<2>().copied();
    client.read_exact(frame)?;
    if frame.first_chunk() == header.as_ref() {
        return Ok(());
    }
    Err(format!("unexpected {:?}", String::from_utf8_lossy(frame)).into())
}

/// A client that has joined the default namespace.
fn join(address: SocketAddr) -> Result<TcpStream, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&request(address, Headers::Bare))?;
    let mut handshake = Handshake::default();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        match handshake.feed(buffer.get(..read).unwrap_or_default())? {
            Step::Wait => {}
            Step::SendConnect => stream.write_all(&erlen_bench::handshake::connect_frame())?,
            Step::SendPong => return Err("a ping that early".into()),
            Step::Joined(_) => return Ok(stream),
        }
    }
}
