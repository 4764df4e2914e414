//! What the tests of hostile input stand on: a server that writes down what its handlers saw, and clients that
//! send whatever bytes they are told. Nothing here mends or hides what goes over the wire.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use erlen::{Builder, Context, DisconnectReason, EventName, FromContext, Raw, RawArgs, Server, Socket, Stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long anything may take before a test says that it does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

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

/// What a handler saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Connect(String),
    /// The namespace, and the event's array.
    Event(String, String),
    Disconnect(String, DisconnectReason),
}

/// A server on a port of its own, and what its handlers saw.
pub(crate) struct House {
    pub(crate) io: Server,
    pub(crate) addr: SocketAddr,
    notes: UnboundedSender<Seen>,
    seen: UnboundedReceiver<Seen>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl House {
    /// A server with the defaults, on one shard, that pings nobody: these clients answer no pings, and a test may take its time.
    pub(crate) async fn open() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let io = change(Server::builder().shards(1).ping_interval(ms(3_600_000)))
            .build()
            .expect("the options are sound");
        let bound = io.listen("127.0.0.1:0").bind().await.expect("a free port");
        let addr = bound.local_addr();
        let serving = tokio::spawn(bound.into_future());
        let (notes, seen) = unbounded_channel();
        let house = Self { io, addr, notes, seen, serving };
        house.watch("/");
        house.io.on("echo", |socket: Socket, Raw(args): Raw| socket.emit("echo", args));
        house.io.on("ack", |Raw(args): Raw| -> RawArgs { args });
        house
    }

