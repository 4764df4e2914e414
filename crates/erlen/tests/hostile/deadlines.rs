//! Deadlines of connections: heads that never end, closes that are never answered.

use std::time::{Duration, Instant};

use crate::support::{House, Http, Poll, Ws, alone, frame, ms, resident, soon, until};

#[tokio::test]
async fn a_head_that_never_ends_and_a_connection_that_waits_are_cut_after_ten_seconds() {
    let house = House::open().await;
    let began = Instant::now();
    let mut slow = Http::connect(house.addr).await;
    slow.raw("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: ").await;
    let mut silent = Http::connect(house.addr).await;
    let mut idle = Http::connect(house.addr).await;
    assert_eq!(idle.ask("GET", "/socket.io/?EIO=4").await.status, 400);
    tokio::join!(slow.end(), silent.end(), idle.end());
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(25), "{took:?}");
    house.still_serves().await;
}

#[tokio::test]
async fn a_close_that_the_client_never_answers_ends_by_its_deadline() {
    let house = House::with(|b| b.close_timeout(ms(80))).await;
    let mut polite = Ws::join(house.addr).await;
    let mut rude = Ws::join(house.addr).await;
    let mut chatty = Ws::join(house.addr).await;
    polite.raw(frame(0x88, "")).await;
    rude.text("zzz").await;
    chatty.text("zzz").await;
    chatty.raw(vec![0; 300_000]).await;
    polite.closes().await;
    rude.closes().await;
    until("no connection is left", || house.io.engine().connection_count() == 0).await;
    house.is_empty().await;
}

/// A text as arguments that need no more encoding.
#[cfg(target_os = "linux")]
async fn arguments(house: &House, text: String) -> erlen::RawArgs {
    let (kept, mut keeps) = tokio::sync::mpsc::unbounded_channel();
    house.io.on("keep", move |erlen::Raw(args): erlen::Raw| drop(kept.send(args)));
    let mut client = erlen::TestClient::connect(&house.io).await.expect("everybody is let in");
    client.emit("keep", text).await.expect("a text");
    soon("the arguments", keeps.recv()).await.expect("the handler has sent them")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_of_which_the_client_takes_no_bytes_is_freed_with_its_connection() {
    const LARGE: usize = 32 << 20;
    if !alone("deadlines::an_answer_of_which_the_client_takes_no_bytes_is_freed_with_its_connection") {
        return;
    }
    // The cut comes when the heartbeat's time is over: long enough to look at what waits, also on a machine with other work,
    // where the text is encoded before that time begins.
    let house =
        House::with(|b| b.answer_timeout(ms(300)).ping_interval(ms(4_000)).ping_timeout(ms(4_000))).await;
    let large = arguments(&house, "x".repeat(LARGE)).await;
    let poll = Poll::join(house.addr).await;
    let before = resident();
    house.io.emit("large", &large).unwrap();
    let mut answer = Http::connect_narrow(house.addr).await;
    answer.request("GET", &poll.target(), "", "").await;
    house.has_read().await;
    // A ping may wait behind it.
    assert!(house.io.metrics().queued_bytes < 10, "the answer is on its way");
    assert!(resident() > before + LARGE / 2, "and waits for its client");
    until("it is freed", || resident() < before + LARGE / 2).await;
    drop(answer);
    house.still_serves().await;
}

#[tokio::test]
async fn the_last_packets_of_a_closed_session_wait_for_a_get_and_its_end_for_another() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    house.io.emit("last", 1).unwrap();
    house.io.sockets()[0].disconnect_client();
    assert_eq!(poll.get().await.body, "42[\"last\",1]\x1e41");
    assert_eq!(poll.get().await.body, "1");
    poll.get().await.is_refusal(1);
    house.is_empty().await;
}
