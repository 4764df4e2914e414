"""How often Python and the engine call each other: a broadcast is one call, however many clients it is for."""
from __future__ import annotations

import collections

import pytest

pytestmark = pytest.mark.only("erlen")
CLIENTS = 100
INTO_PYTHON = ("handshake", "connect", "event", "disconnect")


class Counting:
    """The engine, whose calls are counted."""

    def __init__(self, engine, calls):
        self.engine = engine
        self.calls = calls

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self.engine, name)


@pytest.fixture
def calls(app, socketio, serve):
    """The calls both ways, and a hundred clients."""
    calls = collections.Counter()
    live = serve(app, socketio)
    calls.clients = [live.websocket() for _ in range(CLIENTS)]

    def counted(name, function):
        def call(*args):
            calls[name] += 1
            return function(*args)

        return call

    served = socketio._serving.latest
    dispatcher = served.dispatcher
    for name in INTO_PYTHON:
        setattr(dispatcher, name, counted(name, getattr(dispatcher, name)))
    served.engine = Counting(served.engine, calls)
    yield calls
    served.engine = served.engine.engine


@pytest.mark.parametrize("options", [{}, {"to": "r"}, {"skip_sid": "nobody"}], ids=["all", "a room", "all but one"])
@pytest.mark.parametrize("payload, name", [({"a": [1, "two"]}, "emit_plain"), (b"bytes", "emit_plain")])
def test_a_broadcast_is_one_call(socketio, calls, options, payload, name):
    for client in calls.clients:
        socketio.server.enter_room(client.sid, "r")
    calls.clear()
    socketio.emit("news", payload, **options)
    for client in calls.clients:
        assert client.next().startswith(("42", "451-"))
    assert dict(calls) == {name: 1}


def test_a_broadcast_of_what_python_has_to_encode_is_one_more(socketio, calls):
    class Text(str):
        pass

    socketio.emit("news", Text("text"))
    for client in calls.clients:
        assert client.next() == '42["news","text"]'
    # The first call says that it cannot.
    assert dict(calls) == {"emit_plain": 1, "emit": 1}


def test_a_broadcast_by_a_handler_is_one_call_each_way(sio_lib, socketio, calls):
    socketio.on("say")(lambda text: sio_lib.emit("said", text, broadcast=True))
    calls.clear()
    calls.clients[0].emit("say", "text")
    for client in calls.clients:
        assert client.next() == '42["said","text"]'
    assert dict(calls) == {"event": 1, "emit_plain": 1}
