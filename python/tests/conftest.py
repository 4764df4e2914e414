"""The contract tests of the Flask door: one set of files, run on Flask-SocketIO and on Erlen.

`pytest --engine erlen` or `--engine flask-socketio` chooses one; by default both run, and one that cannot be
imported is skipped and says so. ERLEN_TEST_ENGINE chooses as well.
"""
from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import logging
import os
import queue
import tempfile
import threading
import time
from unittest import mock

import flask
import pytest

from engines import DEADLINE, ENGINES
from wire import CLIENTS, WebSocket

# As Python has it (by name since 3.10), before pytest puts its own hook into the place.
PRINT_EXCEPTION = getattr(threading, "__excepthook__", threading.excepthook)
MODULES = {"erlen": "erlen", "flask-socketio": "flask_socketio"}


def pytest_addoption(parser):
    parser.addoption("--engine", choices=[*ENGINES, "both"], default=os.environ.get("ERLEN_TEST_ENGINE", "both"))


def pytest_configure(config):
    # A handler that raises ends in threading.excepthook on the reference; that is what some tests are about.
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
    config.addinivalue_line("markers", "only(engine): the behaviour exists on that engine alone")


def pytest_generate_tests(metafunc):
    if "engine" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("engine")
    only = metafunc.definition.get_closest_marker("only")
    names = [name for name in ENGINES if chosen in (name, "both") and (only is None or only.args[0] == name)]
    metafunc.parametrize("engine", [pytest.param(name, marks=availability(name)) for name in names], indirect=True,
                         scope="session")


def availability(name):
    missing = importlib.util.find_spec(MODULES[name]) is None
    return [pytest.mark.skip(reason=f"{MODULES[name]} is not installed here")] if missing else []


@pytest.fixture(scope="session")
def engine(request):
    return ENGINES[request.param]()


@pytest.fixture
def sio_lib(engine):
    """The module under test, under the names of `flask_socketio`."""
    return engine.lib


@pytest.fixture(autouse=True)
def state_of_the_process():
    """The reference keeps `json=` in class attributes and its loggers as the first server set them up."""
    if importlib.util.find_spec("socketio") is None:
        yield
        return
    import engineio.packet
    import socketio.packet

    classes = (engineio.packet.Packet, socketio.packet.Packet)
    before = [packet.json for packet in classes]
    yield
    for packet, module in zip(classes, before):
        packet.json = module
    for name in ("socketio.server", "engineio.server", "socketio.client", "engineio.client"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()


@pytest.fixture
def app():
    app = flask.Flask("contract")
    app.config["SECRET_KEY"] = "secret"
    return app


@pytest.fixture
def socketio(sio_lib, app):
    return sio_lib.SocketIO(app)


@pytest.fixture
def seen():
    """What handlers put aside for the test."""
    return Seen()


class Seen(queue.Queue):
    def next(self):
        """The next item; fails when none comes."""
        return self.get(timeout=DEADLINE)

    def all(self):
        """What is there now."""
        items = []
        with contextlib.suppress(queue.Empty):
            while True:
                items.append(self.get_nowait())
        return items


class Live:
    """An app that is being served, and its clients."""

    def __init__(self, engine, stack, socketio, port):
        self.engine = engine
        self.stack = stack
        self.socketio = socketio
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def client(self, transport, namespace="/", auth=None, query="", headers=None, path="/socket.io/"):
        """A raw client, connected to the namespace unless that is None."""
        client = CLIENTS[transport](self.url + path, headers=headers, query=query)
        client.joined = functools.partial(self.engine.until_in, self.socketio)
        self.stack.callback(client.close)
        return client.join(namespace, auth) if namespace else client

    def websocket(self, namespace="/", **options):
        return self.client("websocket", namespace, **options)

    def polling(self, namespace="/", **options):
        return self.client("polling", namespace, **options)

    def upgrade(self, polling, headers=None):
        """The same session, on WebSocket from here on."""
        client = WebSocket.upgrade(polling, headers)
        self.stack.callback(client.close)
        return client

    def of(self, socketio):
        """The same application as another of its SocketIO objects has it."""
        return Live(self.engine, self.stack, socketio, self.port)

    def before_fence(self, client, namespace="/"):
        """What a client gets before an event that is sent to it now."""
        self.socketio.emit("fence", to=client.sids[namespace], namespace=namespace)
        prefix = "" if namespace == "/" else namespace + ","
        return client.until(f'42{prefix}["fence"]')


@pytest.fixture
def serve(engine):
    """Serves an app until the test ends: `live = serve(app, socketio)`."""
    with contextlib.ExitStack() as stack:
        def serve(app, socketio):
            port = stack.enter_context(engine.serve(app, socketio))
            return Live(engine, stack, socketio, port)

        yield serve


@pytest.fixture
def eventually():
    """Waits until a predicate holds; fails when it never does."""
    def eventually(holds):
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.002)

    return eventually


@pytest.fixture(params=["websocket", "polling"])
def transport(request):
    return request.param


@pytest.fixture
def output(caplog):
    """Everything that is printed or logged, by whichever way: `output.until('text')` waits for it."""
    caplog.set_level(logging.INFO, logger="erlen")
    return Output(caplog)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Capture for `output` begins here: pytest's own capture sets `sys.stderr` anew after the fixtures."""
    output = getattr(item, "funcargs", {}).get("output")
    if output is None:
        return (yield)
    with output.capturing():
        return (yield)


class Output:
    """Keeps what was written, unlike capfd, whose reader cuts off what is written while it reads."""

    def __init__(self, caplog):
        self.caplog = caplog
        self.stream = io.StringIO()
        self.file = None

    @contextlib.contextmanager
    def capturing(self):
        before = os.dup(2)
        with tempfile.NamedTemporaryFile() as self.file, contextlib.redirect_stderr(self.stream), \
                contextlib.redirect_stdout(self.stream), mock.patch("threading.excepthook", PRINT_EXCEPTION):
            os.dup2(self.file.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(before, 2)
                os.close(before)

    def text(self):
        with open(self.file.name, encoding="utf-8", errors="replace") as of_the_process:
            return self.stream.getvalue() + of_the_process.read() + self.caplog.text

    def until(self, *words):
        """The whole output, as soon as it holds all these words."""
        deadline = time.monotonic() + DEADLINE
        while not all(word in self.text() for word in words):
            assert time.monotonic() < deadline, f"{words} not in: {self.text()}"
            time.sleep(0.002)
        return self.text()
