//! From the builder to the shutdown: what is refused, what tasks may do, what is counted, how it ends.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use erlen::{BuildError, Cors, DisconnectReason, Server, Socket, Stop, Transports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{WebSocket, ended, get, heard, join, ms, notes, serve, soon, until};

/// A WebSocket that has joined `/`.
async fn websocket(addr: std::net::SocketAddr) -> WebSocket {
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws
}

#[test]
fn an_option_that_is_not_built_yet_is_refused_by_its_name() {
    let asked = [
        ("allow_eio3", Server::builder().allow_eio3(true)),
        ("per_message_deflate", Server::builder().per_message_deflate(true)),
        ("http_compression", Server::builder().http_compression(true)),
        ("connection_state_recovery", Server::builder().connection_state_recovery(true)),
        ("msgpack", Server::builder().msgpack(true)),
        ("jsonp", Server::builder().jsonp(true)),
        ("trusted_proxies", Server::builder().trusted_proxies(true)),
    ];
    for (option, builder) in asked {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::NotBuiltYet(name) if name == option), "{option}: {error:?}");
        assert!(error.to_string().contains(option), "{error}");
    }
    Server::builder().msgpack(false).jsonp(false).build().expect("what is not wanted is no reason to refuse");
}

#[test]
fn options_that_make_no_sense_are_refused_with_a_sentence_that_names_them() {
    let none = Transports { polling: false, websocket: false };
    let asked = [
        ("ping_interval", Server::builder().ping_interval(Duration::ZERO)),
        ("ping_timeout", Server::builder().ping_timeout(Duration::ZERO)),
        ("max_payload", Server::builder().max_payload(0)),
        ("max_sessions", Server::builder().max_sessions(0)),
        ("transports", Server::builder().transports(none)),
        ("cors", Server::builder().cors(Cors::any().credentials(true))),
    ];
    for (option, builder) in asked {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::Invalid(_)) && error.to_string().contains(option), "{error}");
    }
}

