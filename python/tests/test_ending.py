"""The end by a signal, while pages and handlers block: within the grace time, at once by a second one (B41).

No time is measured: a program whose grace time is an hour ends before the deadline only if nothing waits for it.
"""
from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import sys
import threading
import time

import pytest
import requests

from engines import DEADLINE
from python_client import Client
from starting import script, started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here"),
]

APP = """
import atexit
import threading
import time
import flask
import erlen.ending
from erlen import SocketIO

erlen.ending.GRACE = erlen.ending.FAREWELL = 3600
app = flask.Flask(__name__)
socketio = SocketIO(app)
atexit.register(print, "at exit", flush=True)

def block():
    print("it blocks", flush=True)
    threading.Event().wait()

@socketio.on("work")
def work():
    print("it blocks", flush=True)
    while True:
        time.sleep(0.001)

@app.route("/")
def page():
    return "the page"

app.add_url_rule("/block", view_func=block)
socketio.on("block")(block)

@socketio.on("async")
async def asynchronous():
    import asyncio
    print("it blocks", flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    socketio.run(app, port=0)
    print("run has returned", flush=True)
"""

GRACE = "erlen.ending.GRACE = erlen.ending.FAREWELL = 3600"

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def blocked(program, how):
    """Has the program blocked, by a page or by an event's handler."""
    url = program.url()
    if how == "page":
        def ask():
            with contextlib.suppress(requests.RequestException):
                requests.get(f"{url}/block", timeout=4 * DEADLINE)

        threading.Thread(target=ask, daemon=True).start()
    else:
        client = Client()
        client.connect(url, transports=["websocket"])
        client.emit(how)
    program.until("it blocks")


def until_it_listens_no_more(program):
    """A first signal has been taken."""
    deadline = time.monotonic() + 4 * DEADLINE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", program.port()), timeout=DEADLINE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # It came in the moment in which the listening ended.
            pass
        time.sleep(0.01)
    raise AssertionError(f"it listens still: {''.join(program.lines)}")


@pytest.fixture
def program(tmp_path, engine):
    (tmp_path / "shop.py").write_text(APP)
    with started(sys.executable, "shop.py", folder=tmp_path) as program:
        yield program


@pytest.mark.parametrize("how", ["page", "block", "work", "async"])
@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_is_the_end_whatever_blocks(program, how, first, second):
    blocked(program, how)
    program.process.send_signal(first)
    until_it_listens_no_more(program)
    code, said = program.end(second)
    assert code == 0 and said.endswith("run has returned\nat exit\n"), said


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_moment_of_the_banner_is_the_end_of_a_run(tmp_path, number, engine):
    signals = f"""
def say_and_signal(*args, say=erlen.run._say):
    say(*args)
    os.kill(os.getpid(), {int(number)})

erlen.run._say = say_and_signal
"""
    (tmp_path / "shop.py").write_text("import os, erlen.run\n" + APP.replace(GRACE, signals))
    with started(sys.executable, "shop.py", folder=tmp_path) as program:
        code, said = program.end()
    assert code == 0 and said.endswith("run has returned\nat exit\n"), said


@pytest.mark.parametrize("how", ["page", "block"])
@pytest.mark.parametrize("number", SIGNALS)
def test_the_grace_time_is_all_that_is_waited(tmp_path, how, number, engine):
    # The farewell that handlers have is a part of it, and does not come on top.
    (tmp_path / "shop.py").write_text(APP.replace(GRACE, "erlen.ending.GRACE, erlen.ending.FAREWELL = 0.3, 3600"))
    with started(sys.executable, "shop.py", folder=tmp_path) as program:
        blocked(program, how)
        code, said = program.end(number)
    assert code == 0 and said.endswith("run has returned\nat exit\n"), said


def test_a_page_that_takes_its_time_is_answered_within_the_grace_time(tmp_path, engine):
    (tmp_path / "shop.py").write_text(APP.replace("    threading.Event().wait()", '    input()\n    return "answered"'))
    with started(sys.executable, "shop.py", folder=tmp_path, stdin=True) as program:
        answers = []
        url = program.url()
        asking = threading.Thread(
            target=lambda: answers.append(requests.get(f"{url}/block", timeout=4 * DEADLINE).text))
        asking.start()
        program.until("it blocks")
        program.process.send_signal(signal.SIGTERM)
        until_it_listens_no_more(program)
        program.process.stdin.write("go on\n")
        program.process.stdin.flush()
        code, said = program.end()
        asking.join(DEADLINE)
    assert code == 0 and answers == ["answered"], said


def test_an_application_that_handles_signals_itself_keeps_its_handlers(tmp_path, engine):
    own = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('its own', flush=True))\n"
    (tmp_path / "shop.py").write_text(own + APP)
    with started(sys.executable, "shop.py", folder=tmp_path) as program:
        program.until_page("the page")
        program.process.send_signal(signal.SIGTERM)
        program.until("its own")
        program.until_page("the page")
        code, said = program.end(signal.SIGINT)
    assert code == 0 and said.endswith("at exit\n"), said


@pytest.mark.parametrize("way", ["erlen", "flask"])
def test_the_commands_end_by_a_second_signal_too(tmp_path, way, engine):
    (tmp_path / "shop.py").write_text(APP)
    commands = {
        "erlen": (script("erlen"), "run", "shop:app", "--port", "0"),
        "flask": (script("flask"), "--app", "shop", "run", "--port", "0"),
    }
    with started(*commands[way], folder=tmp_path) as program:
        blocked(program, "page")
        program.process.send_signal(signal.SIGTERM)
        until_it_listens_no_more(program)
        code, said = program.end(signal.SIGTERM)
    assert code == 0 and said.endswith("at exit\n"), said
