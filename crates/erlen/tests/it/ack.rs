//! Acks that the server awaits: of one client, and of all that a broadcast reached, on any node.

use std::collections::BTreeSet;

use erlen::{AckError, Answers, Server, Socket, TestClient};
use serde_json::{Value, json};

use crate::support::{Nodes, WebSocket, join, ms, on_both_adapters, serve, soon};

/// Answers the next event.
async fn answer(client: &mut TestClient, with: impl serde::Serialize) {
    let asked = client.receive().await.expect("an event");
    client.ack(&asked, with).await.expect("an ack");
}

fn socket(nodes: &Nodes, number: usize, client: &TestClient) -> Socket {
    nodes.io(number).socket(&client.id()).expect("the client's server knows it")
}

fn values<T: Ord>(answers: Answers<T>) -> BTreeSet<T> {
    answers.values().collect()
}

on_both_adapters! {
    async fn one_clients_ack_is_awaited(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let asked = socket(&nodes, 0, &client).emit_with_ack::<String>("name?", 1);
        answer(&mut client, "ada").await;
        assert_eq!(asked.await.unwrap(), "ada");
    }

    async fn an_ack_of_several_arguments_is_a_tuple_or_its_first(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        let both = socket.emit_with_ack::<(String, u8)>("both?", ());
        answer(&mut client, ("a", 1)).await;
        assert_eq!(both.await.unwrap(), ("a".to_owned(), 1));
        let first = socket.emit_with_ack::<String>("first?", ());
        answer(&mut client, ("a", 1)).await;
        assert_eq!(first.await.unwrap(), "a");
        let nothing = socket.emit_with_ack::<()>("nothing?", ());
        answer(&mut client, ()).await;
        nothing.await.unwrap();
    }

    async fn acks_in_any_order_go_where_they_belong(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        let asked: Vec<_> = (0..20).map(|n| socket.emit_with_ack::<u32>("double", n)).collect();
        let mut events = Vec::new();
        for _ in 0..20 {
            events.push(client.receive().await.unwrap());
        }
        for event in events.iter().rev() {
            client.ack(event, event.args.get::<u32>(0).unwrap() * 2).await.unwrap();
        }
        for (n, asked) in (0..20).zip(asked) {
            assert_eq!(asked.await.unwrap(), n * 2);
        }
    }

    async fn an_ack_that_does_not_come_is_a_timeout_and_a_late_one_harms_nobody(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        let error = socket.emit_with_ack_within::<u8>(ms(20), "name?", ()).await.unwrap_err();
        assert!(matches!(error, AckError::Timeout), "{error:?}");
        answer(&mut client, 1).await;
        let asked = socket.emit_with_ack::<u8>("again?", ());
        answer(&mut client, 2).await;
        assert_eq!(asked.await.unwrap(), 2);
    }

    async fn the_builders_timeout_is_the_default(nodes: Nodes, |builder: erlen::Builder| builder.ack_timeout(ms(20))) {
        let [client] = nodes.clients().await;
        let asked = socket(&nodes, 0, &client).emit_with_ack::<u8>("name?", ());
        assert!(matches!(soon("the timeout", asked).await, Err(AckError::Timeout)));
        let asked = nodes.io(0).emit_with_ack::<u8>("name?", ()).unwrap();
        let answers = soon("the timeout", asked).await;
        assert_eq!((answers.answers.len(), answers.expected), (0, 1));
    }

    async fn a_client_that_leaves_owes_nothing_any_longer(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        let asked = socket.emit_with_ack::<u8>("name?", ());
        client.disconnect().await;
        assert!(matches!(asked.await, Err(AckError::Disconnected)));
        let asked = socket.emit_with_ack::<u8>("still there?", ());
        assert!(matches!(asked.await, Err(AckError::Disconnected)));
    }

    async fn too_many_pending_acks_are_refused_until_some_have_come(
        nodes: Nodes,
        |builder: erlen::Builder| builder.max_pending_acks(2)
    ) {
        let [mut client] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        let first = socket.emit_with_ack::<u8>("1?", ());
        let second = socket.emit_with_ack::<u8>("2?", ());
        let third = socket.emit_with_ack::<u8>("3?", ()).await;
        assert!(matches!(third, Err(AckError::TooManyPending)), "{third:?}");
        answer(&mut client, 1).await;
        assert_eq!(first.await.unwrap(), 1);
        let fourth = socket.emit_with_ack::<u8>("4?", ());
        answer(&mut client, 2).await;
        answer(&mut client, 4).await;
        assert_eq!((second.await.unwrap(), fourth.await.unwrap()), (2, 4));
    }

    async fn an_ack_that_nobody_awaits_is_not_pending(
        nodes: Nodes,
        |builder: erlen::Builder| builder.max_pending_acks(2)
    ) {
        let [mut client, _other] = nodes.clients().await;
        let socket = socket(&nodes, 0, &client);
        for _ in 0..10 {
            drop(socket.emit_with_ack::<u8>("dropped", ()));
            drop(nodes.io(1).to(client.id()).emit_with_ack::<u8>("dropped", ()).unwrap());
            // Begun, and then dropped.
            let begun = nodes.io(1).to(client.id()).emit_with_ack::<u8>("dropped", ()).unwrap();
            tokio::select! {
                biased;
                _ = begun => panic!("nobody answers"),
                () = std::future::ready(()) => {}
            }
            // Behind the fence the client's node has heard that nobody waits.
            nodes.io(1).emit("fence", ()).unwrap();
            for expected in ["dropped", "dropped", "dropped", "fence"] {
                assert_eq!(client.receive().await.unwrap().event, expected);
            }
        }
        let asked = socket.emit_with_ack::<u8>("awaited?", ());
        answer(&mut client, 7).await;
        assert_eq!(asked.await.unwrap(), 7);
    }

    async fn an_answer_of_another_type_is_an_error_that_says_so(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let asked = socket(&nodes, 0, &client).emit_with_ack::<u8>("number?", ());
        answer(&mut client, "text").await;
        let error = asked.await.unwrap_err();
        assert!(matches!(error, AckError::Decode(_)) && error.to_string().contains("u8"), "{error}");
    }

    async fn an_answer_counts_once(nodes: Nodes) {
        let [mut client] = nodes.clients().await;
        let asked = socket(&nodes, 0, &client).emit_with_ack::<u8>("number?", ());
        let event = client.receive().await.unwrap();
        client.ack(&event, 1).await.unwrap();
        client.ack(&event, 2).await.unwrap();
        assert_eq!(asked.await.unwrap(), 1);
        assert_eq!(nodes.io(0).socket_count(), 1);
    }

    async fn a_broadcast_collects_the_answer_of_everyone(nodes: Nodes) {
        let mut clients = nodes.clients::<4>().await;
        let asked = nodes.io(0).emit_with_ack::<usize>("number?", "please").unwrap();
        for (number, client) in clients.iter_mut().enumerate() {
            answer(client, (number, "more is let go")).await;
        }
        let answers = soon("all answers", asked).await;
        assert!(answers.is_complete());
        assert_eq!(answers.expected, 4);
        let ids: BTreeSet<_> = answers.answers.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(ids, clients.iter().map(|client| client.id().to_string()).collect());
        assert_eq!(values(answers), BTreeSet::from([0, 1, 2, 3]));
    }

    async fn a_broadcast_to_a_room_asks_its_sockets_alone(nodes: Nodes) {
        let [mut a, mut b, c, mut d] = nodes.clients().await;
        nodes.put(0, &a, &["asked"]);
        nodes.put(1, &b, &["asked", "muted"]);
        nodes.put(2, &c, &["asked", "muted"]);
        nodes.put(3, &d, &["asked"]);
        let asked = nodes.io(1).to("asked").except("muted").timeout(ms(5_000)).emit_with_ack::<char>("who?", ());
        answer(&mut a, 'a').await;
        answer(&mut d, 'd').await;
        let answers = soon("all answers", asked.unwrap()).await;
        assert!(answers.is_complete());
        assert_eq!(values(answers), BTreeSet::from(['a', 'd']));
        nodes.io(1).emit("fence", ()).unwrap();
        assert_eq!(b.receive().await.unwrap().event, "fence");
    }

    async fn a_broadcast_gives_what_came_in_time(nodes: Nodes) {
        let [mut a, _b, mut c, _d] = nodes.clients().await;
        let asked = nodes.io(0).operator().timeout(ms(2_000)).emit_with_ack::<char>("who?", ()).unwrap();
        answer(&mut a, 'a').await;
        answer(&mut c, 'c').await;
        let answers = soon("the timeout", asked).await;
        assert!(!answers.is_complete());
        assert_eq!(answers.expected, 4);
        assert_eq!(values(answers), BTreeSet::from(['a', 'c']));
    }

    async fn a_broadcast_does_not_wait_for_a_client_that_has_left(nodes: Nodes) {
        let [mut a, mut b, mut c] = nodes.clients().await;
        let asked = nodes.io(0).emit_with_ack::<char>("who?", ()).unwrap();
        let asked = tokio::spawn(asked);
        answer(&mut a, 'a').await;
        b.receive().await.unwrap();
        b.disconnect().await;
        answer(&mut c, 'c').await;
        let answers = soon("the answers of those who stay", asked).await.unwrap();
        assert!(!answers.is_complete(), "one that was asked has not answered");
        assert_eq!(answers.expected, 3);
        assert_eq!(values(answers), BTreeSet::from(['a', 'c']));
    }

    async fn a_broadcast_to_nobody_is_complete_at_once(nodes: Nodes) {
        let _clients = nodes.clients::<2>().await;
        let answers = soon("the end", nodes.io(0).to("nobody").emit_with_ack::<u8>("who?", ()).unwrap()).await;
        assert!(answers.is_complete());
        assert_eq!(answers.expected, 0);
    }

    async fn a_local_broadcast_asks_this_server_alone(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        let asked = nodes.io(0).operator().local().emit_with_ack::<char>("who?", ()).unwrap();
        answer(&mut a, 'a').await;
        if !nodes.is_cluster() {
            answer(&mut b, 'b').await;
        }
        let answers = soon("the local answers", asked).await;
        assert_eq!(answers.expected, if nodes.is_cluster() { 1 } else { 2 });
        assert!(answers.is_complete());
    }

    async fn one_answer_that_cannot_be_read_spoils_no_other(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        let asked = nodes.io(0).emit_with_ack::<u8>("number?", ()).unwrap();
        answer(&mut a, 1).await;
        answer(&mut b, json!({"not": "a number"})).await;
        let answers = soon("all answers", asked).await;
        assert!(answers.is_complete());
        let wrong = answers.answers.iter().find(|(id, _)| *id == b.id()).unwrap();
        assert!(matches!(wrong.1, Err(AckError::Decode(_))));
        assert_eq!(values(answers), BTreeSet::from([1]));
    }

    async fn acks_of_a_namespace_that_one_node_has_do_not_wait_for_the_others(nodes: Nodes) {
        nodes.all().for_each(|io| drop(io.of_pattern("/project/{id}")));
        let mut client = crate::support::join_in(nodes.io(0), "/project/1", ()).await;
        let asked = nodes.io(0).of("/project/1").emit_with_ack::<u8>("number?", ()).unwrap();
        answer(&mut client, 1).await;
        let answers = tokio::time::timeout(ms(4_500), asked).await.expect("before any timeout of the bus");
        assert_eq!(values(answers), BTreeSet::from([1]));
        let fetching = nodes.io(0).of("/project/1");
        let fetched = tokio::time::timeout(ms(4_500), fetching.fetch_sockets()).await.expect("before any timeout");
        assert_eq!(fetched.len(), 1);
    }
}

