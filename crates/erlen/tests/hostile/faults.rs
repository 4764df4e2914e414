//! Handlers that panic or fail: the fault ends that event alone, and the server lives.

use std::sync::Once;

use erlen::{Data, Error, Handler, Socket};

use crate::support::{House, Poll, Seen, Ws, until};

/// Keeps panics that a test plans out of its output; all others are told as ever.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"planned") {
                usual(info);
            }
        }));
    });
}

fn fall() {
    panic!("planned")
}

/// An argument whose reading panics.
#[derive(Debug)]
struct Trap;

impl<'de> serde::Deserialize<'de> for Trap {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("planned")
    }
}

/// An answer whose writing panics.
struct Bomb;

impl serde::Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("planned")
    }
}

const INTERNAL: &str = r#"[{"error":"internal","message":"internal error"}]"#;

#[tokio::test]
async fn a_panic_in_a_handler_is_the_error_of_that_event_alone() {
    quiet();
    let mut house = House::open().await;
    house.io.on("plain", fall);
    house.io.on("late", async || {
        tokio::task::yield_now().await;
        fall();
    });
    house.io.on("early", async || fall());
    house.io.on("blocking", fall.blocking());
    house.io.on("concurrent", fall.concurrent());
    house.io.on("argument", |Data(Trap): Data<Trap>| {});
    house.io.on("answer", || erlen::Json(Bomb));
    let mut ws = Ws::join(house.addr).await;
    let names = ["plain", "late", "early", "blocking", "concurrent", "argument", "answer"];
    for (id, name) in names.iter().enumerate() {
        ws.text(&format!(r#"42{id}["{name}"]"#)).await;
        assert_eq!(ws.packet().await, format!("43{id}{INTERNAL}"), "{name}");
        ws.text(&format!(r#"42["{name}"]"#)).await;
        ws.lives().await;
    }
    ws.text("41").await;
    assert_eq!(house.reason().await, "client namespace disconnect");
}

#[tokio::test]
async fn a_panic_in_catch_all_listeners_and_middlewares_is_contained() {
    quiet();
    let house = House::open().await;
    house.io.on_any(fall);
    let mut ws = Ws::join(house.addr).await;
    ws.lives().await;
    house.io.event_middleware(async |erlen::EventName(name): erlen::EventName| {
        if name == "barred" {
            fall();
        }
    });
    ws.text(r#"421["barred"]"#).await;
    assert_eq!(ws.packet().await, format!("431{INTERNAL}"));
    ws.lives().await;
}

#[tokio::test]
async fn a_panic_in_a_connect_middleware_refuses_the_connect_and_tells_nothing() {
    quiet();
    let house = House::open().await;
    house.io.of("/barred").middleware(fall);
    let mut ws = Ws::join(house.addr).await;
    ws.text("40/barred,").await;
    assert_eq!(ws.packet().await, r#"44/barred,{"message":"internal error"}"#);
    ws.lives().await;
    assert_eq!(house.io.of("/barred").socket_count(), 0);
}

#[tokio::test]
async fn a_panic_in_a_connect_handler_disconnects_the_socket() {
    quiet();
    let mut house = House::open().await;
    house.watch("/barred");
    house.io.of("/barred").on_connect(fall);
    let mut ws = Ws::join(house.addr).await;
    ws.text("40/barred,").await;
    assert!(ws.packet().await.starts_with("40/barred,"));
    assert_eq!(ws.packet().await, "41/barred,");
    assert_eq!(house.reason().await, "server namespace disconnect");
    ws.lives().await;
}

#[tokio::test]
async fn panics_at_the_end_of_a_socket_leak_nothing() {
    quiet();
    let mut house = House::open().await;
    house.io.on_disconnecting(fall);
    house.io.on_disconnect(async || fall());
    house.io.on_connect(|socket: Socket| socket.join("lounge"));
    for _ in 0..20 {
        drop(Ws::join(house.addr).await);
        let poll = Poll::join(house.addr).await;
        poll.post("1").await;
        for _ in 0..2 {
            assert_eq!(house.reason().await, "transport close", "the other handlers still run");
        }
    }
    house.is_empty().await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_panic_in_the_error_hook_is_contained() {
    quiet();
    let mut house = House::with(|b| b.on_error(|_: &Socket, _: &str, _: &Error| fall())).await;
    house.io.on("fail", || Err::<(), _>(Error::new("bad", "no")));
    house.io.on("late", async || {
        tokio::task::yield_now().await;
        Err::<(), _>(Error::new("bad", "no"))
    });
    house.io.on_disconnect(|| Err::<(), _>(Error::new("bad", "no")));
    let mut ws = Ws::join(house.addr).await;
    for name in ["fail", "late"] {
        ws.text(&format!(r#"421["{name}"]"#)).await;
        assert_eq!(ws.packet().await, r#"431[{"error":"bad","message":"no"}]"#);
        ws.lives().await;
    }
    drop(ws);
    assert_eq!(house.reason().await, "transport close");
    let poll = Poll::join(house.addr).await;
    poll.post(r#"42["fail"]"#).await;
    poll.lives().await;
    drop(poll);
    house.still_serves().await;
}

#[tokio::test]
async fn a_panic_in_a_listener_of_rooms_or_of_what_goes_out_is_contained() {
    quiet();
    let house = House::open().await;
    house.io.on("join", |socket: Socket| socket.join("lounge"));
    let mut ws = Ws::join(house.addr).await;
    house.io.on_room_event(|_| fall());
    house.io.on_any_outgoing(|_, _| fall());
    ws.text(r#"421["join"]"#).await;
    let _ = ws.packet().await;
    ws.text(r#"422["ack"]"#).await;
    assert_eq!(ws.packet().await, "432[]");
    drop(ws);
    // The listener fell on the I/O thread while the socket left: the thread has to live.
    until("the socket has left", || house.io.socket_count() == 0).await;
    let mut ws = Ws::open(house.addr).await;
    ws.text("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws.text(r#"423["ack"]"#).await;
    assert_eq!(ws.packet().await, "433[]");
}

#[tokio::test]
async fn a_panic_in_the_rule_of_dynamic_namespaces_ends_that_connection_alone() {
    quiet();
    let house = House::open().await;
    house.io.of_matching(|name, _| {
        if name == "/trap" {
            fall();
        }
        false
    });
    let mut other = Ws::join(house.addr).await;
    let mut ws = Ws::join(house.addr).await;
    ws.text("40/trap,").await;
    ws.end().await;
    let poll = Poll::join(house.addr).await;
    let mut http = crate::support::Http::connect(house.addr).await;
    http.request("POST", &poll.target(), "", "40/trap,").await;
    http.end().await;
    other.lives().await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_panic_in_a_hook_of_the_handshake_ends_that_request_alone() {
    quiet();
    let house = House::with(|b| {
        b.allow_request(async |handshake: erlen::engine::Handshake| {
            if handshake.query_value("trap").is_some() {
                fall();
            }
            Ok(())
        })
    })
    .await;
    let mut http = crate::support::Http::connect(house.addr).await;
    http.request("GET", "/socket.io/?EIO=4&transport=polling&trap=1", "", "").await;
    http.end().await;
    house.still_serves().await;
    house.is_empty().await;
}

#[tokio::test]
async fn ten_thousand_panics_leave_nothing_behind() {
    quiet();
    let mut house = House::open().await;
    house.io.on("fall", fall);
    let mut ws = Ws::join(house.addr).await;
    for round in 0..10 {
        for id in 0..1_000 {
            ws.text(&format!(r#"42{id}["fall",{round}]"#)).await;
        }
        for id in 0..1_000 {
            assert_eq!(ws.packet().await, format!("43{id}{INTERNAL}"));
        }
    }
    ws.lives().await;
    drop(ws);
    loop {
        if let Seen::Disconnect(..) = house.next().await {
            break;
        }
    }
    house.is_empty().await;
}
