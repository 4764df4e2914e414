//! The server of the benchmark: `five-events PORT [MILLISECONDS BETWEEN PINGS]`, one shard, five events.
//!
//! `echo(x)` emits `echo(x)` back, `ack(x)` acknowledges with x, `bcast(x)` emits `bcast(x)` to all, `join(r)` joins
//! and acknowledges, `room(r, x)` emits `room(x)` to the room.

use std::time::Duration;

use erlen::{Args, Data, Raw, RawArgs, Server, Socket};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |at: usize| std::env::args().nth(at).and_then(|number| number.parse::<u64>().ok());
    let port = number(1).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let ping_interval = Duration::from_millis(number(2).unwrap_or(25_000));
    let shards = std::env::var("SHARDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let io = Server::builder().shards(shards).ping_interval(ping_interval).build()?;
    io.on("echo", |socket: Socket, Raw(x): Raw| socket.emit("echo", x));
    io.on("ack", |Raw(x): Raw| -> RawArgs { x });
    io.on("bcast", |socket: Socket, Raw(x): Raw| socket.namespace().emit("bcast", x));
    io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
    io.on("room", |socket: Socket, Args((room, x)): Args<(String, String)>| {
        socket.namespace().to(room).emit("room", x)
    });
    let bound = io.listen(("127.0.0.1", port)).bind().await?;
    println!("listening on {}", bound.local_addr());
    bound.await?;
    Ok(())
}
