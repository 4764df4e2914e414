"""Row 4 of the app shapes: the WSGI examples of python-socketio, with clients in Python and in JavaScript."""
from __future__ import annotations

import json
import pathlib
import queue
import shutil
import subprocess
import time

import pytest

from engines import DEADLINE
from python_client import Client

MODULES = pathlib.Path(__file__).parents[3] / "tests" / "clients" / "node_modules"


@pytest.fixture
def shape(load):
    return load("wsgi_examples")


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


class PythonClient(Client):
    """Keeps what it receives."""

    def __init__(self):
        super().__init__()
        self.got = queue.Queue()
        self.on("*", lambda event, *args: self.got.put((event, *args)))
        self.on("question", lambda question: question.upper())

    def next(self):
        return self.got.get(timeout=DEADLINE)


@pytest.fixture
def python(live, transport):
    client = PythonClient()
    client.connect(live.url + "?who=me", auth={"token": "t"}, transports=[transport])
    yield client
    client.disconnect()


def test_the_fiddle_tells_a_python_client_what_it_connected_with(python):
    assert python.next() == ("hello", "one", 2, {"auth": {"token": "t"}, "query": "me", "path": "/socket.io/"})


def test_the_latency_meter_goes_back_and_forth(python, shape, transport):
    python.next()
    times = []
    for _ in range(20):
        start = time.perf_counter()
        python.emit("ping_from_client")
        assert python.next() == ("pong_from_server",)
        times.append(time.perf_counter() - start)
    assert shape.transports == [transport] * 20
    assert min(times) < 1


def test_rooms_acks_and_binary_with_a_python_client(python):
    python.next()
    assert python.call("join", {"room": "r"}) == ["r"]
    assert python.next() == ("my response", {"data": "Entered room: r"})
    python.emit("my room event", {"room": "r", "data": "hi"})
    assert python.next() == ("my response", {"data": "hi"})
    assert python.call("blob", {"bytes": b"\x01\x02\x03"}) == b"\x01\x02\x03"
    assert python.next() == ("blob back", {"reversed": b"\x03\x02\x01", "size": 3})


def test_the_server_may_ask_a_python_client_from_within_a_handler(python):
    assert python.call("ask me", "why") == {"client said": "WHY"}


def test_a_python_client_that_asks_for_it_is_disconnected(python, eventually):
    python.emit("disconnect request")
    eventually(lambda: not python.connected)


def test_a_python_client_upgrades_by_itself(live, shape, eventually):
    client = PythonClient()
    client.connect(live.url)
    client.next()
    eventually(lambda: client.transport() == "websocket")
    client.emit("ping_from_client")
    assert client.next() == ("pong_from_server",)
    assert shape.transports == ["websocket"]
    client.disconnect()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not MODULES.is_dir(), reason="npm ci has not been run in tests/clients")
def test_the_client_in_javascript_sees_the_same(live, transport):
    command = ["node", str(pathlib.Path(__file__).with_name("clients.js")), live.url, transport, str(MODULES)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen == {
        "hello": ["one", 2, {"auth": {"token": "t"}, "query": "me", "path": "/socket.io/"}],
        "pong": [],
        "join": ["r"],
        "told": [{"data": "hi"}],
        "acknowledged": [1, 2, 3],
        "blob": {"reversed": [3, 2, 1], "size": 3},
        "asked": {"client said": "WHY"},
        "gone": "io server disconnect",
    }


def test_the_admin_page_is_there_or_is_refused_by_name(engine, shape):
    if engine.is_erlen:
        with pytest.raises(NotImplementedError, match="instrument"):
            shape.socketio.server.instrument(auth=False)
    else:
        assert shape.socketio.server.instrument(auth=False) is not None
