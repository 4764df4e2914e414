//! Handlers of events: what they may be, what they may ask for, what their answers become, and their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use erlen::engine::is_io_thread;
use erlen::{
    Ack, Args, Attachments, Auth, Data, DisconnectReason, Error, Event, EventName, Handler, Headers, Json,
    Peer, Raw, RawArgs, Server, Socket, SocketData, State, TestClient,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::support::{WebSocket, heard, join, notes, serve, until};

/// The ack of an event without arguments.
async fn ask(client: &mut TestClient, event: &str) -> Value {
    client.emit_with_ack(event, ()).await.expect("an ack")
}

// What a handler may be.

fn plain(Data(n): Data<i64>) -> i64 {
    n + 1
}

async fn asynchronous(Data(n): Data<i64>) -> i64 {
    tokio::task::yield_now().await;
    n + 2
}

#[tokio::test]
async fn functions_and_closures_plain_and_async_are_handlers() {
    let io = Server::new();
    let captured = 4;
    io.on("plain", plain).on("async", asynchronous);
    io.on("closure", |Data(n): Data<i64>| n + 3);
    io.on("capturing", move |Data(n): Data<i64>| n + captured);
    io.on("async closure", async |Data(n): Data<i64>| n + 5);
    io.on("async block", move |Data(n): Data<i64>| async move { n + captured + 2 });
    let mut client = join(&io).await;
    for (event, more) in [
        ("plain", 1),
        ("async", 2),
        ("closure", 3),
        ("capturing", 4),
        ("async closure", 5),
        ("async block", 6),
    ] {
        assert_eq!(client.emit_with_ack::<i64>(event, 10).await.unwrap(), 10 + more, "{event}");
    }
}

#[tokio::test]
async fn a_handler_runs_in_the_runtime_of_the_server() {
    let io = Server::new();
    io.on("timer", async || tokio::time::sleep(std::time::Duration::from_millis(1)).await);
    io.on("spawn", || drop(tokio::spawn(async {})));
    let mut client = join(&io).await;
    assert_eq!(ask(&mut client, "timer").await, Value::Null);
    assert_eq!(ask(&mut client, "spawn").await, Value::Null);
}

#[tokio::test]
async fn a_handler_knows_whether_it_runs_on_an_io_thread_and_can_leave_something_for_the_end_of_its_turn() {
    let io = Server::new();
    io.on("in place", |ack: Ack| {
        if is_io_thread() {
            tokio::task::spawn_local(async move { ack.send("behind it") });
        }
    });
    io.on("elsewhere", async || {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        is_io_thread()
    });
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["in place"]"#).await;
    assert_eq!(ws.packet().await, r#"431["behind it"]"#);
    ws.send(r#"422["elsewhere"]"#).await;
    assert_eq!(ws.packet().await, "432[false]");
    assert!(!is_io_thread());
}

#[tokio::test]
async fn where_handlers_only_wait_they_go_on_on_the_io_thread() {
    let io = Server::builder().handlers_only_wait(true).build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let wait = move || {
        let gate = Arc::clone(&waiting);
        async move {
            gate.acquire().await.unwrap().forget();
            is_io_thread()
        }
    };
    io.on("in turn", wait.clone());
    io.on("beside", wait.concurrent());
    io.on("behind it", is_io_thread);
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["beside"]"#).await;
    ws.send(r#"422["in turn"]"#).await;
    ws.send(r#"423["behind it"]"#).await;
    gate.add_permits(2);
    let mut answers = [ws.packet().await, ws.packet().await, ws.packet().await];
    answers.sort();
    assert_eq!(answers, ["431[true]", "432[true]", "433[true]"]);
}

#[test]
fn a_server_outside_of_a_runtime_has_one_of_its_own() {
    let io = Server::new();
    io.on("timer", async || tokio::time::sleep(std::time::Duration::from_millis(1)).await);
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    client.block_on(async {
        assert_eq!(ask(&mut join(&io).await, "timer").await, Value::Null);
    });
}

#[test]
fn the_last_handle_of_a_server_with_a_runtime_of_its_own_may_be_that_of_a_handler() {
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        REFUSED.fetch_add(usize::from(panic.to_string().contains("Cannot drop a runtime")), Ordering::SeqCst);
        before(panic);
    }));
    let kept = Arc::new(());
    let gone = Arc::downgrade(&kept);
    let io = Server::builder().state(kept).build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    io.on("wait", move |socket: Socket| {
        let gate = Arc::clone(&waiting);
        async move {
            gate.acquire().await.unwrap().forget();
            drop(socket);
        }
    });
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    client.block_on(async {
        let mut client = join(&io).await;
        client.emit("wait", ()).await.unwrap();
        drop((client, io));
        assert!(gone.upgrade().is_some(), "its handler waits");
        gate.add_permits(1);
        until("the server's end", || gone.upgrade().is_none()).await;
    });
    assert_eq!(REFUSED.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_last_registration_of_an_event_counts_and_can_be_taken_away() {
    let io = Server::new();
    io.on("who", || "first").on("who", || "second");
    let mut client = join(&io).await;
    assert_eq!(ask(&mut client, "who").await, "second");
    io.off("who").on("fence", || ());
    client.emit("who", ()).await.unwrap();
    assert_eq!(ask(&mut client, "fence").await, Value::Null, "an event without a handler harms nobody");
}

// What it may ask for.

#[tokio::test]
async fn every_extractor_gives_what_it_is_for() {
    let io = Server::builder().state(7_u32).state(String::from("text")).build().unwrap();
    io.middleware(|socket: Socket| socket.insert(vec![1_u8, 2]));
    io.on(
        "everything",
        |socket: Socket,
         EventName(event): EventName,
         Args((text, number)): Args<(String, u8)>,
         Raw(raw): Raw,
         State(state): State<u32>,
         SocketData(data): SocketData<Vec<u8>>,
         headers: Headers,
         Attachments(attachments): Attachments| {
            assert!(socket.is_connected());
            assert_eq!((event.as_str(), text.as_str(), number, state), ("everything", "a", 1, 7));
            assert_eq!(raw.iter().collect::<Vec<_>>(), [r#""a""#, "1"]);
            assert_eq!((data.as_slice(), attachments.len()), (&[1_u8, 2][..], 0));
            assert_eq!(headers.iter().count(), 0);
            "all of it"
        },
    );
    io.on("state", |State(text): State<String>, ack: Ack| {
        assert!(ack.is_wanted());
        ack.send((text, 2)).unwrap();
    });
    let mut client = join(&io).await;
    assert_eq!(client.emit_with_ack::<String>("everything", ("a", 1)).await.unwrap(), "all of it");
    let (text, two): (String, u8) = client.emit_with_ack("state", ()).await.unwrap();
    assert_eq!((text.as_str(), two), ("text", 2));
}

#[tokio::test]
async fn arguments_are_one_value_or_a_tuple_or_a_list() {
    #[derive(Deserialize)]
    struct Point {
        x: f64,
        y: f64,
    }
    let io = Server::new();
    io.on("one", |Data(point): Data<Point>| point.x + point.y);
    io.on("two", |Args((a, b)): Args<(String, Option<u8>)>| format!("{a}{b:?}"));
    io.on("many", |Args(list): Args<Vec<i64>>| list.iter().sum::<i64>());
    io.on("array", |Data(list): Data<Vec<i64>>| list.len());
    io.on("maybe", |Data(n): Data<Option<u8>>| n.is_none());
    let mut client = join(&io).await;
    assert_eq!(client.emit_with_ack::<f64>("one", json!({"x": 1.5, "y": 2})).await.unwrap(), 3.5);
    assert_eq!(client.emit_with_ack::<String>("two", ("a", None::<u8>)).await.unwrap(), "aNone");
    assert_eq!(client.emit_with_ack::<i64>("many", (1, 2, 3, 4)).await.unwrap(), 10);
    assert_eq!(client.emit_with_ack::<usize>("array", json!([1, 2, 3])).await.unwrap(), 3);
    assert!(client.emit_with_ack::<bool>("maybe", ()).await.unwrap());
}

#[tokio::test]
async fn raw_arguments_go_on_to_others_as_they_came() {
    let io = Server::new();
    io.on("relay", |socket: Socket, Raw(args): Raw| socket.broadcast().emit("relayed", args));
    let (mut sender, mut other) = (join(&io).await, join(&io).await);
    let raw = |text| serde_json::from_str::<Box<serde_json::value::RawValue>>(text).unwrap();
    let args = (raw("12345678901234567890123.10"), "é", raw(r#"{"b":1,"a":[null]}"#));
    sender.emit("relay", args).await.unwrap();
    assert_eq!(heard(&mut other).await, r#"["relayed",12345678901234567890123.10,"é",{"b":1,"a":[null]}]"#);
}

#[tokio::test]
async fn the_peer_is_known_over_a_port_and_optional_in_process() {
    let io = Server::new();
    io.on("peer", |Peer(peer): Peer| peer.ip().to_string());
    io.on("maybe", |peer: Option<Peer>| peer.is_some());
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["peer"]"#).await;
    assert_eq!(ws.packet().await, r#"431["127.0.0.1"]"#);
    assert_eq!(ask(&mut join(&io).await, "maybe").await, false);
}

#[tokio::test]
async fn an_argument_of_another_type_is_the_senders_error_and_not_the_servers() {
    let io = Server::new();
    io.on("number", |Data(n): Data<u8>| n);
    io.on("lenient", |n: erlen::Result<Data<u8>>| n.map_or(0, |Data(n)| n));
    io.on("auth", |_: Auth<u8>| ());
    let mut client = join(&io).await;
    for wrong in [json!("text"), json!(300), json!({}), Value::Null] {
        let error: Value = client.emit_with_ack("number", &wrong).await.unwrap();
        assert_eq!(error["error"], "invalid_argument", "{wrong}");
        assert!(error["message"].as_str().unwrap().contains("u8"), "{error}");
    }
    assert_eq!(client.emit_with_ack::<u8>("lenient", "text").await.unwrap(), 0);
    assert_eq!(ask(&mut client, "auth").await["error"], "invalid_auth");
    assert_eq!(client.emit_with_ack::<u8>("number", 255).await.unwrap(), 255);
}

// What its answer becomes.

#[tokio::test]
async fn the_return_value_is_the_ack_whatever_its_shape() {
    #[derive(Serialize)]
    struct Own {
        ok: bool,
    }
    let io = Server::new();
    io.on("unit", || ());
    io.on("text", || "static");
    io.on("string", || String::from("owned"));
    io.on("float", || 1.5);
    io.on("none", || None::<u8>);
    io.on("list", || vec![1, 2]);
    io.on("map", || BTreeMap::from([("a", 1)]));
    io.on("pair", || (1, "two"));
    io.on("own", || Json(Own { ok: true }));
    io.on("value", || json!([1]));
    io.on("ok", || Ok::<_, Error>(3));
    io.on("nested", async || Ok::<_, std::io::Error>(Some(4)));
    io.on("raw", |Raw(args): Raw| -> RawArgs { args });
    // The wire shows how many arguments there are.
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    for (event, ack) in [
        ("unit", "[]"),
        ("text", r#"["static"]"#),
        ("string", r#"["owned"]"#),
        ("float", "[1.5]"),
        ("none", "[null]"),
        ("list", "[[1,2]]"),
        ("map", r#"[{"a":1}]"#),
        ("pair", r#"[1,"two"]"#),
        ("own", r#"[{"ok":true}]"#),
        ("value", "[[1]]"),
        ("ok", "[3]"),
        ("nested", "[4]"),
    ] {
        ws.send(&format!(r#"429["{event}"]"#)).await;
        assert_eq!(ws.packet().await, format!("439{ack}"), "{event}");
    }
    ws.send(r#"429["raw",1,{"b":2}]"#).await;
    assert_eq!(ws.packet().await, r#"439[1,{"b":2}]"#);
}

#[tokio::test]
async fn who_asks_for_no_ack_gets_none() {
    let io = Server::new();
    io.on("value", || "unwanted");
    io.on("by hand", |ack: Ack| {
        assert!(!ack.is_wanted());
        ack.send("unwanted").unwrap();
    });
    io.on("fence", || "fence");
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"42["value"]"#).await;
    ws.send(r#"42["by hand"]"#).await;
    ws.send(r#"420["fence"]"#).await;
    assert_eq!(ws.packet().await, r#"430["fence"]"#);
}

#[tokio::test]
async fn an_ack_by_hand_may_come_long_after_the_handler() {
    let io = Server::new();
    let (pen, mut kept) = notes::<Ack>();
    io.on("later", move |ack: Ack| pen.note(ack));
    io.on("now", || "now");
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["later"]"#).await;
    let ack = kept.next().await;
    ws.send(r#"422["now"]"#).await;
    assert_eq!(ws.packet().await, r#"432["now"]"#);
    std::thread::spawn(move || ack.send("later").unwrap()).join().unwrap();
    assert_eq!(ws.packet().await, r#"431["later"]"#);
}

#[tokio::test]
async fn an_error_is_acknowledged_by_code_and_message() {
    let (pen, mut errors) = notes::<String>();
    let io = Server::builder()
        .on_error(move |_, event, error| pen.note(format!("{event} {error}")))
        .build()
        .unwrap();
    io.on("plain", || Err::<(), _>(Error::new("too_late", "the auction has ended")));
    io.on("async", async || Err::<u8, _>(Error::new("too_late", "the auction has ended")));
    let mut client = join(&io).await;
    let expected = json!({"error": "too_late", "message": "the auction has ended"});
    assert_eq!(ask(&mut client, "plain").await, expected);
    assert_eq!(ask(&mut client, "async").await, expected);
    assert_eq!(errors.next().await, "plain too_late: the auction has ended");
    client.emit("plain", ()).await.unwrap();
    assert_eq!(
        errors.take::<2>().await[1],
        "plain too_late: the auction has ended",
        "with an ack or without"
    );
}

#[tokio::test]
async fn an_unexpected_error_says_internal_to_the_client_and_all_to_the_hook() {
    let (pen, mut errors) = notes::<(String, String, String)>();
    let io = Server::builder()
        .on_error(move |socket, event, error| {
            let cause = error.cause().map(ToString::to_string).unwrap_or_default();
            pen.note((socket.id().to_string(), event.to_owned(), cause));
        })
        .build()
        .unwrap();
    io.on("read", || -> erlen::Result<String> { Ok(std::fs::read_to_string("/no/such/file")?) });
    let mut client = join(&io).await;
    assert_eq!(ask(&mut client, "read").await, json!({"error": "internal", "message": "internal error"}));
    let (id, event, cause) = errors.next().await;
    assert_eq!((id, event.as_str()), (client.id().to_string(), "read"));
    assert!(cause.contains("No such file"), "{cause}");
}

#[tokio::test]
async fn a_panic_ends_its_event_alone() {
    let (pen, mut errors) = notes::<String>();
    let io = Server::builder()
        .on_error(move |_, event, error| pen.note(format!("{event} {error}")))
        .build()
        .unwrap();
    io.on("plain", |Data(n): Data<u32>| 10 / n);
    io.on("async", async |Data(n): Data<u32>| {
        tokio::task::yield_now().await;
        10 / n
    });
    io.on("blocking", (|Data(n): Data<u32>| 10 / n).blocking());
    let mut client = join(&io).await;
    for event in ["plain", "async", "blocking"] {
        let ack: Value = client.emit_with_ack(event, 0).await.unwrap();
        assert_eq!(ack, json!({"error": "internal", "message": "internal error"}), "{event}");
        let told = errors.next().await;
        assert!(told.starts_with(event) && told.contains("divide by zero"), "{told}");
        assert_eq!(client.emit_with_ack::<u32>(event, 5).await.unwrap(), 2, "{event}");
    }
}

#[tokio::test]
async fn reserved_names_cannot_be_emitted() {
    let io = Server::new();
    let client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let error = io.emit(name, ()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(socket.emit(name, ()).is_err());
        assert!(matches!(socket.emit_with_ack::<()>(name, ()).await, Err(erlen::AckError::Emit(_))));
    }
}

#[tokio::test]
async fn an_argument_that_is_no_json_is_an_error_and_sends_nothing() {
    let io = Server::new();
    let mut client = join(&io).await;
    let keys_that_are_lists = std::collections::HashMap::from([(vec![1], 2)]);
    assert!(matches!(io.emit("broken", keys_that_are_lists), Err(erlen::EmitError::Serialize(_))));
    io.emit("sound", ()).unwrap();
    assert_eq!(heard(&mut client).await, r#"["sound"]"#);
}

// What sees every event.

#[tokio::test]
async fn catch_all_listeners_see_every_event_before_middlewares_and_handlers() {
    let io = Server::new();
    let (pen, mut seen) = notes::<String>();
    let (any, middleware, handler) = (pen.clone(), pen.clone(), pen);
    io.on_any(move |EventName(event): EventName, Raw(args): Raw| {
        any.note(format!("any {event} {}", args.len()))
    });
    io.event_middleware(move |EventName(event): EventName| middleware.note(format!("middleware {event}")));
    io.on("known", move || handler.note("handler"));
    let mut client = join(&io).await;
    client.emit("unknown", (1, 2)).await.unwrap();
    client.emit("known", ()).await.unwrap();
    let expected = ["any unknown 2", "middleware unknown", "any known 0", "middleware known", "handler"];
    assert_eq!(seen.take::<5>().await, expected);
}

#[tokio::test]
async fn outgoing_listeners_see_emits_to_one_socket_and_broadcasts() {
    let io = Server::new();
    let (pen, mut seen) = notes::<(String, bool)>();
    io.on_any_outgoing(move |event: &Event, socket: Option<&Socket>| {
        pen.note((String::from_utf8_lossy(event.json()).into_owned(), socket.is_some()));
    });
    let client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    socket.emit("one", 1).unwrap();
    io.emit("all", "x").unwrap();
    drop(socket.emit_with_ack::<()>("asked", ()));
    let seen = seen.take::<3>().await;
    let seen: Vec<_> = seen.iter().map(|(json, one)| (json.as_str(), *one)).collect();
    assert_eq!(seen, [(r#"["one",1]"#, true), (r#"["all","x"]"#, false), (r#"["asked"]"#, true)]);
}

#[tokio::test]
async fn an_event_middleware_refuses_with_an_error_ack_and_the_handler_does_not_run() {
    let io = Server::new();
    let (pen, mut seen) = notes::<String>();
    io.event_middleware(async |EventName(event): EventName| match event.as_str() {
        "secret" => Err(Error::new("forbidden", "not for you")),
        _ => Ok(()),
    });
    let handler = pen.clone();
    io.on("secret", move || handler.note("secret"));
    io.on("open", move || pen.note("open"));
    let mut client = join(&io).await;
    assert_eq!(ask(&mut client, "secret").await, json!({"error": "forbidden", "message": "not for you"}));
    ask(&mut client, "open").await;
    assert_eq!(seen.so_far(), ["open"]);
}

#[tokio::test]
async fn a_handler_of_one_socket_comes_before_the_namespaces() {
    let io = Server::new();
    io.on("mode", || "common");
    io.on("grant", |socket: Socket| socket.on("mode", || "admin"));
    let (mut admin, mut other) = (join(&io).await, join(&io).await);
    ask(&mut admin, "grant").await;
    assert_eq!(ask(&mut admin, "mode").await, "admin");
    assert_eq!(ask(&mut other, "mode").await, "common");
}

// In which order they run.

#[tokio::test]
async fn events_of_one_socket_are_handled_in_order_one_at_a_time() {
    let io = Server::new();
    let (pen, mut seen) = notes::<(u32, usize)>();
    let running = Arc::new(AtomicUsize::new(0));
    io.on("step", move |Data(n): Data<u32>| {
        let (running, pen) = (Arc::clone(&running), pen.clone());
        async move {
            let others = running.fetch_add(1, Ordering::SeqCst);
            // The earlier, the longer: they would overtake each other if they could.
            for _ in 0..(40 - n) {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            pen.note((n, others));
        }
    });
    let mut client = join(&io).await;
    for n in 0..40 {
        client.emit("step", n).await.unwrap();
    }
    let seen = seen.take::<40>().await;
    assert_eq!(seen, std::array::from_fn(|n| (u32::try_from(n).unwrap(), 0)));
}

#[tokio::test]
async fn sockets_do_not_wait_for_each_others_handlers() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let wait = Arc::clone(&gate);
    io.on("wait", move || {
        let wait = Arc::clone(&wait);
        async move { wait.notified().await }
    });
    io.on("quick", || "done");
    let (mut slow, mut quick) = (join(&io).await, join(&io).await);
    slow.emit("wait", ()).await.unwrap();
    assert_eq!(ask(&mut quick, "quick").await, "done");
    slow.emit("quick", ()).await.unwrap();
    gate.notify_one();
    assert_eq!(ask(&mut slow, "quick").await, "done");
}

/// The second event frees the first: both finish only if they run at the same time.
async fn the_second_frees_the_first(io: &Server) {
    let mut client = join(io).await;
    client.emit("wait", ()).await.unwrap();
    client.emit("free", ()).await.unwrap();
    assert_eq!(heard(&mut client).await, r#"["freed"]"#);
}

fn waits(
    gate: &Arc<Semaphore>,
) -> impl Fn(Socket) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static {
    let gate = Arc::clone(gate);
    move |socket| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            socket.emit("freed", ()).unwrap();
        })
    }
}

#[tokio::test]
async fn a_concurrent_handler_holds_up_no_later_event() {
    let io = Server::new();
    let gate = Arc::new(Semaphore::new(0));
    io.on("wait", waits(&gate).concurrent());
    io.on("free", move || gate.add_permits(1));
    the_second_frees_the_first(&io).await;
}

#[tokio::test]
async fn a_concurrent_handler_of_one_socket_holds_up_no_later_event() {
    let io = Server::new();
    let gate = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&gate);
    io.on_connect(move |socket: Socket| socket.on("wait", waits(&wait).concurrent()));
    io.on("free", move || gate.add_permits(1));
    the_second_frees_the_first(&io).await;
}

#[tokio::test]
async fn a_concurrent_handler_behind_a_middleware_holds_up_no_later_event() {
    let io = Server::new();
    let gate = Arc::new(Semaphore::new(0));
    io.event_middleware(|| ());
    io.on("wait", waits(&gate).concurrent());
    io.on("free", move || gate.add_permits(1));
    the_second_frees_the_first(&io).await;
}

#[tokio::test]
async fn a_concurrent_handler_that_blocks_holds_up_no_later_event() {
    let io = Server::new();
    let (free, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let blocked = move |socket: Socket| {
        wait.lock().unwrap().recv().unwrap();
        socket.emit("freed", ())
    };
    io.on("wait", blocked.blocking().concurrent());
    io.on("free", move || free.send(()).unwrap());
    the_second_frees_the_first(&io).await;
}

#[tokio::test]
async fn a_blocking_handler_holds_up_no_other_client_and_keeps_its_sockets_order() {
    let io = Server::builder().shards(1).build().unwrap();
    let (free, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let blocked = move || {
        wait.lock().unwrap().recv().unwrap();
        "woken"
    };
    io.on("block", blocked.blocking());
    io.on("quick", || "quick");
    let addr = serve(&io).await;
    let (mut first, mut second) = (WebSocket::open(addr).await, WebSocket::open(addr).await);
    for ws in [&mut first, &mut second] {
        ws.send("40").await;
        ws.packet().await;
    }
    first.send(r#"421["block"]"#).await;
    first.send(r#"422["quick"]"#).await;
    second.send(r#"421["quick"]"#).await;
    assert_eq!(second.packet().await, r#"431["quick"]"#, "the only I/O thread is free");
    free.send(()).unwrap();
    assert_eq!(first.packet().await, r#"431["woken"]"#);
    assert_eq!(first.packet().await, r#"432["quick"]"#);
}

#[tokio::test]
async fn a_handler_that_awaits_an_ack_of_its_own_client_does_not_block_reading() {
    let io = Server::new();
    io.on("ask me", async |socket: Socket| socket.emit_with_ack::<String>("name?", ()).await.unwrap());
    io.on("count", || ());
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["ask me"]"#).await;
    assert_eq!(ws.packet().await, r#"420["name?"]"#);
    // More than may wait for a handler: the ack is behind them.
    for _ in 0..200 {
        ws.send(r#"42["count"]"#).await;
    }
    ws.send(r#"430["ada"]"#).await;
    assert_eq!(ws.packet().await, r#"431["ada"]"#);
}

#[tokio::test]
async fn reading_goes_on_when_a_handler_of_a_paused_client_begins_to_await_an_ack() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let wait = Arc::clone(&gate);
    io.on("ask me", move |socket: Socket| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            socket.emit_with_ack::<String>("name?", ()).await.unwrap()
        }
    });
    io.on("count", || ());
    let addr = serve(&io).await;
    let mut ws = WebSocket::open(addr).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["ask me"]"#).await;
    // More than one read brings, so that some are left unread.
    let event = format!(r#"42["count","{}"]"#, "x".repeat(4_000));
    for _ in 0..200 {
        ws.send(&event).await;
    }
    until("more wait than may", || io.metrics().packets_in > 64).await;
    gate.notify_one();
    assert_eq!(ws.packet().await, r#"420["name?"]"#);
    ws.send(r#"430["ada"]"#).await;
    assert_eq!(ws.packet().await, r#"431["ada"]"#);
}

#[tokio::test]
async fn events_that_wait_are_handled_before_the_disconnect() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let (pen, mut seen) = notes::<String>();
    let (wait, event) = (Arc::clone(&gate), pen.clone());
    io.on("work", move |Data(n): Data<u8>| {
        let (wait, event) = (Arc::clone(&wait), event.clone());
        async move {
            if n == 0 {
                wait.notified().await;
            }
            event.note(format!("work {n}"));
        }
    });
    io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
    let mut client = join(&io).await;
    for n in 0..3 {
        client.emit("work", n).await.unwrap();
    }
    client.disconnect().await;
    gate.notify_one();
    assert_eq!(seen.take::<4>().await, ["work 0", "work 1", "work 2", "client namespace disconnect"]);
}
