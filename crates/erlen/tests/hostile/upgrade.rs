//! From polling to WebSocket (U01 to U09), step by step and as a property: nothing is lost, doubled or reordered.

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use erlen::{Data, Socket, SocketId};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Frame, House, Http, PATIENCE, Poll, UPGRADE, Ws, ask, frame, ms, soon};

/// Closes by the server of a probe alone: what the probing WebSocket gets, before the session shows that it lives.
async fn refused(probe: &mut Ws, poll: &Poll) {
    assert_eq!(probe.closes().await, None);
    poll.lives().await;
}

#[tokio::test]
async fn u01_u02_any_first_packet_but_the_probe_closes_the_probe_alone() {
    let house = House::open().await;
    for packet in ["5", r#"42["a"]"#, "2", "2probeX", "3probe", "zzz", "", "1", "6"] {
        let poll = Poll::join(house.addr).await;
        let mut probe = Ws::probe(&poll).await;
        probe.text(packet).await;
        refused(&mut probe, &poll).await;
    }
    let poll = Poll::join(house.addr).await;
    let mut probe = Ws::probe(&poll).await;
    probe.binary([2]).await;
    refused(&mut probe, &poll).await;
    let mut probe = Ws::probe(&poll).await;
    probe.raw(frame(0x81, b"2probe\xff")).await;
    assert_eq!(probe.closes().await, Some(1007));
    poll.lives().await;
    let mut probe = Ws::probe(&poll).await;
    probe.text("2probe").await;
    assert_eq!(probe.packet().await, "3probe");
    probe.text(r#"42["a"]"#).await;
    refused(&mut probe, &poll).await;
    upgrade(&poll).await.lives().await;
}

async fn upgrade(poll: &Poll) -> Ws {
    let mut ws = Ws::probe(poll).await;
    ws.text("2probe").await;
    assert_eq!(ws.packet().await, "3probe");
    ws.text("5").await;
    ws
}

#[tokio::test]
async fn u03_a_second_websocket_for_a_session_is_refused_and_the_first_unharmed() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut first = Ws::probe(&poll).await;
    first.text("2probe").await;
    assert_eq!(first.packet().await, "3probe");
    let mut second = Ws::probe(&poll).await;
    second.text("2probe").await;
    assert_eq!(second.next().await, Frame::Close(None));
    // With its packet right behind the head it is the same.
    let mut second = Ws::probe_with(&poll, &["2probe"]).await;
    assert_eq!(second.next().await, Frame::Close(None));
    first.text("5").await;
    first.lives().await;
    for packets in [&[][..], &["2probe"], &[r#"42["echo","not mine"]"#]] {
        let mut third = Ws::probe_with(&poll, packets).await;
        assert_eq!(third.next().await, Frame::Close(None));
        first.text(r#"42["echo","mine"]"#).await;
        assert_eq!(first.packet().await, r#"42["echo","mine"]"#);
    }
}

#[tokio::test]
async fn u04_gets_during_a_probe_are_answered_by_a_noop_and_packets_wait() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut parked = poll.begin_get().await;
    house.has_read().await;
    let mut ws = Ws::probe(&poll).await;
    ws.text("2probe").await;
    assert_eq!(ws.packet().await, "3probe");
    assert_eq!(parked.answer().await.body, "6");
    house.io.emit("news", 1).unwrap();
    assert_eq!(poll.get().await.body, "6", "every new one too");
    assert_eq!(poll.post(r#"42["echo",2]"#).await.body, "ok", "POSTs are taken");
    ws.text("5").await;
    assert_eq!(ws.packet().await, r#"42["news",1]"#);
    assert_eq!(ws.packet().await, r#"42["echo",2]"#);
    ws.lives().await;
}

#[tokio::test]
async fn u04_an_open_get_gets_a_noop_when_the_upgrade_is_done() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut parked = poll.begin_get().await;
    house.has_read().await;
    let mut ws = Ws::probe(&poll).await;
    ws.raw([frame(0x81, "2probe"), frame(0x81, "5"), frame(0x81, r#"42["echo",1]"#)].concat()).await;
    assert_eq!(parked.answer().await.body, "6");
    assert_eq!(ws.packet().await, "3probe");
    assert_eq!(ws.packet().await, r#"42["echo",1]"#);
}

#[tokio::test]
async fn u05_a_probe_that_is_lost_or_silent_leaves_the_session_polling() {
    let house = House::with(|b| b.upgrade_timeout(ms(1_000))).await;
    let poll = Poll::join(house.addr).await;
    for step in [&[][..], &["2probe"]] {
        for way in ["fin", "rst", "close", "silent"] {
            // Each by one write: on a busy machine the deadline could pass between two.
            let mut ws = Ws::probe_with(&poll, step).await;
            if !step.is_empty() {
                assert_eq!(ws.packet().await, "3probe");
            }
            match way {
                "fin" => drop(ws),
                "rst" => ws.reset(),
                "close" => ws.raw(frame(0x88, "")).await,
                _ => assert_eq!(ws.closes().await, None, "its deadline"),
            }
            poll.lives().await;
        }
    }
    // A slot for the next probe is free as soon as the lost one was noticed.
    house.has_read().await;
    let mut ws = Ws::probe_with(&poll, &["2probe", "5"]).await;
    assert_eq!(ws.packet().await, "3probe");
    ws.lives().await;
}

#[tokio::test]
async fn u06_an_upgrade_of_another_revision_is_refused_before_101() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    for revision in ["EIO=3", "EIO=5", "x=1"] {
        let target = format!("/socket.io/?{revision}&transport=websocket&sid={}", poll.sid);
        let answer = ask(house.addr, "GET", &target, UPGRADE, "").await;
        assert_eq!((answer.status, &*answer.body), (400, "Bad request"));
    }
    poll.lives().await;
}

#[tokio::test]
async fn u08_polling_requests_after_the_upgrade_are_refused() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut ws = upgrade(&poll).await;
    ws.lives().await;
    poll.get().await.is_refusal(3);
    poll.post("1").await.is_refusal(3);
    ws.lives().await;
}

#[tokio::test]
async fn u08_requests_behind_the_upgrade_are_refused_whichever_thread_takes_them() {
    let house = House::with(|b| b.shards(2)).await;
    let ((held, mut holds), (go_on, gone_on)) = (unbounded_channel(), channel());
    let gone_on = Mutex::new(gone_on);
    house.io.on("hold", move || {
        held.send(()).expect("the test waits for it");
        gone_on.lock().unwrap().recv_timeout(PATIENCE).expect("the test goes on");
    });
    // A connection goes to the thread that carries the fewest WebSockets, to the first of equals. The session and its
    // WebSocket are the second's, which `holder` holds; all requests are the first's.
    let _first = Ws::join(house.addr).await;
    let poll = Poll::join(house.addr).await;
    let mut holder = Ws::join(house.addr).await;
    let mut ws = Ws::probe(&poll).await;
    holder.text(r#"42["hold"]"#).await;
    soon("the second thread's stand", holds.recv()).await.unwrap();
    ws.raw([frame(0x81, "2probe"), frame(0x81, "5")].concat()).await;
    let mut get = poll.begin_get().await;
    let mut post = Http::connect(house.addr).await;
    post.request("POST", &poll.target(), "", r#"42["echo","posted"]"#).await;
    house.has_read().await;
    go_on.send(()).unwrap();
    get.answer().await.is_refusal(3);
    post.answer().await.is_refusal(3);
    assert_eq!(ws.packet().await, "3probe");
    ws.text(r#"42["echo","sent"]"#).await;
    assert_eq!(ws.packet().await, r#"42["echo","sent"]"#);
}

#[tokio::test]
async fn u09_a_disconnect_by_the_server_while_upgrading_closes_both_transports_once() {
    for probed in [false, true] {
        let mut house = House::open().await;
        let poll = Poll::join(house.addr).await;
        let mut ws = Ws::probe(&poll).await;
        if probed {
            ws.text("2probe").await;
            assert_eq!(ws.packet().await, "3probe");
        }
        house.has_read().await;
        house.io.sockets()[0].disconnect_client();
        ws.closes().await;
        drop(ws);
        assert_eq!(house.reason().await, "server namespace disconnect");
        assert_eq!(poll.get().await.body, "41");
        assert_eq!(poll.get().await.body, "1");
        poll.is_gone().await;
        house.is_empty().await;
        assert_eq!(house.rest(), []);
    }
}

#[tokio::test]
async fn a_close_by_the_client_while_upgrading_closes_both_transports_once() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut ws = Ws::probe(&poll).await;
    ws.text("2probe").await;
    assert_eq!(ws.packet().await, "3probe");
    poll.post("1").await;
    ws.closes().await;
    drop(ws);
    assert_eq!(house.reason().await, "transport close");
    house.is_empty().await;
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn a_post_that_runs_across_the_upgrade_is_finished() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut post = Http::connect(house.addr).await;
    let body = r#"42["a","posted"]"#;
    let head =
        format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n42[", poll.target(), body.len());
    post.raw(head).await;
    house.has_read().await;
    let mut ws = upgrade(&poll).await;
    ws.lives().await;
    assert_eq!(house.event().await, r#"["echo","alive"]"#);
    post.raw(&body[3..]).await;
    assert_eq!(post.answer().await.body, "ok");
    assert_eq!(house.event().await, r#"["a","posted"]"#);
    ws.lives().await;
}

/// Messages of each direction in one run of the property.
const MESSAGES: u32 = 60;

/// Numbers by the socket that sent them.
type Received = Arc<Mutex<HashMap<SocketId, Vec<u32>>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u07_nothing_is_lost_doubled_or_reordered_during_hundreds_of_upgrades() {
    let house = House::with(|b| b.shards(2)).await;
    let received = Received::default();
    let sink = Arc::clone(&received);
    house.io.on("up", move |socket: Socket, Data(number): Data<u32>| {
        sink.lock().unwrap().entry(socket.id()).or_default().push(number);
    });
    house.io.on("start", |socket: Socket| {
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(ms(1));
            for number in 0..MESSAGES {
                tick.tick().await;
                socket.emit("down", number).unwrap();
            }
        });
    });
    let wave = 32;
    for first in (0..320).step_by(wave) {
        let runs: Vec<_> = (first..first + wave).map(|seed| tokio::spawn(run(house.addr, seed))).collect();
        for run in runs {
            assert_eq!(soon("a run", run).await.unwrap(), (0..MESSAGES).collect::<Vec<_>>());
        }
    }
    house.is_empty().await;
    assert_eq!(house.io.metrics().upgrades, 320);
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 320);
    for numbers in received.values() {
        assert_eq!(*numbers, (0..MESSAGES).collect::<Vec<_>>());
    }
}

/// One client that upgrades while messages go both ways; what it received. `seed` says how it behaves.
async fn run(addr: std::net::SocketAddr, seed: usize) -> Vec<u32> {
    let poll = Poll::join(addr).await;
    let mut sent = 0;
    let mut got = Vec::new();
    poll.post(r#"42["start"]"#).await;
    let eager = seed.is_multiple_of(3);
    for _ in 0..seed % 5 {
        sent = post_some(&poll, sent, seed % 4).await;
        if got.len() < MESSAGES as usize {
            take(&mut got, &poll.get().await.body);
        }
    }
    let mut parked = poll.begin_get().await;
    let mut ws = Ws::probe(&poll).await;
    if eager {
        // It does not wait for its pong, and a POST is in flight meanwhile.
        let (next, ()) = tokio::join!(
            post_some(&poll, sent, 5),
            ws.raw([frame(0x81, "2probe"), frame(0x81, "5")].concat())
        );
        sent = next;
        let answer = parked.answer().await;
        match answer.status {
            200 => take(&mut got, &answer.body),
            // It was sent first, on another connection, and the upgrade was read first.
            _ => answer.is_refusal(3),
        }
        assert_eq!(ws.packet().await, "3probe");
    } else {
        ws.text("2probe").await;
        sent = post_some(&poll, sent, 2).await;
        assert_eq!(ws.packet().await, "3probe");
        take(&mut got, &parked.answer().await.body);
        sent = post_some(&poll, sent, 2).await;
        ws.text("5").await;
    }
    while sent < MESSAGES || got.len() < MESSAGES as usize {
        if sent < MESSAGES {
            ws.text(&format!(r#"42["up",{sent}]"#)).await;
            sent += 1;
        }
        if got.len() < MESSAGES as usize {
            take(&mut got, &ws.packet().await);
        }
    }
    // The echo is behind all that was sent before.
    ws.lives().await;
    ws.text("1").await;
    ws.closes().await;
    got
}

/// Posts some numbers; one is refused only when the session is on the WebSocket already, and then nothing of it counts.
async fn post_some(poll: &Poll, first: u32, count: usize) -> u32 {
    if count == 0 {
        return first;
    }
    let last = first + count as u32;
    let body: Vec<_> = (first..last).map(|number| format!(r#"42["up",{number}]"#)).collect();
    let answer = poll.post(body.join("\x1e")).await;
    match answer.status {
        200 => last,
        400 => {
            answer.is_refusal(3);
            first
        }
        _ => panic!("{answer:?}"),
    }
}

/// Takes the numbers out of a payload.
fn take(got: &mut Vec<u32>, payload: &str) {
    for packet in payload.split('\x1e') {
        if let Some(rest) = packet.strip_prefix(r#"42["down","#) {
            got.push(rest.trim_end_matches(']').parse().expect("a number"));
        } else {
            assert!(matches!(packet, "6" | "2"), "{packet}");
        }
    }
}
