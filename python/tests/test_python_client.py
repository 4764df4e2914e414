"""The client of python-socketio against the server, on both transports: what users' programs do."""
from __future__ import annotations

import queue

import flask
import pytest
import socketio as client_library

from engines import DEADLINE
from python_client import Client


@pytest.fixture(params=[["polling"], ["websocket"], None], ids=["polling", "websocket", "upgrade"])
def connect(request):
    """Connects a client that is closed when the test ends."""
    clients = []

    def connect(live, namespaces=("/",), auth=None, connect_error=None):
        client = Client()
        if connect_error:
            client.on("connect_error", connect_error)
        client.got = queue.Queue()
        clients.append(client)
        for namespace in namespaces:
            client.on("*", lambda event, *args: client.got.put((event, *args)), namespace=namespace)
        client.connect(live.url, transports=request.param, namespaces=list(namespaces), auth=auth)
        return client

    yield connect
    for client in clients:
        # As a process that ends: its own disconnect() waits out a poll, or three seconds for a closing frame.
        if client.eio.current_transport == "websocket" and client.eio.ws:
            client.eio.ws.shutdown()
        client.eio.disconnect(abort=True)


def test_events_and_acks_go_both_ways(sio_lib, app, socketio, serve, connect):
    @socketio.on("echo")
    def echo(*args):
        sio_lib.emit("echoed", args)
        return args

    client = connect(serve(app, socketio))
    assert client.call("echo", ("a", {"b": [1]})) == ("a", {"b": [1]})
    assert client.got.get(timeout=DEADLINE) == ("echoed", "a", {"b": [1]})


def test_binary_goes_both_ways(app, socketio, serve, connect):
    socketio.on("echo")(lambda data: data)
    client = connect(serve(app, socketio))
    blob = bytes(range(256)) * 100
    assert client.call("echo", {"blob": blob, "list": [blob]}) == {"blob": blob, "list": [blob]}


def test_the_server_asks_and_the_client_answers(app, socketio, serve, connect):
    client = connect(serve(app, socketio))
    client.on("question", lambda value: value * 2)
    assert socketio.call("question", 21, to=client.get_sid("/"), timeout=DEADLINE) == 42


def test_the_sid_of_the_client_is_that_of_the_request_in_each_namespace(app, socketio, serve, connect):
    for namespace in ("/", "/n"):
        socketio.on("who", namespace=namespace)(lambda: flask.request.sid)
    client = connect(serve(app, socketio), namespaces=("/", "/n"))
    for namespace in ("/", "/n"):
        assert client.call("who", namespace=namespace) == client.get_sid(namespace)
    assert client.get_sid("/") != client.get_sid("/n")


def test_a_refused_client_learns_why(sio_lib, app, socketio, serve, connect, seen):
    @socketio.on("connect")
    def refuse(auth):
        raise sio_lib.ConnectionRefusedError("not with that", auth)

    with pytest.raises(client_library.exceptions.ConnectionError):
        connect(serve(app, socketio), auth={"token": "x"}, connect_error=lambda data: seen.put(data))
    assert seen.next() == {"message": "not with that", "data": {"token": "x"}}


# On polling this client may end its writer before it has said goodbye.
@pytest.mark.parametrize("connect", [["websocket"], None], ids=["websocket", "upgrade"], indirect=True)
def test_a_client_leaves_and_its_handler_runs(app, socketio, serve, connect, seen):
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    client = connect(serve(app, socketio))
    client.disconnect()
    # The client closes right behind its DISCONNECT packet; which of the two the server meets first is a race.
    assert seen.next() in ("client disconnect", "transport close")


def test_the_server_disconnects_a_client(sio_lib, app, socketio, serve, connect):
    socketio.on("leave")(lambda: sio_lib.disconnect())
    client = connect(serve(app, socketio))
    gone = queue.Queue()
    client.on("disconnect", lambda reason: gone.put(reason))
    client.emit("leave")
    assert gone.get(timeout=DEADLINE) == client.reason.SERVER_DISCONNECT


def test_a_room_of_clients(sio_lib, app, socketio, serve, connect):
    socketio.on("join")(sio_lib.join_room)
    live = serve(app, socketio)
    one, two, three = (connect(live) for _ in range(3))
    for client in (one, two):
        client.call("join", "r")
    socketio.emit("e", {"a": 1}, to="r", skip_sid=one.get_sid("/"))
    socketio.emit("last")
    assert two.got.get(timeout=DEADLINE) == ("e", {"a": 1})
    for client in (one, two, three):
        assert client.got.get(timeout=DEADLINE) == ("last",)


def test_a_large_message(sio_lib, app, serve, connect):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=10_000_000)
    socketio.on("echo")(lambda data: data)
    client = connect(serve(app, socketio))
    assert client.call("echo", "ü" * 300_000) == "ü" * 300_000


def test_messages_of_one_client_and_of_the_server_keep_their_order(sio_lib, app, serve, connect, seen):
    socketio = sio_lib.SocketIO(app, async_handlers=False)

    @socketio.on("number")
    def number(value):
        seen.put(value)
        sio_lib.emit("back", value)

    client = connect(serve(app, socketio))
    for value in range(12):
        client.emit("number", value)
    assert [seen.next() for _ in range(12)] == list(range(12))
    assert [client.got.get(timeout=DEADLINE) for _ in range(12)] == [("back", value) for value in range(12)]


def test_a_connect_event_emit_arrives(sio_lib, app, socketio, serve, connect):
    socketio.on("connect")(lambda: sio_lib.emit("welcome", 1))
    client = connect(serve(app, socketio))
    assert client.got.get(timeout=DEADLINE) == ("welcome", 1)