#[tokio::test]
async fn a_background_task_emits_by_a_cloned_handle() {
    let io = Server::new();
    let mut client = join(&io).await;
    let (server, id) = (io.clone(), client.id());
    let task = tokio::spawn(async move {
        let mut tick = tokio::time::interval(ms(1));
        for n in 0..3 {
            tick.tick().await;
            server.to(id).emit("tick", n).unwrap();
        }
    });
    for n in 0..3 {
        assert_eq!(heard(&mut client).await, format!(r#"["tick",{n}]"#));
    }
    task.await.unwrap();
}

#[tokio::test]
async fn background_tasks_of_the_server_end_with_it() {
    let io = Server::new();
    let mut client = join(&io).await;
    let server = io.clone();
    let task = io.spawn(async move {
        let mut tick = tokio::time::interval(ms(1));
        loop {
            tick.tick().await;
            server.emit("tick", ()).unwrap();
        }
    });
    assert_eq!(heard(&mut client).await, r#"["tick"]"#);
    assert!(!task.is_finished());
    soon("the shutdown", io.shutdown(Duration::ZERO, Duration::from_secs(5))).await;
    soon("the task's end", task).await.expect("it was ended by the server, not by a panic of its own");
}

#[tokio::test]
async fn any_thread_emits_joins_and_reads() {
    let io = Server::new();
    let mut client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (io, socket) = (io.clone(), socket.clone());
            std::thread::spawn(move || {
                socket.join(format!("room {n}"));
                for _ in 0..50 {
                    io.to(format!("room {n}")).emit("n", n).unwrap();
                }
            })
        })
        .collect();
    let mut counts = [0; 4];
    for _ in 0..200 {
        counts[client.receive().await.unwrap().args.get::<usize>(0).unwrap()] += 1;
    }
    assert_eq!(counts, [50; 4]);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(socket.rooms().len(), 5);
}

#[tokio::test]
async fn shutdown_ends_every_session_once_and_lets_nobody_in() {
    let io = Server::builder().healthz(true).build().unwrap();
    let (pen, mut reasons) = notes::<String>();
    io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
    let addr = serve(&io).await;
    let mut polling = join(&io).await;
    let mut ws = websocket(addr).await;
    assert_eq!(get(addr, "/healthz", "").await.status, 200);
    io.emit("last", "words").unwrap();
    let shutdown = io.shutdown(Duration::ZERO, Duration::from_secs(5));
    let reading = async {
        assert_eq!(ws.packet().await, r#"42["last","words"]"#, "what was sent before still arrives");
        // No 41: a client comes back to another server by itself.
        assert!(matches!(ws.message().await, Some(Message::Close(_)) | None));
        ws.end().await;
    };
    soon("the shutdown", async { tokio::join!(shutdown, reading) }).await;
    assert_eq!(heard(&mut polling).await, r#"["last","words"]"#);
    ended(&mut polling).await;
    assert_eq!(reasons.take::<2>().await, ["server shutting down", "server shutting down"]);
    assert_eq!((io.socket_count(), io.engine().connection_count()), (0, 0));
    let answer = get(addr, "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(get(addr, "/healthz", "").await.status, 503);
    assert_eq!(reasons.so_far(), [""; 0]);
}

#[tokio::test]
async fn shutdown_spreads_the_ends_over_a_time() {
    let io = Server::new();
    let (pen, mut ends) = notes::<std::time::Instant>();
    io.on_disconnect(move || pen.note(std::time::Instant::now()));
    let addr = serve(&io).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(websocket(addr).await);
    }
    let started = std::time::Instant::now();
    let shutdown = io.shutdown(ms(200), Duration::from_secs(5));
    let reading = async {
        for ws in sockets {
            ws.end().await;
        }
    };
    soon("the shutdown", async { tokio::join!(shutdown, reading) }).await;
    let ends = ends.take::<4>().await;
    assert!(ends[3].duration_since(started) >= ms(150), "four ends in 200 ms are 50 ms apart");
}

#[tokio::test]
async fn a_listener_that_is_told_to_stop_returns_when_its_clients_have_gone() {
    let io = Server::new();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listen = io.listen("127.0.0.1:0").stop_when(async move {
        // Told, or the test is over.
        let _ = stopped.await;
        erlen::Stop::NOW
    });
    let bound = listen.bind().await.unwrap();
    let addr = bound.local_addr();
    let serving = tokio::spawn(std::future::IntoFuture::into_future(bound));
    let ws = websocket(addr).await;
    stop.send(()).unwrap();
    ws.end().await;
    soon("the listener's end", serving).await.unwrap().unwrap();
    until("nobody is accepted", || std::net::TcpStream::connect(addr).is_err()).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_at_once() {
    let io = Server::new();
    let first = io.listen("127.0.0.1:0").bind().await.unwrap();
    let error = io.listen(first.local_addr()).bind().await.err().expect("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn gauges_agree_with_who_is_there_and_return_to_zero() {
    let io = Server::builder().shards(2).build().unwrap();
    io.on("echo", |socket: Socket| socket.emit("echo", ()));
    io.of("/second");
    let addr = serve(&io).await;
    let mut polling = Vec::new();
    for _ in 0..3 {
        polling.push(join(&io).await);
    }
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut ws = websocket(addr).await;
        ws.send("40/second,").await;
        ws.packet().await;
        sockets.push(ws);
    }
    let metrics = io.metrics();
    assert_eq!((metrics.sessions_polling, metrics.sessions_websocket), (3, 2));
    assert_eq!((metrics.opened_polling, metrics.opened_websocket), (3, 2));
    assert_eq!((io.socket_count(), io.of("/second").socket_count()), (5, 2));
    assert_eq!((io.engine().session_count(), io.engine().connection_count()), (5, 2));
    io.to(polling[0].id()).emit("waits", "for a poll").unwrap();
    let metrics = io.metrics();
    assert_eq!(metrics.queued_packets, 1);
    assert_eq!(io.socket(&polling[0].id()).unwrap().queued(), (1, metrics.queued_bytes));
    sockets[0].send(r#"42["echo"]"#).await;
    assert_eq!(sockets[0].packet().await, r#"42["echo"]"#);
    assert_eq!(io.metrics().handlers.count(), 1);
    drop((polling, sockets));
    until("everybody has gone", || {
        let metrics = io.metrics();
        let gauges = [
            metrics.sessions_polling,
            metrics.sessions_websocket,
            metrics.queued_packets,
            metrics.queued_bytes,
        ];
        let tables = [io.socket_count(), io.of("/second").socket_count(), io.engine().session_count()];
        gauges == [0; 4] && tables == [0; 3] && io.engine().connection_count() == 0
    })
    .await;
    let closed: u64 = io.metrics().closed.iter().map(|(_, count)| count).sum();
    assert_eq!(closed, 5, "every session has ended once");
}

#[tokio::test]
async fn a_late_request_of_a_session_that_has_ended_is_no_refused_handshake() {
    let io = Server::new();
    let addr = serve(&io).await;
    get(addr, "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "").await;
    assert_eq!(io.metrics().refused, 0);
    get(addr, "/socket.io/?EIO=4&transport=none", "").await;
    assert_eq!(io.metrics().refused, 1);
}

#[tokio::test]
async fn events_are_counted_by_name_with_their_bytes_and_errors() {
    let io = Server::builder().metrics_route(true).build().unwrap();
    io.on("fine", |erlen::Data(text): erlen::Data<String>| text.len() as u64);
    io.on("bad", || Err::<(), _>(erlen::Error::new("no", "no")));
    io.fallback(|turn: erlen::Turn, socket: Socket| {
        turn.finish(&socket.namespace().stats("elsewhere"), erlen::EventOutcome::Failed);
    });
    io.of_pattern("/room/{id}").on("fine", || ());
    let mut client = join(&io).await;
    for _ in 0..3 {
        client.emit_with_ack::<u64>("fine", "text").await.unwrap();
    }
    client.emit_with_ack::<serde_json::Value>("bad", ()).await.unwrap();
    client.emit_with_ack::<()>("whatever", ()).await.unwrap();
    let mut in_room = erlen::TestClient::connect_with(&io, "/room/1", &[], ()).await.unwrap();
    in_room.emit_with_ack::<()>("fine", ()).await.unwrap();

    let counted = io.event_metrics();
    let found = |namespace: &str, event: &str| {
        let metrics = counted.iter().find(|m| &*m.namespace == namespace && &*m.event == event).unwrap();
        (metrics.durations.count(), metrics.errors, metrics.bytes)
    };
    assert_eq!(found("/", "fine"), (3, 0, 3 * r#"["fine","text"]"#.len() as u64));
    assert_eq!(found("/", "bad"), (1, 1, r#"["bad"]"#.len() as u64));
    assert_eq!(found("/", "elsewhere").1, 1);
    assert_eq!(found("by rule", "fine").0, 1);
    assert!(!counted.iter().any(|metrics| &*metrics.event == "whatever"), "clients make no labels");
    let text = get(serve(&io).await, "/metrics", "").await.text();
    for line in [
        r#"erlen_event_seconds_count{namespace="/",event="fine"} 3"#,
        r#"erlen_event_errors_total{namespace="/",event="bad"} 1"#,
        r#"erlen_event_bytes_total{namespace="/",event="fine"} 45"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_dropped_server_ends_its_sessions() {
    let io = Server::new();
    let bound = io.listen("127.0.0.1:0").bind().await.unwrap();
    let addr = bound.local_addr();
    let serving = tokio::spawn(std::future::IntoFuture::into_future(bound));
    let ws = websocket(addr).await;
    serving.abort();
    io.engine().close();
    drop(io);
    ws.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_at_once_does_not_meet_the_socket_that_was_disconnected() {
    let io = Server::new();
    // From a thread of its own, so that the client's next packet is read meanwhile.
    io.on_connect(|socket: Socket| {
        std::thread::spawn(move || socket.disconnect());
    });
    let addr = serve(&io).await;
    let clients: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn(async move {
                let mut ws = WebSocket::open(addr).await;
                for _ in 0..300 {
                    ws.send("40").await;
                    assert!(ws.packet().await.starts_with("40{"));
                    assert_eq!(ws.packet().await, "41");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn where_middlewares_are_the_connect_handlers_a_client_that_leaves_meanwhile_has_its_disconnect() {
    let io = Server::builder().reach_while_connecting(true).build().unwrap();
    let (pen, mut seen) = notes::<&str>();
    let (entered, gate) = (pen.clone(), Arc::new(tokio::sync::Semaphore::new(0)));
    let waiting = Arc::clone(&gate);
    io.middleware(move || {
        let gate = Arc::clone(&waiting);
        entered.note("asked");
        async move { drop(gate.acquire().await.unwrap()) }
    });
    io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    assert_eq!(seen.next().await, "asked");
    drop(ws);
    until("the socket is gone", || io.socket_count() == 0).await;
    gate.add_permits(1);
    assert_eq!(seen.next().await, "transport close");
}

/// Serves until it is told to stop, by the sender; then `serving` ends.
async fn serve_until(
    io: &Server,
    router: axum::Router,
) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<Stop>, tokio::task::JoinHandle<std::io::Result<()>>)
{
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stopped = async { stopped.await.unwrap_or(Stop::NOW) };
    let bound = io.listen("127.0.0.1:0").router(router).stop_when(stopped).bind().await.unwrap();
    (bound.local_addr(), stop, tokio::spawn(bound.into_future()))
}

#[tokio::test]
async fn an_answer_that_is_under_way_when_the_listener_is_told_to_stop_goes_out_whole() {
    let io = Server::builder().shards(1).build().unwrap();
    let (pen, mut asked) = notes::<()>();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let page = axum::routing::get(move || {
        pen.note(());
        async move { opened.acquire().await.map(|_| "the page").unwrap() }
    });
    let (addr, stop, serving) = serve_until(&io, axum::Router::new().route("/page", page)).await;
    let asking = tokio::spawn(get(addr, "/page", ""));
    asked.next().await;
    stop.send(Stop::NOW).unwrap();
    until("nobody is accepted", || std::net::TcpStream::connect(addr).is_err()).await;
    assert!(!serving.is_finished(), "whoever waits for the end may end the threads that answer");
    gate.add_permits(1);
    assert_eq!(soon("the page", asking).await.unwrap().body, b"the page");
    soon("the end", serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_was_stopped_and_dropped_is_gone_before_its_clients_deadlines() {
    let io = Server::builder().shards(2).build().unwrap();
    let (addr, stop, serving) = serve_until(&io, axum::Router::new()).await;
    drop(websocket(addr).await);
    until("the session has ended", || io.engine().session_count() == 0).await;
    stop.send(Stop::NOW).unwrap();
    soon("the end", serving).await.unwrap().unwrap();
    // The engine ends its threads when it is dropped.
    let engine = Arc::downgrade(io.engine());
    drop(io);
    until("the engine is dropped", || engine.strong_count() == 0).await;
}

#[tokio::test]
async fn an_engine_that_has_ended_keeps_no_session_for_a_last_poll() {
    let io = Server::builder().shards(2).build().unwrap();
    let (addr, stop, serving) = serve_until(&io, axum::Router::new()).await;
    let open = websocket(addr).await;
    assert_eq!(get(addr, "/socket.io/?EIO=4&transport=polling", "").await.status, 200);
    stop.send(Stop::NOW).unwrap();
    soon("the end", serving).await.unwrap().unwrap();
    assert_eq!(io.engine().session_count(), 1, "the client that polls may ask for its last packets");
    io.engine().end();
    assert_eq!(io.engine().session_count(), 0);
    let engine = Arc::downgrade(io.engine());
    drop(io);
    until("the engine is dropped", || engine.strong_count() == 0).await;
    drop(open);
}

/// RFC 6455, section 7.1.1: clients wait for the server to end the connection.
#[tokio::test]
async fn a_websocket_is_over_with_the_clients_close_frame_which_does_not_close_the_connection() {
    let io = Server::builder().close_timeout(ms(600_000)).shards(1).build().unwrap();
    let mut stream = TcpStream::connect(serve(&io).await).await.unwrap();
    let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    until("it is open", || io.engine().connection_count() == 1).await;
    io.engine().close();
    // To its end: the server has closed its half.
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert_eq!(said[said.len() - 2..], [0x88, 0], "a close frame");
    // A packet that was on its way, and the answer.
    stream.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'2', 0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    until("the connection is over", || io.engine().connection_count() == 0).await;
}
