//! What the tests stand on: servers on either adapter, patience with a deadline, and handlers' notes.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erlen::adapter::{ChannelBus, ClusterAdapter};
use erlen::{Builder, Server, TestClient};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything may take before a test says that it does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Awaits `future`, which has to be ready soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come"),
    }
}

/// Asks again and again until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let asked = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    while !holds() {
        assert!(asked.elapsed() < PATIENCE, "it never came to: {what}");
        tick.tick().await;
    }
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Servers that are one, on one of the adapters.
pub(crate) struct Nodes(Vec<Server>);

impl Nodes {
    /// One server.
    pub(crate) fn memory(configure: impl Fn(Builder) -> Builder) -> Self {
        let io = configure(Server::builder().shards(1)).build().expect("the options are sound");
        Self(vec![io])
    }

    /// Two servers over a bus.
    pub(crate) fn cluster(configure: impl Fn(Builder) -> Builder) -> Self {
        let buses: [Arc<ChannelBus>; 2] = ChannelBus::join();
        let build = |bus: Arc<ChannelBus>| {
            let adapter = move |local| ClusterAdapter::new(local, bus.clone()) as _;
            configure(Server::builder().shards(1)).adapter(adapter).build().expect("the options are sound")
        };
        Self(buses.into_iter().map(build).collect())
    }

    /// The server that serves the client of that number: clients are spread over all.
    pub(crate) fn io(&self, client: usize) -> &Server {
        &self.0[client % self.0.len()]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Server> {
        self.0.iter()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.len() > 1
    }

    /// Clients in `/`, spread over the servers.
    pub(crate) async fn clients<const N: usize>(&self) -> [TestClient; N] {
        let mut clients = Vec::new();
        for number in 0..N {
            clients.push(join(self.io(number)).await);
        }
        clients.try_into().expect("as many as were made")
    }

    /// Puts a client's socket into rooms.
    pub(crate) fn put(&self, number: usize, client: &TestClient, rooms: &[&str]) {
        let socket = self.io(number).socket(&client.id()).expect("the client's server knows it");
        rooms.iter().for_each(|room| socket.join(*room));
    }
}

/// One test on both adapters: `name::memory` and `name::cluster`.
macro_rules! on_both_adapters {
    ($(async fn $name:ident($nodes:ident: Nodes $(, $configure:expr)?) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn body($nodes: Nodes) $body

            fn configure(builder: erlen::Builder) -> erlen::Builder {
                $(let builder = $configure(builder);)?
                builder
            }

            #[tokio::test]
            async fn memory() {
                body(Nodes::memory(configure)).await;
            }

            #[tokio::test]
            async fn cluster() {
                body(Nodes::cluster(configure)).await;
            }
        })*
    };
}
pub(crate) use on_both_adapters;

/// A client in `/`.
pub(crate) async fn join(io: &Server) -> TestClient {
    TestClient::connect(io).await.expect("the namespace lets everyone in")
}

/// A client in a namespace.
pub(crate) async fn join_in(io: &Server, namespace: &str, auth: impl Serialize) -> TestClient {
    TestClient::connect_with(io, namespace, &[], auth).await.expect("the namespace lets the client in")
}

/// The payload of the refusal that a client gets.
pub(crate) async fn refusal(io: &Server, namespace: &str, auth: impl Serialize) -> Value {
    match TestClient::connect_with(io, namespace, &[], auth).await {
        Err(erlen::TestError::Refused(payload)) => payload,
        other => panic!("{other:?} instead of a refusal"),
    }
}

/// The next event of a client, as the text of its array: `["name",1]`.
pub(crate) async fn heard(client: &mut TestClient) -> String {
    client.receive().await.expect("an event").args.json().to_owned()
}

/// The end of a client's socket; events before it are let go.
pub(crate) async fn ended(client: &mut TestClient) {
    loop {
        match client.receive().await {
            Ok(_) => {}
            Err(erlen::TestError::Disconnected) => return,
            Err(other) => panic!("{other} instead of the end"),
        }
    }
}

/// What handlers note, in order.
pub(crate) struct Notes<T>(UnboundedReceiver<T>);

