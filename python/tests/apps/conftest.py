"""How the apps of this folder are brought up: an app's module says `from flask_socketio import ...` and is imported
anew for each test, on the engine that the test runs on. On Erlen that is after `erlen.install_as_flask_socketio()`,
so that the very same module is what runs on both.

The apps are in `shapes/`, one module or package each: public apps rebuilt small in our own words, each for what it
asks of the server. They are no models of how to write an app.
"""
from __future__ import annotations

import contextlib
import importlib.util
import logging
import pathlib
import socket
import sys
import threading
import time

import pytest
import requests

import wire
from engines import DEADLINE, held_port

SHAPES = pathlib.Path(__file__).parent / "shapes"


@pytest.fixture
def load(engine):
    """Imports an app by name: `shape = load("terminal")`. What it left running is told to stop when the test ends,
    by the `stopping` event of those that have one."""
    modules = []

    def load(name):
        with standing_for_flask_socketio(engine):
            modules.append(import_anew(name))
        return modules[-1]

    yield load
    for module in modules:
        if hasattr(module, "stopping"):
            module.stopping.set()
        forget(module.__name__)


@contextlib.contextmanager
def standing_for_flask_socketio(engine):
    """While it lasts, `import flask_socketio` finds the engine under test."""
    if not engine.is_erlen:
        yield
        return
    before = forget("flask_socketio")
    engine.lib.install_as_flask_socketio()
    try:
        yield
    finally:
        forget("flask_socketio")
        sys.modules.update(before)


def forget(name):
    """Takes a module and those below it out of `sys.modules`; what was taken."""
    names = [found for found in sys.modules if found == name or found.startswith(name + ".")]
    return {found: sys.modules.pop(found) for found in names}


def import_anew(name):
    package = SHAPES / name
    path = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    within = [str(package)] if package.is_dir() else None
    spec = importlib.util.spec_from_file_location(f"shape_{name}", path, submodule_search_locations=within)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def loggers_as_at_start():
    """The reference sets the level of its loggers once a process; each app here finds them untouched."""
    loggers = [logging.getLogger(name) for name in ("socketio.server", "engineio.server")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.handlers[:] = []
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def browser(serve):
    """A browser's HTTP side: `get` and `post` that keep cookies, and the header that takes them to a connection."""
    sessions = []

    class Browser:
        def __init__(self, url):
            self.url = url
            self.http = requests.Session()
            self.http.trust_env = False
            sessions.append(self.http)

        def get(self, path):
            return self.http.get(self.url + path, timeout=DEADLINE)

        def post(self, path, **options):
            return self.http.post(self.url + path, timeout=DEADLINE, **options)

        @property
        def headers(self):
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies)
            return {"Cookie": cookies} if cookies else {}

    yield Browser
    for session in sessions:
        session.close()


class Main:
    """Runs an app's own `main(host, port)` in a thread, as those apps do that are no servers by profession."""

    def __init__(self, engine, stack):
        self.engine = engine
        self.stack = stack
        self.running = []
        self.clients = []

    def __call__(self, socketio, main):
        host, port = "127.0.0.1", self.port()
        failed = []

        def run():
            try:
                main(host, port)
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.running.append((socketio, thread))
        self.until_up(port, lambda: failed)
        return f"http://{host}:{port}"

    def port(self):
        """A port for those who take a number and tell none."""
        return self.stack.enter_context(held_port())

    def until_up(self, port, failed):
        deadline = time.monotonic() + DEADLINE * 3  # a program of its own has Python to start and Flask to import
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and not failed(), f"the server did not come up: {failed()}"
                time.sleep(0.005)

    def get(self, url):
        return requests.get(url, timeout=DEADLINE)

    def websocket(self, url, namespace="/", **options):
        client = wire.WebSocket(url + "/socket.io/", **options)
        self.clients.append(client)
        return client.join(namespace)

    def stop(self):
        for client in self.clients:
            client.close()
        if not self.engine.is_erlen:
            return  # Werkzeug in a thread cannot be stopped; it ends with the process
        for socketio, thread in self.running:
            socketio.stop()
            thread.join(DEADLINE)
            assert not thread.is_alive(), "run() did not return after stop()"


@pytest.fixture
def run_main(engine):
    """`url = run_main(socketio, main)`: an app that is started by its own `main(host, port)`."""
    with contextlib.ExitStack() as ports:
        main = Main(engine, ports)
        yield main
        main.stop()
