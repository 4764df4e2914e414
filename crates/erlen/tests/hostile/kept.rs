//! Requests that come one after another on a connection: polls that the engine reads itself, and what is left to the HTTP
//! server. Which of the two it was, the client must not see.

use erlen::{Cookie, Cors, Stop};

use crate::support::{Answer, House, Http, Poll, UPGRADE, ask, ms, sid_of, soon, until, until_stopped};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// A request as bytes.
fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = match method {
        "GET" => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}{headers}\r\n{body}")
}

/// A connection that the HTTP server has taken over, by a request that is not plain.
async fn of_the_http_server(house: &House) -> Http {
    let mut http = Http::connect(house.addr).await;
    http.ask("GET", "/socket.io/?EIO=4").await.is_refusal(0);
    http
}

/// Without the date and what is random.
fn settled(answer: &Answer) -> String {
    let sid = if answer.body.contains("\"sid\"") { sid_of(&answer.body) } else { "no sid".into() };
    let text = format!("{}\r\n\r\n{}", answer.head, answer.body).replace(&sid, "SID");
    text.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_answer_is_the_same_bytes_whoever_read_the_request() {
    let changes: [fn(erlen::Builder) -> erlen::Builder; 2] = [
        |b| b,
        |b| {
            b.cors(Cors::origins(["https://good.example"]).credentials(true))
                .cookie(Cookie::default())
                .initial_headers(|out, _| drop(out.insert("x-first", "1".parse().unwrap())))
                .headers(|out, _| {
                    out.append("x-own", "1".parse().unwrap());
                    out.append("x-own", "2".parse().unwrap());
                })
        },
    ];
    for change in changes {
        let house = House::with(change).await;
        let poll = Poll::join(house.addr).await;
        let target = poll.target();
        let unknown = format!("{OPEN}&sid=AAAAAAAAAAAAAAAAAAAA");
        let requests = [
            request("GET", OPEN, "", ""),
            request("GET", OPEN, "Origin: https://good.example\r\n", ""),
            request("GET", OPEN, "Origin: https://evil.example\r\n", ""),
            request("GET", OPEN, "Origin: a b\r\n", ""),
            request("GET", OPEN, "Connection: close\r\n", ""),
            request("GET", OPEN, "Connection: Keep-Alive, CLOSE\r\n", ""),
            request("GET", OPEN, "", "").replace("Host: localhost\r\n", ""),
            request("GET", OPEN, &format!("X: {}\r\n", "a".repeat(17_000)), ""),
            request("GET", &format!("{OPEN}&x={}", "a".repeat(9_000)), "", ""),
            request("GET", "/socket.io/?EIO=3&transport=polling", "", ""),
            request("GET", &format!("{OPEN}&transport=websocket"), "", ""),
            request("GET", "/socket.io/?EIO=4&transport=websocket", "", ""),
            request("GET", OPEN, UPGRADE, ""),
            request("GET", &unknown, "", ""),
            request("POST", &unknown, "", "40"),
            request("POST", OPEN, "", "40"),
            request("POST", &target, "", "3"),
            request("POST", &target, "Origin: https://good.example\r\n", "3"),
            request("POST", &target, "Origin: https://evil.example\r\n", "3"),
            request("POST", &target, "Connection: close\r\n", "3"),
        ];
        for request in requests {
            let mut here = Http::connect(house.addr).await;
            let mut there = of_the_http_server(&house).await;
            here.raw(&request).await;
            there.raw(&request).await;
            let (a, b) = (here.answer().await, there.answer().await);
            assert_eq!(settled(&a), settled(&b), "{request}");
            assert!(a.header("date").is_some_and(|date| date.ends_with(" GMT")), "{a:?}");
            if a.header("connection").is_some() {
                assert_eq!((here.end().await, there.end().await), (vec![], vec![]), "{request}");
            } else {
                assert_eq!(here.ask("GET", OPEN).await.status, there.ask("GET", OPEN).await.status);
            }
        }
        poll.lives().await;
    }
}

#[tokio::test]
async fn a_request_that_is_cut_anywhere_has_its_answer_and_the_connection_goes_on() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let post = request("POST", &poll.target(), "", r#"42["echo","cut"]"#);
    for cut in 1..post.len() {
        let mut http = Http::connect(house.addr).await;
        let (first, rest) = post.split_at(cut);
        http.raw(first).await;
        house.has_read().await;
        http.raw(rest).await;
        assert_eq!(http.answer().await.body, "ok", "{cut}");
        assert_eq!(http.ask("GET", &poll.target()).await.body, r#"42["echo","cut"]"#, "{cut}");
    }
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_order() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let post = |n| request("POST", &poll.target(), "", &format!(r#"42["echo",{n}]"#));
    let get = request("GET", &poll.target(), "", "");
    let mut http = Http::connect(house.addr).await;
    // The first is read by the engine, and leaves none of the others behind.
    http.raw(post(0)).await;
    assert_eq!(http.answer().await.body, "ok");
    http.raw([post(1), get.clone(), post(2), get].concat()).await;
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(http.answer().await.body);
    }
    assert_eq!(bodies, ["ok", "42[\"echo\",0]\x1e42[\"echo\",1]", "ok", r#"42["echo",2]"#]);
}

#[tokio::test]
async fn what_comes_behind_a_parked_get_waits_and_is_not_lost() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut http = poll.begin_get().await;
    house.has_read().await;
    http.raw(request("POST", &poll.target(), "", r#"42["echo","behind"]"#)).await;
    house.has_read().await;
    assert_eq!(house.io.metrics().packets_in, 1, "one request at a time");
    house.io.emit("news", 1).unwrap();
    assert_eq!(http.answer().await.body, r#"42["news",1]"#);
    assert_eq!(http.answer().await.body, "ok");
    assert_eq!(http.ask("GET", &poll.target()).await.body, r#"42["echo","behind"]"#);
}

#[tokio::test]
async fn a_connection_serves_polls_its_upgrade_and_sessions_of_every_shard() {
    let house = House::with(|b| b.shards(3)).await;
    for _ in 0..24 {
        let mut http = Http::connect(house.addr).await;
        let sid = sid_of(&http.ask("GET", OPEN).await.body);
        let poll = Poll { addr: house.addr, sid };
        assert_eq!(poll.post("40").await.body, "ok");
        assert!(http.ask("GET", &poll.target()).await.body.starts_with("40{"));
        http.request("GET", &poll.target(), "", "").await;
        house.io.emit("news", 1).unwrap();
        assert_eq!(http.answer().await.body, r#"42["news",1]"#);
        let target = poll.target().replace("polling", "websocket");
        http.raw(request("GET", &target, UPGRADE, "")).await;
        assert_eq!(http.answer().await.status, 101);
        let mut ws = http.into_ws();
        ws.text("2probe").await;
        assert_eq!(ws.packet().await, "3probe");
        ws.text("5").await;
        ws.lives().await;
        ws.text("1").await;
        until("it is gone", || house.io.engine().session_count() == 0).await;
    }
}

#[tokio::test]
async fn a_refused_post_whose_body_has_not_come_is_the_last_of_its_connection() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let evil = "Host: a\r\nOrigin: https://evil.example\r\nContent-Length: 9\r\n\r\n";
    let mut http = Http::connect(house.addr).await;
    http.raw(format!("POST {} HTTP/1.1\r\n{evil}", poll.target())).await;
    let answer = http.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (403, Some("close")));
    assert!(http.end().await.is_empty());
    poll.lives().await;
}

#[tokio::test]
async fn a_kept_connection_that_says_nothing_or_half_a_request_is_cut_in_time() {
    // The timeout is what a busy machine has for each of the client's requests.
    let house = House::with(|b| b.header_timeout(ms(2_000))).await;
    for start in ["", "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: "] {
        let mut http = Http::connect(house.addr).await;
        for _ in 0..3 {
            assert_eq!(http.ask("GET", OPEN).await.status, 200);
        }
        http.raw(start).await;
        let drip = async {
            loop {
                match tokio::time::timeout(ms(20), http.end()).await {
                    Ok(said) => return said,
                    Err(_) if start.is_empty() => {}
                    Err(_) => http.raw("x").await,
                }
            }
        };
        assert!(soon("the end", drip).await.is_empty(), "{start:?}");
    }
}

#[tokio::test]
async fn a_parked_get_outlives_the_time_in_which_a_head_has_to_come() {
    let house = House::with(|b| b.header_timeout(ms(2_000)).ping_interval(ms(3_000))).await;
    let poll = Poll::join(house.addr).await;
    let mut http = poll.begin_get().await;
    assert_eq!(http.answer().await.body, "2");
    assert_eq!(http.ask("GET", OPEN).await.status, 200, "and the next head has its time again");
}

#[tokio::test]
async fn with_the_listener_a_parked_get_has_its_answer_and_a_kept_connection_ends() {
    let (addr, stop, serving) = until_stopped().await;
    let poll = Poll::join(addr).await;
    let mut kept = Http::connect(addr).await;
    assert_eq!(kept.ask("GET", OPEN).await.status, 200);
    let mut parked = poll.begin_get().await;
    ask(addr, "GET", "/socket.io/?EIO=4", "", "").await.is_refusal(0);
    stop.send(Stop::NOW).unwrap();
    assert!(kept.end().await.is_empty());
    let answer = parked.answer().await;
    assert_eq!((&*answer.body, answer.header("connection")), ("1", Some("close")));
    assert!(parked.end().await.is_empty());
    soon("the end", serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_request_that_two_readers_would_cut_differently_is_refused() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let smuggled = request("POST", &poll.target(), "", r#"42["smuggled"]"#);
    let framings = [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1, 2\r\n",
        "Content-Length: \r\n",
        "Content-Length : 1\r\n",
        "Content-Length: 1\r\n folded\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: identity\r\n",
    ];
    for framing in framings {
        let mut http = Http::connect(house.addr).await;
        assert_eq!(http.ask("GET", OPEN).await.status, 200);
        http.raw(format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n3{smuggled}", poll.target()))
            .await;
        assert_eq!(http.answer().await.status, 400, "{framing}");
        assert!(http.end().await.is_empty(), "nothing behind it is read as a request: {framing}");
    }
    poll.lives().await;
}

#[tokio::test]
async fn a_request_in_chunks_and_what_follows_it_are_read_by_their_chunks() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut http = Http::connect(house.addr).await;
    assert_eq!(http.ask("GET", OPEN).await.status, 200);
    let head = format!("POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", poll.target());
    let get = request("GET", &poll.target(), "", "");
    http.raw(format!("{head}6\r\n42[\"ec\r\n7\r\nho\",1]\x1e\r\n1\r\n6\r\n0\r\n\r\n{get}")).await;
    assert_eq!(http.answer().await.body, "ok");
    assert_eq!(http.answer().await.body, r#"42["echo",1]"#);
}
