//! The server of Socket.IO's protocol suite: `sio-protocol PORT`.
//!
//! Two namespaces that tell the client its auth; in `/` messages come back, as events and as acks.
//! Suite: <https://github.com/socketio/socket.io-protocol/tree/main/test-suite>

use std::time::Duration;

use erlen::{Cors, EmitError, Raw, RawArgs, Server, Socket};
use serde_json::value::RawValue;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder()
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .max_payload(1_000_000)
        .connect_timeout(Duration::from_secs(1))
        .cors(Cors::any())
        .build()?;
    io.on_connect(tell_auth);
    io.of("/custom").on_connect(tell_auth);
    io.on("message", |socket: Socket, Raw(args): Raw| socket.emit("message-back", args));
    io.on("message-with-ack", |Raw(args): Raw| -> RawArgs { args });

    let bound = io.listen(conformance::address()?).bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

/// Emits what the client sent as auth, its keys in their order.
fn tell_auth(socket: Socket) -> Result<(), EmitError> {
    let auth: &RawValue =
        serde_json::from_str(socket.auth().unwrap_or("{}")).map_err(EmitError::Serialize)?;
    socket.emit("auth", auth)
}