#[tokio::test]
async fn an_ack_can_be_awaited_in_a_runtime_of_any_thread_even_one_without_a_clock() {
    let io = erlen::Server::new();
    let mut client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    let thread = std::thread::spawn(move || {
        let asked = socket.emit_with_ack::<Value>("name?", ());
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(asked)
    });
    answer(&mut client, "ada").await;
    assert_eq!(tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap().unwrap(), "ada");
}

/// The packets of two questions to each of two clients, and of one to both.
async fn questions(builder: erlen::Builder) -> Vec<String> {
    let io = builder.shards(1).build().unwrap();
    let addr = serve(&io).await;
    let mut packets = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut ws = WebSocket::open(addr).await;
        ws.send("40").await;
        ws.packet().await;
        clients.push(ws);
    }
    for socket in io.sockets() {
        drop([socket.emit_with_ack::<u8>("q", ()), socket.emit_with_ack::<u8>("q", ())]);
    }
    drop(io.emit_with_ack::<u8>("all", ()).unwrap());
    for ws in &mut clients {
        for _ in 0..3 {
            packets.push(ws.packet().await);
        }
    }
    packets.sort();
    packets
}

#[tokio::test]
async fn ids_are_counted_by_namespace_from_zero_or_by_socket_from_one() {
    assert_eq!(
        questions(Server::builder()).await,
        [r#"420["q"]"#, r#"421["q"]"#, r#"422["q"]"#, r#"423["q"]"#, r#"424["all"]"#, r#"424["all"]"#],
        "as on Node"
    );
    assert_eq!(
        questions(Server::builder().count_acks_by_socket(true)).await,
        [
            r#"421["q"]"#,
            r#"421["q"]"#,
            r#"422["q"]"#,
            r#"422["q"]"#,
            r#"424294967296["all"]"#,
            r#"424294967296["all"]"#
        ],
        "as in Python, and no id of a broadcast is one of a client's"
    );
}
