"""`socketio.server`, its manager and its Engine.IO side, as far as apps reach into them (contract 2.3)."""
from __future__ import annotations

import logging
import threading

import flask
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


def test_the_views_of_rooms_are_copied_and_printed_as_dicts_are(live, server):
    client = live.websocket()
    client.ask("join", "r")
    eio_sid = client.handshake["sid"]
    rooms = server.manager.rooms
    everyone = rooms["/"][None].copy()
    copied = rooms.copy()
    assert list(copied) == ["/"] and set(copied["/"]) == {None, client.sid, "r"}
    assert rooms["/"].copy()["r"] == {client.sid: eio_sid}
    assert str(rooms["/"].copy()) == str(rooms["/"])
    assert repr(eio_sid) in repr(rooms) and repr(client.sid) in repr(rooms["/"]["r"])
    assert dict(rooms["/"]["r"].inverse) == {eio_sid: client.sid}
    client.send("41")
    client.join("/")
    assert dict(everyone) == {list(everyone)[0]: eio_sid} != dict(rooms["/"][None])


def test_the_namespaces_of_the_manager_are_counted(live, server):
    assert len(server.manager.get_namespaces()) == 0
    live.websocket().join("/n")
    namespaces = server.manager.get_namespaces()
    assert len(namespaces) == 2 and "/n" in namespaces and list(namespaces).count("/") == 1


def test_the_manager_knows_its_server_and_whose_room_is_whose(live, server):
    client = live.websocket()
    client.ask("join", "r")
    manager = server.manager
    assert manager.server is server
    assert manager.logger is None
    assert manager.callbacks.get(client.sid) is None
    assert manager.is_sid_room("/", client.sid)
    for namespace, room in (("/", "r"), ("/n", client.sid), ("/nowhere", client.sid), ("/", 5)):
        assert not manager.is_sid_room(namespace, room)
    assert manager.can_disconnect(client.sid, "/")
    assert not manager.can_disconnect(client.sid, "/n")
    assert manager.get_rooms(client.sid, "/") == [client.sid, "r"]


@pytest.mark.parametrize("sid", ["nobody", None])
@pytest.mark.parametrize("namespace", ["/", "/n", "/nowhere", "", None])
def test_the_manager_says_no_of_what_it_does_not_know(live, server, sid, namespace):
    client = live.websocket()
    manager = server.manager
    assert manager.is_connected(sid, namespace) is False
    assert manager.can_disconnect(sid, namespace) is False
    assert not manager.is_sid_room(namespace, sid)
    if namespace != "/n":
        assert not manager.eio_sid_from_sid(sid, namespace)
        assert not manager.sid_from_eio_sid(sid, namespace)
    assert manager.get_rooms(sid, namespace) == []
    assert list(manager.get_participants(namespace, "r")) == []
    manager.leave_room(sid, namespace, "r")
    manager.close_room("r", namespace)
    if namespace != "/":
        manager.emit("e", None, namespace)
    assert live.before_fence(client) == []


@pytest.mark.parametrize("namespace", ["", None, "/nowhere"])
def test_nobody_enters_a_room_of_a_namespace_that_is_none(live, server, namespace):
    client = live.websocket()
    assert not server.manager.is_connected(client.sid, namespace)
    assert list(server.manager.get_participants(namespace, None)) == []
    with pytest.raises(ValueError, match="sid is not connected to requested namespace"):
        server.manager.enter_room(client.sid, namespace, "r")


@pytest.mark.parametrize("always_connect", [False, True])
@pytest.mark.parametrize("raw", [False, True])
def test_a_client_is_connected_between_its_handlers_and_not_in_them(sio_lib, app, serve, seen, always_connect, raw):
    socketio = sio_lib.SocketIO(app, always_connect=always_connect)
    manager = socketio.server.manager

    def look(sid, *args):
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(manager.is_connected(sid, "/")))
        thread.start()
        thread.join()
        seen.put((manager.is_connected(sid, "/"), *elsewhere, manager.can_disconnect(sid, "/")))

    if raw:
        socketio.server.on("connect", lambda sid, environ: look(sid))
        socketio.server.on("e", look)
        socketio.server.on("disconnect", look)
    else:
        socketio.on("connect")(lambda: look(flask.request.sid))
        socketio.on("e")(lambda: look(flask.request.sid))
        socketio.on("disconnect")(lambda reason: look(flask.request.sid))
    client = serve(app, socketio).websocket()
    assert seen.next() == (always_connect,) * 3
    client.emit("e")
    assert seen.next() == (True,) * 3
    client.send("41")
    assert seen.next() == (False,) * 3


def test_the_engine_says_what_it_was_told(sio_lib, app):
    logger = logging.getLogger("of the application")
    eio = sio_lib.SocketIO(app, transports="polling", ping_interval=(25, 5), engineio_logger=logger).server.eio
    assert eio.transports == ["polling"]
    assert (eio.ping_interval, eio.ping_interval_grace_period) == (25, 5)
    assert eio.compression_threshold == 1024
    assert eio.logger is logger


def test_the_engine_has_the_defaults_of_upstream(engine, server):
    eio = server.eio
    assert set(eio.transports) == {"polling", "websocket"}
    assert eio.http_compression is engine.either(upstream=True, erlen=False)
    assert eio.logger is logging.getLogger("engineio.server")
    assert (eio.ping_interval, eio.ping_interval_grace_period, eio.ping_timeout) == (25, 0, 20)


def test_the_sockets_of_the_engine_tell_how_they_stand(live, server, eventually):
    polling, websocket = live.polling(), live.websocket()
    sockets = server.eio.sockets
    assert set(sockets.copy()) == {polling.handshake["sid"], websocket.handshake["sid"]}
    told = {}
    for client in (polling, websocket):
        socket = told[client] = sockets[client.handshake["sid"]]
        assert socket.sid == client.handshake["sid"]
        assert (socket.connected, socket.closed) == (True, False)
    assert (told[polling].upgraded, told[websocket].upgraded) == (False, True)
    assert server.eio.transport(polling.handshake["sid"]) == "polling"
    websocket.drop()
    eventually(lambda: told[websocket].closed)


def test_the_engine_ends_a_session(socketio, live, server, seen, eventually):
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    one, two = live.websocket(), live.websocket()
    server.eio.disconnect(one.handshake["sid"])
    assert seen.next() == "server disconnect"
    server.eio.disconnect(one.handshake["sid"])
    assert two.handshake["sid"] in server.eio.sockets
    server.eio.disconnect()
    assert seen.next() == "server disconnect"
    eventually(lambda: len(server.eio.sockets) == 0)
