//! Bytes among the arguments: wherever they stand, both ways, in events and in acks.

use std::collections::BTreeMap;

use erlen::{Ack, AckError, Attachments, Binary, Data, EmitError, Error, Json, Raw, RawArgs, Server, Socket};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{Nodes, WebSocket, heard, join, notes, on_both_adapters, serve};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Upload {
    name: String,
    content: Binary,
    parts: Vec<Binary>,
    more: BTreeMap<String, Binary>,
}

fn upload() -> Upload {
    Upload {
        name: "photo".into(),
        content: vec![0, 255, 10].into(),
        parts: vec![vec![1].into(), vec![].into()],
        more: BTreeMap::from([("thumb".into(), vec![2; 1_000].into())]),
    }
}

on_both_adapters! {
    async fn a_broadcast_carries_bytes_to_everyone(nodes: Nodes) {
        let mut clients = nodes.clients::<3>().await;
        nodes.io(0).emit("upload", (1, upload(), Binary::from("tail"))).unwrap();
        for client in &mut clients {
            let (one, got, tail): (u8, Upload, Binary) = client.receive().await.unwrap().args.all().unwrap();
            assert_eq!((one, got, &*tail), (1, upload(), &b"tail"[..]));
        }
    }

    async fn answers_to_a_broadcast_carry_bytes(nodes: Nodes) {
        let mut clients = nodes.clients::<2>().await;
        let asked = nodes.io(0).emit_with_ack::<Upload>("send it", Binary::from("please")).unwrap();
        for client in &mut clients {
            let event = client.receive().await.unwrap();
            assert_eq!(event.args.binary().as_deref(), Some(&b"please"[..]));
            client.ack(&event, upload()).await.unwrap();
        }
        let answers = asked.await;
        assert!(answers.is_complete());
        assert_eq!(answers.values().collect::<Vec<_>>(), [upload(), upload()]);
    }
}

#[tokio::test]
async fn bytes_come_in_wherever_they_stand() {
    let io = Server::new();
    io.on("deep", |Data(upload): Data<Upload>| Json(upload));
    io.on("first", |Data(bytes): Data<Binary>| bytes.len());
    io.on("count", |Attachments(all): Attachments| all.iter().map(|bytes| bytes.len()).sum::<usize>());
    io.on("mixed", |erlen::Args((a, text, b)): erlen::Args<(Binary, String, Binary)>| {
        format!("{a:?}{text}{b:?}", a = &*a, b = &*b)
    });
    let mut client = join(&io).await;
    assert_eq!(client.emit_with_ack::<Upload>("deep", upload()).await.unwrap(), upload());
    assert_eq!(client.emit_with_ack::<usize>("first", Binary::from("12345")).await.unwrap(), 5);
    assert_eq!(client.emit_with_ack::<usize>("count", upload()).await.unwrap(), 1_004);
    let mixed = (Binary::from(vec![1]), "x", Binary::from(vec![2]));
    assert_eq!(client.emit_with_ack::<String>("mixed", mixed).await.unwrap(), "[1]x[2]");
}

#[tokio::test]
async fn bytes_go_through_a_server_that_does_not_read_them() {
    let io = Server::new();
    io.on("relay", |socket: Socket, Raw(args): Raw| socket.broadcast().emit("relayed", args));
    io.on("back", |Raw(args): Raw| -> RawArgs { args });
    let (mut sender, mut other) = (join(&io).await, join(&io).await);
    sender.emit("relay", (upload(), "text")).await.unwrap();
    let (got, text): (Upload, String) = other.receive().await.unwrap().args.all().unwrap();
    assert_eq!((got, text.as_str()), (upload(), "text"));
    let (back, text): (Upload, String) = sender.emit_with_ack("back", (upload(), "text")).await.unwrap();
    assert_eq!((back, text.as_str()), (upload(), "text"));
}

