//! A client for tests, in process: no port, no HTTP, and otherwise the way of every other client.
//!
//! It drives a polling session by the same calls as the HTTP side does, so what it sees is what a real client
//! would be sent.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use erlen_engineio::payload::{self, PayloadPacket};
use erlen_engineio::{CloseReason, EncodedPacket, Get, Message, Packet};
use erlen_socketio::{
    Decoder, DecoderConfig, PacketData, PacketKind, SocketId, encode_connect, encode_header,
};
use serde::de::DeserializeOwned;

use crate::args::{Encoded, IntoArgs, RawArgs};
use crate::connection::SocketIo;
use crate::engine::{Client, Handshake, feed};
use crate::outgoing::{self, Event};
use crate::server::Server;

/// How long the client waits for something before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session of a server in the same process, without a transport: what is sent to it waits until it is taken, what it
/// sends is handled by the calling thread. Below [`TestClient`], for tests that speak packets. It has no heartbeat.
pub struct TestSession(Arc<Client<SocketIo>>);

/// A message of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestMessage {
    /// A Socket.IO packet, or what stands for it.
    Text(String),
    /// An attachment.
    Binary(Bytes),
}

impl TestSession {
    /// Opens a session as if by a request of this target (path and query) with these headers.
    pub fn open(server: &Server, target: &str, headers: &[(&str, &str)]) -> Self {
        Self::open_as(server, Handshake::internal(target, headers))
    }

    /// The same with what a hook of [`Builder::admit_request`](crate::Builder::admit_request) would keep.
    pub fn open_with<T: Any + Send + Sync>(
        server: &Server,
        target: &str,
        headers: &[(&str, &str)],
        data: T,
    ) -> Self {
        let mut handshake = Handshake::internal(target, headers);
        handshake.set_data(Some(Arc::new(data)));
        Self::open_as(server, handshake)
    }

    fn open_as(server: &Server, handshake: Handshake) -> Self {
        Self(server.engine().open_without_heartbeat(handshake))
    }

    /// The session as the server sees it.
    pub fn client(&self) -> &Arc<Client<SocketIo>> {
        &self.0
    }

    /// Sends packets that belong together. Returns when the server has taken them.
    pub async fn send(&self, packets: &[EncodedPacket]) {
        let mut body = Vec::new();
        for packet in packets {
            if !body.is_empty() {
                body.push(payload::SEPARATOR);
            }
            packet.append_to_payload(&mut body);
        }
        if feed(&self.0, &body).await.is_err() {
            self.0.close(CloseReason::ParseError, "a packet of the test client");
        }
    }

    /// What waits for the session, without waiting for more; `None` once it has ended and all was taken.
    pub fn take(&self) -> Option<Vec<TestMessage>> {
        if self.0.queued().0 == 0 {
            return (!self.0.is_closed()).then(Vec::new);
        }
        if self.0.begin_get(Instant::now()) != Get::Parked {
            return None;
        }
        match self.0.poll_payload(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(body) => Some(messages(&body)),
            Poll::Pending => {
                self.0.abort_get();
                None
            }
        }
    }

    /// What waits for the session, or the next that does.
    ///
    /// # Errors
    /// [`TestError::Disconnected`] once it has ended and all was taken, [`TestError::Timeout`] when nothing comes.
    pub async fn receive(&self) -> Result<Vec<TestMessage>, TestError> {
        if self.0.begin_get(Instant::now()) != Get::Parked {
            return Err(TestError::Disconnected);
        }
        let polled = tokio::time::timeout(PATIENCE, poll_fn(|cx| self.0.poll_payload(cx))).await;
        polled.map(|body| messages(&body)).map_err(|_| {
            self.0.abort_get();
            TestError::Timeout
        })
    }
}

