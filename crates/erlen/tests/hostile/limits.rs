//! Every bound: what happens past it, and that nobody else loses anything.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use erlen::engine::CloseReason;
use erlen::{AckError, Data, Socket};

use crate::support::{Frame, House, Poll, Seen, UPGRADE, Ws, ask, frame, ms, soon, until};

#[tokio::test]
async fn b20_the_payload_limit_is_the_same_on_every_transport() {
    let event = |size: usize| format!(r#"42["a","{}"]"#, "x".repeat(size - 10));
    let mut house = House::with(|b| b.max_payload(10_000)).await;
    let poll = Poll::join(house.addr).await;
    assert_eq!(poll.post(event(10_000)).await.status, 200);
    assert_eq!(poll.post(event(10_001)).await.status, 413);
    poll.lives().await;
    house.rest();

    let mut ws = Ws::join(house.addr).await;
    ws.text(&event(10_000)).await;
    assert_eq!(house.event().await.len(), 9_998);
    ws.text(&event(10_001)).await;
    assert_eq!(ws.closes().await, Some(1009));
    assert_eq!(house.reason().await, "payload too large");

    let text = event(10_001);
    let (a, b) = text.split_at(5_000);
    let mut ws = Ws::join(house.addr).await;
    ws.raw([frame(0x01, a), frame(0x80, b)].concat()).await;
    assert_eq!(ws.closes().await, Some(1009));
    assert_eq!(house.reason().await, "payload too large");

    let mut kept = Vec::new();
    for (sizes, fits) in [(&[10_000_usize; 4][..], true), (&[10_001], false), (&[9_000; 5], false)] {
        let mut ws = Ws::join(house.addr).await;
        let places: String =
            (0..sizes.len()).map(|n| format!(r#",{{"_placeholder":true,"num":{n}}}"#)).collect();
        ws.text(&format!(r#"45{}-["b"{places}]"#, sizes.len())).await;
        for size in sizes {
            ws.binary(vec![7; *size]).await;
        }
        if fits {
            assert!(house.event().await.starts_with(r#"["b""#));
            kept.push(ws);
        } else {
            ws.closes().await;
            let reason = house.reason().await;
            assert!(matches!(reason, "payload too large" | "parse error"), "{reason}");
        }
    }
}

#[tokio::test]
async fn s08_namespaces_of_a_connection_are_bounded() {
    let mut house = House::open().await;
    house.io.of_pattern("/room/{id}");
    let mut ws = Ws::join(house.addr).await;
    for number in 1..64 {
        ws.text(&format!("40/room/{number},")).await;
        assert!(ws.packet().await.starts_with(&format!("40/room/{number},{{")));
    }
    assert_eq!(house.io.namespaces().len(), 64);
    ws.raw([frame(0x81, "40/room/64,"), frame(0x81, "40/room/65,")].concat()).await;
    assert_eq!(ws.packet().await, r#"44/room/64,{"message":"Too many namespaces"}"#);
    ws.closes().await;
    drop(ws);
    assert_eq!(house.reason().await, "forced server close");
    // Not by looking at the namespaces again and again: a handle that is held keeps its namespace.
    until("the session is gone", || house.io.engine().session_count() == 0).await;
    assert_eq!(house.io.namespaces().len(), 1, "the namespaces that a pattern made are gone");
}

#[tokio::test]
async fn rooms_of_a_socket_are_bounded() {
    let house = House::with(|b| b.max_rooms(3)).await;
    house.io.on("join", |socket: Socket, Data(room): Data<String>| {
        socket.join(room);
        socket.rooms().len()
    });
    let mut ws = Ws::join(house.addr).await;
    for (number, rooms) in [2, 3, 4, 4, 4].into_iter().enumerate() {
        ws.text(&format!(r#"427["join","{number}"]"#)).await;
        assert_eq!(ws.packet().await, format!("437[{rooms}]"));
    }
    assert_eq!(house.io.room_sizes().len(), 3);
}

#[tokio::test]
async fn s18_acks_that_a_client_owes_are_bounded_and_expire() {
    let house = House::with(|b| b.max_pending_acks(5).ack_timeout(ms(80))).await;
    let ws = Ws::join(house.addr).await;
    let socket = house.io.sockets().remove(0);
    let pending: Vec<_> = (0..5).map(|n| socket.emit_with_ack::<()>("q", n)).collect();
    let refused = socket.emit_with_ack::<()>("q", 5).await;
    assert!(matches!(refused, Err(AckError::TooManyPending)), "{refused:?}");
    for answer in pending {
        assert!(matches!(answer.await, Err(AckError::Timeout)));
    }
    let answer = socket.emit_with_ack_within::<()>(ms(60_000), "q", 6);
    drop(ws);
    assert!(
        matches!(soon("the loss", answer).await, Err(AckError::Disconnected)),
        "a client that left owes nothing"
    );
}

#[tokio::test]
async fn past_the_bound_of_waiting_events_reading_pauses_and_resumes_in_order() {
    reading_pauses_and_resumes_in_order(House::with(|b| b.max_waiting_events(8)).await, "8").await;
}

#[tokio::test]
async fn past_the_bytes_of_waiting_events_reading_pauses_and_resumes_in_order() {
    let house = House::with(|b| b.max_waiting_event_bytes(10_000).max_waiting_events(100_000)).await;
    reading_pauses_and_resumes_in_order(house, "10 kB").await;
}

/// Floods a house in which `may_wait` of events may wait for a handler, and then lets the handler end.
async fn reading_pauses_and_resumes_in_order(mut house: House, may_wait: &str) {
    let open = house.gate();
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&numbers);
    house.io.on("n", move |Data((number, _)): Data<(u32, String)>| sink.lock().unwrap().push(number));
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"42["wait"]"#).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    let sending = flood(ws);
    until("reading has begun", || house.io.metrics().packets_in > 2).await;
    for _ in 0..20 {
        house.has_read().await;
    }
    // One buffer of the thread may come in behind the bound, no more.
    let read = house.io.metrics().packets_in;
    assert!(read < 200, "{read} packets were read while {may_wait} may wait");
    house.still_serves().await;
    open.send(true).unwrap();
    until("all are handled", || numbers.lock().unwrap().len() == 2_000).await;
    assert_eq!(*numbers.lock().unwrap(), (0..2_000).collect::<Vec<_>>());
    soon("the sender", sending).await.unwrap().lives().await;
}

/// Sends 2 000 events of a kilobyte; the WebSocket comes back when all are taken.
fn flood(mut ws: Ws) -> tokio::task::JoinHandle<Ws> {
    let filler = "x".repeat(1_000);
    tokio::spawn(async move {
        for number in 0..2_000 {
            ws.text(&format!(r#"42["n",[{number},"{filler}"]]"#)).await;
        }
        ws
    })
}

#[tokio::test]
async fn concurrent_handlers_count_among_the_waiting_events() {
    let house = House::with(|b| b.max_waiting_events(8)).await;
    let (open, shut) = tokio::sync::watch::channel(false);
    let handled = Arc::new(Mutex::new(0));
    let count = Arc::clone(&handled);
    let waits = move || {
        let (mut shut, count) = (shut.clone(), Arc::clone(&count));
        async move {
            let _ = shut.wait_for(|open| *open).await;
            *count.lock().unwrap() += 1;
        }
    };
    house.io.on("n", erlen::Handler::concurrent(waits));
    let sending = flood(Ws::join(house.addr).await);
    until("reading has begun", || house.io.metrics().packets_in > 2).await;
    for _ in 0..20 {
        house.has_read().await;
    }
    let read = house.io.metrics().packets_in;
    assert!(read < 200, "{read} packets were read while 8 handlers may run");
    house.still_serves().await;
    open.send(true).unwrap();
    until("all are handled", || *handled.lock().unwrap() == 2_000).await;
    soon("the sender", sending).await.unwrap().lives().await;
}

#[tokio::test]
async fn a_turn_that_is_held_counts_among_the_waiting_events_until_it_is_dropped() {
    let house = House::with(|b| b.max_waiting_events(8)).await;
    let turns = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&turns);
    house.io.on("n", move |turn: erlen::Turn| kept.lock().unwrap().push(turn));
    let sending = flood(Ws::join(house.addr).await);
    until("the bound is reached", || turns.lock().unwrap().len() >= 8).await;
    for _ in 0..20 {
        house.has_read().await;
    }
    let held = turns.lock().unwrap().len();
    assert!(held < 200, "{held} events are held while 8 may be");
    house.still_serves().await;
    let mut finished = 0;
    until("all have been held and let go", || {
        finished += std::mem::take(&mut *turns.lock().unwrap()).len();
        finished == 2_000
    })
    .await;
    soon("the sender", sending).await.unwrap().lives().await;
}

#[tokio::test]
async fn past_the_bound_of_waiting_events_a_post_waits_for_its_answer() {
    let mut house = House::with(|b| b.max_waiting_events(8)).await;
    let open = house.gate();
    let poll = Poll::join(house.addr).await;
    let mut events = vec![r#"42["wait"]"#.to_owned()];
    events.extend((0..200).map(|number| format!(r#"42["n",{number}]"#)));
    let poster = poll.clone();
    let post = tokio::spawn(async move { poster.post(events.join("\x1e")).await });
    assert_eq!(house.event().await, r#"["wait"]"#);
    for _ in 0..5 {
        house.has_read().await;
    }
    assert!(!post.is_finished(), "the client is slowed down");
    assert!(house.io.metrics().packets_in < 20);
    open.send(true).unwrap();
    assert_eq!(soon("the answer", post).await.unwrap().status, 200);
    for number in 0..200 {
        assert_eq!(house.event().await, format!(r#"["n",{number}]"#));
    }
    poll.lives().await;
}

#[tokio::test]
async fn a_post_that_is_cut_while_it_waits_ends_the_session_rather_than_lose_its_events() {
    let mut house = House::with(|b| b.max_waiting_events(8)).await;
    let open = house.gate();
    let poll = Poll::join(house.addr).await;
    let mut events = vec![r#"42["wait"]"#.to_owned()];
    events.extend((0..200).map(|number| format!(r#"42["n",{number}]"#)));
    let mut http = crate::support::Http::connect(house.addr).await;
    http.request("POST", &poll.target(), "", events.join("\x1e")).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    house.has_read().await;
    http.reset();
    until("the session has ended", || {
        house.io.metrics().closed.iter().any(|(r, n)| *r == CloseReason::TransportError && *n == 1)
    })
    .await;
    open.send(true).unwrap();
    assert_eq!(house.reason().await, "transport error");
}

#[tokio::test]
async fn a_post_that_waits_and_the_websocket_behind_an_upgrade_both_go_on() {
    let mut house = House::with(|b| b.max_waiting_events(8)).await;
    let open = house.gate();
    let poll = Poll::join(house.addr).await;
    let mut events = vec![r#"42["wait"]"#.to_owned()];
    events.extend((0..200).map(|number| format!(r#"42["n",{number}]"#)));
    let mut post = crate::support::Http::connect(house.addr).await;
    post.request("POST", &poll.target(), "", events.join("\x1e")).await;
    assert_eq!(house.event().await, r#"["wait"]"#);
    let mut ws = Ws::probe(&poll).await;
    ws.text("2probe").await;
    assert_eq!(ws.packet().await, "3probe");
    ws.text("5").await;
    ws.text(r#"42["echo","behind"]"#).await;
    house.has_read().await;
    open.send(true).unwrap();
    assert_eq!(post.answer().await.body, "ok");
    assert_eq!(ws.packet().await, r#"42["echo","behind"]"#);
    let mut numbers = Vec::new();
    while numbers.len() < 200 {
        let event = house.event().await;
        numbers
            .extend(event.strip_prefix(r#"["n","#).map(|n| n.trim_end_matches(']').parse::<u32>().unwrap()));
    }
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    ws.lives().await;
}

#[tokio::test]
async fn a_handler_that_waits_for_an_ack_behind_many_events_gets_it() {
    let house = House::with(|b| b.max_waiting_events(8)).await;
    house.io.on("ask", async |socket: Socket| socket.emit_with_ack::<u32>("how many?", ()).await);
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"421["ask"]"#).await;
    let question = ws.packet().await;
    let id = question.strip_prefix("42").and_then(|q| q.strip_suffix(r#"["how many?"]"#)).unwrap().to_owned();
    for _ in 0..500 {
        ws.text(r#"42["n"]"#).await;
    }
    ws.text(&format!("43{id}[500]")).await;
    assert_eq!(ws.packet().await, "431[500]");
    ws.lives().await;
}

#[tokio::test]
async fn pongs_are_read_behind_many_events() {
    let house = House::with(|b| b.max_waiting_events(8).ping_interval(ms(30))).await;
    let open = house.gate();
    let mut ws = Ws::join_and_pong(house.addr).await;
    ws.text(r#"42["wait"]"#).await;
    for _ in 0..8 {
        for _ in 0..20 {
            ws.text(r#"42["n"]"#).await;
        }
        assert_eq!(ws.next().await, Frame::Text("2".into()));
        ws.text("3").await;
    }
    open.send(true).unwrap();
    ws.lives().await;
}

#[tokio::test]
async fn large_events_behind_one_that_takes_its_time_are_all_handled() {
    let mut house = House::with(|b| b).await;
    let open = house.gate();
    let (poll, mut ws) = (Poll::join(house.addr).await, Ws::join(house.addr).await);
    let large = format!(r#"42["wait","{}"]"#, "x".repeat(900_000));
    let (poster, posted) = (poll.clone(), large.clone());
    let posting = tokio::spawn(async move {
        for _ in 0..5 {
            assert_eq!(poster.post(&posted).await.status, 200);
        }
    });
    let sending = tokio::spawn(async move {
        for _ in 0..5 {
            ws.text(&large).await;
        }
        ws
    });
    // The first of each runs, and of those behind it as many as may wait are there.
    for _ in 0..2 {
        assert!(house.event().await.starts_with(r#"["wait","#));
    }
    until("reading pauses", || house.io.metrics().packets_in >= 2 + 2 * 3).await;
    for _ in 0..5 {
        house.has_read().await;
    }
    open.send(true).unwrap();
    for _ in 0..8 {
        assert!(house.event().await.starts_with(r#"["wait","#));
    }
    soon("the posts", posting).await.unwrap();
    soon("the sender", sending).await.unwrap().lives().await;
    poll.lives().await;
}

#[tokio::test]
async fn past_the_bytes_of_waiting_events_a_client_that_has_to_be_read_is_cut() {
    let mut house = House::with(|b| b.max_waiting_event_bytes(10_000).ack_timeout(ms(60_000))).await;
    house.io.on("ask", async |socket: Socket| {
        let _ = socket.emit_with_ack::<u32>("never answered", ()).await;
    });
    let mut ws = Ws::join(house.addr).await;
    ws.text(r#"42["ask"]"#).await;
    ws.packet().await;
    for _ in 0..100 {
        ws.text(&format!(r#"42["n","{}"]"#, "x".repeat(1_000))).await;
    }
    ws.closes().await;
    assert_eq!(house.reason().await, "too many events");
    drop(ws);
    house.is_empty().await;
}

#[tokio::test]
async fn a_slow_consumer_is_cut_and_the_others_lose_nothing() {
    let mut house = House::with(|b| b.max_queue_bytes(256 * 1024)).await;
    let slow = Ws::join(house.addr).await;
    let lazy = Poll::join(house.addr).await;
    let cuts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&cuts);
    house.io.on_disconnect(move || {
        counter.fetch_add(1, SeqCst);
    });
    let mut readers = Vec::new();
    for _ in 0..5 {
        let mut ws = Ws::join(house.addr).await;
        readers.push(tokio::spawn(async move {
            let mut numbers = Vec::new();
            loop {
                let packet = ws.packet().await;
                match packet.strip_prefix(r#"42["news",["#) {
                    Some(rest) => numbers.push(rest.split(',').next().unwrap().parse::<usize>().unwrap()),
                    None => return numbers,
                }
            }
        }));
    }
    let filler = "x".repeat(32 * 1024);
    let mut sent = 0;
    while cuts.load(SeqCst) < 2 {
        assert!(sent < 4_000, "a client that does not read is never cut");
        house.io.emit("news", vec![serde_json::json!(sent), serde_json::json!(filler)]).unwrap();
        sent += 1;
        // The readers keep up: a round trip behind each broadcast.
        house.has_read().await;
        tokio::task::yield_now().await;
    }
    house.io.emit("over", 0).unwrap();
    for reader in readers {
        assert_eq!(soon("a reader's end", reader).await.unwrap(), (0..sent).collect::<Vec<_>>());
    }
    assert_eq!((house.reason().await, house.reason().await), ("slow consumer", "slow consumer"));
    lazy.get().await.is_refusal(1);
    drop(slow);
    house.is_empty().await;
}

#[tokio::test]
async fn packets_that_wait_are_bounded_too() {
    let mut house = House::with(|b| b.max_queue_packets(100)).await;
    let poll = Poll::join(house.addr).await;
    for number in 0..101 {
        house.io.emit("n", number).unwrap();
    }
    assert_eq!(house.reason().await, "slow consumer");
    poll.get().await.is_refusal(1);
    let poll = Poll::join(house.addr).await;
    for number in 0..100 {
        house.io.emit("n", number).unwrap();
    }
    assert_eq!(poll.get().await.body.split('\x1e').count(), 100, "up to the bound nothing is lost");
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_cut_after_the_write_stall() {
    let mut house = House::with(|b| b.write_stall(ms(100)).close_timeout(ms(100))).await;
    let ws = Ws::join(house.addr).await;
    // One packet of any size may enter an empty queue.
    house.io.emit("huge", "x".repeat(16 << 20)).unwrap();
    loop {
        if let Seen::Disconnect(_, reason) = house.next().await {
            assert_eq!((reason.as_str(), reason.detail()), ("slow consumer", "write stall"));
            break;
        }
    }
    until("its bytes are freed, though it never closes", || house.io.engine().connection_count() == 0).await;
    drop(ws);
    house.is_empty().await;
}

#[tokio::test]
async fn one_packet_over_the_bound_reaches_a_client_that_reads() {
    let house = House::open().await;
    let mut ws = Ws::join(house.addr).await;
    house.io.emit("huge", "x".repeat(5_000_000)).unwrap();
    assert_eq!(ws.packet().await.len(), 5_000_013);
    ws.lives().await;
}

#[tokio::test]
async fn sessions_of_one_address_are_bounded_and_places_come_free() {
    let house = House::with(|b| b.max_sessions_per_address(3)).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Ws::join(house.addr).await);
    }
    let refused = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert_eq!(house.io.metrics().refused, 1);
    drop(open.pop());
    until("the place is free", || house.io.engine().session_count() == 2).await;
    Ws::join(house.addr).await.lives().await;
    open[0].lives().await;
}

#[tokio::test]
async fn a_handshake_that_opens_nothing_takes_no_place_of_its_address() {
    let house = House::with(|b| b.max_sessions_per_address(1)).await;
    let bad_key = UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short");
    for _ in 0..3 {
        let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=websocket", &bad_key, "").await;
        assert_eq!(answer.status, 400);
    }
    Ws::join(house.addr).await.lives().await;
}

#[tokio::test]
async fn new_sessions_of_one_address_have_a_rate() {
    let house = House::with(|b| b.max_new_sessions_per_address(5)).await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) {
        assert!(statuses.len() < 200, "no rate holds: {statuses:?}");
        let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
        statuses.push(answer.status);
    }
    assert!(statuses.len() > 5, "a burst of a second's worth is let in: {statuses:?}");
}

#[tokio::test]
async fn events_over_the_rate_are_not_handled_and_their_ack_says_so() {
    let house = House::with(|b| b.max_events_per_second(10)).await;
    let handled = Arc::new(Mutex::new(0));
    let count = Arc::clone(&handled);
    house.io.on("n", move || *count.lock().unwrap() += 1);
    let mut ws = Ws::join(house.addr).await;
    let mut refused = 0;
    for id in 0..60 {
        ws.text(&format!(r#"42{id}["n"]"#)).await;
    }
    for id in 0..60 {
        let answer = ws.packet().await;
        if answer == format!("43{id}[]") {
            continue;
        }
        assert_eq!(
            answer,
            format!(r#"43{id}[{{"error":"rate_limited","message":"too many events a second"}}]"#)
        );
        refused += 1;
    }
    let handled = *handled.lock().unwrap();
    assert_eq!(handled + refused, 60);
    assert!((10..60).contains(&handled), "{handled} of 60 were handled at once");
    house.still_serves().await;
}
