//! Into a namespace: which there are, who is let in, what is known of who comes, and in which order it happens.

use std::sync::Arc;

use erlen::engine::Handshake;
use erlen::{
    Auth, Data, DisconnectReason, Error, Headers, Server, Socket, SocketData, State, TestClient, TestError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{WebSocket, ended, get, heard, join, join_in, notes, refusal, serve, until};

// Which namespaces there are.

#[tokio::test]
async fn handlers_and_events_belong_to_their_namespace() {
    let io = Server::new();
    io.on("where", || "root");
    io.of("/admin").on("where", || "admin");
    let mut root = join(&io).await;
    let mut admin = join_in(&io, "/admin", ()).await;
    assert_eq!(root.emit_with_ack::<String>("where", ()).await.unwrap(), "root");
    assert_eq!(admin.emit_with_ack::<String>("where", ()).await.unwrap(), "admin");
    io.of("admin").emit("news", "for admins").unwrap();
    io.emit("news", "for all others").unwrap();
    assert_eq!(heard(&mut admin).await, r#"["news","for admins"]"#);
    assert_eq!(heard(&mut root).await, r#"["news","for all others"]"#);
}

#[tokio::test]
async fn a_namespace_that_nobody_made_is_invalid() {
    let io = Server::new();
    io.of("/known");
    assert_eq!(refusal(&io, "/unknown", ()).await, json!({"message": "Invalid namespace"}));
    assert!(!io.namespaces().iter().any(|namespace| namespace.name() == "/unknown"));
}

#[tokio::test]
async fn a_pattern_makes_namespaces_that_share_its_handlers_and_not_their_sockets() {
    let io = Server::new();
    let projects = io.of_pattern("/project/{id}");
    projects.on("whereami", |socket: Socket| socket.namespace().name().to_owned());
    let mut one = join_in(&io, "/project/1", ()).await;
    let mut two = join_in(&io, "/project/2", ()).await;
    assert_eq!(one.emit_with_ack::<String>("whereami", ()).await.unwrap(), "/project/1");
    assert_eq!(two.emit_with_ack::<String>("whereami", ()).await.unwrap(), "/project/2");
    io.of("/project/1").emit("only", 1).unwrap();
    projects.emit("every", 2).unwrap();
    assert_eq!(heard(&mut one).await, r#"["only",1]"#);
    assert_eq!(heard(&mut one).await, r#"["every",2]"#);
    assert_eq!(heard(&mut two).await, r#"["every",2]"#);
    assert_eq!(refusal(&io, "/project/1/2", ()).await["message"], "Invalid namespace");
}

#[tokio::test]
async fn handlers_added_to_a_pattern_later_reach_its_namespaces() {
    let io = Server::new();
    let projects = io.of_pattern("/project/{id}");
    let mut client = join_in(&io, "/project/1", ()).await;
    projects.on("late", || "here");
    assert_eq!(client.emit_with_ack::<String>("late", ()).await.unwrap(), "here");
}

#[tokio::test]
async fn a_function_of_name_and_auth_decides_which_namespaces_may_be() {
    let io = Server::new();
    io.of_matching(|name, auth| {
        name.starts_with("/user-") && auth.is_some_and(|auth| auth.contains("sesame"))
    });
    join_in(&io, "/user-1", json!({"word": "sesame"})).await;
    assert_eq!(refusal(&io, "/user-2", json!({"word": "other"})).await["message"], "Invalid namespace");
    assert_eq!(refusal(&io, "/other", json!({"word": "sesame"})).await["message"], "Invalid namespace");
}

#[tokio::test]
async fn a_pattern_forgets_a_namespace_when_its_last_socket_leaves() {
    let io = Server::new();
    let rooms = io.of_pattern("/room/{id}");
    let mut client = join_in(&io, "/room/1", ()).await;
    assert_eq!(rooms.namespaces().len(), 1);
    client.disconnect().await;
    until("the namespace is forgotten", || rooms.namespaces().is_empty()).await;
    join_in(&io, "/room/1", ()).await;
}

#[tokio::test]
async fn a_pattern_forgets_a_namespace_whose_only_visitor_was_refused() {
    let io = Server::new();
    let rooms = io.of_pattern("/room/{id}");
    rooms.middleware(|| Err::<(), _>(Error::refuse("closed")));
    assert_eq!(refusal(&io, "/room/1", ()).await["message"], "closed");
    until("the namespace is forgotten", || rooms.namespaces().is_empty()).await;
}

#[tokio::test]
async fn empty_namespaces_of_a_pattern_stay_where_they_are_to_be_kept() {
    let io = Server::builder().keep_empty_namespaces(true).build().unwrap();
    let rooms = io.of_pattern("/room/{id}");
    join_in(&io, "/room/1", ()).await.disconnect().await;
    until("the socket has left", || io.of("/room/1").socket_count() == 0).await;
    assert_eq!(rooms.namespaces().len(), 1);
}

// Who is let in.

#[tokio::test]
async fn middlewares_run_in_order_and_the_first_refusal_ends_it() {
    let io = Server::new();
    let (pen, mut seen) = notes::<&str>();
    let first = pen.clone();
    io.middleware(move || first.note("first"));
    let second = pen.clone();
    io.middleware(move || {
        second.note("second");
        async { Err::<(), _>(Error::refuse("not today")) }
    });
    let third = pen.clone();
    io.middleware(move || third.note("third"));
    io.on_connect(move || pen.note("connect"));
    assert_eq!(refusal(&io, "/", ()).await, json!({"message": "not today"}));
    assert_eq!(seen.so_far(), ["first", "second"]);
    assert_eq!(io.socket_count(), 0);
}

#[tokio::test]
async fn a_refusal_carries_data() {
    let io = Server::new();
    io.middleware(|| Err::<(), _>(Error::refuse("not authorized").with_data(json!({"retry": [1, 2]}))));
    let expected = json!({"message": "not authorized", "data": {"retry": [1, 2]}});
    assert_eq!(refusal(&io, "/", ()).await, expected);
}

#[tokio::test]
async fn an_unexpected_error_of_a_middleware_is_hidden_from_the_client_and_told_to_the_hook() {
    let (pen, mut errors) = notes::<String>();
    let io = Server::builder()
        .on_error(move |_, event, error| pen.note(format!("{event}: {}", error.cause().unwrap())))
        .build()
        .unwrap();
    io.middleware(|| -> erlen::Result<()> { Err(std::io::Error::other("the password is swordfish"))? });
    let payload = refusal(&io, "/", ()).await;
    assert_eq!(payload, json!({"message": "internal error"}));
    assert_eq!(errors.next().await, "connect: the password is swordfish");
}

#[tokio::test]
async fn a_middleware_that_panics_refuses_this_client_alone() {
    let io = Server::new();
    io.middleware(|Auth(auth): Auth<Option<Value>>| assert!(auth.is_none(), "a middleware that fails"));
    assert_eq!(refusal(&io, "/", json!({"any": "auth"})).await, json!({"message": "internal error"}));
    join(&io).await;
}

#[tokio::test]
async fn a_refused_socket_leaves_nothing_behind() {
    let io = Server::new();
    let (pen, mut seen) = notes::<String>();
    io.middleware(|socket: Socket| {
        socket.join("waiting room");
        Err::<(), _>(Error::refuse("full"))
    });
    io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
    refusal(&io, "/", ()).await;
    assert_eq!(io.room_sizes(), []);
    assert_eq!(io.socket_count(), 0);
    assert_eq!(seen.so_far(), [""; 0], "who was never in does not leave");
}

#[tokio::test]
async fn middlewares_of_one_namespace_do_not_judge_another() {
    let io = Server::new();
    io.middleware(|| Err::<(), _>(Error::refuse("members only")));
    io.of("/public");
    join_in(&io, "/public", ()).await;
    assert_eq!(refusal(&io, "/", ()).await["message"], "members only");
}

// What is known of who comes.

#[derive(Debug, Deserialize, Serialize)]
struct Token {
    token: String,
}

fn token(token: &str) -> Token {
    Token { token: token.to_owned() }
}

#[tokio::test]
async fn auth_is_read_into_a_type() {
    let io = Server::new();
    io.middleware(|Auth(auth): Auth<Token>| match auth.token.as_str() {
        "good" => Ok(()),
        _ => Err(Error::refuse("bad token")),
    });
    io.on("token", |Auth(auth): Auth<Token>| auth.token);
    let mut client = join_in(&io, "/", token("good")).await;
    assert_eq!(client.emit_with_ack::<String>("token", ()).await.unwrap(), "good");
    assert_eq!(refusal(&io, "/", token("stolen")).await["message"], "bad token");
}

#[tokio::test]
async fn auth_of_another_shape_is_refused_with_a_message_that_names_what_is_missing() {
    let io = Server::new();
    io.middleware(|_: Auth<Token>| ());
    for auth in [json!({}), json!({"token": 7})] {
        let payload = refusal(&io, "/", auth).await;
        let message = payload["message"].as_str().unwrap();
        assert!(
            message.contains("auth") && (message.contains("token") || message.contains("string")),
            "{message}"
        );
    }
    let payload = refusal(&io, "/", ()).await;
    assert!(payload["message"].as_str().unwrap().contains("auth"), "{payload}");
}

#[tokio::test]
async fn no_auth_is_none() {
    let io = Server::new();
    io.on("auth", |Auth(auth): Auth<Option<Value>>| auth.is_some());
    assert!(!join(&io).await.emit_with_ack::<bool>("auth", ()).await.unwrap());
}

#[tokio::test]
async fn the_handshake_is_known_to_every_handler() {
    let io = Server::new();
    io.middleware(|headers: Headers| match headers.get("X-Team") {
        Some("red") => Ok(()),
        _ => Err(Error::refuse("not your server")),
    });
    io.on("team", |headers: Headers, socket: Socket| {
        assert_eq!(socket.handshake().query_value("EIO").as_deref(), Some("4"));
        headers.get("x-team").unwrap_or_default().to_owned()
    });
    let mut client = TestClient::connect_with(&io, "/", &[("X-Team", "red")], ()).await.unwrap();
    assert_eq!(client.emit_with_ack::<String>("team", ()).await.unwrap(), "red");
    assert_eq!(refusal(&io, "/", ()).await["message"], "not your server");
}

#[tokio::test]
async fn per_socket_data_lives_as_long_as_its_socket() {
    #[derive(Debug, PartialEq)]
    struct Name(String);
    let io = Server::new();
    let (pen, mut seen) = notes::<String>();
    io.middleware(|socket: Socket, Auth(auth): Auth<Token>| socket.insert(Name(auth.token)));
    io.on("name", |SocketData(name): SocketData<Name>| name.0.clone());
    io.on("rename", |socket: Socket, Data(name): Data<String>| socket.insert(Name(name)));
    io.on("forget", |socket: Socket| socket.remove::<Name>().map(|name| name.0.clone()));
    io.on_disconnect(move |SocketData(name): SocketData<Name>| pen.note(name.0.as_str()));
    let mut ada = join_in(&io, "/", token("ada")).await;
    let mut bob = join_in(&io, "/", token("bob")).await;
    ada.emit("rename", "lovelace").await.unwrap();
    assert_eq!(ada.emit_with_ack::<String>("name", ()).await.unwrap(), "lovelace");
    assert_eq!(bob.emit_with_ack::<String>("name", ()).await.unwrap(), "bob");
    ada.disconnect().await;
    assert_eq!(seen.next().await, "lovelace");
    assert_eq!(bob.emit_with_ack::<Option<String>>("forget", ()).await.unwrap().as_deref(), Some("bob"));
    let error: Value = bob.emit_with_ack("name", ()).await.unwrap();
    assert_eq!(error["error"], "internal", "data that is not there is the server's fault");
}

#[tokio::test]
async fn state_of_the_server_reaches_connect_handlers() {
    let io = Server::builder().state(String::from("welcome")).build().unwrap();
    io.on_connect(|socket: Socket, State(text): State<String>| socket.emit("greeting", text));
    assert_eq!(heard(&mut join(&io).await).await, r#"["greeting","welcome"]"#);
}

#[tokio::test]
async fn a_hook_refuses_handshakes_before_there_is_a_session() {
    let io = Server::builder()
        .allow_request(async |handshake: Handshake| match handshake.query_value("key") {
            Some(key) if key == "open" => Ok(()),
            _ => Err("no key".to_owned()),
        })
        .build()
        .unwrap();
    let addr = serve(&io).await;
    let answer = get(addr, "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (403, r#"{"code":4,"message":"no key"}"#));
    assert_eq!(io.engine().session_count(), 0);
    let answer = get(addr, "/socket.io/?EIO=4&transport=polling&key=open", "").await;
    assert_eq!(answer.status, 200);
}

// In which order it happens.

#[tokio::test]
async fn connect_is_answered_before_what_its_handlers_emit() {
    let io = Server::new();
    io.on_connect(|socket: Socket| socket.emit("welcome", "a"));
    io.on_connect(async |socket: Socket| socket.emit("welcome", "b"));
    // The raw order: the answer's packet comes first, or the client would not know its id yet.
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with(r#"40{"sid":"#));
    assert_eq!(ws.packet().await, r#"42["welcome","a"]"#);
    assert_eq!(ws.packet().await, r#"42["welcome","b"]"#);
}

#[tokio::test]
async fn what_a_middleware_emits_goes_out_before_the_answer() {
    let io = Server::new();
    io.middleware(|socket: Socket| socket.emit("session", "secret"));
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    assert_eq!(ws.packet().await, r#"42["session","secret"]"#);
    assert!(ws.packet().await.starts_with(r#"40{"sid":"#));
}

#[tokio::test]
async fn events_wait_behind_a_slow_connect_handler() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let (pen, mut seen) = notes::<String>();
    let (open, connecting) = (Arc::clone(&gate), pen.clone());
    io.on_connect(move |socket: Socket| {
        let (open, connecting) = (Arc::clone(&open), connecting.clone());
        async move {
            open.notified().await;
            socket.insert(String::from("ready"));
            connecting.note("connected");
        }
    });
    io.on("go", move |SocketData(state): SocketData<String>, Data(n): Data<u8>| {
        pen.note(format!("{state} {n}"))
    });
    let mut client = join(&io).await;
    client.emit("go", 1).await.unwrap();
    client.emit("go", 2).await.unwrap();
    assert_eq!(seen.so_far(), [""; 0]);
    gate.notify_one();
    assert_eq!(seen.take::<3>().await, ["connected", "ready 1", "ready 2"]);
}

#[tokio::test]
async fn a_slow_middleware_holds_up_its_client_alone() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let wait = Arc::clone(&gate);
    io.middleware(move |Auth(auth): Auth<Token>| {
        let wait = Arc::clone(&wait);
        async move {
            if auth.token == "slow" {
                wait.notified().await;
            }
        }
    });
    let server = io.clone();
    let slow = tokio::spawn(async move { join_in(&server, "/", token("slow")).await.id() });
    join_in(&io, "/", token("quick")).await;
    assert!(!slow.is_finished());
    gate.notify_one();
    slow.await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_during_a_slow_middleware_never_was_in() {
    let io = Server::new();
    let gate = Arc::new(Notify::new());
    let (pen, mut seen) = notes::<String>();
    let (wait, started) = (Arc::clone(&gate), pen.clone());
    io.middleware(move || {
        let (wait, started) = (Arc::clone(&wait), started.clone());
        async move {
            started.note("middleware");
            wait.notified().await;
            started.note("passed");
        }
    });
    let connected = pen.clone();
    io.on_connect(move || connected.note("connect"));
    io.on_disconnect(move || pen.note("disconnect"));
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    assert_eq!(seen.next().await, "middleware");
    drop(ws);
    until("the session has gone", || io.engine().session_count() == 0).await;
    gate.notify_one();
    assert_eq!(seen.next().await, "passed");
    let mut other = WebSocket::open(serve(&io).await).await;
    other.send("40").await;
    assert_eq!(seen.next().await, "middleware", "and no connect, no disconnect of the first");
    assert_eq!(io.socket_count(), 0);
}

#[tokio::test]
async fn an_error_of_a_connect_handler_disconnects_and_is_told_to_the_hook() {
    let (pen, mut errors) = notes::<String>();
    let hook = pen.clone();
    let io = Server::builder()
        .on_error(move |_, event, error| hook.note(format!("{event}: {error}")))
        .build()
        .unwrap();
    io.on_connect(|| Err::<(), _>(Error::new("no_seat", "all seats are taken")));
    let later = pen.clone();
    io.on_connect(move || later.note("a later handler"));
    io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
    let mut client = join(&io).await;
    ended(&mut client).await;
    assert_eq!(errors.next().await, "connect: no_seat: all seats are taken");
    assert_eq!(errors.next().await, "server namespace disconnect");
    assert_eq!(io.socket_count(), 0);
}

#[tokio::test]
async fn a_client_is_told_the_same_id_that_handlers_see() {
    let io = Server::new();
    io.on("id", |socket: Socket| socket.id().to_string());
    let mut client = join(&io).await;
    let id: String = client.emit_with_ack("id", ()).await.unwrap();
    assert_eq!(id, client.id().to_string());
    assert_eq!(id.len(), 20, "as long as Node's: its sharded adapter tells private rooms by that");
}

#[tokio::test]
async fn leaving_one_namespace_leaves_the_others_of_the_connection() {
    let io = Server::new();
    io.on("ping", || "pong");
    io.of("/second");
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    assert!(ws.packet().await.starts_with("40{"));
    ws.send("40/second,").await;
    assert!(ws.packet().await.starts_with("40/second,{"));
    ws.send("41/second,").await;
    ws.send(r#"420["ping"]"#).await;
    assert_eq!(ws.packet().await, r#"430["pong"]"#);
    until("the other socket has left", || io.of("/second").socket_count() == 0).await;
    assert_eq!(io.socket_count(), 1);
}

#[tokio::test]
async fn the_test_client_says_when_its_socket_has_ended() {
    let io = Server::new();
    let mut client = join(&io).await;
    io.socket(&client.id()).unwrap().disconnect();
    assert!(matches!(client.receive().await, Err(TestError::Disconnected)));
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_received_before_it() {
    let io = Server::new();
    io.on_connect(|socket: Socket| {
        socket.emit("last", "words").unwrap();
        socket.disconnect();
    });
    let mut client = join(&io).await;
    assert_eq!(heard(&mut client).await, r#"["last","words"]"#);
    for _ in 0..2 {
        assert!(matches!(client.receive().await, Err(TestError::Disconnected)));
    }
}