fn messages(body: &[u8]) -> Vec<TestMessage> {
    let packets = payload::decode(body, usize::MAX);
    let messages = packets.filter_map(|packet| match packet {
        Ok(PayloadPacket::Text(Packet::Message(Message::Text(text)))) => {
            Some(TestMessage::Text(text.to_owned()))
        }
        Ok(PayloadPacket::Binary(data)) => Some(TestMessage::Binary(data.into())),
        _ => None,
    });
    messages.collect()
}

impl Drop for TestSession {
    fn drop(&mut self) {
        self.0.close(CloseReason::TransportClose, "the test client was dropped");
    }
}

impl fmt::Debug for TestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSession({:?})", self.0.sid())
    }
}

/// A client of a server in the same process.
///
/// ```
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use erlen::{Data, Server, TestClient};
///
/// let io = Server::new();
/// io.on("double", |Data(n): Data<i64>| n * 2);
///
/// let mut client = TestClient::connect(&io).await?;
/// assert_eq!(client.emit_with_ack::<i64>("double", 21).await?, 42);
/// # Ok(()) }
/// ```
pub struct TestClient {
    session: TestSession,
    namespace: String,
    id: SocketId,
    decoder: Decoder,
    events: VecDeque<Received>,
    acks: HashMap<u64, RawArgs>,
    next_ack: u64,
    /// The socket, or its session, has ended; what was received before can still be read.
    ended: bool,
}

/// An event that a client has received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The event's name.
    pub event: String,
    /// Its arguments.
    pub args: RawArgs,
    ack_id: Option<u64>,
}

/// Why a test client got nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum TestError {
    /// The server refused the namespace: the payload of its CONNECT_ERROR.
    Refused(serde_json::Value),
    /// The session, or the socket in it, has ended.
    Disconnected,
    /// Nothing came in twenty seconds.
    Timeout,
    /// What came is not what was asked for.
    Decode(serde_json::Error),
    /// The event could not be sent.
    Emit(crate::EmitError),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(payload) => write!(f, "the server refused the namespace: {payload}"),
            Self::Disconnected => f.write_str("the server ended the connection"),
            Self::Timeout => f.write_str("nothing came in twenty seconds"),
            Self::Decode(error) => write!(f, "what came is not what was asked for: {error}"),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TestError {}

impl TestClient {
    /// Joins the root namespace.
    ///
    /// # Errors
    /// [`TestError::Refused`] with the refusal's payload.
    pub async fn connect(server: &Server) -> Result<Self, TestError> {
        Self::connect_with(server, "/", &[], ()).await
    }

    /// Joins a namespace with headers and auth; `()` is no auth.
    ///
    /// # Errors
    /// [`TestError::Refused`] with the refusal's payload.
    pub async fn connect_with(
        server: &Server,
        namespace: &str,
        headers: &[(&str, &str)],
        auth: impl IntoArgs,
    ) -> Result<Self, TestError> {
        let target = format!("{}?EIO=4&transport=polling", server.engine().options().path);
        let auth = Encoded::new(&auth).map_err(TestError::Decode)?;
        let auth = String::from_utf8_lossy(&auth.json);
        let auth = auth.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut this = Self {
            session: TestSession::open(server, &target, headers),
            namespace: namespace.to_owned(),
            id: SocketId::from_random([0; 15]),
            decoder: Decoder::new(),
            events: VecDeque::new(),
            acks: HashMap::new(),
            next_ack: 0,
            ended: false,
        };
        let connect = EncodedPacket::text_message(|buffer| encode_connect(buffer, namespace, &auth));
        this.send(&[connect]).await;
        loop {
            if let Some(joined) = this.receive_packets().await? {
                this.id = joined;
                return Ok(this);
            }
        }
    }

    /// Emits an event.
    ///
    /// # Errors
    /// When the arguments cannot be serialized.
    pub async fn emit(&mut self, event: &str, data: impl IntoArgs) -> Result<(), TestError> {
        let event = Event::new(&self.namespace, event, &data, usize::MAX).map_err(TestError::Emit)?;
        self.send(&event.packets()).await;
        Ok(())
    }

