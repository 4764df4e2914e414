//! Why a socket left: every row of the table of disconnect reasons, as its handlers see it, once each, on every
//! namespace that the client had joined, the rooms still there in `disconnecting`.

use std::time::Duration;

use erlen::{DisconnectReason, Socket};
use tokio::sync::mpsc;

use crate::support::{House, Http, Poll, Ws, frame, ms};

/// A server whose `/` and `/two` note `disconnecting` and `disconnect` with the rooms at that moment.
struct Watched {
    house: House,
    calls: mpsc::UnboundedReceiver<(String, &'static str, &'static str, usize)>,
}

async fn watched(change: impl FnOnce(erlen::Builder) -> erlen::Builder) -> Watched {
    let house = House::with(change).await;
    let (notes, calls) = mpsc::unbounded_channel();
    for name in ["/", "/two"] {
        let namespace = house.io.of(name);
        namespace.on_connect(|socket: Socket| socket.join("lounge"));
        let sink = notes.clone();
        namespace.on_disconnecting(move |socket: Socket, reason: DisconnectReason| {
            let _ = sink.send((
                socket.namespace().name().into(),
                "disconnecting",
                reason.as_str(),
                socket.rooms().len(),
            ));
        });
        let sink = notes.clone();
        namespace.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
            let _ = sink.send((
                socket.namespace().name().into(),
                "disconnect",
                reason.as_str(),
                socket.rooms().len(),
            ));
        });
    }
    Watched { house, calls }
}

impl Watched {
    /// Both namespaces were left for this reason, each told once, in order; then nothing.
    async fn left(mut self, root: &str, two: &str) {
        let mut calls = Vec::new();
        for _ in 0..4 {
            calls.push(crate::support::soon("a call", self.calls.recv()).await.unwrap());
        }
        self.house.is_empty().await;
        assert!(self.calls.try_recv().is_err(), "one disconnect event each");
        for (name, reason) in [("/", root), ("/two", two)] {
            let own: Vec<_> = calls.iter().filter(|call| call.0 == name).collect();
            let expected =
                [(name.to_owned(), "disconnecting", reason, 2), (name.to_owned(), "disconnect", reason, 0)];
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
        }
    }
}

/// A client on both namespaces.
async fn ws(watched: &Watched) -> Ws {
    let mut ws = Ws::join(watched.house.addr).await;
    ws.text("40/two,").await;
    assert!(ws.packet().await.starts_with("40/two,{"));
    ws.lives().await;
    ws
}

async fn poll(watched: &Watched) -> Poll {
    let poll = Poll::join(watched.house.addr).await;
    poll.post("40/two,").await;
    assert!(poll.get().await.body.starts_with("40/two,{"));
    poll
}

#[tokio::test]
async fn client_namespace_disconnect_and_transport_close() {
    let watched = watched(|b| b).await;
    let mut ws = ws(&watched).await;
    ws.raw([frame(0x81, "41/two,"), frame(0x81, "1")].concat()).await;
    ws.closes().await;
    drop(ws);
    watched.left("transport close", "client namespace disconnect").await;
}

#[tokio::test]
async fn server_namespace_disconnect() {
    let watched = watched(|b| b).await;
    let mut ws = ws(&watched).await;
    watched.house.io.of("/two").disconnect_sockets(erlen::Disconnect::Socket);
    assert_eq!(ws.packet().await, "41/two,");
    ws.lives().await;
    watched.house.io.sockets()[0].disconnect_client();
    assert_eq!(ws.packet().await, "41");
    ws.closes().await;
    drop(ws);
    watched.left("server namespace disconnect", "server namespace disconnect").await;
}

#[tokio::test]
async fn transport_close_by_close_packet_close_frame_and_end_of_the_connection() {
    for way in ["1", "frame", "fin", "half"] {
        let watched = watched(|b| b).await;
        let mut ws = ws(&watched).await;
        match way {
            "1" => ws.text("1").await,
            "frame" => ws.raw(frame(0x88, 1000_u16.to_be_bytes())).await,
            "half" => ws.half_close().await,
            _ => {}
        }
        drop(ws);
        watched.left("transport close", "transport close").await;
    }
    let watched = watched(|b| b).await;
    let poll = poll(&watched).await;
    poll.post("1").await;
    watched.left("transport close", "transport close").await;
}

#[tokio::test]
async fn transport_error_by_reset_wrong_heartbeat_and_broken_polling() {
    for way in ["rst", "ping", "two gets", "half a post"] {
        let watched = watched(|b| b).await;
        match way {
            "rst" => ws(&watched).await.reset(),
            "ping" => ws(&watched).await.text("2").await,
            "two gets" => {
                let poll = poll(&watched).await;
                let _first = poll.begin_get().await;
                watched.house.has_read().await;
                poll.get().await.is_refusal(3);
            }
            _ => {
                let poll = poll(&watched).await;
                let mut http = Http::connect(watched.house.addr).await;
                http.raw(format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4", poll.target()))
                    .await;
            }
        }
        watched.left("transport error", "transport error").await;
    }
}

#[tokio::test]
async fn ping_timeout() {
    // The timeout is what a busy machine has for the clients to come in.
    let watched = watched(|b| b.ping_interval(ms(100)).ping_timeout(ms(3_000))).await;
    let _ws = ws(&watched).await;
    // The client never closes either: the closing handshake has a deadline too.
    let _poll = poll(&watched).await;
    let mut calls = watched.calls;
    for _ in 0..8 {
        let call = crate::support::soon("a call", calls.recv()).await.unwrap();
        assert_eq!(call.2, "ping timeout");
    }
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn parse_error_and_forced_server_close_and_payload_too_large() {
    let rows = [
        ("42{", "parse error"),
        ("9", "parse error"),
        ("42/three,[\"a\"]", "forced server close"),
        ("40", "forced server close"),
        ("40/two,", "forced server close"),
    ];
    for (packet, reason) in rows {
        let watched = watched(|b| b).await;
        ws(&watched).await.text(packet).await;
        watched.left(reason, reason).await;
    }
    let watched = watched(|b| b.max_payload(1_000)).await;
    ws(&watched).await.text(&format!("42[\"{}\"]", "x".repeat(1_000))).await;
    watched.left("payload too large", "payload too large").await;
}

#[tokio::test]
async fn slow_consumer() {
    let watched = watched(|b| b.max_queue_packets(10)).await;
    let _poll = poll(&watched).await;
    for number in 0..11 {
        watched.house.io.emit("n", number).unwrap();
    }
    watched.left("slow consumer", "slow consumer").await;
}

#[tokio::test]
async fn server_shutting_down_and_never_a_disconnect_packet() {
    for polling in [false, true] {
        let watched = watched(|b| b).await;
        let io = watched.house.io.clone();
        if polling {
            let poll = poll(&watched).await;
            let mut get = poll.begin_get().await;
            watched.house.has_read().await;
            io.shutdown(Duration::ZERO, Duration::from_secs(5)).await;
            assert_eq!(get.answer().await.body, "1");
        } else {
            let mut ws = ws(&watched).await;
            io.emit("last", 1).unwrap();
            let stop = tokio::spawn(async move { io.shutdown(Duration::ZERO, Duration::from_secs(5)).await });
            assert_eq!(ws.packet().await, r#"42["last",1]"#);
            assert!(matches!(ws.next().await, crate::support::Frame::Close(_)));
            drop(ws);
            stop.await.unwrap();
        }
        watched.left("server shutting down", "server shutting down").await;
    }
}
