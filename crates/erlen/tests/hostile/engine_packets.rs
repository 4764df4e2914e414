//! Packets of Engine.IO over a WebSocket (E01 to E08).

use crate::support::{House, Ws, ms};

async fn cut(packet: &str) -> &'static str {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.text(packet).await;
    ws.closes().await;
    let reason = house.reason().await;
    drop(ws);
    house.is_empty().await;
    assert_eq!(house.rest(), []);
    reason
}

#[tokio::test]
async fn e01_what_is_no_packet_ends_the_session() {
    for packet in ["7", "hello", "", "42[\"a\"]\x1e42[\"a\"]", "b!!!!", "bAAAA"] {
        assert_eq!(cut(packet).await, "parse error", "{packet:?}");
    }
}

#[tokio::test]
async fn e02_a_ping_from_the_client_ends_the_session() {
    for packet in ["2", "2probe"] {
        assert_eq!(cut(packet).await, "transport error");
    }
}

#[tokio::test]
async fn e03_what_means_nothing_is_ignored() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    for packet in ["3", "5", "6", "0{\"sid\":\"x\"}", "3probe", "3extra"] {
        ws.text(packet).await;
        ws.lives().await;
    }
}

#[tokio::test]
async fn e04_nothing_behind_a_close_packet_is_dispatched() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.raw([crate::support::frame(0x81, "1"), crate::support::frame(0x81, r#"42["a"]"#)].concat()).await;
    ws.closes().await;
    assert!(matches!(house.next().await, crate::support::Seen::Connect(_)));
    assert_eq!(house.reason().await, "transport close");
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn e05_a_binary_frame_that_nothing_announced_ends_the_session() {
    let mut house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    ws.binary([1, 2, 3]).await;
    ws.closes().await;
    assert_eq!(house.reason().await, "parse error");
}

#[tokio::test]
async fn e06_who_joins_no_namespace_in_time_is_cut_and_was_never_a_socket() {
    let mut house = House::with(|b| b.connect_timeout(ms(1_000))).await;
    let mut joined = Ws::join_at_once(house.addr).await;
    let mut silent = Ws::open(house.addr).await;
    let poll = crate::support::Poll::open(house.addr).await;
    silent.closes().await;
    drop(silent);
    poll.is_gone().await;
    joined.lives().await;
    assert_eq!(house.io.engine().session_count(), 1);
    assert!(matches!(house.next().await, crate::support::Seen::Connect(_)));
    assert_eq!(house.event().await, r#"["echo","alive"]"#);
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn e07_who_never_pongs_is_cut() {
    let mut house = House::with(|b| b.ping_interval(ms(60)).ping_timeout(ms(1_000))).await;
    let began = std::time::Instant::now();
    let mut ws = Ws::join_at_once(house.addr).await;
    ws.closes().await;
    assert_eq!(house.reason().await, "ping timeout");
    assert!(began.elapsed() >= ms(1_050), "not before interval and timeout: {:?}", began.elapsed());
}

#[tokio::test]
async fn e07_talking_does_not_replace_the_pong_for_long() {
    let mut house = House::with(|b| b.ping_interval(ms(60)).ping_timeout(ms(1_000))).await;
    let began = std::time::Instant::now();
    let ws = Ws::join_at_once(house.addr).await;
    let talk = tokio::spawn(async move {
        let mut ws = ws;
        let mut tick = tokio::time::interval(ms(10));
        loop {
            tick.tick().await;
            ws.text(r#"42["a"]"#).await;
        }
    });
    assert_eq!(house.reason().await, "ping timeout");
    assert!(began.elapsed() >= ms(1_050), "a talker has a little more: {:?}", began.elapsed());
    talk.abort();
}

#[tokio::test]
async fn e08_pongs_in_advance_pay_for_nothing() {
    let mut house = House::with(|b| b.ping_interval(ms(60)).ping_timeout(ms(1_000))).await;
    let mut ws = Ws::join_at_once(house.addr).await;
    for _ in 0..100 {
        ws.text("3with a payload").await;
    }
    ws.closes().await;
    assert_eq!(house.reason().await, "ping timeout");
}

#[tokio::test]
async fn a_pong_keeps_the_session_over_many_heartbeats() {
    // The interval counts from the pong, also where it is shorter than the timeout.
    let mut house = House::with(|b| b.ping_interval(ms(20)).ping_timeout(ms(10_000))).await;
    let mut ws = Ws::join_and_pong(house.addr).await;
    for _ in 0..20 {
        assert_eq!(ws.next().await, crate::support::Frame::Text("2".into()));
        ws.text("3").await;
    }
    ws.lives().await;
    assert_eq!(house.event().await, r#"["echo","alive"]"#);
}
