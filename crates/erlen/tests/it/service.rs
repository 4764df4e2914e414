//! The server in other houses: as a layer of an axum app, as a service of a bare hyper server, and its own
//! listener with a router beside it.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get as route;
use erlen::{Peer, Server, Socket};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::support::{WebSocket, ask, get, heard, join, until};

fn server() -> Server {
    let io = Server::builder().shards(1).build().expect("the options are sound");
    io.on("add", |erlen::Args((a, b)): erlen::Args<(i64, i64)>| a + b);
    io.on("peer", |peer: Option<Peer>| peer.is_some());
    io
}

fn app() -> Router {
    Router::new()
        .route("/hello", route(async || "hello"))
        .fallback(async || (http::StatusCode::IM_A_TEAPOT, "no such page"))
}

/// Whatever is in front: the app's pages, polling, and a WebSocket with its acks.
async fn all_of_it_works(addr: SocketAddr) {
    assert_eq!(get(addr, "/hello", "").await.text(), "hello");
    let missing = get(addr, "/missing", "").await;
    assert_eq!((missing.status, missing.text().as_str()), (418, "no such page"));
    polling_and_websocket_work(addr).await;
}

async fn polling_and_websocket_work(addr: SocketAddr) {
    let open = get(addr, "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(open.status, 200);
    let sid = open.text().split('"').nth(3).expect("a sid").to_owned();
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    assert_eq!(ask(addr, "POST", &target, "", "40\u{1e}421[\"add\",20,22]").await.text(), "ok");
    let packets = get(addr, &target, "").await.text();
    assert!(packets.starts_with("40{\"sid\":") && packets.ends_with("\u{1e}431[42]"), "{packets}");
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws.send(r#"427["add",1,2]"#).await;
    assert_eq!(ws.packet().await, "437[3]");
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    (listener, addr)
}

#[tokio::test]
async fn a_layer_in_front_of_an_axum_app() {
    let io = server();
    let (listener, addr) = listener().await;
    tokio::spawn(axum::serve(listener, app().layer(io.layer())).into_future());
    all_of_it_works(addr).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["peer"]"#).await;
    assert_eq!(ws.packet().await, "431[false]", "nobody has told the app who it is");
    io.emit("news", 1).unwrap();
    assert_eq!(ws.packet().await, r#"42["news",1]"#);
    drop(ws);
    until("the WebSocket has gone", || io.engine().connection_count() == 0).await;
}

#[tokio::test]
async fn an_axum_app_with_connect_info_tells_the_peer() {
    let io = server();
    let (listener, addr) = listener().await;
    let app = app().layer(io.layer()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["peer"]"#).await;
    assert_eq!(ws.packet().await, "431[true]");
}

#[tokio::test]
async fn a_service_of_a_bare_hyper_server() {
    let io = server();
    let (listener, addr) = listener().await;
    let service = TowerToHyperService::new(io.service());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // A client that breaks its own connection is no news.
                let _ = builder.serve_connection_with_upgrades(TokioIo::new(tcp), service).await;
            });
        }
    });
    polling_and_websocket_work(addr).await;
    assert_eq!(get(addr, "/hello", "").await.status, 404);
    // The same server takes clients in process.
    let mut client = join(&io).await;
    io.emit("news", ()).unwrap();
    assert_eq!(heard(&mut client).await, r#"["news"]"#);
}

#[tokio::test]
async fn a_service_over_a_stream_in_memory() {
    let io = server();
    let (near, far) = tokio::io::duplex(4_096);
    let service = TowerToHyperService::new(io.service());
    tokio::spawn(async move {
        let http = hyper::server::conn::http1::Builder::new();
        // The test ends the connection as it likes.
        let _ = http.serve_connection(TokioIo::new(far), service).with_upgrades().await;
    });
    let request = "ws://localhost/socket.io/?EIO=4&transport=websocket";
    let (stream, _) = tokio_tungstenite::client_async(request, near).await.expect("a WebSocket");
    let mut ws = WebSocket::begin(stream).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    // Larger than the pipe: it is written in parts.
    io.on("big", |socket: Socket| socket.emit("big", "x".repeat(100_000)));
    ws.send(r#"42["big"]"#).await;
    assert_eq!(ws.packet().await.len(), 100_000 + r#"42["big",""]"#.len());
}

#[tokio::test]
async fn the_own_listener_serves_a_router_beside_the_engine() {
    let io = server();
    let router =
        app().route("/peer", route(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()));
    let bound = io.listen("127.0.0.1:0").router(router).bind().await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    all_of_it_works(addr).await;
    assert_eq!(get(addr, "/peer", "").await.text(), "127.0.0.1");
}

#[tokio::test]
async fn a_routers_handlers_emit_and_wait() {
    let io = server();
    let emitting = io.clone();
    let router = Router::new().route(
        "/post",
        axum::routing::post(move |body: String| {
            let io = emitting.clone();
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                let task = tokio::spawn(async move { io.emit("posted", body) });
                task.await.map_or("lost", |_| "sent")
            }
        }),
    );
    let bound = io.listen("127.0.0.1:0").router(router).bind().await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    let mut client = join(&io).await;
    assert_eq!(ask(addr, "POST", "/post", "", "text").await.text(), "sent");
    assert_eq!(heard(&mut client).await, r#"["posted","text"]"#);
}

#[tokio::test]
async fn a_routers_panic_ends_its_request_alone() {
    let io = server();
    let router = app().route("/panic", route(async || -> &'static str { panic!("a page that fails") }));
    let bound = io.listen("127.0.0.1:0").router(router).bind().await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.into_future());
    assert_eq!(get(addr, "/panic", "").await.status, 500);
    all_of_it_works(addr).await;
}

#[tokio::test]
async fn another_path_is_the_engines_and_the_default_one_the_apps() {
    let io = Server::builder().path("/api/live/").shards(1).build().unwrap();
    let (listener, addr) = listener().await;
    tokio::spawn(axum::serve(listener, app().layer(io.layer())).into_future());
    let mut ws = WebSocket::open_at(addr, "/api/live/").await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    assert_eq!(get(addr, "/socket.io/?EIO=4&transport=polling", "").await.status, 418);
}

#[tokio::test]
async fn two_servers_stand_in_front_of_one_app() {
    let (first, second) = (server(), Server::builder().path("/second").shards(1).build().unwrap());
    second.on("who", || "second");
    let (listener, addr) = listener().await;
    tokio::spawn(axum::serve(listener, app().layer(first.layer()).layer(second.layer())).into_future());
    all_of_it_works(addr).await;
    let mut ws = WebSocket::open_at(addr, "/second/").await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["who"]"#).await;
    assert_eq!(ws.packet().await, r#"431["second"]"#);
}

/// An inner service that fails is not hidden by the layer.
#[tokio::test]
async fn the_inner_services_answers_come_through_untouched() {
    use tower_service::Service;
    let inner = app();
    let mut layered = tower_layer::Layer::layer(&server().layer(), inner);
    let request = http::Request::get("/hello").body(axum::body::Body::empty()).unwrap();
    let answer: Result<_, Infallible> = layered.call(request).await;
    assert_eq!(answer.unwrap().headers()["content-length"], "5");
}
