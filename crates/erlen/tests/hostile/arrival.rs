//! What a new connection says first: whole, cut, followed by more, too long, too slow or odd. Whether the engine reads
//! a handshake itself or leaves it to the HTTP server, the client must not see.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use erlen::{Server, Stop, engine::Handshake};

use crate::support::{
    Answer, Frame, House, Http, Poll, UPGRADE, Ws, ask, frame, ms, say, soon, until_stopped,
};

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// The head of a handshake with more headers.
fn head(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{headers}\r\n")
}

/// The answer is a 101, and what follows is a session that works.
async fn opens(mut http: Http) -> Ws {
    let answer = http.answer().await;
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let mut ws = http.into_ws();
    assert!(ws.packet().await.starts_with("0{"));
    ws.text("40").await;
    assert!(ws.packet().await.starts_with(r#"40{"sid":""#));
    ws.lives().await;
    ws
}

/// A connection whose next request is read by the HTTP server, since it is the second.
async fn behind_a_first_request(house: &House) -> Http {
    let mut http = Http::connect(house.addr).await;
    http.ask("GET", "/socket.io/?EIO=4").await.is_refusal(0);
    http
}

#[tokio::test]
async fn a_head_that_is_cut_anywhere_opens_a_session() {
    let house = House::open().await;
    let head = head(TARGET, "");
    for cut in 1..head.len() {
        let (first, rest) = head.split_at(cut);
        let mut http = Http::connect(house.addr).await;
        http.raw(first).await;
        house.has_read().await;
        http.raw(rest).await;
        opens(http).await.text("1").await;
    }
    house.is_empty().await;
}

#[tokio::test]
async fn frames_right_behind_the_head_are_not_lost() {
    let house = House::open().await;
    // The second is one that the HTTP server reads, in pieces smaller than what comes with it.
    for headers in ["", "X-A: 1\r\nX-A: 2\r\n"] {
        let mut bytes = head(TARGET, headers).into_bytes();
        bytes.extend(frame(0x81, "40"));
        let events: Vec<_> = (0..300).map(|n| format!(r#"42["echo",{n},"{}"]"#, "x".repeat(100))).collect();
        events.iter().for_each(|event| bytes.extend(frame(0x81, event)));
        let mut http = Http::connect(house.addr).await;
        http.raw(bytes).await;
        assert_eq!(http.answer().await.status, 101);
        let mut ws = http.into_ws();
        assert!(ws.packet().await.starts_with("0{"));
        assert!(ws.packet().await.starts_with("40{"));
        for event in &events {
            assert_eq!(ws.packet().await, *event);
        }
    }
}

#[tokio::test]
async fn half_a_frame_behind_the_head_waits_for_its_end() {
    let house = House::open().await;
    let connect = frame(0x81, "40");
    for cut in 1..connect.len() {
        let mut http = Http::connect(house.addr).await;
        http.raw([head(TARGET, "").as_bytes(), &connect[..cut]].concat()).await;
        house.has_read().await;
        http.raw(&connect[cut..]).await;
        assert_eq!(http.answer().await.status, 101);
        let mut ws = http.into_ws();
        assert!(ws.packet().await.starts_with("0{"));
        assert!(ws.packet().await.starts_with("40{"));
        ws.lives().await;
    }
}

#[tokio::test]
async fn a_bad_frame_right_behind_the_head_is_answered_behind_the_101() {
    let house = House::open().await;
    let mut http = Http::connect(house.addr).await;
    http.raw([head(TARGET, "").as_bytes(), b"\x81\x01a"].concat()).await;
    assert_eq!(http.answer().await.status, 101);
    let mut ws = http.into_ws();
    assert!(ws.packet().await.starts_with("0{"));
    assert_eq!(ws.next().await, Frame::Close(Some(1002)));
    ws.end().await;
    drop(ws);
    house.is_empty().await;
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let house = House::open().await;
    let large = |bytes| format!("X-Large: {}\r\n", "a".repeat(bytes));
    let many: String = (0..101).map(|n| format!("X-{n}: y\r\n")).collect();
    for headers in [large(16 * 1024), large(23 * 1024), many] {
        let answer = ask(house.addr, "GET", TARGET, &format!("{UPGRADE}{headers}"), "").await;
        assert_eq!(answer.status, 431, "{} bytes", headers.len());
    }
    for headers in [large(25 * 1024), large(60 * 1024)] {
        // What is not read of it may cut the connection before the answer is there.
        let answer = say(house.addr, head(TARGET, &headers)).await;
        assert!(answer.is_none_or(|answer| answer.status == 431), "{} bytes", headers.len());
    }
    let answer = ask(house.addr, "GET", &format!("{TARGET}&x={}", "a".repeat(9_000)), UPGRADE, "").await;
    assert_eq!(answer.status, 414);
    house.is_empty().await;
    opens_at_once(&house, &large(15 * 1024)).await;
}

async fn opens_at_once(house: &House, headers: &str) -> Ws {
    let mut http = Http::connect(house.addr).await;
    http.raw(head(TARGET, headers)).await;
    opens(http).await
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_never_ends_its_head_is_cut_in_time() {
    // The timeout is what a busy machine has for the head of the client that is served at last.
    let house = House::with(|b| b.header_timeout(ms(2_000))).await;
    let mut silent = Http::connect(house.addr).await;
    let head = head(TARGET, "X: ");
    let slow = ["", "POST /", &head[..60], &head[..head.len() - 4]].map(|start| drips(house.addr, start));
    let slow = futures_util::future::join_all(slow);
    let (said, answers) = soon("the end of each", async { tokio::join!(silent.end(), slow) }).await;
    assert!(said.is_empty() && answers.concat().is_empty(), "{said:?} {answers:?}");
    house.still_serves().await;
}

/// Sends the start of a head, and then a byte now and then; what is said at the end of the connection.
async fn drips(addr: SocketAddr, start: &str) -> Vec<u8> {
    let mut http = Http::connect(addr).await;
    http.raw(start).await;
    loop {
        match tokio::time::timeout(ms(20), http.end()).await {
            Ok(said) => return said,
            Err(_) => http.raw("G").await,
        }
    }
}

#[tokio::test]
async fn what_is_no_plain_head_is_answered_as_ever() {
    let house = House::open().await;
    let one = |line: &str| format!("GET {TARGET} HTTP/1.1\r\n{line}\r\n{UPGRADE}\r\n");
    let refused = [
        one("Host: a\r\nX: a\r\n folded"),
        one("Host: a\r\nHost: b"),
        one("Host : a"),
        one("X: no host"),
        one("Host: a\r\nX: \x01"),
        head(TARGET, "").replace("HTTP/1.1", "HTTP/1.0"),
        head(TARGET, "").replace("GET", "POST"),
        head(&format!("{TARGET}\u{7f}"), ""),
    ];
    for head in refused {
        let answer = say(house.addr, &head).await;
        assert_eq!(answer.map(|answer| answer.status), Some(400), "{head}");
    }
    house.is_empty().await;
}

#[tokio::test]
async fn heads_that_differ_in_form_open_a_session_all_the_same() {
    let house = House::open().await;
    let plain = head(TARGET, "");
    let same = [
        // Firefox.
        plain.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        plain.replace("Upgrade: websocket", "uPgRaDe:WebSocket"),
        plain.replace("\r\n", "\n"),
        format!("\r\n{plain}"),
        plain.replace(TARGET, "/socket.io/?transport=websocket&EIO=4&t=%41%zz"),
        plain.replace(TARGET, "/socket.io/?EIO=4&transport=web%73ocket"),
        plain.replace(TARGET, &format!("http://localhost{TARGET}")),
        head(TARGET, "X-Empty:\r\nX-Latin: \u{e9}\r\nX-Last:   spaced  \r\n"),
        head(TARGET, "Content-Length: 0\r\n"),
    ];
    for head in same {
        let mut http = Http::connect(house.addr).await;
        http.raw(&head).await;
        opens(http).await;
    }
}

#[tokio::test]
async fn a_session_that_polls_is_upgraded_on_any_shard_with_the_probe_in_the_same_packet() {
    let house = House::with(|b| b.shards(3)).await;
    for _ in 0..24 {
        let poll = Poll::join(house.addr).await;
        let target = format!("{TARGET}&sid={}", poll.sid);
        let mut http = Http::connect(house.addr).await;
        http.raw([head(&target, "").as_bytes(), &frame(0x81, "2probe")].concat()).await;
        assert_eq!(http.answer().await.status, 101);
        let mut ws = http.into_ws();
        assert_eq!(ws.packet().await, "3probe");
        ws.text("5").await;
        ws.lives().await;
    }
    assert_eq!(house.io.metrics().upgrades, 24);
}

#[tokio::test]
async fn a_path_of_the_application_gets_its_request_untouched() {
    let io = Server::builder().shards(1).build().unwrap();
    let echo = any(async |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        format!("{} {} {:?} {}", parts.method, parts.uri, parts.headers.get("upgrade"), body.len())
    });
    let app = Router::new().route("/socket.iox/", echo.clone()).route("/ws", echo);
    let bound = io.listen("127.0.0.1:0").router(app).bind().await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    for path in ["/ws?transport=websocket", "/socket.iox/?EIO=4&transport=websocket"] {
        let answer = ask(addr, "GET", path, UPGRADE, "").await;
        assert_eq!((answer.status, answer.body), (200, format!(r#"GET {path} Some("websocket") 0"#)));
        let answer = ask(addr, "POST", path, "", vec![b'x'; 200_000]).await;
        assert_eq!((answer.status, answer.body), (200, format!("POST {path} None 200000")));
    }
}

#[tokio::test]
async fn a_refusal_is_the_same_bytes_whoever_read_the_head() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let house = House::with(|b| {
        b.max_sessions(1).headers(|out, _| drop(out.insert("x-own", "1".parse().unwrap()))).allow_request(
            move |handshake: Handshake| {
                counter.fetch_add(1, SeqCst);
                async move {
                    match handshake.query_value("token").as_deref() {
                        Some("none") => Err(String::new()),
                        Some(wrong) => Err(format!("{wrong} is no token")),
                        None => Ok(()),
                    }
                }
            },
        )
    })
    .await;
    let full = head(TARGET, "");
    // And how often the hook is asked on the way.
    let heads = [
        (0, head(TARGET, "Origin: https://evil.example\r\n")),
        (0, head(TARGET, "Origin: a b\r\n")),
        (0, head(TARGET, &format!("X: {}\r\n", "a".repeat(17_000)))),
        (0, head(&format!("{TARGET}&transport=polling"), "")),
        (0, head(&format!("{TARGET}&sid=AAAAAAAAAAAAAAAAAAAA"), "")),
        (0, full.replace("Connection: Upgrade", "Connection: close")),
        (1, full.replace("dGhlIHNhbXBsZSBub25jZQ==", "short")),
        (1, full.replace("Version: 13", "Version: 8")),
        (1, full.replace("EIO=4", "EIO=3")),
        (1, head(&format!("{TARGET}&token=none"), "")),
        (1, head(&format!("{TARGET}&token=abc"), "")),
    ];
    for (calls, head) in heads {
        let before = asked.load(SeqCst);
        let (direct, behind) = both_answers(&house, &head).await;
        assert_eq!(direct, behind, "{head}");
        assert_eq!(asked.load(SeqCst) - before, 2 * calls, "{head}");
    }
    let _one = opens_at_once(&house, "").await;
    let (direct, behind) = both_answers(&house, &full).await;
    assert!(direct.starts_with("HTTP/1.1 503 "), "{direct}");
    assert_eq!(direct, behind);
}

/// What a head gets as the first of its connection and as the second, without the date.
async fn both_answers(house: &House, head: &str) -> (String, String) {
    let mut first = Http::connect(house.addr).await;
    let mut second = behind_a_first_request(house).await;
    first.raw(head).await;
    second.raw(head).await;
    (undated(first.answer().await), undated(second.answer().await))
}

fn undated(answer: Answer) -> String {
    let text = format!("{}\r\n\r\n{}", answer.head, answer.body);
    text.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_handshake_is_kept_alike_whoever_read_the_head() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&kept);
    let house = House::with(|b| {
        b.allow_request(move |handshake: Handshake| {
            let headers: Vec<_> = handshake.headers().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            let (uri, peer) = (handshake.uri().to_owned(), handshake.peer().map(|peer| peer.ip()));
            notes.lock().unwrap().push((uri, headers, peer, handshake.secure()));
            async { Ok(()) }
        })
    })
    .await;
    let odd = "Cookie: a=b; c=\"d\"\r\nX-Empty:\r\nX-SPACED:  two  words \r\nSec-WebSocket-Extensions: x\r\n";
    let head = head(&format!("{TARGET}&x=%20"), odd);
    let mut first = Http::connect(house.addr).await;
    let mut second = behind_a_first_request(&house).await;
    for http in [&mut first, &mut second] {
        http.raw(&head).await;
        assert_eq!(http.answer().await.status, 101);
    }
    let kept = kept.lock().unwrap();
    assert_eq!(kept[0], kept[1]);
    let (uri, headers, peer, secure) = &kept[0];
    assert_eq!(*uri, format!("{TARGET}&x=%20"));
    let names: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected =
        [("host", "localhost"), ("cookie", "a=b; c=\"d\""), ("x-empty", ""), ("x-spaced", "two  words")];
    assert_eq!(names, expected);
    assert_eq!((*peer, *secure), (Some([127, 0, 0, 1].into()), false));
}

#[tokio::test]
async fn a_client_that_goes_while_the_hook_thinks_is_not_waited_for() {
    struct Dropped(Option<tokio::sync::oneshot::Sender<()>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.take().map(|sender| sender.send(()));
        }
    }
    let (begun, mut thinking) = tokio::sync::mpsc::unbounded_channel();
    let house = House::with(|b| {
        b.allow_request(move |_| {
            let (sender, dropped) = tokio::sync::oneshot::channel();
            let _ = begun.send(dropped);
            let guard = Dropped(Some(sender));
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Ok(())
            }
        })
    })
    .await;
    let mut http = Http::connect(house.addr).await;
    http.raw(head(TARGET, "")).await;
    let dropped = soon("the hook", thinking.recv()).await.unwrap();
    drop(http);
    soon("the end of the hook", dropped).await.unwrap();
    house.is_empty().await;
}

#[tokio::test]
async fn a_connection_that_has_said_nothing_ends_with_the_listener() {
    let (addr, stop, serving) = until_stopped().await;
    let mut silent = Http::connect(addr).await;
    ask(addr, "GET", "/socket.io/?EIO=4", "", "").await.is_refusal(0);
    stop.send(Stop::NOW).unwrap();
    assert!(silent.end().await.is_empty());
    soon("the end", serving).await.unwrap().unwrap();
}
