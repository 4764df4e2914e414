//! What is left when clients have gone: nothing. And how much one client can make the server hold.

use erlen::engine::CloseReason;
use erlen::{Data, Error, Socket};

use crate::support::{House, Http, Poll, Ws, alone, ask, frame, ms, resident, until};

const MIB: usize = 1 << 20;

/// One client of each kind comes and goes. The one that never joins may still ask for its last packet.
async fn one_of_each_kind(house: &House) -> Poll {
    let addr = house.addr;
    let mut clean = Ws::join(addr).await;
    clean.text(r#"42["join","lounge"]"#).await;
    clean.lives().await;
    clean.raw(frame(0x88, 1000_u16.to_be_bytes())).await;
    clean.closes().await;
    drop(clean);

    drop(Ws::join(addr).await);
    Ws::join(addr).await.reset();
    let mut told = Ws::join(addr).await;
    told.text("1").await;
    told.closes().await;
    Ws::join(addr).await.raw([0xff; 40]).await;
    drop(Ws::open(addr).await);

    let mut refused = Ws::open(addr).await;
    refused.text("40/barred,").await;
    assert!(refused.packet().await.starts_with("44/barred,"));
    refused.text("40").await;
    refused.packet().await;
    drop(refused);

    let closed = Poll::join(addr).await;
    closed.post("1").await;
    let aborted = Poll::join(addr).await;
    aborted.post(r#"42["join","lounge"]"#).await;
    let get = aborted.begin_get().await;
    house.has_read().await;
    get.reset();
    // Left to their deadlines: of the pong, and of the first namespace.
    Poll::join(addr).await;
    let nowhere = Poll::open(addr).await;

    let upgraded = Poll::join(addr).await;
    let mut ws = Ws::probe(&upgraded).await;
    ws.text("2probe").await;
    ws.packet().await;
    ws.text("5").await;
    ws.lives().await;
    drop(ws);

    let half = Poll::join(addr).await;
    let mut probe = Ws::probe(&half).await;
    probe.text("2probe").await;
    probe.packet().await;
    drop(probe);
    half.post("zzz").await;

    let mut http = Http::connect(addr).await;
    http.raw("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHo").await;
    drop(http);
    assert_eq!(ask(addr, "GET", "/socket.io/?EIO=4&transport=no", "", "").await.status, 400);
    nowhere
}

#[tokio::test]
async fn b60_after_five_hundred_rounds_of_each_kind_every_gauge_is_zero() {
    let house = House::with(|b| {
        // Who joins nothing is cut for that, long before the pong is missed, and may ask for its last packet for as long as it likes.
        b.ping_interval(ms(300))
            .ping_timeout(ms(12_000))
            .connect_timeout(ms(5_000))
            .close_linger(ms(600_000))
            .close_timeout(ms(200))
            .shards(2)
    })
    .await;
    house.io.on("join", |socket: Socket, Data(room): Data<String>| socket.join(room));
    house.io.of("/barred").middleware(|| Err::<(), _>(Error::refuse("no")));
    let mut nowhere = Vec::new();
    for _ in 0..20 {
        let all = tokio::join!(five(&house), five(&house), five(&house), five(&house), five(&house));
        nowhere.extend([all.0, all.1, all.2, all.3, all.4].concat());
        let metrics = house.io.metrics();
        let listed = house.io.engine().clients().len();
        let counted = metrics.sessions_polling + metrics.sessions_websocket;
        assert!(counted <= listed + 25, "the gauge is of the live table: {counted} of {listed}");
    }
    let cut = |house: &House| {
        house.io.metrics().closed.iter().any(|(r, n)| *r == CloseReason::ForcedClose && *n == 500)
    };
    until("who joined nothing is cut", || cut(&house)).await;
    for poll in nowhere {
        poll.is_gone().await;
    }
    house.is_empty().await;
    let metrics = house.io.metrics();
    assert_eq!((metrics.sessions_polling, metrics.sessions_websocket, metrics.queued_packets), (0, 0, 0));
    let opened = metrics.opened_polling + metrics.opened_websocket;
    let closed: u64 = metrics.closed.iter().map(|(_, n)| n).sum();
    assert_eq!(opened, closed, "what was opened was closed, each once");
    assert_eq!(metrics.upgrades, 500);
    house.still_serves().await;
}

async fn five(house: &House) -> Vec<Poll> {
    let mut nowhere = Vec::new();
    for _ in 0..5 {
        nowhere.push(one_of_each_kind(house).await);
    }
    nowhere
}

#[tokio::test]
async fn b59_clients_that_come_and_go_leave_memory_flat() {
    if !alone("leaks::b59_clients_that_come_and_go_leave_memory_flat") {
        return;
    }
    let house = House::with(|b| b.close_timeout(ms(200))).await;
    // One in a hundred of the last handlers fails.
    let counter = std::sync::atomic::AtomicU32::new(0);
    house.io.on_disconnect(move || {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number.is_multiple_of(100) { Err(Error::new("planned", "")) } else { Ok(()) }
    });
    let mut warm = 0;
    for round in 0..6 {
        for _ in 0..100 {
            let mut ws = Ws::join(house.addr).await;
            ws.text(r#"421["ack",1]"#).await;
            assert_eq!(ws.packet().await, "431[1]");
            ws.text("41").await;
            drop(ws);
            let poll = Poll::join(house.addr).await;
            poll.post(r#"421["ack",1]"#).await;
            assert_eq!(poll.get().await.body, "431[1]");
            poll.post("1").await;
        }
        house.is_empty().await;
        if round == 1 {
            warm = resident();
        }
    }
    let grown = resident().saturating_sub(warm);
    assert!(grown < 4 * MIB, "grown by {} KiB in 800 clients", grown / 1024);
}

#[tokio::test]
async fn s09_a_client_that_floods_unknown_namespaces_and_reads_nothing_is_cut_in_bounded_memory() {
    if !alone("leaks::s09_a_client_that_floods_unknown_namespaces_and_reads_nothing_is_cut_in_bounded_memory")
    {
        return;
    }
    let house = House::with(|b| b.close_timeout(ms(200))).await;
    house.still_serves().await;
    let before = resident();
    let mut ws = Ws::open(house.addr).await;
    let names: Vec<u8> =
        (0..1_000).flat_map(|n| frame(0x81, format!("40/{}{n},", "x".repeat(200)))).collect();
    let cut = |house: &House| {
        house.io.metrics().closed.iter().any(|(r, n)| *r == CloseReason::SlowConsumer && *n == 1)
    };
    let mut sent = 0;
    let mut peak = 0;
    while !cut(&house) {
        assert!(sent < 200_000, "it is not cut as a slow consumer: {:?}", house.io.metrics());
        ws.raw(&names).await;
        sent += 1_000;
        peak = peak.max(resident());
    }
    let grown = peak.saturating_sub(before);
    assert!(grown < 24 * MIB, "grown by {} KiB", grown / 1024);
    drop(ws);
    // It was not read much further than to where it was cut: others have their turn too.
    let read = house.io.metrics().packets_in;
    assert!(read < 40_000, "{read}");
    house.is_empty().await;
    house.still_serves().await;
}

#[tokio::test]
async fn clients_that_send_large_frames_byte_by_byte_hold_what_they_have_sent_and_no_more() {
    if !alone("leaks::clients_that_send_large_frames_byte_by_byte_hold_what_they_have_sent_and_no_more") {
        return;
    }
    let mut house = House::with(|b| b.close_timeout(ms(200))).await;
    house.still_serves().await;
    house.reason().await;
    let before = resident();
    let event = frame(0x81, format!(r#"42["a","{}"]"#, "x".repeat(999_900)));
    let mut ws = Ws::join(house.addr).await;
    let (slow, rest) = event.split_at(50_000);
    for byte in slow {
        ws.raw([*byte]).await;
    }
    for piece in rest.chunks(100) {
        ws.raw(piece).await;
    }
    assert_eq!(house.event().await.len(), 999_908);
    // Many that announce a large frame and do not send it: an announcement alone takes no memory.
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut ws = Ws::join(house.addr).await;
        ws.raw(&event[..40]).await;
        waiting.push(ws);
    }
    house.has_read().await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 * MIB, "grown by {} KiB", grown / 1024);
    ws.lives().await;
    drop((ws, waiting));
    until("all have gone", || house.io.engine().session_count() == 0).await;
}
