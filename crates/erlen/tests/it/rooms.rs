//! Rooms: who gets a broadcast, who is in which, and what an operation on many sockets does, on any node.

use std::collections::BTreeSet;

use erlen::adapter::RoomEvent;
use erlen::{Data, Disconnect, DisconnectReason, Room, Server, Socket, TestClient};

use crate::support::{Nodes, WebSocket, ended, heard, join, join_in, notes, on_both_adapters, serve, until};

/// Everybody's next event is the fence that the same server sends now: nothing else came before it.
async fn fence<const N: usize>(io: &Server, clients: [&mut TestClient; N]) {
    io.emit("fence", ()).unwrap();
    for client in clients {
        assert_eq!(heard(client).await, r#"["fence"]"#);
    }
}

/// Everybody hears this once, and nothing else.
async fn all_hear<const N: usize>(event: &str, clients: [&mut TestClient; N]) {
    for client in clients {
        assert_eq!(heard(client).await, event);
    }
}

fn names(rooms: &[Room]) -> BTreeSet<String> {
    rooms.iter().map(ToString::to_string).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(String::from).into()
}

on_both_adapters! {
    // Who gets a broadcast.

    async fn an_emit_of_the_server_reaches_everyone_with_all_arguments(nodes: Nodes) {
        let [mut a, mut b, mut c] = nodes.clients().await;
        nodes.io(1).emit("news", (1, "two", [3.5])).unwrap();
        all_hear(r#"["news",1,"two",[3.5]]"#, [&mut a, &mut b, &mut c]).await;
        fence(nodes.io(1), [&mut a, &mut b, &mut c]).await;
    }

    async fn a_room_is_heard_by_those_who_are_in_it(nodes: Nodes) {
        let [mut a, mut b, mut c, mut d] = nodes.clients().await;
        nodes.put(0, &a, &["room"]);
        nodes.put(1, &b, &["room"]);
        nodes.put(2, &c, &["other"]);
        nodes.io(0).to("room").emit("x", 1).unwrap();
        all_hear(r#"["x",1]"#, [&mut a, &mut b]).await;
        fence(nodes.io(0), [&mut a, &mut b, &mut c, &mut d]).await;
    }

    async fn a_union_of_rooms_is_heard_once_by_who_is_in_several(nodes: Nodes) {
        let [mut a, mut b, mut c, mut d] = nodes.clients().await;
        nodes.put(0, &a, &["one", "two", "three"]);
        nodes.put(1, &b, &["two", "three"]);
        nodes.put(2, &c, &["three"]);
        nodes.io(0).to("one").to(["two", "three"]).emit("x", ()).unwrap();
        all_hear(r#"["x"]"#, [&mut a, &mut b, &mut c]).await;
        fence(nodes.io(0), [&mut a, &mut b, &mut c, &mut d]).await;
    }

    async fn who_is_in_an_excepted_room_hears_nothing(nodes: Nodes) {
        let [mut a, mut b, mut c, mut d] = nodes.clients().await;
        nodes.put(0, &a, &["room", "muted"]);
        nodes.put(1, &b, &["room", "away"]);
        nodes.put(2, &c, &["room"]);
        nodes.io(1).to("room").except("muted").except(vec!["away"]).emit("x", ()).unwrap();
        all_hear(r#"["x"]"#, [&mut c]).await;
        nodes.io(1).except("room").emit("y", ()).unwrap();
        all_hear(r#"["y"]"#, [&mut d]).await;
        fence(nodes.io(1), [&mut a, &mut b, &mut c, &mut d]).await;
    }

    async fn a_broadcast_of_a_socket_leaves_the_sender_out(nodes: Nodes) {
        let [mut a, mut b, mut c, mut d] = nodes.clients().await;
        for (number, client) in [(0, &a), (1, &b), (2, &c)] {
            nodes.put(number, client, &["room"]);
        }
        for io in nodes.all() {
            io.on("say", |socket: Socket, Data(text): Data<String>| socket.to("room").emit("said", text));
            io.on("shout", |socket: Socket, Data(text): Data<String>| socket.broadcast().emit("shouted", text));
            io.on("whisper", |socket: Socket| socket.broadcast().except("room").emit("whispered", ()));
        }
        b.emit("say", "hello").await.unwrap();
        all_hear(r#"["said","hello"]"#, [&mut a, &mut c]).await;
        b.emit("shout", "HELLO").await.unwrap();
        all_hear(r#"["shouted","HELLO"]"#, [&mut a, &mut c, &mut d]).await;
        b.emit("whisper", ()).await.unwrap();
        all_hear(r#"["whispered"]"#, [&mut d]).await;
        fence(nodes.io(1), [&mut a, &mut b, &mut c, &mut d]).await;
    }

    async fn a_sender_is_left_out_of_its_own_room_too(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        let socket = nodes.io(0).socket(&a.id()).unwrap();
        socket.to(a.id()).emit("to myself", ()).unwrap();
        socket.to(b.id()).emit("to b", ()).unwrap();
        all_hear(r#"["to b"]"#, [&mut b]).await;
        fence(nodes.io(0), [&mut a, &mut b]).await;
    }

    async fn a_sockets_id_is_a_room_on_every_node(nodes: Nodes) {
        let [mut a, mut b, mut c] = nodes.clients().await;
        nodes.io(0).to(b.id()).emit("private", "for b").unwrap();
        nodes.io(0).to([a.id(), c.id()]).emit("private", "for two").unwrap();
        nodes.io(0).except(c.id()).emit("all", "but c").unwrap();
        all_hear(r#"["private","for b"]"#, [&mut b]).await;
        all_hear(r#"["private","for two"]"#, [&mut a, &mut c]).await;
        all_hear(r#"["all","but c"]"#, [&mut a, &mut b]).await;
        fence(nodes.io(0), [&mut a, &mut b, &mut c]).await;
    }

    async fn everyone_is_in_the_room_of_the_own_id_and_cannot_leave_it(nodes: Nodes) {
        let [mut a] = nodes.clients().await;
        let socket = nodes.io(0).socket(&a.id()).unwrap();
        assert_eq!(names(&socket.rooms()), set([a.id().as_str()]));
        socket.join(a.id().as_str());
        socket.leave(a.id().as_str());
        assert_eq!(names(&socket.rooms()), set([a.id().as_str()]));
        nodes.io(1).to(a.id()).emit("x", ()).unwrap();
        all_hear(r#"["x"]"#, [&mut a]).await;
    }

    async fn join_and_leave_take_effect_at_once_and_are_idempotent(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        let socket = nodes.io(0).socket(&a.id()).unwrap();
        socket.leave("never joined");
        socket.join("room");
        socket.join("room");
        assert_eq!(names(&socket.rooms()), set([a.id().as_str(), "room"]));
        nodes.io(0).to("room").emit("x", 1).unwrap();
        socket.leave("room");
        nodes.io(0).to("room").emit("x", 2).unwrap();
        assert_eq!(names(&socket.rooms()), set([a.id().as_str()]));
        all_hear(r#"["x",1]"#, [&mut a]).await;
        fence(nodes.io(0), [&mut a, &mut b]).await;
    }

    async fn a_local_broadcast_stays_on_its_server(nodes: Nodes) {
        let [mut a, mut b, mut c] = nodes.clients().await;
        nodes.io(0).operator().local().emit("here", ()).unwrap();
        all_hear(r#"["here"]"#, [&mut a, &mut c]).await;
        if !nodes.is_cluster() {
            all_hear(r#"["here"]"#, [&mut b]).await;
        }
        fence(nodes.io(0), [&mut a, &mut b, &mut c]).await;
    }

    async fn a_namespaces_rooms_are_its_own(nodes: Nodes) {
        nodes.all().for_each(|io| drop(io.of("/other")));
        let [mut a] = nodes.clients().await;
        let mut other = join_in(nodes.io(0), "/other", ()).await;
        nodes.put(0, &a, &["room"]);
        nodes.io(0).of("/other").socket(&other.id()).unwrap().join("room");
        nodes.io(0).to("room").emit("root", ()).unwrap();
        nodes.io(1).of("/other").to("room").emit("other", ()).unwrap();
        all_hear(r#"["root"]"#, [&mut a]).await;
        all_hear(r#"["other"]"#, [&mut other]).await;
        fence(nodes.io(0), [&mut a]).await;
    }

    async fn broadcasts_of_one_server_arrive_in_order(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        nodes.put(1, &b, &["room"]);
        nodes.put(0, &a, &["room"]);
        for n in 0..100 {
            match n % 3 {
                0 => nodes.io(0).emit("n", n).unwrap(),
                1 => nodes.io(0).to("room").emit("n", n).unwrap(),
                _ => nodes.io(0).to([a.id(), b.id()]).emit("n", n).unwrap(),
            }
        }
        for n in 0..100 {
            all_hear(&format!(r#"["n",{n}]"#), [&mut a, &mut b]).await;
        }
    }

    // Operations on many sockets.

    async fn sockets_join_and_leave_by_the_servers_order(nodes: Nodes) {
        let [mut a, mut b, mut c] = nodes.clients().await;
        nodes.put(0, &a, &["seed"]);
        nodes.put(1, &b, &["seed"]);
        nodes.io(0).to("seed").sockets_join(["grown", "second"]);
        nodes.io(0).to("grown").emit("x", 1).unwrap();
        all_hear(r#"["x",1]"#, [&mut a, &mut b]).await;
        nodes.io(0).to(b.id()).sockets_leave("grown");
        nodes.io(0).to("grown").emit("x", 2).unwrap();
        nodes.io(0).to("second").emit("x", 3).unwrap();
        all_hear(r#"["x",2]"#, [&mut a]).await;
        all_hear(r#"["x",3]"#, [&mut a, &mut b]).await;
        nodes.io(0).sockets_join("everyone");
        nodes.io(0).except("grown").sockets_leave("everyone");
        nodes.io(0).to("everyone").emit("x", 4).unwrap();
        all_hear(r#"["x",4]"#, [&mut a]).await;
        fence(nodes.io(0), [&mut a, &mut b, &mut c]).await;
    }

    async fn sockets_are_disconnected_by_the_servers_order(nodes: Nodes) {
        let (pen, mut reasons) = notes::<String>();
        for io in nodes.all() {
            let pen = pen.clone();
            io.on_disconnect(move |reason: DisconnectReason| pen.note(reason.as_str()));
        }
        let [mut a, mut b, mut c] = nodes.clients().await;
        nodes.put(1, &b, &["banned"]);
        nodes.put(2, &c, &["banned"]);
        nodes.io(0).to("banned").disconnect_sockets(Disconnect::Socket);
        ended(&mut b).await;
        ended(&mut c).await;
        assert_eq!(reasons.take::<2>().await, ["server namespace disconnect", "server namespace disconnect"]);
        fence(nodes.io(0), [&mut a]).await;
        nodes.io(1).disconnect_sockets(Disconnect::Client);
        ended(&mut a).await;
        assert_eq!(reasons.next().await, "server namespace disconnect");
        // Who was disconnected from the namespace alone has kept the connection.
        let kept = if nodes.is_cluster() { 1 } else { 2 };
        until("a's connection has ended", || nodes.io(0).metrics().sessions_polling == kept).await;
    }

    async fn sockets_of_every_node_are_fetched_with_their_rooms(nodes: Nodes) {
        let [a, b, c, _d] = nodes.clients().await;
        nodes.put(0, &a, &["room", "first"]);
        nodes.put(1, &b, &["room"]);
        nodes.put(2, &c, &["room", "muted"]);
        let all = nodes.io(0).fetch_sockets().await;
        assert_eq!(all.len(), 4);
        let fetched = nodes.io(1).to("room").except("muted").fetch_sockets().await;
        let found: BTreeSet<_> = fetched.iter().map(|s| (s.id().to_string(), names(s.rooms()))).collect();
        let expected = [
            (a.id().to_string(), set([a.id().as_str(), "room", "first"])),
            (b.id().to_string(), set([b.id().as_str(), "room"])),
        ];
        assert_eq!(found, BTreeSet::from(expected));
        let local = nodes.io(0).operator().local().fetch_sockets().await;
        assert_eq!(local.len(), if nodes.is_cluster() { 2 } else { 4 });
        assert!(nodes.io(0).to("nobody").fetch_sockets().await.is_empty());
    }

    async fn a_fetched_socket_can_be_told_moved_and_ended(nodes: Nodes) {
        let [mut a, mut b] = nodes.clients().await;
        let fetched = nodes.io(0).to(b.id()).fetch_sockets().await;
        let [remote] = fetched.as_slice() else { panic!("{fetched:?} is not b alone") };
        remote.operator().emit("hello", "b").unwrap();
        all_hear(r#"["hello","b"]"#, [&mut b]).await;
        remote.operator().sockets_join("room");
        nodes.io(0).to("room").emit("x", ()).unwrap();
        all_hear(r#"["x"]"#, [&mut b]).await;
        let asked = remote.operator().emit_with_ack::<u8>("number?", ()).unwrap();
        let event = b.receive().await.unwrap();
        b.ack(&event, 7).await.unwrap();
        assert_eq!(asked.await.values().collect::<Vec<_>>(), [7]);
        remote.operator().disconnect_sockets(Disconnect::Socket);
        ended(&mut b).await;
        fence(nodes.io(0), [&mut a]).await;
    }

    // Who is where.

    async fn room_sizes_count_this_servers_sockets_and_no_own_rooms(nodes: Nodes) {
        let [a, _b, c] = nodes.clients().await;
        nodes.put(0, &a, &["room", "single"]);
        nodes.put(2, &c, &["room"]);
        let io = nodes.io(0);
        let mut sizes: Vec<_> = io.room_sizes().into_iter().map(|(room, n)| (room.to_string(), n)).collect();
        sizes.sort();
        assert_eq!(sizes, [("room".to_owned(), 2), ("single".to_owned(), 1)]);
        assert_eq!(io.sockets_in("room").len(), 2);
        assert_eq!(io.sockets_in(a.id()).len(), 1);
        assert_eq!(io.socket_count(), if nodes.is_cluster() { 2 } else { 3 });
        io.socket(&a.id()).unwrap().disconnect();
        assert_eq!(io.sockets_in("room").len(), 1);
        assert_eq!(io.room_sizes().len(), 1);
    }

    async fn rooms_are_still_there_while_disconnecting_and_gone_after(nodes: Nodes) {
        let (pen, mut seen) = notes::<(&'static str, BTreeSet<String>, usize)>();
        for io in nodes.all() {
            let (before, after) = (pen.clone(), pen.clone());
            io.on_disconnecting(move |socket: Socket| {
                before.note(("disconnecting", names(&socket.rooms()), socket.namespace().sockets_in("room").len()));
            });
            io.on_disconnect(move |socket: Socket| {
                after.note(("disconnect", names(&socket.rooms()), socket.namespace().sockets_in("room").len()));
            });
        }
        let [mut a] = nodes.clients().await;
        nodes.put(0, &a, &["room"]);
        a.disconnect().await;
        let [before, after] = seen.take().await;
        assert_eq!((before.0, before.1), ("disconnecting", set([a.id().as_str(), "room"])));
        assert_eq!(after, ("disconnect", set([]), 0));
    }

    async fn who_leaves_can_say_goodbye_to_its_rooms(nodes: Nodes) {
        for io in nodes.all() {
            io.on_disconnecting(|socket: Socket| {
                socket.to(socket.rooms()).emit("left", socket.id().to_string())
            });
        }
        let [mut a, mut b, mut c, mut d] = nodes.clients().await;
        for (number, client, room) in [(0, &a, "1"), (0, &a, "2"), (1, &b, "1"), (2, &c, "2")] {
            nodes.put(number, client, &[room]);
        }
        a.disconnect().await;
        all_hear(&format!(r#"["left","{}"]"#, a.id()), [&mut b, &mut c]).await;
        fence(nodes.io(0), [&mut b, &mut c, &mut d]).await;
    }

    async fn who_has_left_joins_no_room_and_hears_nothing(nodes: Nodes) {
        let [a, mut b] = nodes.clients().await;
        let socket = nodes.io(0).socket(&a.id()).unwrap();
        socket.disconnect();
        socket.join("room");
        assert!(nodes.io(0).room_sizes().is_empty());
        assert!(nodes.io(0).socket(&a.id()).is_none());
        assert!(nodes.io(1).to(a.id()).fetch_sockets().await.is_empty());
        socket.emit("to nobody", ()).unwrap();
        nodes.io(0).to(a.id()).emit("to nobody", ()).unwrap();
        fence(nodes.io(0), [&mut b]).await;
    }
}

#[tokio::test]
async fn rooms_tell_their_creation_joins_leaves_and_end() {
    let io = Server::new();
    let (pen, mut seen) = notes::<RoomEvent>();
    io.on_room_event(move |event| pen.note(event.clone()));
    let (mut a, b) = (join(&io).await, join(&io).await);
    let room = |name: &str| Room::from(name);
    let own = |client: &TestClient| Room::from(client.id().as_str());
    for client in [&a, &b] {
        let expected = [RoomEvent::Created(own(client)), RoomEvent::Joined(own(client), client.id())];
        assert_eq!(seen.take::<2>().await, expected);
    }
    let (first, second) = (io.socket(&a.id()).unwrap(), io.socket(&b.id()).unwrap());
    first.join("room");
    second.join("room");
    second.join("room");
    second.leave("room");
    assert_eq!(
        seen.so_far(),
        [
            RoomEvent::Created(room("room")),
            RoomEvent::Joined(room("room"), a.id()),
            RoomEvent::Joined(room("room"), b.id()),
            RoomEvent::Left(room("room"), b.id()),
        ]
    );
    a.disconnect().await;
    assert_eq!(
        seen.take::<4>().await,
        [
            RoomEvent::Left(room("room"), a.id()),
            RoomEvent::Deleted(room("room")),
            RoomEvent::Left(own(&a), a.id()),
            RoomEvent::Deleted(own(&a)),
        ]
    );
}

#[tokio::test]
async fn a_listener_of_rooms_may_use_them() {
    let io = Server::new();
    let server = io.clone();
    io.on_room_event(move |event| {
        if let RoomEvent::Joined(room, id) = event
            && **room == *"lobby"
        {
            server.to("lobby").emit("joined", id.to_string()).unwrap();
            server.socket(id).unwrap().join("lobby of lobbies");
        }
    });
    let mut client = join(&io).await;
    io.socket(&client.id()).unwrap().join("lobby");
    assert_eq!(heard(&mut client).await, format!(r#"["joined","{}"]"#, client.id()));
    assert_eq!(io.sockets_in("lobby of lobbies").len(), 1);
}

#[tokio::test]
async fn a_socket_is_in_no_more_rooms_than_it_may() {
    let io = Server::builder().max_rooms(2).build().unwrap();
    let client = join(&io).await;
    let socket = io.socket(&client.id()).unwrap();
    for room in ["1", "2", "3"] {
        socket.join(room);
    }
    assert_eq!(names(&socket.rooms()), set([client.id().as_str(), "1", "2"]));
    socket.leave("1");
    socket.join("3");
    assert_eq!(names(&socket.rooms()), set([client.id().as_str(), "2", "3"]));
}

#[tokio::test]
async fn a_volatile_emit_is_dropped_for_a_client_that_cannot_take_it_at_once() {
    let io = Server::new();
    let mut polling = join(&io).await;
    let mut ws = WebSocket::open(serve(&io).await).await;
    ws.send("40").await;
    ws.packet().await;
    // No GET of the polling client is open: it takes nothing at once.
    io.operator().volatile().emit("tick", 1).unwrap();
    let socket = io.socket(&polling.id()).unwrap();
    socket.emit_volatile("tick", 2).unwrap();
    assert_eq!(ws.packet().await, r#"42["tick",1]"#);
    assert_eq!(io.metrics().volatile_dropped, 2);
    io.emit("fence", ()).unwrap();
    assert_eq!(heard(&mut polling).await, r#"["fence"]"#);
    assert_eq!(ws.packet().await, r#"42["fence"]"#);
}
