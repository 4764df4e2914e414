"""A server under everything that applications do to it at once: handlers and pages that block, raise, exit, fork, and hold the interpreter.

What must not happen, and did to others: pings that come late because somebody's handler holds the interpreter (field report 7 of the
contract), threads, sessions, descriptors or memory that stay when the visitors have gone (B59).
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import struct
import sys
import threading
import time

import pytest
import requests

import wire
from starting import started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read from /proc"),
]

APP = """
import contextlib, ctypes, gc, glob, os, sys, time
import flask
from erlen import SocketIO, context

app = flask.Flask(__name__)
app.secret_key = "secret"
socketio = SocketIO(app, ping_interval=1, ping_timeout=60)
present = set()

@socketio.on("connect")
def connect():
    present.add(flask.request.sid)
    flask.session["ballast"] = os.urandom(100_000)

@socketio.on("disconnect")
def disconnect():
    present.discard(flask.request.sid)

@socketio.on("echo")
def echo(*args):
    return "echo"

@socketio.on("block")
def block():
    time.sleep(0.3)
    return "block"

@socketio.on("raise")
def fail():
    raise LookupError("as it was told")

@socketio.on("exit")
def leave():
    sys.exit(3)

@socketio.on("fork")
def fork():
    child = os.fork()
    if not child:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

@socketio.on("fork and return")
def fork_and_return():
    child = os.fork()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else "from the child"

# A call that keeps the interpreter, as a long one into C does.
keep = ctypes.PyDLL(None).sleep

@socketio.on("hold")
def hold():
    keep(5)
    return "hold"

@app.get("/hold")
def hold_page():
    keep(5)
    return "hold"

@app.get("/raise")
def fail_page():
    raise LookupError("as it was told")

@app.get("/exit")
def exit_page():
    sys.exit(3)

@app.get("/page")
def page():
    return flask.Response(b"x" * 1000 for _ in range(10))

@app.get("/state")
def state():
    gc.collect()
    kept = sum(isinstance(thing, context.Connection) for thing in gc.get_objects())
    threads = {}
    for comm in glob.glob("/proc/self/task/*/comm"):
        # It may end while it is looked at.
        with contextlib.suppress(OSError), open(comm) as name:
            name = name.read().strip()
            threads[name] = threads.get(name, 0) + 1
    with open("/proc/self/status") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return {"threads": threads, "descriptors": len(os.listdir("/proc/self/fd")), "memory": memory,
            "present": len(present), "connections": kept, "sessions": len(socketio.server.environ)}

socketio.run(app, port=0)
"""

INTERVAL = 1
MARGIN = 3
"""How late a ping may be on a machine that is busy. One that waits for the interpreter, held for 5 s, is later."""
VISITORS = 600
KINDS = ("echo", "block", "echo", "raise", "echo", "fork", "echo", "exit", "echo", "fork and return")
ANSWERS = {"echo": '["echo"]', "block": '["block"]', "fork": "[7]", "fork and return": "[0]"}
PAGES = {"/page": 200, "/raise": 500, "/exit": 500}
KEPT = {"erlen-event": 2, "erlen-wsgi": 2, "erlen-log": 1, "erlen-watch": 3}
"""Threads of the pools that wait for work for as long as the server runs."""


class Watcher:
    """A client that only listens, and notes when it is pinged."""

    def __init__(self, client):
        self.client = client
        client.patience = 600
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        # Until the server is gone.
        with contextlib.suppress(wire.Closed, requests.ConnectionError):
            while True:
                self.client.next()

    def longest_wait(self):
        times = list(self.client.pings)
        return max(later - earlier for earlier, later in zip(times, times[1:]))


def join(url, transport):
    """A client that bears with a server whose interpreter is held."""
    client = wire.CLIENTS[transport](url + "/socket.io/")
    client.patience = 60
    return client.join()


def visit(url, number):
    """One client comes, does what its number says, and goes."""
    client = join(url, "polling" if number % 9 == 0 else "websocket")
    told = kind = KINDS[number % len(KINDS)]
    if kind not in ANSWERS:
        client.emit(kind)
        kind = "echo"
    try:
        assert client.ask(kind) == ANSWERS[kind]
    except AssertionError as error:
        raise AssertionError(f"visitor {number}, who asked for {told!r}") from error
    if number % 7 == 0:
        page, status = list(PAGES.items())[number % len(PAGES)]
        assert requests.get(url + page, timeout=60).status_code == status
    if number % 3 == 0 and isinstance(client, wire.WebSocket):
        # Gone without a word: the connection is reset.
        client.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.sock.close()
    else:
        client.close()


def hold_by_handler(url):
    client = join(url, "websocket")
    assert client.ask("hold") == '["hold"]'
    client.close()


def hold_by_page(url):
    assert requests.get(url + "/hold", timeout=60).text == "hold"


def let_come_and_go(url, executor, hold):
    """A round of visitors, while the interpreter is held."""
    held = executor.submit(hold, url)
    for visited in [executor.submit(visit, url, number) for number in range(VISITORS)]:
        visited.result(timeout=120)
    held.result(timeout=120)


def state(url):
    return requests.get(url + "/state", timeout=60).json()


def surplus(now, before):
    """What is there now and was not before."""
    allowed = {**before["threads"], **KEPT}
    more = {name: number for name, number in now["threads"].items() if number > allowed.get(name, 0)}
    for name in ("present", "connections", "sessions", "descriptors"):
        if now[name] > before[name]:
            more[name] = now[name] - before[name]
    return more


def wait_until_nothing_is_left(url, before):
    deadline = time.monotonic() + 60
    while more := surplus(state(url), before):
        assert time.monotonic() < deadline, f"still there: {more}"
        time.sleep(0.1)


def test_everything_at_once_and_nothing_is_left_behind(engine, tmp_path):
    (tmp_path / "soak.py").write_text(APP)
    with started(sys.executable, "soak.py", folder=tmp_path) as program, \
            concurrent.futures.ThreadPoolExecutor(12) as executor:
        url = program.url()
        watchers = [Watcher(join(url, transport)) for transport in ("websocket", "websocket", "polling")]
        for number in range(len(KINDS)):
            visit(url, number)
        before = state(url)
        let_come_and_go(url, executor, hold_by_handler)
        memory = state(url)["memory"]
        let_come_and_go(url, executor, hold_by_page)
        wait_until_nothing_is_left(url, before)
        # Each of the second round has brought 100 kB.
        assert state(url)["memory"] - memory < VISITORS * 100 / 2, "KiB more than after the first round"
        for watcher in watchers:
            assert watcher.thread.is_alive(), "the server has let go of a client that answers its pings"
            assert len(watcher.client.pings) > 10
            assert watcher.longest_wait() < INTERVAL + MARGIN
        for watcher in watchers:
            watcher.client.close()
