//! The server of socket.io-client's own suite: `sio-client PORT`. Without connection state recovery.
//!
//! Suite: <https://github.com/socketio/socket.io/tree/main/packages/socket.io-client/test>

use std::time::{Duration, SystemTime};

use conformance::{handshake_json, iso_date};
use erlen::{Ack, Binary, Cors, Data, EmitError, Error, Json, Raw, RawArgs, Result, Server, Socket};
use serde::Deserialize;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder()
        .ping_interval(Duration::from_secs(2))
        .cors(Cors::any())
        .allow_request(async |_| {
            // Late, for the tests of the client's own connect timeout.
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(())
        })
        .build()?;
    io.of("/foo").on("getId", id);
    io.of("/abc").on_connect(|socket: Socket| socket.emit("handshake", handshake_json(&socket)));
    io.of("/no").middleware(|| -> Result<()> { Err(Error::refuse("Auth failed (custom namespace)")) });
    for name in ["/valid", "/asd", "/timeout_socket"] {
        io.of(name);
    }
    io.middleware(|socket: Socket| match socket.handshake().query_value("fail") {
        Some(fail) if !fail.is_empty() => Err(Error::refuse("Auth failed (main namespace)")),
        _ => Ok(()),
    });
    register_events(&io);
    register_binary_events(&io);

    let bound = io.listen(conformance::address()?).bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

fn id(socket: Socket) -> String {
    socket.id().to_string()
}

fn now() -> String {
    iso_date(SystemTime::now())
}

fn register_events(io: &Server) {
    io.on("hi", |socket: Socket| socket.emit("hi", ()));
    io.on("echo", |Raw(args): Raw| -> RawArgs { args });
    // The suite also sends this one with an ack of its own and wants none: taken and dropped, there is none.
    io.on("ack", |socket: Socket, _: Ack| drop(tokio::spawn(ask_back(socket))));
    io.on("getAckDate", now);
    io.on("getDate", |socket: Socket| socket.emit("takeDate", now()));
    io.on("getDateObj", |socket: Socket| socket.emit("takeDateObj", json!({ "date": now() })));
    io.on("getUtf8", |socket: Socket| -> Result<(), EmitError> {
        for text in ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]
        {
            socket.emit("takeUtf8", text)?;
        }
        Ok(())
    });
    io.on("false", |socket: Socket| socket.emit("false", false));
    io.on("getHandshake", |socket: Socket| Json(handshake_json(&socket)));
    io.on("getId", id);
}

/// Asks for an ack, and says whether it was the right one.
async fn ask_back(socket: Socket) {
    let answer = socket.emit_with_ack::<(Value, Value)>("ack", ()).await;
    if answer.is_ok_and(|answer| answer == (json!(5), json!({ "test": true }))) {
        // A socket that has gone since does not need it.
        let _ = socket.emit("got it", ());
    }
}

/// An object with bytes inside.
#[derive(Deserialize)]
struct Mixed {
    hello: String,
    message: Binary,
    goodbye: String,
}

impl Mixed {
    fn is_whole(&self) -> bool {
        self.hello == "lol" && self.goodbye == "gotcha" && !self.message.is_empty()
    }
}

/// What has arrived of a sequence of events.
struct Seen(&'static str);

fn register_binary_events(io: &Server) {
    for (event, reply) in [("doge", "doge"), ("getbin", "takebin")] {
        io.on(event, move |socket: Socket| socket.emit(reply, Binary::from("asdfasdf")));
    }
    for (event, reply) in [("buffa", "buffack"), ("blob", "back")] {
        io.on(event, move |socket: Socket, Data(_): Data<Binary>| socket.emit(reply, ()));
    }
    for (event, reply) in [("jsonbuff", "jsonbuff-ack"), ("jsonblob", "jsonblob-ack")] {
        io.on(event, move |socket: Socket, Data(mixed): Data<Mixed>| match mixed.is_whole() {
            true => socket.emit(reply, ()),
            false => Ok(()),
        });
    }
    io.on("abuff1", |socket: Socket, Data(_): Data<Binary>| socket.insert(Seen("abuff1")));
    io.on("abuff2", |socket: Socket, Data(_): Data<String>| answer_after(&socket, "abuff1", "abuff2-ack"));
    io.on("blob1", |socket: Socket, Data(_): Data<Binary>| socket.insert(Seen("blob1")));
    io.on("blob2", |socket: Socket, Data(text): Data<String>| {
        if text == "second" && has_seen(&socket, "blob1") {
            socket.insert(Seen("blob2"));
        }
    });
    io.on("blob3", |socket: Socket, Data(_): Data<Binary>| answer_after(&socket, "blob2", "blob3-ack"));
}

fn has_seen(socket: &Socket, event: &str) -> bool {
    socket.get::<Seen>().is_some_and(|seen| seen.0 == event)
}

fn answer_after(socket: &Socket, earlier: &str, reply: &str) -> Result<(), EmitError> {
    if has_seen(socket, earlier) { socket.emit(reply, ()) } else { Ok(()) }
}