    /// Emits an event and awaits the server's ack: its first argument, or a tuple of all.
    ///
    /// # Errors
    /// No ack, or another one.
    pub async fn emit_with_ack<T: DeserializeOwned>(
        &mut self,
        event: &str,
        data: impl IntoArgs,
    ) -> Result<T, TestError> {
        let event = Event::new(&self.namespace, event, &data, usize::MAX).map_err(TestError::Emit)?;
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(&event.packets_with_ack(&self.namespace, id)).await;
        loop {
            if let Some(args) = self.acks.remove(&id) {
                return args.get(0).or_else(|_| args.all()).map_err(TestError::Decode);
            }
            self.receive_packets().await?;
        }
    }

    /// The next event that the server has sent, or will send.
    ///
    /// # Errors
    /// [`TestError::Disconnected`] after the end, [`TestError::Timeout`] when nothing comes.
    pub async fn receive(&mut self) -> Result<Received, TestError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.receive_packets().await?;
        }
    }

    /// Acknowledges an event that the server has sent.
    ///
    /// # Errors
    /// When the arguments cannot be serialized.
    pub async fn ack(&mut self, received: &Received, data: impl IntoArgs) -> Result<(), TestError> {
        if let Some(id) = received.ack_id {
            let encoded = Encoded::new(&data).map_err(TestError::Decode)?;
            self.send(&outgoing::ack(&self.namespace, id, &encoded)).await;
        }
        Ok(())
    }

    /// Leaves the namespace.
    pub async fn disconnect(&mut self) {
        let packet = EncodedPacket::text_message(|buffer| {
            encode_header(buffer, PacketKind::Disconnect, &self.namespace, None, 0);
        });
        self.send(&[packet]).await;
    }

    /// The id of the socket, the same that handlers see.
    pub fn id(&self) -> SocketId {
        self.id
    }

    async fn send(&self, packets: &[EncodedPacket]) {
        self.session.send(packets).await;
    }

    /// Events and acks that have come are put away; the answer to a CONNECT is returned.
    async fn receive_packets(&mut self) -> Result<Option<SocketId>, TestError> {
        if self.ended {
            return Err(TestError::Disconnected);
        }
        let mut joined = None;
        for message in self.session.receive().await? {
            let packet = match &message {
                TestMessage::Text(text) => {
                    self.decoder.decode_text(&DecoderConfig::default(), Instant::now(), text)
                }
                TestMessage::Binary(data) => self.decoder.decode_binary(&DecoderConfig::default(), data),
            };
            joined = self.handle(packet)?.or(joined);
        }
        Ok(joined)
    }

    fn handle(
        &mut self,
        packet: Result<Option<erlen_socketio::Packet<'_>>, erlen_socketio::DecodeError>,
    ) -> Result<Option<SocketId>, TestError> {
        let Ok(Some(packet)) = packet else {
            return Ok(None);
        };
        match packet.into_owned().data {
            PacketData::Connect { auth } => {
                #[derive(serde::Deserialize)]
                struct Joined {
                    sid: String,
                }
                let joined: Joined =
                    serde_json::from_str(&auth.unwrap_or_default()).map_err(TestError::Decode)?;
                Ok(SocketId::parse(&joined.sid))
            }
            PacketData::ConnectError { data } => {
                Err(TestError::Refused(serde_json::from_str(&data).map_err(TestError::Decode)?))
            }
            PacketData::Event { id, args } => {
                let args = RawArgs::event(args);
                let event = args.event_name().into_owned();
                self.events.push_back(Received { event, args, ack_id: id });
                Ok(None)
            }
            PacketData::Ack { id, args } => {
                self.acks.insert(id, RawArgs::ack(args));
                Ok(None)
            }
            PacketData::Disconnect => {
                self.ended = true;
                Ok(None)
            }
        }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestClient({} in {})", self.id, self.namespace)
    }
}
