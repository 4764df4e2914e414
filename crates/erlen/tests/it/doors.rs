//! What a front door in another language builds on: a handler for every event, packets and refusals as its clients know
//! them, answers without a future, sessions without a transport.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use erlen::engine::{EncodedPacket, Handshake};
use erlen::{
    AckSink, Error, EventName, Raw, RawArgs, Server, Socket, SocketId, TestClient, TestError, TestMessage,
    TestSession,
};

use crate::support::{WebSocket, ask, get, join, notes, serve};

fn text(packet: &str) -> EncodedPacket {
    EncodedPacket::text_message(|buffer| buffer.extend_from_slice(packet.as_bytes()))
}

#[tokio::test]
async fn a_fallback_handles_the_events_that_have_no_handler_and_no_others() {
    let io = Server::new();
    io.on("known", || "own");
    io.fallback(|EventName(name): EventName, Raw(args): Raw| (name, args.len() as u64));
    let mut client = join(&io).await;
    assert_eq!(client.emit_with_ack::<String>("known", 1).await.unwrap(), "own");
    let (name, args): (String, u64) = client.emit_with_ack("other", (1, 2)).await.unwrap();
    assert_eq!((name.as_str(), args), ("other", 2));
}

#[tokio::test]
async fn emits_reach_a_socket_while_it_connects_if_the_builder_says_so() {
    for reach in [true, false] {
        let io = Server::builder().reach_while_connecting(reach).build().unwrap();
        io.middleware(|socket: Socket| {
            socket.join("r");
            socket.namespace().to("r").emit("early", ()).unwrap();
        });
        let session = TestSession::open(&io, "/socket.io/", &[]);
        session.send(&[text("0")]).await;
        let heard: Vec<_> = session.take().unwrap();
        let early = heard.first() == Some(&TestMessage::Text(r#"2["early"]"#.into()));
        assert_eq!((early, heard.len()), (reach, 1 + usize::from(reach)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_socket_that_was_reached_and_then_refused_has_no_disconnect() {
    let io = Server::builder().reach_while_connecting(true).build().unwrap();
    let (note, mut noted) = notes::<&str>();
    io.middleware(|| Err::<(), _>(Error::refuse("no")));
    let gone = note.clone();
    io.on_disconnect(move || gone.note("disconnect"));
    let refused = TestClient::connect(&io).await.unwrap_err();
    assert!(matches!(refused, TestError::Refused(_)), "{refused}");
    assert_eq!((io.socket_count(), io.sockets().len()), (0, 0));
    note.note("end");
    assert_eq!(noted.next().await, "end");
}

#[tokio::test]
async fn stray_packets_are_passed_over_and_counted_if_the_builder_says_so() {
    let io = Server::builder().ignore_stray_packets(true).build().unwrap();
    io.on("known", || "still here");
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    for packet in ["40", r#"42/nowhere,["x"]"#, "40", "41/nowhere,", r#"44{"message":"x"}"#] {
        ws.send(packet).await;
    }
    assert!(ws.packet().await.starts_with("40{"));
    ws.send(r#"421["known"]"#).await;
    assert_eq!(ws.packet().await, r#"431["still here"]"#);
    assert_eq!(io.metrics().stray_packets, 4);
}

#[tokio::test]
async fn the_refusal_of_an_unknown_namespace_is_the_builders() {
    let io = Server::builder().unknown_namespace(r#""Unable to connect""#).build().unwrap();
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40/nowhere,").await;
    assert_eq!(ws.packet().await, r#"44/nowhere,"Unable to connect""#);
}

#[tokio::test]
async fn barewords_are_numbers_if_the_builder_says_so() {
    let io = Server::builder().json_barewords(true).build().unwrap();
    io.on("x", |Raw(args): Raw| args.iter().next().map(str::to_owned));
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["x",-Infinity]"#).await;
    assert_eq!(ws.packet().await, r#"431["-Infinity"]"#);
}

#[tokio::test]
async fn what_the_admission_of_a_handshake_keeps_is_there_in_every_handler() {
    struct User(String);
    let builder = Server::builder().admit_request(async |handshake: Handshake| {
        handshake.query_value("user").map(User).ok_or_else(|| "who are you?".to_owned())
    });
    let io = builder.build().unwrap();
    io.on("who", |socket: Socket| socket.handshake().data::<User>().map(|user| user.0.clone()));
    let addr = serve(&io).await;
    let refused = get(addr, "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("who are you?"));
    let opened = get(addr, "/socket.io/?EIO=4&transport=polling&user=ada", "").await.text();
    let sid = opened.split('"').nth(3).unwrap();
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    ask(addr, "POST", &target, "", "40\u{1e}421[\"who\"]").await;
    let answer = get(addr, &target, "").await.text();
    assert!(answer.ends_with(r#"431["ada"]"#), "{answer}");
}

/// Tells what it is told.
struct Told(Sender<Option<String>>);

impl AckSink for Told {
    fn answer(&self, _: SocketId, args: RawArgs) {
        self.0.send(Some(args.json().to_owned())).unwrap();
    }

    fn lose(&self, _: SocketId) {
        self.0.send(None).unwrap();
    }
}

#[tokio::test]
async fn an_answer_goes_to_its_sink_and_so_does_a_client_that_goes_without_one() {
    let io = Server::new();
    let session = TestSession::open(&io, "/socket.io/", &[]);
    session.send(&[text("0")]).await;
    session.take();
    let socket = io.sockets().remove(0);
    let (sender, told) = channel();
    for _ in 0..2 {
        socket.emit_with_sink("ask", 7, Arc::new(Told(sender.clone()))).unwrap();
    }
    let asked = session.take().unwrap();
    let [TestMessage::Text(first), TestMessage::Text(_)] = &asked[..] else { panic!("{asked:?}") };
    let id = first.trim_start_matches('2').split('[').next().unwrap();
    session.send(&[text(&format!("3{id}[\"fine\"]"))]).await;
    assert_eq!(told.recv().unwrap().as_deref(), Some("[\"fine\"]"));
    drop(session);
    assert_eq!(told.recv().unwrap(), None);
}
