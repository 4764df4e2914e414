"""The test client in states that a test gets it into by mistake, or on purpose: it answers at once (contract 1.6)."""
from __future__ import annotations

import flask
import pytest

# What waits for something that does not come fails by this, and not by how long it took.
PATIENCE = 30


@pytest.fixture
def told(app, socketio):
    """What the handlers of connect and disconnect have put down."""
    told = []
    socketio.on("connect")(lambda: told.append("connect"))
    socketio.on("disconnect")(lambda reason: told.append(reason))
    return told


def test_to_connect_again_changes_nothing(app, socketio, told):
    socketio.on("sid")(lambda: flask.request.sid)
    client = socketio.test_client(app)
    before = client.emit("sid", callback=True)
    socketio.emit("e")
    client.connect()
    client.connect("/", auth={"a": 1})
    assert client.is_connected() and client.connected == {"/": True}
    assert client.emit("sid", callback=True) == before
    assert [event["name"] for event in client.get_received()] == ["e"]
    assert told == ["connect"]
    client.disconnect()
    assert told == ["connect", "client disconnect"]


def test_to_connect_to_a_second_namespace_leaves_the_first_as_it_is(app, socketio, told):
    socketio.on("e", namespace="/n")(lambda: "of n")
    client = socketio.test_client(app)
    client.connect("/n")
    client.connect("/n")
    assert client.connected == {"/": True, "/n": True}
    assert client.emit("e", namespace="/n", callback=True) == "of n"
    client.disconnect("/n")
    assert (client.is_connected(), client.is_connected("/n")) == (True, False)
    client.connect("/n")
    assert client.is_connected("/n")
    assert told == ["connect"]


def test_to_connect_again_after_the_server_has_disconnected_it_is_a_new_connect(sio_lib, app, socketio, told):
    @socketio.on("leave")
    def leave():
        sio_lib.disconnect()
        return "left"

    client = socketio.test_client(app)
    assert client.emit("leave", callback=True) == "left"
    assert client.connected == {"/": False}
    client.connect()
    assert client.is_connected()
    assert told == ["connect", "server disconnect", "connect"]


def test_a_namespace_that_is_not_there_is_not_connected(app, socketio):
    client = socketio.test_client(app)
    for _ in range(2):
        client.connect("/nowhere")
        assert client.connected == {"/": True, "/nowhere": False}
    for action in (client.get_received, client.disconnect, lambda name: client.emit("e", namespace=name)):
        with pytest.raises(RuntimeError, match="not connected"):
            action("/nowhere")
    assert client.get_received() == []


def test_a_namespace_that_was_left_is_gone_from_those_that_are_connected(app, socketio):
    client = socketio.test_client(app)
    client.disconnect()
    assert client.connected == {}


def test_a_client_that_was_refused_may_try_again(app, socketio):
    @socketio.on("connect")
    def connect(auth):
        return auth is not None

    client = socketio.test_client(app)
    for auth, connected in ((None, False), ({"a": 1}, True), (None, True)):
        client.connect(auth=auth)
        assert client.is_connected() is connected


def test_what_a_connect_handler_raises_comes_out_and_the_next_connect_has_its_own_answer(app, socketio):
    failures = [ValueError("from connect"), ValueError("again")]

    @socketio.on("connect", namespace="/n")
    def connect():
        if failures:
            raise failures.pop(0)

    client = socketio.test_client(app)
    with pytest.raises(ValueError, match="from connect"):
        client.connect("/n")
    failures.clear()
    client.connect("/n")
    assert client.is_connected() and client.is_connected("/n")


def test_to_connect_inside_the_connect_handler_returns_at_once(sio_lib, app, socketio, engine):
    entered, inside = [], []

    class Early(sio_lib.SocketIOTestClient):
        def connect(self, *args, **kwargs):
            entered.append(self)
            super().connect(*args, **kwargs)

    @socketio.on("connect")
    def connect():
        entered[0].connect()
        inside.append("returned")

    client = Early(app, socketio)
    assert inside == ["returned"]
    assert client.is_connected()


def test_to_connect_inside_the_disconnect_handler_returns_at_once(app, socketio):
    socketio.on("disconnect")(lambda: client.connect())
    client = socketio.test_client(app)
    client.disconnect()
    assert not client.is_connected()


def test_a_client_emits_inside_its_own_handler(app, socketio):
    socketio.on("outer")(lambda: ["outer", client.emit("inner", callback=True)])
    socketio.on("inner")(lambda: "inner")
    client = socketio.test_client(app)
    assert client.emit("outer", callback=True) == ["outer", "inner"]


def test_two_clients_are_in_states_of_their_own(app, socketio, told):
    one, two = socketio.test_client(app), socketio.test_client(app)
    one.disconnect()
    two.connect()
    assert (one.is_connected(), two.is_connected()) == (False, True)
    with pytest.raises(RuntimeError, match="not connected"):
        one.emit("e")
    socketio.emit("e")
    assert [event["name"] for event in two.get_received()] == ["e"]
    one.connect()
    assert one.is_connected() and one.get_received() == []


def test_an_event_of_no_handler_has_no_answer(app, socketio):
    assert socketio.test_client(app).emit("unknown", callback=True) is None


@pytest.mark.parametrize("call", [
    lambda socketio, sio_lib: socketio.call("q", to=flask.request.sid, timeout=PATIENCE),
    lambda socketio, sio_lib: socketio.server.call("q", to=flask.request.sid, timeout=PATIENCE),
    lambda socketio, sio_lib: sio_lib.call("q", timeout=PATIENCE),
], ids=["SocketIO", "Server", "function"])
def test_call_says_at_once_that_a_test_client_answers_nothing(sio_lib, app, socketio, call):
    socketio.on("ask")(lambda: call(socketio, sio_lib))
    client = socketio.test_client(app)
    assert (socketio.server.async_handlers, socketio.server.eio.async_handlers) == (False, False)
    with pytest.raises(RuntimeError, match=r"Cannot use call\(\) when async_handlers is False\."):
        client.emit("ask")


def test_call_of_a_class_namespace_says_so_too(sio_lib, app, socketio):
    class Asks(sio_lib.Namespace):
        def on_ask(self):
            self.call("q", to=flask.request.sid, timeout=PATIENCE)

    socketio.on_namespace(Asks("/n"))
    with pytest.raises(RuntimeError, match=r"Cannot use call\(\) when async_handlers is False\."):
        socketio.test_client(app, "/n").emit("ask", namespace="/n")


@pytest.mark.only("erlen")
def test_a_client_whose_session_has_ended_is_not_connected_and_may_connect_again(app, socketio):
    socketio.on("e")(lambda: "answer")
    client = socketio.test_client(app)
    first = client.eio_sid
    # No client may send an event of this name: it ends the session.
    client.emit("connect")
    assert not client.is_connected()
    for action in (lambda: client.emit("e"), client.get_received, client.disconnect):
        with pytest.raises(RuntimeError, match="not connected"):
            action()
    client.connect()
    assert client.eio_sid != first and type(client).clients[client.eio_sid] is client
    assert client.emit("e", callback=True) == "answer"


@pytest.mark.only("erlen")
def test_a_session_that_ends_in_its_connect_handler_is_a_client_that_is_not_connected(app, socketio):
    @socketio.on("connect")
    def connect():
        for session in socketio.server.eio.sockets.values():
            session.close()

    assert not socketio.test_client(app).is_connected()
