//! GETs and the misuse of a sid (G01 to G10).

use crate::support::{House, Http, Poll, Ws, ask, ms, sid_of};

#[tokio::test]
async fn g01_a_second_get_beside_the_first_ends_the_session() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let (mut a, mut b) = (poll.begin_get().await, poll.begin_get().await);
    let (a, b) = tokio::join!(a.answer(), b.answer());
    // Whichever came second is refused, and the other one is told of the end.
    let (told, refused) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!((told.status, &*told.body, refused.status), (200, "1", 400));
    assert_eq!(house.reason().await, "transport error");
    poll.is_gone().await;
}

#[tokio::test]
async fn g02_a_get_whose_connection_goes_ends_the_session() {
    for way in ["fin", "rst", "half"] {
        let mut house = House::open().await;
        let poll = Poll::join(house.addr).await;
        let mut get = poll.begin_get().await;
        house.has_read().await;
        match way {
            "fin" => drop(get),
            "rst" => get.reset(),
            _ => {
                get.half_close().await;
                get.end().await;
            }
        }
        assert_eq!(house.reason().await, "transport error", "{way}");
        poll.is_gone().await;
        house.is_empty().await;
    }
}

#[tokio::test]
async fn g03_u08_polling_requests_of_a_session_on_websocket_are_refused() {
    let house = House::open().await;
    let (mut ws, sid) = Ws::join_with_sid(house.addr).await;
    let poll = Poll { addr: house.addr, sid };
    poll.get().await.is_refusal(3);
    poll.post("1").await.is_refusal(3);
    ws.lives().await;
}

#[tokio::test]
async fn g04_a_get_that_says_websocket_and_does_not_upgrade_is_refused() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let target = poll.target().replace("polling", "websocket");
    ask(house.addr, "GET", &target, "", "").await.is_refusal(3);
    poll.lives().await;
}

#[tokio::test]
async fn g05_b24_the_public_id_of_a_socket_is_no_sid() {
    let house = House::open().await;
    house.io.of("/api");
    let poll = Poll::open(house.addr).await;
    poll.post("40\x1e40/api,").await;
    let body = poll.get().await.body;
    let ids: Vec<_> = body.split('\x1e').map(sid_of).collect();
    assert_eq!(ids.len(), 2, "{body}");
    assert!(ids[0] != ids[1] && !ids.contains(&poll.sid), "every id is another");
    for id in &ids {
        Poll { addr: house.addr, sid: id.clone() }.get().await.is_refusal(1);
    }
    let (root, api) = (house.io.sockets(), house.io.of("/api").sockets());
    assert_eq!((root[0].id().to_string(), api[0].id().to_string()), (ids[0].clone(), ids[1].clone()));
    // An id names a socket in its own namespace alone.
    house.io.to(ids[1].as_str()).emit("stray", 1).unwrap();
    house.io.of("/api").to(ids[1].as_str()).emit("hit", 1).unwrap();
    assert_eq!(poll.get().await.body, r#"42/api,["hit",1]"#);
}

#[tokio::test]
async fn g06_no_answer_may_be_stored() {
    let house = House::open().await;
    let poll = Poll::open(house.addr).await;
    let post = poll.post("40").await;
    let get = poll.get().await;
    let refused = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=foo", "", "").await;
    for answer in [post, get, refused] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
}

#[tokio::test]
async fn g07_g08_a_client_that_polls_and_never_pongs_is_told_of_its_end() {
    // The timeout is what a busy machine has for the client to come in.
    let mut house = House::with(|b| b.ping_interval(ms(60)).ping_timeout(ms(3_000))).await;
    let poll = Poll::open(house.addr).await;
    assert_eq!(poll.post("40").await.status, 200);
    let mut told = Vec::new();
    while told.last().is_none_or(|body| body != "1") {
        told.push(poll.get().await.body);
    }
    // The ping may come before the socket's id.
    let told = told.join("\x1e");
    let mut packets: Vec<_> = told.split('\x1e').map(|packet| packet.split('{').next()).collect();
    packets.sort_unstable();
    assert_eq!(packets, [Some("1"), Some("2"), Some("40")], "{told}");
    poll.get().await.is_refusal(1);
    assert_eq!(house.reason().await, "ping timeout");
    house.is_empty().await;
}

#[tokio::test]
async fn g09_a_client_that_never_polls_again_is_cut_and_its_queue_freed() {
    let mut house = House::with(|b| b.ping_interval(ms(60)).ping_timeout(ms(3_000))).await;
    let poll = Poll::join(house.addr).await;
    for _ in 0..100 {
        house.io.emit("news", "x".repeat(1_000)).unwrap();
    }
    assert_eq!(house.reason().await, "ping timeout");
    house.is_empty().await;
    assert_eq!(house.io.metrics().queued_bytes, 0);
    poll.get().await.is_refusal(1);
}

#[tokio::test]
async fn g10_answers_are_not_compressed() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    house.io.emit("news", "x".repeat(5_000)).unwrap();
    let mut http = Http::connect(house.addr).await;
    http.request("GET", &poll.target(), "Accept-Encoding: gzip\r\n", "").await;
    let answer = http.answer().await;
    assert_eq!((answer.header("content-encoding"), answer.body.len()), (None, 5_013));
}
