//! The opening request (H01 to H24): what is refused, how, and what the server never does.

use crate::support::{Answer, House, Http, Poll, UPGRADE, ask, say, sid_of};

async fn open(house: &House, query: &str) -> Answer {
    ask(house.addr, "GET", &format!("/socket.io/{query}"), "", "").await
}

#[tokio::test]
async fn h01_an_unknown_transport_is_refused() {
    let house = House::open().await;
    open(&house, "").await.is_refusal(0);
    open(&house, "?EIO=4").await.is_refusal(0);
    for name in ["foo", "POLLING", "constructor", "__proto__", "webtransport", ""] {
        open(&house, &format!("?EIO=4&transport={name}")).await.is_refusal(0);
    }
    open(&house, "?EIO=4&transport[]=polling").await.is_refusal(0);
    open(&house, "?EIO=4;transport=polling").await.is_refusal(0);
    house.is_empty().await;
}

#[tokio::test]
async fn h02_websocket_without_upgrade_is_refused() {
    let house = House::open().await;
    open(&house, "?EIO=4&transport=websocket").await.is_refusal(3);
}

#[tokio::test]
async fn h03_another_revision_is_refused() {
    let house = House::open().await;
    for revision in ["", "&EIO=", "&EIO=3", "&EIO=5", "&EIO=abc", "&EIO=04", "&EIO=%204", "&EIO=4.0"] {
        open(&house, &format!("?transport=polling{revision}")).await.is_refusal(5);
    }
    house.is_empty().await;
}

#[tokio::test]
async fn h04_h05_two_values_of_one_parameter_are_never_two_readings() {
    let house = House::open().await;
    open(&house, "?EIO=4&EIO=3&transport=polling").await.is_refusal(3);
    open(&house, "?EIO=3&EIO=4&transport=polling").await.is_refusal(3);
    open(&house, "?EIO=4&transport=polling&transport=websocket").await.is_refusal(3);
    assert_eq!(open(&house, "?EIO=4&EIO=4&transport=polling").await.status, 200);
}

#[tokio::test]
async fn h06_h07_an_unknown_sid_is_refused_and_never_repeated() {
    let house = House::open().await;
    open(&house, "?EIO=4&transport=polling&sid=").await.is_refusal(1);
    let long = "a".repeat(8_000);
    for sid in ["AAAAAAAAAAAAAAAAAAAA", "__proto__", "hasOwnProperty", "%00%0d%0aX:1", &long] {
        let answer = open(&house, &format!("?EIO=4&transport=polling&sid={sid}")).await;
        answer.is_refusal(1);
        assert_eq!(answer.header("x"), None);
    }
}

#[tokio::test]
async fn h08_a_session_is_opened_by_get_alone() {
    let house = House::open().await;
    for method in ["POST", "PUT", "DELETE", "TRACE", "OPTIONS"] {
        ask(house.addr, method, "/socket.io/?EIO=4&transport=polling", "", "").await.is_refusal(2);
    }
    let mut http = Http::connect(house.addr).await;
    http.raw(
        "HEAD /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await;
    let bytes = String::from_utf8(http.end().await).unwrap();
    assert!(bytes.starts_with("HTTP/1.1 400 ") && bytes.ends_with("\r\n\r\n"), "{bytes}");
    house.is_empty().await;
}

#[tokio::test]
async fn h09_another_method_leaves_the_session_alone() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    for method in ["PUT", "OPTIONS", "DELETE"] {
        assert_eq!(ask(house.addr, method, &poll.target(), "", "").await.status, 405);
    }
    poll.lives().await;
}

