"""An application's own loop over Redis' Pub/Sub in a background task, beside 200 clients: neither side starves (field report B37).

With plain threads, on both engines; and in applications that gevent or eventlet has monkey-patched, where those are installed.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.util
import itertools
import json
import queue
import shutil
import sys

import pytest

from engines import DEADLINE
from starting import started
from wire import WebSocket

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server here")

CLIENTS = 200
NEWS = 20

PATCHES = {
    "threads": "",
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

APP = """
PATCH
import sys
import flask
import redis
from LIBRARY import SocketIO

app = flask.Flask(__name__)
socketio = SocketIO(app)
store = redis.Redis(unix_socket_path=sys.argv[1])
socketio.on("echo")(lambda number: number)

def heard(channel):
    pubsub = store.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(channel)
    return (message["data"] for message in pubsub.listen() if message)

def pass_on_the_news():
    for number in heard("news"):
        socketio.emit("news", int(number))

def fail_at_the_first_word():
    for word in heard("words"):
        raise LookupError("as it was told")

for task in (pass_on_the_news, fail_at_the_first_word):
    socketio.start_background_task(task)
socketio.run(app, port=0, allow_unsafe_werkzeug=True)
"""


@pytest.fixture(params=PATCHES)
def patch(request, engine):
    if request.param == "threads":
        return PATCHES[request.param]
    if not engine.is_erlen:
        pytest.skip("what is asked is how Erlen does there")
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed here")
    return PATCHES[request.param]


@pytest.fixture
def store(tmp_path):
    """A client of a Redis, which listens nowhere but at its file."""
    redis = pytest.importorskip("redis")
    file = tmp_path / "redis"
    with started("redis-server", "--port", "0", "--unixsocket", file, "--save", "", folder=tmp_path) as server:
        server.until("eady to accept connections")
        yield redis.Redis(unix_socket_path=str(file))


@pytest.fixture
def program(engine, patch, store, tmp_path):
    (tmp_path / "app.py").write_text(APP.replace("PATCH", patch).replace("LIBRARY", engine.lib.__name__))
    with started(sys.executable, "app.py", tmp_path / "redis", folder=tmp_path) as program:
        yield program


class Reader:
    """A client that asks without a pause, and hears news meanwhile."""

    def __init__(self, client):
        self.client = client
        self.news = queue.Queue()

    def ask_until(self, last):
        """All the news up to the last."""
        heard = []
        for number in itertools.count():
            self.client.emit("echo", number, ack=number)
            while (packet := self.client.next()) != f"43{number}[{number}]":
                assert packet.startswith('42["news",')
                heard.append(json.loads(packet[2:])[1])
                self.news.put(heard[-1])
            if heard and heard[-1] == last:
                return heard


def test_a_loop_over_redis_and_200_clients_get_on_together(engine, program, store):
    with contextlib.ExitStack() as stack:
        url = program.url() + "/socket.io/"
        readers = [Reader(WebSocket(url).join()) for _ in range(CLIENTS)]
        for reader in readers:
            stack.callback(reader.client.close)
        executor = stack.enter_context(concurrent.futures.ThreadPoolExecutor(CLIENTS))

        def publish(numbers):
            """What each client has heard: one number after the other, while all of them ask."""
            asking = [executor.submit(reader.ask_until, numbers[-1]) for reader in readers]
            for number in numbers:
                assert store.publish("news", number) == 1
                assert readers[0].news.get(timeout=DEADLINE) == number
            return [asked.result() for asked in asking]

        assert publish(range(NEWS)) == [list(range(NEWS))] * CLIENTS
        assert store.publish("words", "the first") == 1
        program.until(engine.either(upstream=r"Exception in thread .*fail_at_the_first_word",
                                    erlen="the background task fail_at_the_first_word failed"))
        program.until("LookupError: as it was told")
        assert publish([NEWS]) == [[NEWS]] * CLIENTS
