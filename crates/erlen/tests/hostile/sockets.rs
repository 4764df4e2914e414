//! What a shard is told of its sockets, in the orders that leave something behind if one of them is forgotten: while it
//! was busy, at the end of the stream, behind a full one.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use erlen::{Data, Socket};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{House, Http, Poll, Ws, frame, ms, soon, until};

/// A handler `hold`, which keeps the I/O thread until it is released.
fn holds(house: &House) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    house.io.on("hold", move || released.lock().unwrap().recv().unwrap_or_default());
    release
}

/// A client that keeps the I/O thread by now.
async fn hold(house: &mut House) -> Ws {
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"42["hold"]"#).await;
    while house.event().await != r#"["hold"]"# {}
    ws
}

#[tokio::test]
async fn sockets_that_fill_the_batches_exactly_are_all_read() {
    let mut house = House::open().await;
    let release = holds(&house);
    for count in [63, 64, 65, 128] {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(Ws::join(house.addr).await);
        }
        let holder = hold(&mut house).await;
        for ws in &mut all {
            ws.text(r#"42["echo","alive"]"#).await;
        }
        release.send(()).unwrap();
        for ws in &mut all {
            assert_eq!(ws.packet().await, r#"42["echo","alive"]"#, "of {count}");
        }
        drop((holder, all));
        house.is_empty().await;
        house.rest();
    }
}

#[tokio::test]
async fn bytes_behind_urgent_ones_are_read() {
    let mut house = House::open().await;
    let release = holds(&house);
    let mut ws = Ws::join(house.addr).await;
    let poll = Poll::join(house.addr).await;
    let mut http = Http::connect(house.addr).await;
    let _holder = hold(&mut house).await;
    // A read ends where they were, though there is more.
    let event = frame(0x81, r#"42["echo","alive"]"#);
    ws.raw(&event[..9]).await;
    ws.urgent();
    ws.raw(&event[9..]).await;
    let body = r#"42["echo","alive"]"#;
    let post =
        format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", poll.target(), body.len());
    http.raw(post).await;
    http.urgent();
    http.raw(body).await;
    release.send(()).unwrap();
    assert_eq!(ws.packet().await, r#"42["echo","alive"]"#);
    assert_eq!(http.answer().await.body, "ok");
}

#[tokio::test]
async fn what_lies_before_the_end_of_the_stream_is_read_before_it() {
    let mut house = House::open().await;
    let numbers = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&numbers);
    house.io.on("n", move |Data((number, _)): Data<(u32, String)>| {
        let mut next = sink.lock().unwrap();
        assert_eq!(*next, number);
        *next += 1;
    });
    let release = holds(&house);
    let filler = "x".repeat(1_000);
    // Within one read, and over more than are made in one turn.
    for count in [2, 5_000] {
        *numbers.lock().unwrap() = 0;
        let mut ws = Ws::join(house.addr).await;
        let holder = hold(&mut house).await;
        let filler = filler.clone();
        let sent = tokio::spawn(async move {
            for number in 0..count {
                ws.text(&format!(r#"42["n",[{number},"{filler}"]]"#)).await;
            }
            ws.half_close().await;
            ws
        });
        if count == 2 {
            until("the end is there", || sent.is_finished()).await;
        }
        release.send(()).unwrap();
        assert_eq!(house.reason().await, "transport close");
        assert_eq!(*numbers.lock().unwrap(), count);
        sent.await.unwrap().end().await;
        drop(holder);
        house.is_empty().await;
        house.rest();
    }
}

#[tokio::test]
async fn a_client_that_is_not_read_and_ends_is_read_to_its_end_later() {
    let mut house = House::with(|b| b.max_waiting_events(1)).await;
    let open = house.gate();
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"42["wait"]"#).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    ws.text(r#"42["waits"]"#).await;
    house.has_read().await;
    ws.text(r#"42["last"]"#).await;
    ws.half_close().await;
    house.has_read().await;
    assert_eq!(house.rest(), [], "it is not read");
    open.send(true).unwrap();
    assert_eq!(house.event().await, r#"["waits"]"#);
    assert_eq!(house.event().await, r#"["last"]"#);
    assert_eq!(house.reason().await, "transport close");
    house.is_empty().await;
}

#[tokio::test]
async fn a_client_that_is_not_read_still_gets_what_had_no_room() {
    let mut house = House::with(|b| b.max_waiting_events(1)).await;
    let open = house.gate();
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"42["wait"]"#).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    ws.text(r#"42["waits"]"#).await;
    house.has_read().await;
    house.io.emit("huge", "x".repeat(16 << 20)).unwrap();
    house.has_read().await;
    house.io.emit("small", 1).unwrap();
    house.has_read().await;
    assert!(ws.packet().await.len() > 16 << 20);
    assert_eq!(ws.packet().await, r#"42["small",1]"#);
    open.send(true).unwrap();
    ws.lives().await;
}

/// A client whose stream is full, and whose session the server has closed.
async fn closed_behind_a_full_stream(house: &mut House) -> Ws {
    house.io.on("leave", |socket: Socket| socket.disconnect_client());
    let mut ws = Ws::join(house.addr).await;
    house.io.emit("huge", "x".repeat(16 << 20)).unwrap();
    house.has_read().await;
    ws.text(r#"42["leave"]"#).await;
    house.reason().await;
    // The stream is closed at the end of the turn.
    house.has_read().await;
    ws
}

#[tokio::test]
async fn a_close_behind_a_full_stream_ends_however_the_peer_goes_on() {
    let hour = ms(3_600_000);
    let mut house = House::with(|b| b.close_timeout(hour).write_stall(hour)).await;
    let mut reads = closed_behind_a_full_stream(&mut house).await;
    assert!(reads.packet().await.len() > 16 << 20);
    assert_eq!(reads.closes().await, None);
    reads.half_close().await;
    reads.end().await;
    house.is_empty().await;

    let resets = closed_behind_a_full_stream(&mut house).await;
    resets.reset();
    house.is_empty().await;

    let mut ends = closed_behind_a_full_stream(&mut house).await;
    ends.half_close().await;
    house.has_read().await;
    assert_eq!(house.io.engine().connection_count(), 1, "it may still read");
    ends.end().await;
    house.is_empty().await;
}

#[tokio::test]
async fn a_client_that_reads_may_send_more_at_once_than_may_wait_for_it() {
    let mut house = House::with(|b| b.max_queue_packets(1_000).max_queue_bytes(30_000)).await;
    let release = holds(&house);
    // More packets than may wait, and more bytes; as much as a socket takes that is not read.
    for (count, filler) in [(1_500, 0), (50, 1_000)] {
        let filler = "x".repeat(filler);
        let event = |n| format!(r#"42["echo",{n},"{filler}"]"#);
        let mut ws = Ws::join(house.addr).await;
        let holder = hold(&mut house).await;
        ws.raw((0..count).flat_map(|n| frame(0x81, event(n))).collect::<Vec<_>>()).await;
        release.send(()).unwrap();
        for n in 0..count {
            assert_eq!(ws.packet().await, event(n));
        }
        drop((holder, ws));
        house.is_empty().await;
        house.rest();
    }
}

#[tokio::test]
async fn who_comes_behind_a_flood_is_read_before_all_of_it() {
    let mut house = House::open().await;
    let release = holds(&house);
    let handled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&handled);
    house.io.on("n", move || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(100) {}
        counter.fetch_add(1, SeqCst);
    });
    let (noted, mut before) = unbounded_channel();
    house.io.on("note", move || noted.send(handled.load(SeqCst)).expect("the test waits for it"));
    let (mut flood, mut other) = (Ws::join(house.addr).await, Ws::join(house.addr).await);
    // The system takes more of who has sent much.
    for _ in 0..200 {
        flood.text(&format!(r#"42["warm","{}"]"#, "x".repeat(100_000))).await;
    }
    flood.lives().await;
    let _holder = hold(&mut house).await;
    let events = frame(0x81, format!(r#"42["n","{}"]"#, "x".repeat(1_000))).repeat(3_000);
    let sent = flood.fill(&events);
    other.text(r#"42["note"]"#).await;
    release.send(()).unwrap();
    // 16 reads would be a thousand.
    let before = soon("the note", before.recv()).await.unwrap();
    assert!(before < 500, "{before}");
    flood.raw(&events[sent..]).await;
    flood.lives().await;
}