#[tokio::test]
async fn h10_what_is_not_http_gets_400_and_the_end() {
    let house = House::open().await;
    let target = "/socket.io/?EIO=4&transport=polling";
    let inputs = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage".to_vec(),
        crate::support::frame(0x81, "40"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n").into_bytes(),
        format!("GET {target} HTTP/1.1\r\nHost : a\r\n\r\n").into_bytes(),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n").into_bytes(),
        format!("get {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
    ];
    for input in inputs {
        let answer = say(house.addr, &input).await;
        let status = answer.map_or(400, |answer| answer.status);
        assert_eq!(status, 400, "{:?}", String::from_utf8_lossy(&input));
    }
    house.is_empty().await;
    house.still_serves().await;
}

#[tokio::test]
async fn h11_a_request_has_one_host() {
    let house = House::open().await;
    let none = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n";
    assert_eq!(say(house.addr, none).await.unwrap().status, 400);
    let two = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    assert_eq!(say(house.addr, two).await.unwrap().status, 400);
}

#[tokio::test]
async fn h12_too_large_a_head_is_refused() {
    let house = House::open().await;
    let header = format!("X-Large: {}\r\n", "a".repeat(20_000));
    let many = "X: y\r\n".repeat(3_000);
    for headers in [header, many] {
        let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", &headers, "").await;
        assert!(matches!(answer.status, 400 | 431), "{answer:?}");
    }
    let answer = open(&house, &format!("?EIO=4&transport=polling&x={}", "a".repeat(20_000))).await;
    assert!(matches!(answer.status, 400 | 414 | 431), "{answer:?}");
    house.is_empty().await;
    house.still_serves().await;
}

#[tokio::test]
async fn h13_h14_h15_odd_targets_open_a_session_or_nothing() {
    let house = House::open().await;
    assert_eq!(open(&house, "?EIO=4&transport=polling&x=%E0%A4%A").await.status, 200);
    for path in ["/socket.io/../../etc/passwd", "/socket.io/\\..//", "//socket.io/", "http://evil/socket.io/"]
    {
        let answer = ask(house.addr, "GET", &format!("{path}?EIO=4&transport=polling"), "", "").await;
        assert!(matches!(answer.status, 200 | 400 | 404), "{path}: {answer:?}");
        assert_eq!(answer.header("location"), None);
        assert!(!answer.body.contains("root:"));
    }
}

#[tokio::test]
async fn h16_the_path_without_its_slash_is_not_the_engines() {
    let house = House::open().await;
    let answer = ask(house.addr, "GET", "/socket.io?EIO=4&transport=polling", "", "").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn h17_another_origin_is_refused_on_every_transport() {
    let house = House::open().await;
    for origin in
        ["https://evil.example", "null", "http://localhost:1", "http://localhost.evil.example", "localhost"]
    {
        let header = format!("Origin: {origin}\r\n");
        let polling = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", &header, "").await;
        polling.is_refusal(4);
        let headers = format!("{UPGRADE}{header}");
        let ws = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=websocket", &headers, "").await;
        assert!(matches!(ws.status, 400 | 403), "{ws:?}");
        assert_eq!(ws.body, "Forbidden");
    }
    let answer =
        ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", "Origin: http://a\x01b\r\n", "").await;
    assert_eq!(answer.status, 400);
    for own in ["http://localhost", "ws://localhost", "http://LOCALHOST:80"] {
        let header = format!("Origin: {own}\r\n");
        let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", &header, "").await;
        assert_eq!(answer.status, 200, "{own}");
    }
}

#[tokio::test]
async fn h17_another_origin_may_not_use_a_session_that_is_open() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let evil = "Origin: https://evil.example\r\n";
    ask(house.addr, "GET", &poll.target(), evil, "").await.is_refusal(4);
    ask(house.addr, "POST", &poll.target(), evil, "41").await.is_refusal(4);
    poll.lives().await;
}

#[tokio::test]
async fn h18_h19_cors_lets_in_whom_it_names_and_refuses_the_rest() {
    let house = House::with(|b| b.cors(erlen::Cors::origins(["https://good.example"]))).await;
    let target = "/socket.io/?EIO=4&transport=polling";
    let evil = ask(house.addr, "GET", target, "Origin: https://evil.example\r\n", "").await;
    evil.is_refusal(4);
    assert_eq!(evil.header("vary"), Some("Origin"));
    assert_ne!(evil.header("access-control-allow-origin"), Some("https://evil.example"));
    let good = ask(house.addr, "GET", target, "Origin: https://good.example\r\n", "").await;
    assert_eq!(
        (good.status, good.header("access-control-allow-origin")),
        (200, Some("https://good.example"))
    );
    let preflight = "Origin: https://good.example\r\nAccess-Control-Request-Method: PUT\r\n\
                     Access-Control-Request-Headers: x-token\r\n";
    let answer = ask(house.addr, "OPTIONS", target, preflight, "").await;
    assert_eq!(answer.status, 204);
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert!(methods.split(',').all(|m| matches!(m.trim(), "GET" | "POST")), "{methods}");
    let preflight = preflight.replace("good", "evil");
    assert_eq!(ask(house.addr, "OPTIONS", target, &preflight, "").await.status, 403);
}

#[tokio::test]
async fn h20_jsonp_is_off() {
    let house = House::open().await;
    for j in ["0", "alert(1)//", "1&j=2", ""] {
        let answer = open(&house, &format!("?EIO=4&transport=polling&j={j}")).await;
        assert!(answer.body.starts_with("0{"), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    }
}

#[tokio::test]
async fn h21_a_cookie_opens_nothing() {
    let house = House::with(|b| b.cookie(erlen::Cookie::default())).await;
    let poll = Poll::join(house.addr).await;
    let cookie = format!("Cookie: io={}\r\n", poll.sid);
    let answer = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=polling", &cookie, "").await;
    assert_ne!(sid_of(&answer.body), poll.sid);
    poll.lives().await;
}

#[tokio::test]
async fn h22_many_handshakes_on_one_connection_are_many_sessions() {
    let house = House::open().await;
    let mut http = Http::connect(house.addr).await;
    for _ in 0..1_000 {
        assert_eq!(http.ask("GET", "/socket.io/?EIO=4&transport=polling").await.status, 200);
    }
    assert_eq!(house.io.engine().session_count(), 1_000);
}

#[tokio::test]
async fn h22_past_the_bound_on_sessions_the_answer_is_503() {
    let house = House::with(|b| b.max_sessions(3)).await;
    let polls = [Poll::join(house.addr).await, Poll::join(house.addr).await, Poll::join(house.addr).await];
    let answer = open(&house, "?EIO=4&transport=polling").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    let ws = ask(house.addr, "GET", "/socket.io/?EIO=4&transport=websocket", UPGRADE, "").await;
    assert_eq!(ws.status, 503);
    polls[0].lives().await;
    polls[1].post("1").await;
    crate::support::until("a place is free", || house.io.engine().session_count() == 2).await;
    assert_eq!(open(&house, "?EIO=4&transport=polling").await.status, 200);
}

#[tokio::test]
async fn h23_expectations_are_met_or_refused() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut http = Http::connect(house.addr).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18\r\nExpect: 100-continue\r\n\r\n",
        poll.target()
    );
    http.raw(head).await;
    assert_eq!(http.answer().await.status, 100);
    http.raw(r#"42["echo","later"]"#).await;
    let answer = http.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    assert_eq!(poll.get().await.body, r#"42["echo","later"]"#);
    let target = "/socket.io/?EIO=4&transport=polling";
    let answer = ask(house.addr, "GET", target, "Expect: foo\r\n", "").await;
    assert!(matches!(answer.status, 200 | 417), "{answer:?}");
}

#[tokio::test]
async fn h24_connect_is_no_way_through() {
    let house = House::open().await;
    let answer = say(house.addr, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(answer.is_none_or(|answer| answer.status >= 400));
    house.still_serves().await;
}

#[tokio::test]
async fn a_request_that_two_readers_would_cut_differently_is_refused() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let smuggled = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", poll.target());
    let framings = [
        "Content-Length: 1\r\nContent-Length: 2\r\n".to_owned(),
        "Content-Length: +1\r\n".to_owned(),
        "Content-Length: 1, 2\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
    ];
    for framing in framings {
        let request =
            format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n3{smuggled}", poll.target());
        let mut http = Http::connect(house.addr).await;
        http.raw(request).await;
        assert_eq!(http.answer().await.status, 400, "{framing}");
        assert!(http.end().await.is_empty(), "nothing behind it is read as a request: {framing}");
    }
    poll.lives().await;
}

#[tokio::test]
async fn an_upgrade_with_a_bad_key_or_version_is_refused_before_101() {
    let house = House::open().await;
    let target = "/socket.io/?EIO=4&transport=websocket";
    let broken = [
        UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"),
        UPGRADE.replace("Version: 13", "Version: 8"),
        UPGRADE.replace("Sec-WebSocket-Key", "X-Key"),
        UPGRADE.replace("Sec-WebSocket-Version", "X-Version"),
    ];
    for headers in broken {
        let answer = ask(house.addr, "GET", target, &headers, "").await;
        assert_eq!((answer.status, &*answer.body), (400, "Bad request"), "{headers}");
    }
    house.is_empty().await;
}
