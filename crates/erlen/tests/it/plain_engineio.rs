//! The engine alone: another protocol on sessions, by polling and by WebSocket, text and binary.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use base64::Engine as _;
use erlen::engine::{Application, Client, CloseReason, Engine, Message, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Notes, Pen, WebSocket, ask, get, notes, until};

/// Sends back what comes, text upper-cased and bytes reversed.
struct Mirror(Pen<(CloseReason, usize)>, Mutex<mpsc::Receiver<()>>);

impl Application for Mirror {
    type State = std::sync::atomic::AtomicUsize;

    fn open_state(&self) -> Self::State {
        Self::State::new(0)
    }

    fn on_open(&self, client: &Arc<Client<Self>>) {
        assert!(client.handshake().query_value("at").as_deref() != Some("open"), "the application throws");
        client.send_text("welcome").expect("the session has just opened");
    }

    fn on_message(&self, client: &Arc<Client<Self>>, _: Instant, message: Message<'_>) {
        client.state().fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Who has gone needs no answer.
        let _ = match message {
            Message::Text("boom") => panic!("the application throws"),
            // A shard that is held up until the test says so.
            Message::Text("hold") => return self.1.lock().unwrap().recv().unwrap_or_default(),
            Message::Text("bye") => return client.close(CloseReason::ForcedClose, "the client said bye"),
            Message::Text(text) => client.send_text(&text.to_uppercase()),
            Message::Binary(data) => client.send_binary(&data.iter().rev().copied().collect::<Vec<_>>()),
        };
    }

    fn on_close(&self, client: &Arc<Client<Self>>, reason: CloseReason, _: &'static str) {
        self.0.note((reason, client.state().load(std::sync::atomic::Ordering::Relaxed)));
        assert!(client.handshake().query_value("at").as_deref() != Some("close"), "the application throws");
    }

    fn deadline(&self, client: &Arc<Client<Self>>) -> Option<Instant> {
        (client.handshake().query_value("at").as_deref() == Some("deadline")).then(Instant::now)
    }

    fn handle_timeout(&self, client: &Arc<Client<Self>>, _: Instant) {
        assert!(
            client.handshake().query_value("at").as_deref() != Some("deadline"),
            "the application throws"
        );
    }
}

async fn mirror() -> (Arc<Engine<Mirror>>, std::net::SocketAddr, Notes<(CloseReason, usize)>) {
    let (engine, addr, closed, _) = mirror_that_holds().await;
    (engine, addr, closed)
}

async fn mirror_that_holds()
-> (Arc<Engine<Mirror>>, std::net::SocketAddr, Notes<(CloseReason, usize)>, mpsc::Sender<()>) {
    mirror_on(1).await
}

async fn mirror_on(
    shards: usize,
) -> (Arc<Engine<Mirror>>, std::net::SocketAddr, Notes<(CloseReason, usize)>, mpsc::Sender<()>) {
    let (pen, closed) = notes();
    let (release, held) = mpsc::channel();
    let mut options = Options::default();
    options.shards = shards;
    let engine = Engine::start(Mirror(pen, Mutex::new(held)), options).expect("threads");
    let bound = engine.listen("127.0.0.1:0").bind().await.expect("a free port");
    let addr = bound.local_addr();
    tokio::spawn(std::future::IntoFuture::into_future(bound));
    (engine, addr, closed, release)
}

#[tokio::test]
async fn text_and_bytes_travel_over_a_websocket() {
    let (engine, addr, mut closed) = mirror().await;
    let mut ws = WebSocket::open_at(addr, "/engine.io/").await;
    assert_eq!(ws.packet().await, "4welcome");
    ws.send("4hello").await;
    assert_eq!(ws.packet().await, "4HELLO");
    ws.send_binary(vec![1, 2, 3]).await;
    assert_eq!(ws.binary().await, [3, 2, 1].as_slice());
    ws.send("4bye").await;
    ws.end().await;
    assert_eq!(closed.next().await, (CloseReason::ForcedClose, 3));
    until("the session is forgotten", || engine.session_count() == 0).await;
}