    /// Notes all that happens in a namespace.
    pub(crate) fn watch(&self, name: &str) {
        let namespace = self.io.of(name);
        let notes = self.notes.clone();
        namespace.on_connect(move |socket: Socket| {
            let _ = notes.send(Seen::Connect(socket.namespace().name().into()));
        });
        let notes = self.notes.clone();
        namespace.on_any(move |socket: Socket, Json(json): Json| {
            let _ = notes.send(Seen::Event(socket.namespace().name().into(), json));
        });
        let notes = self.notes.clone();
        namespace.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
            let _ = notes.send(Seen::Disconnect(socket.namespace().name().into(), reason));
        });
    }

    pub(crate) async fn next(&mut self) -> Seen {
        soon("a call of a handler", self.seen.recv()).await.expect("the server lives")
    }

    /// The next event of `/`, as its array's text.
    pub(crate) async fn event(&mut self) -> String {
        loop {
            match self.next().await {
                Seen::Event(namespace, json) if namespace == "/" => return json,
                Seen::Connect(_) => {}
                other => panic!("{other:?} instead of an event"),
            }
        }
    }

    /// The reason of the one disconnect that comes next; what came before it is skipped.
    pub(crate) async fn reason(&mut self) -> &'static str {
        loop {
            if let Seen::Disconnect(_, reason) = self.next().await {
                return reason.as_str();
            }
        }
    }

    /// What was seen so far and not asked for.
    pub(crate) fn rest(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    /// A handler `wait` that ends once the gate opens: of a client that may have one event waiting it holds up the reading.
    pub(crate) fn gate(&self) -> watch::Sender<bool> {
        let (open, gate) = watch::channel(false);
        self.io.on("wait", move || {
            let mut gate = gate.clone();
            async move { drop(gate.wait_for(|open| *open).await) }
        });
        open
    }

    /// Nothing of former clients is left: no session, socket, room or connection.
    pub(crate) async fn is_empty(&self) {
        let left = || {
            let engine = self.io.engine();
            let namespaces = self.io.namespaces();
            let sockets: usize = namespaces.iter().map(|n| n.socket_count()).sum();
            let rooms: usize = namespaces.iter().map(|n| n.room_sizes().len()).sum();
            [engine.session_count(), engine.connection_count(), sockets, rooms]
        };
        let asked = Instant::now();
        let mut tick = tokio::time::interval(ms(2));
        while left() != [0; 4] {
            assert!(asked.elapsed() < PATIENCE, "sessions, connections, sockets, rooms left: {:?}", left());
            tick.tick().await;
        }
    }

    /// The one I/O thread has read all that was sent before: a whole request went by behind it.
    pub(crate) async fn has_read(&self) {
        ask(self.addr, "GET", "/socket.io/?EIO=4", "", "").await.is_refusal(0);
    }

    /// The process lives, and others are served: a new client has its echo.
    pub(crate) async fn still_serves(&self) {
        let mut ws = Ws::join(self.addr).await;
        ws.text(r#"42["echo","still here"]"#).await;
        assert_eq!(ws.packet().await, r#"42["echo","still here"]"#);
        ws.text("1").await;
    }
}

/// A listener that serves until it is told to stop; heads have all the time that they want.
pub(crate) async fn until_stopped() -> (SocketAddr, oneshot::Sender<Stop>, JoinHandle<std::io::Result<()>>) {
    let io = Server::builder().shards(1).header_timeout(ms(60_000)).build().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async { stopped.await.unwrap_or(Stop::NOW) };
    let bound = io.listen("127.0.0.1:0").stop_when(stopped).bind().await.unwrap();
    (bound.local_addr(), stop, tokio::spawn(bound.into_future()))
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An event's whole array, name first.
pub(crate) struct Json(pub(crate) String);

impl FromContext for Json {
    fn from_context(context: &mut Context) -> Result<Self, erlen::Error> {
        let EventName(name) = EventName::from_context(context)?;
        let Raw(args) = Raw::from_context(context)?;
        debug_assert!(args.json().starts_with('['), "{name}");
        Ok(Self(args.json().to_owned()))
    }
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Asserts a refusal with the JSON body of that code.
    pub(crate) fn is_refusal(&self, code: u8) {
        let texts = [
            "Transport unknown",
            "Session ID unknown",
            "Bad handshake method",
            "Bad request",
            "Forbidden",
            "Unsupported protocol version",
        ];
        let status = if code == 4 { 403 } else { 400 };
        let body = format!(r#"{{"code":{code},"message":"{}"}}"#, texts[usize::from(code)]);
        assert_eq!((self.status, sorted(&self.body)), (status, sorted(&body)), "{self:?}");
    }
}

fn sorted(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|_| serde_json::Value::String(json.to_owned()))
}

/// A connection that sends what it is told.
pub(crate) struct Http {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::connect_by(TcpSocket::new_v4().expect("a socket"), addr).await
    }

    /// A connection for which the system takes few bytes that are not read.
    pub(crate) async fn connect_narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(64 * 1024).expect("a socket option");
        Self::connect_by(socket, addr).await
    }

    async fn connect_by(socket: TcpSocket, addr: SocketAddr) -> Self {
        let stream = soon("a connection", socket.connect(addr)).await.expect("the port is open");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes as they are. An error means that the server has closed already, which a later read shows.
    pub(crate) async fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon("room for bytes", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Sends bytes as long as the system takes them; how many it took.
    pub(crate) fn fill(&self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while let Ok(n @ 1..) = self.stream.try_write(&bytes[sent..]) {
            sent += n;
        }
        sent
    }

    /// Sends a byte of urgent data, which is in no stream.
    pub(crate) fn urgent(&self) {
        let sent = socket2::SockRef::from(&self.stream).send_out_of_band(b"!");
        assert_eq!(sent.expect("room for a byte"), 1);
    }

    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: impl AsRef<[u8]>,
    ) {
        let body = body.as_ref();
        let length = if method == "GET" && body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}{headers}\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(bytes).await;
    }

    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> Answer {
        self.request(method, target, "", "").await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer, not the end of the connection")
    }

    /// The next answer; `None` when the server has closed instead.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        let end = loop {
            match self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                Some(at) => break at,
                None if self.more().await => {}
                None => return None,
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end + 4);
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status line");
        let mut answer = Answer { status, head, body: String::new() };
        if status >= 200 && status != 204 {
            let length = answer.header("content-length").map_or(0, |l| l.parse().expect("a length"));
            while self.read.len() < length && self.more().await {}
            let length = length.min(self.read.len());
            answer.body =
                String::from_utf8_lossy(&self.read.drain(..length).collect::<Vec<_>>()).into_owned();
        }
        Some(answer)
    }

    /// Waits until the server has closed; answers what it said before.
    pub(crate) async fn end(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match soon("bytes from the server", self.stream.read(&mut buffer)).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.read.extend_from_slice(&buffer[..n]);
                true
            }
        }
    }

    /// Ends the writing half alone.
    pub(crate) async fn half_close(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Cuts with RST.
    pub(crate) fn reset(self) {
        #[allow(deprecated, reason = "a linger of zero does not block: it is what makes close send RST")]
        self.stream.set_linger(Some(Duration::ZERO)).expect("a socket option");
    }

    pub(crate) fn into_ws(self) -> Ws {
        Ws { http: self }
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(
    addr: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> Answer {
    let mut http = Http::connect(addr).await;
    http.request(method, target, headers, body).await;
    http.answer().await
}

/// Raw bytes on a connection of its own, and the answer.
pub(crate) async fn say(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Answer> {
    let mut http = Http::connect(addr).await;
    http.raw(bytes).await;
    http.try_answer().await
}

/// A session that polls.
#[derive(Clone)]
pub(crate) struct Poll {
    pub(crate) addr: SocketAddr,
    pub(crate) sid: String,
}

impl Poll {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let answer = ask(addr, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { addr, sid: sid_of(&answer.body) }
    }

    /// A session that has joined `/`.
    pub(crate) async fn join(addr: SocketAddr) -> Self {
        let poll = Self::open(addr).await;
        assert_eq!(poll.post("40").await.status, 200);
        let body = poll.get().await.body;
        assert!(body.starts_with(r#"40{"sid":""#) || body.starts_with("2\x1e40{"), "{body}");
        poll
    }

    pub(crate) fn target(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    pub(crate) async fn get(&self) -> Answer {
        ask(self.addr, "GET", &self.target(), "", "").await
    }

    /// A GET whose answer is read later.
    pub(crate) async fn begin_get(&self) -> Http {
        let mut http = Http::connect(self.addr).await;
        http.request("GET", &self.target(), "", "").await;
        http
    }

    pub(crate) async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        ask(self.addr, "POST", &self.target(), "Content-Type: text/plain;charset=UTF-8\r\n", body).await
    }

    /// The session is gone. A close by the server is first told by `1`, alone in its body, behind what was sent before.
    pub(crate) async fn is_gone(&self) {
        let mut last = None;
        loop {
            let answer = self.get().await;
            if answer.status != 200 {
                assert!(last.is_none_or(|body| body == "1"), "packets without a close packet");
                return answer.is_refusal(1);
            }
            assert_ne!(last.as_deref(), Some("1"), "nothing comes behind the close packet");
            last = Some(answer.body);
        }
    }

    /// The session lives: it has its echo.
    pub(crate) async fn lives(&self) {
        let answer = self.post(r#"42["echo","alive"]"#).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
        let mut body = self.get().await.body;
        while !body.contains(r#"42["echo","alive"]"#) {
            body = self.get().await.body;
        }
    }
}

/// The sid in an open packet.
pub(crate) fn sid_of(open: &str) -> String {
    let (_, rest) = open.split_once(r#""sid":""#).unwrap_or_else(|| panic!("no sid in {open}"));
    rest.split('"').next().expect("a sid").to_owned()
}

/// What came over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    End,
}

/// A WebSocket that sends what it is told.
pub(crate) struct Ws {
    http: Http,
}

pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

impl Ws {
    /// A session of its own; its open packet is read.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let mut ws = Self::begin(addr, WEBSOCKET, &[]).await;
        let open = ws.packet().await;
        assert!(open.starts_with("0{"), "{open}");
        ws
    }

    /// A session that has joined `/`, and its sid.
    pub(crate) async fn join_with_sid(addr: SocketAddr) -> (Self, String) {
        let mut ws = Self::begin(addr, WEBSOCKET, &[]).await;
        let sid = sid_of(&ws.packet().await);
        ws.text("40").await;
        assert!(ws.packet().await.starts_with("40{"));
        (ws, sid)
    }

    /// A session that has joined `/`.
    pub(crate) async fn join(addr: SocketAddr) -> Self {
        let mut ws = Self::open(addr).await;
        ws.text("40").await;
        let connected = ws.packet().await;
        assert!(connected.starts_with(r#"40{"sid":""#), "{connected}");
        ws
    }

    /// The same by one write, so that no deadline of the session comes in between, however busy the machine is.
    pub(crate) async fn join_at_once(addr: SocketAddr) -> Self {
        let mut ws = Self::begin(addr, WEBSOCKET, &["40"]).await;
        assert!(ws.packet().await.starts_with("0{"));
        assert!(ws.packet().await.starts_with("40{"));
        ws
    }

    /// A session that has joined `/` and owes no pong: one may have come meanwhile. Where none did, this one means nothing.
    pub(crate) async fn join_and_pong(addr: SocketAddr) -> Self {
        let mut ws = Self::join(addr).await;
        ws.text("3").await;
        ws
    }

    /// A WebSocket with the sid of a session that polls.
    pub(crate) async fn probe(poll: &Poll) -> Self {
        Self::probe_with(poll, &[]).await
    }

    /// The same with its first packets, by one write.
    pub(crate) async fn probe_with(poll: &Poll, packets: &[&str]) -> Self {
        Self::begin(poll.addr, &format!("{WEBSOCKET}&sid={}", poll.sid), packets).await
    }

    async fn begin(addr: SocketAddr, target: &str, packets: &[&str]) -> Self {
        let mut http = Http::connect(addr).await;
        let mut bytes = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}\r\n").into_bytes();
        packets.iter().for_each(|packet| bytes.extend(frame(0x81, packet)));
        http.raw(bytes).await;
        let answer = http.answer().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        http.into_ws()
    }

    pub(crate) async fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.http.raw(bytes).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.raw(frame(0x81, text)).await;
    }

    pub(crate) async fn binary(&mut self, data: impl AsRef<[u8]>) {
        self.raw(frame(0x82, data)).await;
    }

    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            if !self.http.more().await {
                return Frame::End;
            }
        }
    }

    /// A whole frame that was read; the server masks none.
    fn take_frame(&mut self) -> Option<Frame> {
        let read = &self.http.read;
        let [first, second, rest @ ..] = &read[..] else { return None };
        let (header, length) = match *second {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).expect("a length")),
            short => (2, usize::from(short)),
        };
        let payload = read.get(header..header + length)?.to_vec();
        let frame = match first {
            0x81 => Frame::Text(String::from_utf8(payload).expect("text is UTF-8")),
            0x82 => Frame::Binary(payload),
            0x8a => Frame::Pong(payload),
            0x88 => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            other => panic!("a frame that begins with {other:#x}"),
        };
        self.http.read.drain(..header + length);
        Some(frame)
    }

    /// The next packet; the server's pings are skipped.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.next().await {
                Frame::Text(ping) if ping == "2" => {}
                Frame::Text(text) => return text,
                other => panic!("{other:?} instead of a packet"),
            }
        }
    }

    /// The code with which the server closes; packets before it are skipped.
    pub(crate) async fn closes(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Frame::Close(code) => return code,
                Frame::End => panic!("the connection ends without a close frame"),
                _ => {}
            }
        }
    }

    pub(crate) async fn end(&mut self) {
        self.http.end().await;
    }

    pub(crate) fn fill(&self, bytes: &[u8]) -> usize {
        self.http.fill(bytes)
    }

    pub(crate) fn urgent(&self) {
        self.http.urgent();
    }

    pub(crate) async fn half_close(&mut self) {
        self.http.half_close().await;
    }

    pub(crate) fn reset(self) {
        self.http.reset();
    }

    /// The session lives: it has its echo.
    pub(crate) async fn lives(&mut self) {
        self.text(r#"42["echo","alive"]"#).await;
        while self.packet().await != r#"42["echo","alive"]"# {}
    }
}

/// A masked frame, as clients send it. `first`: FIN, the reserved bits and the opcode.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let payload = payload.as_ref();
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        medium @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().expect("a number") * 1024
}

/// Runs the test of that name in a process of its own, where its memory and its log are its own too. True in that process.
pub(crate) fn alone(name: &str) -> bool {
    if std::env::var_os("HOSTILE_ALONE").is_some() {
        return true;
    }
    let binary = std::env::current_exe().expect("this binary");
    let run = std::process::Command::new(binary)
        .args(["--exact", name])
        .env("HOSTILE_ALONE", "1")
        .output()
        .expect("a process");
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    false
}
