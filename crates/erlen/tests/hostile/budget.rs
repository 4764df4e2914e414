//! The budget of what waits for slow clients, all sessions together: who is cut past it, and who is not.

use erlen::engine::CloseReason;
use erlen::{Data, Disconnect, Socket};

use crate::support::{Frame, House, Poll, Ws, alone, ms, resident, soon, until};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn cuts(house: &House) -> u64 {
    let closed = house.io.metrics().closed;
    closed.iter().filter(|(reason, _)| *reason == CloseReason::SlowConsumer).map(|(_, n)| n).sum()
}

/// A handler `fill` that sends its client an event of so many KiB, which nobody else gets.
fn fill(house: &House) {
    house
        .io
        .on("fill", |socket: Socket, Data(kib): Data<usize>| socket.emit("filler", "x".repeat(kib * KIB)));
}

#[tokio::test]
async fn past_the_budget_the_largest_queue_goes_and_the_others_lose_nothing() {
    let mut house = House::with(|b| b.max_total_queue_bytes(MIB)).await;
    fill(&house);
    let large = Poll::join(house.addr).await;
    large.post(r#"42["fill",240]"#).await;
    let mut small = Vec::new();
    for _ in 0..7 {
        let poll = Poll::join(house.addr).await;
        poll.post(r#"42["fill",100]"#).await;
        small.push(poll);
    }
    until("all fillers are counted", || house.io.metrics().slow_queue_bytes > 940 * KIB).await;
    assert_eq!((cuts(&house), house.io.engine().session_count()), (0, 8));
    let last = Poll::join(house.addr).await;
    last.post(r#"42["fill",100]"#).await;
    until("the largest is cut", || cuts(&house) == 1).await;
    large.get().await.is_refusal(1);
    assert_eq!(house.reason().await, "slow consumer");
    for poll in small.iter().chain([&last]) {
        let body = poll.get().await.body;
        assert_eq!(body.len(), r#"42["filler",""]"#.len() + 100 * KIB);
        poll.lives().await;
    }
    until("nothing is held", || house.io.metrics().slow_queue_bytes == 0).await;
    assert_eq!(cuts(&house), 1);
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_within_the_budget_beside_one_that_loses_nothing() {
    const BUDGET: usize = 2 * MIB;
    // What is cut is freed at once, not when the closing handshake is given up.
    let house =
        House::with(|b| b.max_total_queue_bytes(BUDGET).close_timeout(ms(600_000)).write_stall(ms(600_000)))
            .await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(Ws::join(house.addr).await);
    }
    let slow_sockets = house.io.sockets();
    let mut fast = Ws::join(house.addr).await;
    let fast_socket = house.io.sockets().into_iter().find(|s| !slow_sockets.iter().any(|o| o.id() == s.id()));
    let fast_socket = fast_socket.expect("it has joined");
    let reader = tokio::spawn(async move {
        let mut count = 0;
        while fast.packet().await == format!(r#"42["n",{count}]"#) {
            count += 1;
        }
        count
    });
    let mut sent = 0;
    while cuts(&house) < 15 {
        assert!(
            sent < 4_000,
            "{} are cut; {} bytes are held",
            cuts(&house),
            house.io.metrics().slow_queue_bytes
        );
        for socket in &slow_sockets {
            // Those that were cut take nothing more.
            let _ = socket.emit("filler", "x".repeat(32 * KIB));
        }
        fast_socket.emit("n", sent).unwrap();
        sent += 1;
        house.has_read().await;
        let held = house.io.metrics().slow_queue_bytes;
        assert!(held < BUDGET + 20 * 40 * KIB, "{held} bytes are held, one round over the budget at most");
    }
    fast_socket.emit("over", 0).unwrap();
    assert_eq!(soon("the fast one's end", reader).await.unwrap(), sent);
    until("who was cut is gone", || house.io.engine().connection_count() <= 6).await;
    drop(slow);
    house.is_empty().await;
    assert_eq!(house.io.metrics().slow_queue_bytes, 0);
}

#[tokio::test]
async fn a_large_broadcast_to_clients_that_read_cuts_nobody() {
    let house = House::with(|b| b.max_total_queue_bytes(64 * KIB)).await;
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(Ws::join(house.addr).await);
    }
    for _ in 0..20 {
        house.io.emit("huge", "x".repeat(48 * KIB)).unwrap();
        for ws in &mut readers {
            assert_eq!(ws.packet().await.len(), r#"42["huge",""]"#.len() + 48 * KIB);
        }
    }
    assert_eq!(cuts(&house), 0);
}

#[tokio::test]
async fn a_broadcast_that_many_slow_clients_wait_for_counts_once() {
    let house = House::with(|b| b.max_total_queue_bytes(20 * MIB).write_stall(ms(600_000))).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        slow.push(Ws::join(house.addr).await);
    }
    house.io.emit("huge", "x".repeat(16 * MIB)).unwrap();
    until("it waits", || house.io.metrics().slow_queue_bytes > 0).await;
    house.has_read().await;
    let held = house.io.metrics().slow_queue_bytes;
    assert!((16 * MIB..17 * MIB).contains(&held), "{held}");
    assert_eq!((cuts(&house), house.io.engine().session_count()), (0, 10));
    for ws in &mut slow {
        assert_eq!(ws.packet().await.len(), r#"42["huge",""]"#.len() + 16 * MIB);
    }
    until("it is freed", || house.io.metrics().slow_queue_bytes == 0).await;
    assert_eq!(cuts(&house), 0);
}

#[tokio::test]
async fn slow_clients_that_are_disconnected_hold_a_broadcast_once_too() {
    if !alone("budget::slow_clients_that_are_disconnected_hold_a_broadcast_once_too") {
        return;
    }
    // Their sockets do not take equally much: who waits for the last of them to be full must not be cut.
    let house =
        House::with(|b| b.close_timeout(ms(600_000)).write_stall(ms(600_000)).max_queue_bytes(64 * MIB))
            .await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(Ws::join(house.addr).await);
    }
    // The sockets are filled, then the queues.
    let filler = "x".repeat(32 * KIB);
    let waits = |house: &House| house.io.sockets().iter().all(|socket| socket.queued().1 > 800 * KIB);
    let mut sent = 0;
    while !waits(&house) {
        assert!(sent < 4_000, "the queues do not fill");
        house.io.emit("news", filler.as_str()).unwrap();
        sent += 1;
        house.has_read().await;
    }
    let before = resident();
    house.io.disconnect_sockets(Disconnect::Client);
    until("all have ended", || house.io.engine().session_count() == 0).await;
    house.has_read().await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 10 * MIB, "grown by {} KiB", grown / KIB);
    assert_eq!(cuts(&house), 0);
    // And they get all that was sent before.
    for mut ws in slow {
        for _ in 0..sent {
            assert_eq!(ws.packet().await.len(), r#"42["news",""]"#.len() + 32 * KIB);
        }
        assert_eq!(ws.next().await, Frame::Text("41".into()));
        ws.closes().await;
    }
}