#[tokio::test]
async fn text_and_bytes_travel_by_polling() {
    let (_engine, addr, mut closed) = mirror().await;
    let open = get(addr, "/engine.io/?EIO=4&transport=polling", "").await.text();
    let (open, welcome) = match open.split_once('\u{1e}') {
        Some((open, welcome)) => (open.to_owned(), Some(welcome.to_owned())),
        None => (open, None),
    };
    let sid = open.split('"').nth(3).expect("a sid").to_owned();
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    let welcome = match welcome {
        Some(welcome) => welcome,
        None => get(addr, &target, "").await.text(),
    };
    assert_eq!(welcome, "4welcome");
    let bytes = base64::engine::general_purpose::STANDARD.encode([1, 2, 3]);
    let answer = ask(addr, "POST", &target, "", &format!("4hello\u{1e}b{bytes}")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let reversed = base64::engine::general_purpose::STANDARD.encode([3, 2, 1]);
    assert_eq!(get(addr, &target, "").await.text(), format!("4HELLO\u{1e}b{reversed}"));
    assert_eq!(ask(addr, "POST", &target, "", "4bye").await.status, 200);
    assert_eq!(get(addr, &target, "").await.text(), "1");
    assert_eq!(closed.next().await, (CloseReason::ForcedClose, 3));
    assert_eq!(get(addr, &target, "").await.status, 400);
}

#[tokio::test]
async fn a_session_moves_from_polling_to_a_websocket_and_keeps_its_state() {
    let (engine, addr, mut closed) = mirror().await;
    let open = get(addr, "/engine.io/?EIO=4&transport=polling", "").await.text();
    let sid = open.split('"').nth(3).expect("a sid").to_owned();
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    if !open.contains("4welcome") {
        assert_eq!(get(addr, &target, "").await.text(), "4welcome");
    }
    ask(addr, "POST", &target, "", "4first").await;
    let url = format!("ws://{addr}/engine.io/?EIO=4&transport=websocket&sid={sid}");
    let (stream, _) = tokio_tungstenite::connect_async(url).await.expect("a WebSocket");
    let mut ws = WebSocket::over(stream);
    ws.send("2probe").await;
    assert_eq!(ws.packet().await, "3probe");
    ws.send("5").await;
    assert_eq!(ws.packet().await, "4FIRST");
    ws.send("4bye").await;
    ws.end().await;
    assert_eq!(closed.next().await, (CloseReason::ForcedClose, 2));
    assert_eq!(engine.metrics().upgrades, 1);
}

#[tokio::test]
async fn closing_the_engine_tells_the_application_of_every_session_once() {
    let (engine, addr, mut closed) = mirror().await;
    let mut ws = WebSocket::open_at(addr, "/engine.io/").await;
    assert_eq!(ws.packet().await, "4welcome");
    engine.close();
    engine.close();
    ws.end().await;
    assert_eq!(closed.next().await, (CloseReason::ServerShuttingDown, 0));
    until("nothing is left", || engine.session_count() == 0 && engine.connection_count() == 0).await;
    assert!(closed.so_far().is_empty());
}

#[tokio::test]
async fn an_application_that_panics_loses_that_client_alone() {
    let (engine, addr, mut closed) = mirror().await;
    let (mut bad, mut good) =
        (WebSocket::open_at(addr, "/engine.io/").await, WebSocket::open_at(addr, "/engine.io/").await);
    for ws in [&mut bad, &mut good] {
        assert_eq!(ws.packet().await, "4welcome");
    }
    bad.send("4boom").await;
    bad.end().await;
    assert_eq!(closed.next().await, (CloseReason::TransportClose, 1));
    good.send("4still there").await;
    assert_eq!(good.packet().await, "4STILL THERE");
    until("one session is left", || engine.session_count() == 1).await;
}

/// A handshake, and texts by the same write.
async fn begin(addr: std::net::SocketAddr, query: &str, texts: &[&str]) -> TcpStream {
    let mut bytes = format!(
        "GET /engine.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    for text in texts {
        bytes.extend([0x81, 0x80 | u8::try_from(text.len()).expect("a short text"), 0, 0, 0, 0]);
        bytes.extend(text.as_bytes());
    }
    let mut stream = TcpStream::connect(addr).await.expect("the port is open");
    stream.write_all(&bytes).await.expect("a connection");
    stream
}

#[tokio::test]
async fn an_application_that_panics_behind_the_handshake_loses_that_client_alone() {
    let (engine, addr, mut closed, _) = mirror_on(2).await;
    let mut bad = begin(addr, "", &["4boom", "4never read"]).await;
    bad.read_to_end(&mut Vec::new()).await.expect("the end");
    assert_eq!(closed.next().await, (CloseReason::TransportClose, 1));
    until("it has gone", || engine.connection_count() == 0 && engine.session_count() == 0).await;

    // The session's shard has a WebSocket, so that the probe comes to the other, which sends it there.
    let open = get(addr, "/engine.io/?EIO=4&transport=polling", "").await.text();
    let sid = open.split('"').nth(3).expect("a sid");
    let mut good = WebSocket::open_at(addr, "/engine.io/").await;
    assert_eq!(good.packet().await, "4welcome");
    let mut bad = begin(addr, &format!("&sid={sid}"), &["2probe", "5", "4boom"]).await;
    bad.read_to_end(&mut Vec::new()).await.expect("the end");
    assert_eq!(closed.next().await, (CloseReason::TransportClose, 1));
    good.send("4still there").await;
    assert_eq!(good.packet().await, "4STILL THERE");
    until("one session is left", || engine.session_count() == 1 && engine.connection_count() == 1).await;
}

#[tokio::test]
async fn an_application_that_panics_anywhere_loses_that_client_alone() {
    let (engine, addr, mut closed) = mirror().await;
    let mut good = WebSocket::open_at(addr, "/engine.io/").await;
    assert_eq!(good.packet().await, "4welcome");
    for at in ["open", "close", "deadline"] {
        let mut bad = begin(addr, &format!("&at={at}"), &["4bye"]).await;
        bad.read_to_end(&mut Vec::new()).await.expect("the end");
        assert_eq!(closed.next().await.0, CloseReason::ForcedClose, "{at}");
        good.send("4still there").await;
        assert_eq!(good.packet().await, "4STILL THERE");
        until("one session is left", || engine.session_count() == 1).await;
    }
}

#[tokio::test]
async fn more_sockets_than_are_read_at_once_are_all_read_each_in_its_order() {
    let (_engine, addr, _closed, release) = mirror_that_holds().await;
    let mut all = Vec::new();
    for _ in 0..150 {
        let mut ws = WebSocket::open_at(addr, "/engine.io/").await;
        assert_eq!(ws.packet().await, "4welcome");
        all.push(ws);
    }
    let [holder, others @ ..] = &mut all[..] else { panic!("nobody") };
    holder.send("4hold").await;
    for (ws, number) in others.iter_mut().zip(0..) {
        ws.send(&format!("4a{number}")).await;
        ws.send(&format!("4b{number}")).await;
    }
    drop(release);
    for (ws, number) in others.iter_mut().zip(0..) {
        assert_eq!(ws.packet().await, format!("4A{number}"));
        assert_eq!(ws.packet().await, format!("4B{number}"));
    }
}

#[tokio::test]
async fn more_bytes_than_a_thread_reads_at_once_are_all_read_each_sockets_as_its_own() {
    let (engine, addr, mut closed, release) = mirror_that_holds().await;
    let mut all = Vec::new();
    for _ in 0..40 {
        let mut ws = WebSocket::open_at(addr, "/engine.io/").await;
        assert_eq!(ws.packet().await, "4welcome");
        all.push(ws);
    }
    let [holder, quitter, others @ ..] = &mut all[..] else { panic!("nobody") };
    holder.send("4hold").await;
    // Behind each other in the thread's buffer, one past its end, and one that spans it.
    let text_of = |number: usize| format!("{number}:{}", "a".repeat([5, 9_000, 30_000, 90_000][number % 4]));
    quitter.send("4bye").await;
    for (number, ws) in others.iter_mut().enumerate() {
        ws.send(&format!("4{}", text_of(number))).await;
        ws.send("4behind").await;
    }
    drop(release);
    for (number, ws) in others.iter_mut().enumerate() {
        assert_eq!(ws.packet().await, format!("4{}", text_of(number).to_uppercase()));
        assert_eq!(ws.packet().await, "4BEHIND");
    }
    assert_eq!(closed.next().await, (CloseReason::ForcedClose, 1));
    until("the others stay", || engine.session_count() == 39).await;
}
