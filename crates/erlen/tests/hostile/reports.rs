//! Field reports of other servers that stand in no table of the contract.

use std::time::{Duration, Instant};

use erlen::Stop;
use tokio::sync::oneshot;

use crate::support::{House, Http, Poll, UPGRADE, Ws, ask, soon};

#[tokio::test]
async fn b02_a_list_in_connection_and_offered_extensions_are_an_upgrade_without_extensions() {
    let house = House::open().await;
    let headers = UPGRADE.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")
        + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let mut http = Http::connect(house.addr).await;
    http.request("GET", "/socket.io/?EIO=4&transport=websocket", &headers, "").await;
    let answer = http.answer().await;
    assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None));
    let mut ws = http.into_ws();
    assert!(ws.packet().await.starts_with("0{"));
    ws.text("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws.lives().await;
}

#[tokio::test]
async fn b12_a_native_client_names_its_origin_by_the_scheme_of_websockets() {
    let house = House::open().await;
    let target = "/socket.io/?EIO=4&transport=websocket";
    let host = house.addr.to_string();
    for (origin, status) in
        [(format!("ws://{host}"), 101), (format!("http://{host}"), 101), ("ws://other:1".into(), 400)]
    {
        let mut http = Http::connect(house.addr).await;
        http.raw(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}Origin: {origin}\r\n\r\n")).await;
        let answer = http.answer().await;
        assert!(answer.status == status || answer.status == 403 && status == 400, "{origin}: {answer:?}");
    }
}

#[tokio::test]
async fn b13_a_path_that_was_taken_for_a_namespace_is_refused_on_polling_too() {
    let house = House::open().await;
    let poll = Poll::join(house.addr).await;
    for name in ["/tool", "/socket.io"] {
        poll.post(format!("40{name},")).await;
        assert_eq!(poll.get().await.body, format!(r#"44{name},{{"message":"Invalid namespace"}}"#));
    }
    poll.lives().await;
}

#[tokio::test]
async fn b41_a_stop_waits_for_no_browser_tab_and_closes_each_in_order() {
    let io = erlen::Server::builder().shards(1).build().unwrap();
    let gone = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&gone);
    io.on_disconnect(move |reason: erlen::DisconnectReason| sink.lock().unwrap().push(reason.as_str()));
    // A download that never ends.
    let download = axum::Router::new().route(
        "/endless",
        axum::routing::get(async || {
            let (writer, reader) = tokio::io::duplex(16);
            tokio::spawn(async move {
                let mut writer = writer;
                while tokio::io::AsyncWriteExt::write_all(&mut writer, b"more").await.is_ok() {
                    tokio::task::yield_now().await;
                }
            });
            axum::body::Body::new(Endless(reader))
        }),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let bound = io
        .listen("127.0.0.1:0")
        .router(download)
        .stop_when(async move {
            let _ = stopped.await;
            Stop::NOW
        })
        .bind()
        .await
        .unwrap();
    let addr = bound.local_addr();
    let serving = tokio::spawn(std::future::IntoFuture::into_future(bound));
    let mut downloading = Http::connect(addr).await;
    downloading.request("GET", "/endless", "", "").await;
    assert_eq!(downloading.answer().await.status, 200);
    let mut clients = Vec::new();
    let mut polls = Vec::new();
    for _ in 0..50 {
        clients.push(Ws::join(addr).await);
        polls.push(Poll::join(addr).await.begin_get().await);
    }
    // The GETs are parked once a whole request went by behind them.
    ask(addr, "GET", "/socket.io/?EIO=4", "", "").await.is_refusal(0);
    let began = Instant::now();
    stop.send(()).unwrap();
    for mut ws in clients {
        ws.closes().await;
    }
    for mut poll in polls {
        assert_eq!(poll.answer().await.body, "1");
    }
    soon("the end of the server", serving).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(*gone.lock().unwrap(), vec!["server shutting down"; 100]);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "it listens no longer");
}

/// A body that goes on for ever.
struct Endless(tokio::io::DuplexStream);

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        let mut bytes = [0; 16];
        let mut buffer = tokio::io::ReadBuf::new(&mut bytes);
        std::task::ready!(tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut self.0), cx, &mut buffer))?;
        let data = bytes::Bytes::copy_from_slice(buffer.filled());
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(data))))
    }
}
