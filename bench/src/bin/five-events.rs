//! The server of the benchmark: `five-events PORT`, one shard, five events.
//!
//! `echo(x)` emits `echo(x)` back, `ack(x)` acknowledges with x, `bcast(x)` emits `bcast(x)` to all, `join(r)` joins
//! and acknowledges, `room(r, x)` emits `room(x)` to the room.

use erlen::{Args, Data, Raw, RawArgs, Server, Socket};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let shards = std::env::var("SHARDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let io = Server::builder().shards(shards).build()?;
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
