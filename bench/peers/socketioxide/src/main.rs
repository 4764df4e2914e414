//! The five events on socketioxide. `bench-socketioxide PORT`

use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("a port as the argument");
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("echo", async |socket: SocketRef, Data(x): Data<Value>| {
            let _ = socket.emit("echo", &x);
        });
        socket.on("ack", async |Data(x): Data<Value>, ack: AckSender| {
            let _ = ack.send(&x);
        });
        socket.on("bcast", async |io: SocketIo, Data(x): Data<Value>| {
            let _ = io.emit("bcast", &x).await;
        });
        socket.on("join", async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            let _ = ack.send(&true);
        });
        socket.on("room", async |io: SocketIo, Data((room, x)): Data<(String, Value)>| {
            let _ = io.to(room).emit("room", &x).await;
        });
    });
    let app = axum::Router::new().layer(layer);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    axum::serve(listener, app).await.expect("it serves");
}
