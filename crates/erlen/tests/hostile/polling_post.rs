//! The body of a POST (P01 to P18): what is refused, what ends the session and why, what is delivered before.

use crate::support::{Answer, House, Http, Poll, ask, ms, soon};

/// Posts to a session that has joined; the answer, the events that were delivered, and why the session ended.
async fn kill(body: impl AsRef<[u8]>) -> (Answer, Vec<String>, &'static str) {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let answer = poll.post(body).await;
    let mut events = Vec::new();
    let reason = loop {
        match house.next().await {
            crate::support::Seen::Event(_, json) => events.push(json),
            crate::support::Seen::Disconnect(_, reason) => break reason.as_str(),
            crate::support::Seen::Connect(_) => {}
        }
    };
    poll.is_gone().await;
    house.is_empty().await;
    assert_eq!(house.rest(), [], "one disconnect, and nothing behind it");
    (answer, events, reason)
}

#[tokio::test]
async fn p01_a_malformed_payload_ends_the_session_behind_what_was_good() {
    for body in ["", "\x1e", "7", "xyz"] {
        let (answer, events, reason) = kill(body).await;
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        assert_eq!((events.len(), reason), (0, "parse error"), "{body:?}");
    }
    for body in ["42[\"a\",1]\x1e", "42[\"a\",1]\x1eZ\x1e42[\"a\",2]"] {
        let (_, events, reason) = kill(body).await;
        assert_eq!((&events[..], reason), (&[r#"["a",1]"#.to_owned()][..], "parse error"), "{body:?}");
    }
}

#[tokio::test]
async fn p02_a_ping_from_the_client_ends_the_session() {
    for body in ["2", "2probe"] {
        assert_eq!(kill(body).await.2, "transport error");
    }
}

#[tokio::test]
async fn p03_p04_what_means_nothing_is_ignored() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let pongs = vec!["3"; 1_000].join("\x1e");
    for body in ["3", &pongs, "0{}", "5", "6"] {
        assert_eq!(poll.post(body).await.status, 200, "{}", body.len());
    }
    poll.lives().await;
}

#[tokio::test]
async fn p05_nothing_behind_a_close_packet_is_delivered() {
    for body in ["1", "1\x1e42[\"echo\",1]"] {
        let (_, events, reason) = kill(body).await;
        assert_eq!((events.len(), reason), (0, "transport close"));
    }
}

#[tokio::test]
async fn p06_p07_binary_that_nothing_announced_or_that_is_no_base64_ends_the_session() {
    for body in ["bAAAA", "b!!!!", "451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1eb@@@@"] {
        assert_eq!(kill(body).await.2, "parse error", "{body}");
    }
}

#[tokio::test]
async fn p07_base64_is_taken_padded_unpadded_and_url_safe() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    house.io.on("length", |erlen::Attachments(all): erlen::Attachments| {
        all.iter().map(|a| a.len()).sum::<usize>()
    });
    for (id, (base64, length)) in [("AQI=", 2), ("AQI", 2), ("-_-_", 3), ("", 0)].iter().enumerate() {
        poll.post(format!("451-{id}[\"length\",{{\"_placeholder\":true,\"num\":0}}]\x1eb{base64}")).await;
        assert_eq!(poll.get().await.body, format!("43{id}[{length}]"));
        house.event().await;
    }
}

#[tokio::test]
async fn p08_bytes_that_are_not_utf8_never_reach_a_handler() {
    let (_, events, reason) = kill(b"42[\"a\",\"\xff\xfe\xc3\x28\"]").await;
    assert_eq!((events.len(), reason), (0, "parse error"));
}

#[tokio::test]
async fn p09_a_lone_surrogate_stays_an_escape() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    poll.post(r#"42["echo","\ud800"]"#).await;
    assert_eq!(poll.get().await.body, r#"42["echo","\ud800"]"#);
    poll.lives().await;
}

#[tokio::test]
async fn p10_a_body_over_the_limit_is_refused_and_the_session_lives() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let fits = format!(r#"42["a","{}"]"#, "x".repeat(1_000_000 - 10));
    assert_eq!(fits.len(), 1_000_000);
    assert_eq!(poll.post(&fits).await.status, 200);
    assert_eq!(house.event().await.len(), 999_998);
    let answer = poll.post(format!("{fits} ")).await;
    assert_eq!((answer.status, &*answer.body), (413, ""));
    let mut http = Http::connect(house.addr).await;
    let head =
        format!("POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", poll.target());
    http.raw(head).await;
    for _ in 0..32 {
        http.raw(format!("10000\r\n{}\r\n", "x".repeat(0x10000))).await;
    }
    assert_eq!(http.answer().await.status, 413);
    poll.lives().await;
}

#[tokio::test]
async fn p11_a_length_over_the_limit_is_refused_before_any_byte_of_the_body() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut http = Http::connect(house.addr).await;
    http.raw(format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n", poll.target()))
        .await;
    assert_eq!(http.answer().await.status, 413);
    poll.lives().await;
}

#[tokio::test]
async fn p12_packets_of_a_payload_are_bounded() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    assert_eq!(poll.post(vec!["6"; 1_024].join("\x1e")).await.status, 200);
    poll.lives().await;
    let answer = poll.post(vec!["42[\"a\"]"; 1_025].join("\x1e")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(house.event().await, r#"["echo","alive"]"#);
    assert_eq!(house.reason().await, "parse error");
    poll.is_gone().await;
    let other = Poll::join(house.addr).await;
    assert_eq!(other.post("6\x1e".repeat(300_000)).await.status, 400);
    house.is_empty().await;
}

#[tokio::test]
async fn p13_a_binary_body_is_of_another_revision() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let headers = "Content-Type: application/octet-stream\r\n";
    assert_eq!(ask(house.addr, "POST", &poll.target(), headers, b"\x00\x04").await.status, 400);
    assert_eq!(house.reason().await, "transport error");
    poll.is_gone().await;
}

#[tokio::test]
async fn p14_a_form_is_no_payload() {
    assert_eq!(kill("d=42%5B%22a%22%5D").await.2, "parse error");
}

#[tokio::test]
async fn p15_a_body_that_comes_byte_by_byte_is_delivered() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let body = r#"42["a","slow"]"#;
    let mut http = Http::connect(house.addr).await;
    let head =
        format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", poll.target(), body.len());
    for byte in head.bytes().chain(body.bytes()) {
        http.raw([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(http.answer().await.status, 200);
    assert_eq!(house.event().await, r#"["a","slow"]"#);
}

#[tokio::test]
async fn p16_half_a_body_ends_the_session() {
    for reset in [false, true] {
        let mut house = House::open().await;
        let poll = Poll::join(house.addr).await;
        let mut http = Http::connect(house.addr).await;
        http.raw(format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n42[\"a\"", poll.target()))
            .await;
        house.has_read().await;
        if reset {
            http.reset();
        } else {
            http.half_close().await;
            drop(http);
        }
        assert_eq!(house.reason().await, "transport error");
        poll.is_gone().await;
        house.is_empty().await;
        assert_eq!(house.rest(), []);
    }
}

#[tokio::test]
async fn p17_a_second_post_beside_the_first_ends_the_session() {
    let mut house = House::open().await;
    let poll = Poll::join(house.addr).await;
    let mut first = Http::connect(house.addr).await;
    let head = "HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n";
    first.raw(format!("POST {} {head}", poll.target())).await;
    assert_eq!(first.answer().await.status, 100, "the first POST is open");
    let second = poll.post(r#"42["a",2]"#).await;
    assert_eq!(second.status, 400);
    assert_eq!(house.reason().await, "transport error");
    poll.is_gone().await;
    first.raw(r#"42["a","first one."]"#).await;
    let answer = soon("the end of the first", first.try_answer()).await;
    assert!(answer.is_none_or(|a| matches!(a.status, 200 | 400)), "its events go nowhere");
    assert_eq!(house.rest(), []);
}

#[tokio::test]
async fn p18_two_sids_in_one_request_are_refused() {
    let house = House::open().await;
    let (a, b) = (Poll::join(house.addr).await, Poll::join(house.addr).await);
    let target = format!("{}&sid={}", a.target(), b.sid);
    ask(house.addr, "POST", &target, "", r#"42["a"]"#).await.is_refusal(3);
    a.lives().await;
    b.lives().await;
}

#[tokio::test]
async fn a_body_that_takes_too_long_gets_408_and_ends_the_session() {
    let mut house = House::with(|b| b.body_timeout(ms(100))).await;
    let poll = Poll::join(house.addr).await;
    let mut http = Http::connect(house.addr).await;
    http.raw(format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n42[", poll.target())).await;
    assert_eq!(http.answer().await.status, 408);
    assert_eq!(house.reason().await, "transport error");
    poll.is_gone().await;
}