#[tokio::test]
async fn one_clients_ack_carries_bytes() {
    let io = Server::new();
    let mut client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    let asked = socket.emit_with_ack::<(Binary, Upload)>("send it", (Binary::from("key"), "lock"));
    let event = client.receive().await.unwrap();
    assert_eq!(event.args.binary().as_deref(), Some(&b"key"[..]));
    client.ack(&event, (Binary::from("key"), upload())).await.unwrap();
    let (key, got) = asked.await.unwrap();
    assert_eq!((&*key, got), (&b"key"[..], upload()));
}

#[tokio::test]
async fn attachments_follow_their_packet_on_the_wire_both_ways() {
    let io = Server::new();
    io.on("swap", |erlen::Args((a, b)): erlen::Args<(Binary, Binary)>| (b, a));
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"452-7["swap",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    ws.send_binary("zero").await;
    ws.send_binary("one").await;
    assert_eq!(ws.packet().await, r#"462-7[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    assert_eq!(ws.binary().await, "one");
    assert_eq!(ws.binary().await, "zero");
    io.emit("bytes", Binary::from("!")).unwrap();
    assert_eq!(ws.packet().await, r#"451-["bytes",{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, "!");
}

#[tokio::test]
async fn what_is_no_attachment_is_not_read_as_bytes() {
    let io = Server::new();
    io.on("bytes", |Data(bytes): Data<Binary>| bytes.len());
    let mut client = join(&io).await;
    for wrong in [json!("text"), json!([1, 2]), json!({"_placeholder": false, "num": 0}), Value::Null] {
        let error: Value = client.emit_with_ack("bytes", &wrong).await.unwrap();
        assert_eq!(error["error"], "invalid_argument", "{wrong}");
    }
}

fn eleven() -> Vec<Binary> {
    vec![Binary::from("x"); 11]
}

#[tokio::test]
async fn more_attachments_than_clients_take_are_refused_with_an_error() {
    let io = Server::new();
    let mut client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    let refused = [io.emit("too many", eleven()), socket.emit("too many", eleven())];
    for error in refused.map(Result::unwrap_err) {
        assert!(matches!(error, EmitError::TooManyAttachments { count: 11, max: 10 }), "{error}");
        assert!(error.to_string().contains("11") && error.to_string().contains("10"));
    }
    let asked = socket.emit_with_ack::<()>("too many", eleven()).await;
    assert!(matches!(asked, Err(AckError::Emit(EmitError::TooManyAttachments { .. }))), "{asked:?}");
    io.emit("enough", vec![Binary::from("x"); 10]).unwrap();
    assert!(heard(&mut client).await.starts_with(r#"["enough""#));
}

#[tokio::test]
async fn an_ack_of_more_attachments_than_clients_take_is_an_error_of_the_server() {
    let (pen, mut errors) = notes::<String>();
    let io = Server::builder()
        .on_error(move |_, event, error: &Error| pen.note(format!("{event} {error}")))
        .build()
        .unwrap();
    io.on("too many", eleven);
    let mut client = join(&io).await;
    let ack: Value = client.emit_with_ack("too many", ()).await.unwrap();
    assert_eq!(ack, json!({"error": "internal", "message": "internal error"}));
    assert!(errors.next().await.contains("attachments"));
}

#[tokio::test]
async fn an_ack_by_hand_of_more_attachments_than_clients_take_is_refused_and_not_sent() {
    let io = Server::new();
    io.on("by hand", |ack: Ack, socket: Socket| {
        let refused = ack.send(eleven()).unwrap_err();
        socket.emit("refused", refused.to_string())
    });
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    ws.send(r#"421["by hand"]"#).await;
    let told = ws.packet().await;
    assert!(told.starts_with(r#"42["refused","11 attachments"#), "{told}");
}

#[tokio::test]
async fn the_limit_of_attachments_can_be_raised() {
    let io = Server::builder().max_attachments(11).build().unwrap();
    io.on("count", |Attachments(all): Attachments| all.len());
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    io.emit("many", eleven()).unwrap();
    assert!(ws.packet().await.starts_with(r#"4511-["many","#));
    for _ in 0..11 {
        assert_eq!(ws.binary().await, "x");
    }
    ws.send(r#"4511-1["count"]"#).await;
    for _ in 0..11 {
        ws.send_binary("x").await;
    }
    assert_eq!(ws.packet().await, "431[11]");
}