/// A pen for handlers.
#[derive(Clone)]
pub(crate) struct Pen<T>(UnboundedSender<T>);

pub(crate) fn notes<T>() -> (Pen<T>, Notes<T>) {
    let (sender, receiver) = unbounded_channel();
    (Pen(sender), Notes(receiver))
}

impl<T> Pen<T> {
    pub(crate) fn note(&self, note: impl Into<T>) {
        // A test that has ended reads no more.
        let _ = self.0.send(note.into());
    }
}

impl<T> Notes<T> {
    pub(crate) async fn next(&mut self) -> T {
        soon("a note of a handler", self.0.recv()).await.expect("a handler that can still note")
    }

    pub(crate) async fn take<const N: usize>(&mut self) -> [T; N] {
        let mut taken = Vec::new();
        while taken.len() < N {
            taken.push(self.next().await);
        }
        taken.try_into().ok().expect("as many as were taken")
    }

    /// What has been noted up to now.
    pub(crate) fn so_far(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

// Over a port.

/// Serves on a free port for as long as the test runs.
pub(crate) async fn serve(io: &Server) -> SocketAddr {
    let bound = io.listen("127.0.0.1:0").bind().await.expect("a free port");
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    addr
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A GET on a connection of its own; `headers` are lines.
pub(crate) async fn get(addr: SocketAddr, target: &str, headers: &str) -> Answer {
    ask(addr, "GET", target, headers, "").await
}

/// A request on a connection of its own.
pub(crate) async fn ask(addr: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let stream = soon("a connection", TcpStream::connect(addr)).await.expect("the port is open");
    ask_on(stream, method, target, headers, body).await
}

/// A request on a stream, which ends with it.
pub(crate) async fn ask_on(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the server takes a request");
    let mut bytes = Vec::new();
    // A server that closes without a farewell of TLS has said all the same.
    let _ = soon("an answer", stream.read_to_end(&mut bytes)).await;
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: bytes.split_off(end + 4) }
}

/// A client over WebSocket, by a library that knows nothing of Socket.IO.
pub(crate) struct WebSocket<S = MaybeTlsStream<TcpStream>>(WebSocketStream<S>);

impl WebSocket {
    /// A session of its own; its open packet is read.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self::open_at(addr, "/socket.io/").await
    }

    pub(crate) async fn open_at(addr: SocketAddr, path: &str) -> Self {
        let url = format!("ws://{addr}{path}?EIO=4&transport=websocket");
        let connected = soon("a WebSocket", tokio_tungstenite::connect_async(url)).await;
        Self::begin(connected.expect("a WebSocket").0).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The same on a stream that is there already.
    pub(crate) async fn begin(stream: WebSocketStream<S>) -> Self {
        let mut this = Self(stream);
        let open = this.packet().await;
        assert!(open.starts_with("0{"), "{open}");
        this
    }

    /// The same for a session that is there already.
    pub(crate) fn over(stream: WebSocketStream<S>) -> Self {
        Self(stream)
    }

    pub(crate) async fn send(&mut self, packet: &str) {
        self.0.send(Message::text(packet)).await.expect("an open WebSocket");
    }

    pub(crate) async fn send_binary(&mut self, data: impl Into<bytes::Bytes>) {
        self.0.send(Message::binary(data)).await.expect("an open WebSocket");
    }

    /// The next packet that is text; the server's pings are answered.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Message::Text(ping)) if ping == "2" => self.send("3").await,
                Some(Message::Text(text)) => return text.to_string(),
                other => panic!("{other:?} instead of a packet"),
            }
        }
    }

    /// The next message that is binary.
    pub(crate) async fn binary(&mut self) -> bytes::Bytes {
        match self.message().await {
            Some(Message::Binary(data)) => data,
            other => panic!("{other:?} instead of binary data"),
        }
    }

    /// Reads to the end, and then ends its own side, which the server waits for.
    pub(crate) async fn end(mut self) {
        while self.message().await.is_some() {}
    }

    /// The next message; `None` at the end.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        soon("a message", self.0.next()).await?.ok()
    }
}
