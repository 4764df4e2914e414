"""`socketio.server`, its manager and its Engine.IO side, as far as apps reach into them (contract 2.3)."""
from __future__ import annotations

import pytest


@pytest.fixture
def live(app, socketio, serve, sio_lib):
    socketio.on("join")(sio_lib.join_room)
    socketio.on("x", namespace="/n")(lambda: None)
    return serve(app, socketio)


@pytest.fixture
def server(socketio):
    return socketio.server


def test_the_rooms_of_the_manager_are_dicts_by_namespace(live, server):
    one, two = live.websocket(), live.websocket()
    one.ask("join", "r")
    rooms = server.manager.rooms["/"]
    assert set(rooms["r"]) == {one.sid}
    assert set(rooms[None]) == {one.sid, two.sid}
    assert two.sid in rooms
    assert len(rooms[None]) == 2
    assert rooms.get("unknown") is None
    assert "/unknown" not in server.manager.rooms


def test_the_rooms_of_the_manager_are_iterated(live, server):
    client = live.websocket()
    client.ask("join", "r")
    rooms = server.manager.rooms["/"]
    assert set(rooms) == set(rooms.keys()) == {None, client.sid, "r"}
    assert {room for room, members in rooms.items() if client.sid in members} == {None, client.sid, "r"}


def test_the_participants_of_a_room_are_pairs_of_ids(live, server):
    one, two = live.websocket(), live.websocket()
    one.ask("join", "r")
    assert list(server.manager.get_participants("/", "r")) == [(one.sid, one.handshake["sid"])]
    assert {sid for sid, _ in server.manager.get_participants("/", None)} == {one.sid, two.sid}


def test_the_manager_knows_who_is_connected(live, server):
    client = live.websocket().join("/n")
    assert server.manager.is_connected(client.sid, "/")
    assert not server.manager.is_connected(client.sid, "/n")
    assert not server.manager.is_connected("nobody", "/")
    assert server.manager.eio_sid_from_sid(client.sid, "/") == client.handshake["sid"]
    assert server.manager.eio_sid_from_sid(client.sids["/n"], "/n") == client.handshake["sid"]
    assert server.manager.sid_from_eio_sid(client.handshake["sid"], "/") == client.sid


def test_the_manager_lists_the_namespaces(live, server):
    live.websocket().join("/n")
    assert set(server.manager.get_namespaces()) == {"/", "/n"}


def test_the_manager_emits(live, server):
    client = live.websocket()
    server.manager.emit("e", {"a": 1}, "/", room=client.sid)
    assert client.next() == '42["e",{"a":1}]'


def test_the_transport_of_a_client(live, server):
    assert server.transport(live.websocket().sid) == "websocket"
    assert server.transport(live.polling().sid) == "polling"


def test_the_environ_of_a_client(live, server):
    client = live.websocket(query="&a=b")
    environ = server.get_environ(client.sid)
    assert "a=b" in environ["QUERY_STRING"]
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/socket.io/"
    assert server.environ[client.handshake["sid"]] is environ
    assert server.get_environ("nobody") is None


def test_emit_and_send_of_the_server(live, server):
    one, two = live.websocket(), live.websocket().join("/n")
    server.emit("e", {"a": 1}, to=one.sid)
    server.emit("f", (1, 2), room=one.sid)
    server.send("text", to=one.sid)
    server.emit("n", namespace="/n")
    server.emit("skipped", skip_sid=one.sid)
    assert [one.next() for _ in range(3)] == ['42["e",{"a":1}]', '42["f",1,2]', '42["message","text"]']
    assert [two.next(), two.next()] == ['42/n,["n"]', '42["skipped"]']


def test_call_of_the_server(socketio, live, server, seen):
    client = live.websocket()
    socketio.start_background_task(lambda: seen.put(server.call("q", 1, to=client.sid, timeout=10)))
    assert client.asked() == '42["q",1]'
    client.answer('["answer"]')
    assert seen.next() == "answer"


def test_rooms_of_the_server(live, server):
    client = live.websocket()
    server.enter_room(client.sid, "r")
    assert server.rooms(client.sid) == [client.sid, "r"]
    server.emit("e", to="r")
    assert client.next() == '42["e"]'
    server.leave_room(client.sid, "r")
    assert server.rooms(client.sid) == [client.sid]
    server.enter_room(client.sid, "r")
    server.close_room("r")
    assert server.rooms(client.sid) == [client.sid]


def test_disconnect_of_the_server(live, server, eventually):
    client = live.websocket().join("/n")
    server.disconnect(client.sids["/n"], namespace="/n")
    assert client.next() == "41/n,"
    eventually(lambda: not server.manager.is_connected(client.sids["/n"], "/n"))
    assert server.manager.is_connected(client.sid, "/")


def test_the_sockets_of_the_engine_are_counted(live, server, eventually):
    one = live.websocket()
    live.polling()
    assert len(server.eio.sockets) == 2
    assert one.handshake["sid"] in server.eio.sockets
    one.drop()
    eventually(lambda: not server.manager.is_connected(one.sid, "/"))


def test_the_options_of_the_engine_are_attributes(sio_lib, app):
    server = sio_lib.SocketIO(app, cors_allowed_origins="*", cookie="io", allow_upgrades=False, ping_interval=7,
                              ping_timeout=8, max_http_buffer_size=9).server
    assert server.eio.async_mode == "threading"
    assert server.eio.cors_allowed_origins == "*"
    assert server.eio.cookie == "io"
    assert server.eio.allow_upgrades is False
    assert (server.eio.ping_interval, server.eio.ping_timeout, server.eio.max_http_buffer_size) == (7, 8, 9)


def test_the_attributes_of_the_server(server, sio_lib):
    for name in ("manager", "eio", "environ", "handlers", "namespace_handlers", "async_mode", "async_handlers",
                 "namespaces", "logger", "reason", "start_background_task", "sleep", "shutdown", "instrument",
                 "handle_request", "on", "event", "register_namespace"):
        assert hasattr(server, name), name
    assert server.async_mode == "threading"
    assert server.async_handlers is True
    assert server.reason.PING_TIMEOUT == "ping timeout"


def test_a_handler_of_the_server_object_gets_the_sid_first(live, server, seen):
    @server.on("raw")
    def raw(sid, value):
        seen.put((sid, value))
        return "answer"

    client = live.websocket()
    assert client.ask("raw", 5) == '["answer"]'
    assert seen.next() == (client.sid, 5)


def test_the_limit_of_packets_in_a_payload_can_be_assigned():
    from engineio.payload import Payload

    before = Payload.max_decode_packets
    try:
        Payload.max_decode_packets = 500
        assert Payload.max_decode_packets == 500
    finally:
        Payload.max_decode_packets = before


def test_a_client_that_has_left_is_nowhere(live, server, eventually):
    client = live.websocket()
    client.ask("join", "r")
    client.send("41")
    eventually(lambda: not server.manager.is_connected(client.sid, "/"))
    eventually(lambda: "r" not in server.manager.rooms.get("/", {}))
    assert list(server.manager.get_participants("/", "r")) == []
    assert server.get_environ(client.sid) is None


def test_the_attributes_that_are_facts(server):
    assert (server.always_connect, server.is_asyncio_based(), server.namespaces) == (False, False, ["/"])
    assert server.packet_class.uses_binary_events
    assert server.packet_class.json.dumps({}) == "{}"
