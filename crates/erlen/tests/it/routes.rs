//! What a server answers beside the engine: health, metrics, the files of the JavaScript client.

use erlen::{ClientBundle, Cors, Server};

use crate::support::{WebSocket, ask, get, serve};

const BUNDLE: ClientBundle = (
    "4.8.1",
    &[
        ("socket.io.js", "application/javascript; charset=utf-8", b"/* the client */", b"zipped"),
        ("socket.io.js.map", "application/json; charset=utf-8", b"{}", b"zipped too"),
    ],
);

#[tokio::test]
async fn routes_are_off_unless_asked_for() {
    let io = Server::new();
    let addr = serve(&io).await;
    assert_eq!(get(addr, "/healthz", "").await.status, 404);
    assert_eq!(get(addr, "/metrics", "").await.status, 404);
    assert_eq!(get(addr, "/socket.io/socket.io.js", "").await.status, 400, "as Node answers below its path");
}

#[tokio::test]
async fn healthz_says_ok() {
    let io = Server::builder().healthz(true).build().unwrap();
    let answer = get(serve(&io).await, "/healthz", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
}

#[tokio::test]
async fn metrics_are_openmetrics_and_agree_with_the_snapshot() {
    let io = Server::builder().metrics_route(true).build().unwrap();
    io.of("/quo\"ted");
    io.on("work", || ());
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["work"]"#).await;
    ws.packet().await;
    let answer = get(addr, "/metrics", "").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0")
    );
    let text = answer.text();
    let metrics = io.metrics();
    for sample in [
        r#"erlen_sessions{transport="polling"} 0"#.to_owned(),
        r#"erlen_sessions{transport="websocket"} 1"#.to_owned(),
        r#"erlen_sessions_opened_total{transport="websocket"} 1"#.to_owned(),
        r#"erlen_sockets{namespace="/"} 1"#.to_owned(),
        r#"erlen_sockets{namespace="/quo\"ted"} 0"#.to_owned(),
        format!("erlen_packets_in_total {}", metrics.packets_in),
        format!("erlen_bytes_in_total {}", metrics.bytes_in),
        "erlen_slow_queue_bytes 0".to_owned(),
        "erlen_handler_seconds_count 1".to_owned(),
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    // Every sample belongs to the family that was announced last.
    let mut family = "";
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        }
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        assert!(name.starts_with(family), "{line} stands under {family}");
    }
}

#[tokio::test]
async fn the_client_is_served_under_the_engines_path_with_nodes_headers() {
    let io = Server::builder().serve_client(BUNDLE).path("/live").build().unwrap();
    let addr = serve(&io).await;
    let answer = get(addr, "/live/socket.io.js", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "/* the client */"));
    for (name, value) in [
        ("content-type", "application/javascript; charset=utf-8"),
        ("etag", "\"4.8.1\""),
        ("cache-control", "public, max-age=0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let map = get(addr, "/live/socket.io.js.map", "").await;
    assert_eq!(map.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(get(addr, "/live/other.js", "").await.status, 400);
    assert_eq!(get(addr, "/socket.io/socket.io.js", "").await.status, 404);
}

#[tokio::test]
async fn the_client_is_served_compressed_to_who_takes_that() {
    let io = Server::builder().serve_client(BUNDLE).build().unwrap();
    let addr = serve(&io).await;
    for (accepted, body) in [
        ("gzip", "zipped"),
        ("br, GZIP;q=0.5", "zipped"),
        ("gzip;q=0, br", "/* the client */"),
        ("identity", "/* the client */"),
    ] {
        let headers = format!("Accept-Encoding: {accepted}\r\n");
        let answer = get(addr, "/socket.io/socket.io.js", &headers).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, body), "{accepted}");
        assert_eq!(answer.header("content-encoding"), (body == "zipped").then_some("gzip"), "{accepted}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
}

#[tokio::test]
async fn pages_of_other_origins_that_are_welcome_may_import_the_client() {
    let io =
        Server::builder().serve_client(BUNDLE).cors(Cors::origins(["https://a.example"])).build().unwrap();
    let addr = serve(&io).await;
    for (origin, allowed) in [("https://a.example", Some("https://a.example")), ("https://b.example", None)] {
        let answer = get(addr, "/socket.io/socket.io.js", &format!("Origin: {origin}\r\n")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed));
    }
}

#[tokio::test]
async fn a_client_that_is_known_already_is_not_sent_again() {
    let io = Server::builder().serve_client(BUNDLE).build().unwrap();
    let addr = serve(&io).await;
    for known in ["\"4.8.1\"", "W/\"4.8.1\""] {
        let answer = get(addr, "/socket.io/socket.io.js", &format!("If-None-Match: {known}\r\n")).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), Some("\"4.8.1\""));
    }
    let older = get(addr, "/socket.io/socket.io.js", "If-None-Match: \"4.7.0\"\r\n").await;
    assert_eq!(older.status, 200);
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let io = Server::builder().serve_client(BUNDLE).healthz(true).build().unwrap();
    let addr = serve(&io).await;
    for target in ["/socket.io/socket.io.js", "/healthz"] {
        let answer = ask(addr, "HEAD", target, "", "").await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
    }
}

#[tokio::test]
async fn the_client_is_not_served_in_place_of_the_engine() {
    let io = Server::builder().serve_client(BUNDLE).build().unwrap();
    let answer = get(serve(&io).await, "/socket.io/?EIO=4&transport=polling", "").await;
    assert!(answer.text().starts_with("0{\"sid\":"), "{}", answer.text());
}

#[tokio::test]
async fn hooks_add_headers_to_every_answer_and_to_the_first_of_a_session() {
    let io = Server::builder()
        .headers(|answer, request| {
            if let Some(asked) = request.get("x-asked") {
                answer.insert("x-every", asked.clone());
            }
        })
        .initial_headers(|answer, _| drop(answer.insert("x-first", http::HeaderValue::from_static("1"))))
        .build()
        .unwrap();
    let addr = serve(&io).await;
    let first = get(addr, "/socket.io/?EIO=4&transport=polling", "X-Asked: a\r\n").await;
    assert_eq!((first.header("x-every"), first.header("x-first")), (Some("a"), Some("1")));
    let refused = get(addr, "/socket.io/?EIO=4&transport=polling&sid=x", "X-Asked: b\r\n").await;
    assert_eq!(
        (refused.status, refused.header("x-every"), refused.header("x-first")),
        (400, Some("b"), None)
    );
}

#[tokio::test]
async fn what_goes_out_in_answers_of_polls_is_counted() {
    let io = Server::new();
    io.on_connect(|socket: erlen::Socket| socket.emit("hi", ()));
    let before = io.metrics();
    let mut client = erlen::TestClient::connect(&io).await.unwrap();
    assert_eq!(client.receive().await.unwrap().event, "hi");
    let after = io.metrics();
    assert_eq!(after.packets_out - before.packets_out, 3, "open, CONNECT and the event");
    assert!(after.bytes_out - before.bytes_out > 100);
}
