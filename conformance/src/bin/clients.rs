//! The server of our own tests with clients of npm and PyPI, in `tests/clients`: `clients PORT`.
//!
//! It offers what the official suites do not ask for: rooms with several members, broadcast acks, dynamic namespaces,
//! errors as acks, refusals with data, and the reasons of disconnects as the server sees them.

use std::time::Duration;

use erlen::{
    Args, Auth, Cookie, Cors, Data, Disconnect, DisconnectReason, EmitError, Error, Headers, Raw, Result,
    Server, Socket,
};
use serde_json::{Value, json};

/// What one message or one POST may have, small so that a test can pass it.
const MAX_PAYLOAD: usize = 10_000;
/// The room of those who are told why others left.
const OBSERVERS: &str = "observers";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder()
        .ping_interval(Duration::from_millis(500))
        // So long a client may take to answer on a busy machine; two tests wait for it to pass.
        .ping_timeout(Duration::from_secs(3))
        .max_payload(MAX_PAYLOAD)
        .cookie(Cookie::default())
        .cors(Cors::origins(["https://app.example"]).credentials(true))
        .headers(|answer, request| {
            if let Some(value) = request.get("x-echo") {
                answer.insert("x-echoed", value.clone());
            }
        })
        .build()?;
    register_rooms(&io);
    register_acks(&io);
    register_ends(&io);
    io.of("/secret").middleware(check_token).on("user", |Auth(auth): Auth<Value>| auth["user"].clone());
    io.of_pattern("/project/{id}").on("whereami", |socket: Socket| socket.namespace().name().to_owned());

    let bound = io.listen(conformance::address()?).bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

fn register_rooms(io: &Server) {
    io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
    io.on("leave", |socket: Socket, Data(room): Data<String>| socket.leave(room));
    io.on("rooms", |socket: Socket| socket.rooms().iter().map(|room| room.to_string()).collect::<Vec<_>>());
    io.on("to_room", |socket: Socket, Args((room, x)): Args<(String, Value)>| {
        socket.to(room).emit("news", x)
    });
    io.on("to_all_in_room", |socket: Socket, Args((room, x)): Args<(String, Value)>| {
        socket.namespace().to(room).emit("news", x)
    });
    io.on("to_others", |socket: Socket, Raw(args): Raw| socket.broadcast().emit("news", args));
    io.on("to_all", |socket: Socket, Raw(args): Raw| socket.namespace().emit("news", args));
}

fn register_acks(io: &Server) {
    io.on("echo", |Raw(args): Raw| args);
    io.on("echo_event", |socket: Socket, Raw(args): Raw| socket.emit("echo_event", args));
    io.on("ask_me", async |socket: Socket, Data(question): Data<Value>| -> Result<Value> {
        Ok(socket.emit_with_ack::<Value>("question", question).await?)
    });
    io.on("ask_room", async |socket: Socket, Data(room): Data<String>| -> Result<Vec<i64>> {
        let answers = socket.namespace().to(room).emit_with_ack::<i64>("question", "how many?")?.await;
        let mut answers: Vec<_> = answers.values().collect();
        answers.sort_unstable();
        Ok(answers)
    });
    io.on("fail", || -> Result<()> { Err(Error::new("no_luck", "it does not work today")) });
    io.on("transport", |socket: Socket| socket.transport().to_string());
    io.on("header", |headers: Headers, Data(name): Data<String>| headers.get(&name).map(str::to_owned));
}

fn register_ends(io: &Server) {
    io.on("observe", |socket: Socket| socket.join(OBSERVERS));
    io.on_disconnect(|socket: Socket, reason: DisconnectReason| -> Result<(), EmitError> {
        let left = json!({ "id": socket.id().as_str(), "reason": reason.to_string() });
        socket.namespace().to(OBSERVERS).emit("left", left)
    });
    io.on("disconnect_me", |socket: Socket| socket.disconnect());
    io.on("disconnect_client", |socket: Socket| socket.disconnect_client());
    io.on("disconnect_room", |socket: Socket, Data(room): Data<String>| {
        socket.namespace().to(room).disconnect_sockets(Disconnect::Socket);
    });
}

/// Lets in who knows the word; the others learn what is missing.
fn check_token(Auth(auth): Auth<Value>) -> Result<()> {
    if auth["token"] == "open sesame" {
        return Ok(());
    }
    Err(Error::refuse("not authorized").with_data(json!({ "code": 401, "missing": "token" })))
}
