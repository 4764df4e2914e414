//! The server of socket.io-client-java's suite: `java-sio PORT [--tls CERTIFICATE KEY]`.
//!
//! Suite: <https://github.com/socketio/socket.io-client-java/tree/main/src/test>

use std::time::{Duration, SystemTime};

use conformance::{handshake_json, iso_date};
use erlen::{Binary, Cors, EmitError, Error, Json, Namespace, Raw, RawArgs, Result, Server, Socket};
use http::{HeaderMap, HeaderName};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde_json::{Value, json};

const ECHOED: HeaderName = HeaderName::from_static("x-socketio");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = Server::builder()
        .ping_interval(Duration::from_secs(2))
        .cors(Cors::any())
        .headers(echo_header)
        .build()?;
    for name in ["/timeout_socket", "/valid", "/asd"] {
        io.of(name);
    }
    io.of("/abc").on_connect(|socket: Socket| socket.emit("handshake", handshake_json(&socket)));
    io.of("/no").middleware(|| -> Result<()> {
        Err(Error::refuse("auth failed").with_data(json!({ "a": "b", "c": 3 })))
    });
    register_events(&io);
    register_events(&io.of("/foo"));

    let mut listen = io.listen(conformance::address()?);
    if let Some(config) = conformance::tls()? {
        listen = listen.tls(config);
    }
    let bound = listen.bind().await?;
    println!("listening on {}", bound.local_addr());
    Ok(bound.await?)
}

fn echo_header(answer: &mut HeaderMap, request: &HeaderMap) {
    if let Some(value) = request.get(&ECHOED) {
        answer.insert(ECHOED, value.clone());
    }
}

fn register_events(namespace: &Namespace) {
    namespace.on_connect(|socket: Socket| socket.emit("message", "hello client"));
    namespace.on("message", |socket: Socket, Raw(args): Raw| socket.emit("message", args));
    namespace.on("echo", |socket: Socket, Raw(args): Raw| socket.emit("echoBack", args));
    namespace.on("ack", |Raw(args): Raw| -> RawArgs { args });
    namespace.on("callAck", |socket: Socket| drop(tokio::spawn(tell_ack(socket))));
    namespace.on("callAckBinary", |socket: Socket| drop(tokio::spawn(tell_binary_ack(socket))));
    namespace.on("getAckBinary", || Binary::from("huehue"));
    namespace.on("getAckDate", || iso_date(SystemTime::now()));
    namespace
        .on("broadcast", |socket: Socket, Raw(args): Raw| socket.broadcast().emit("broadcastBack", args));
    namespace.on("room", |socket: Socket, Raw(args): Raw| -> Result<(), EmitError> {
        socket.namespace().to(socket.id()).emit("roomBack", args)
    });
    namespace.on("requestDisconnect", |socket: Socket| socket.disconnect());
    namespace.on("getHandshake", |socket: Socket| Json(handshake_json(&socket)));
}

/// Asks for an ack and sends its arguments back.
async fn tell_ack(socket: Socket) {
    if let Ok(args) = socket.emit_with_ack::<Vec<Value>>("ack", ()).await {
        drop(socket.emit("ackBack", Spread(args)));
    }
}

/// As many arguments as there are values: to an emit, a tuple is several arguments.
struct Spread(Vec<Value>);

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|value| tuple.serialize_element(value))?;
        tuple.end()
    }
}

/// The same with bytes.
async fn tell_binary_ack(socket: Socket) {
    if let Ok(bytes) = socket.emit_with_ack::<Binary>("ack", ()).await {
        drop(socket.emit("ackBack", bytes));
    }
}
