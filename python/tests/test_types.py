"""What an editor and a type checker see of Erlen: signatures, and working code that must not be rejected (B45)."""
from __future__ import annotations

import inspect
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from erlen import options

pytestmark = pytest.mark.only("erlen")

PYRIGHT = pathlib.Path(__file__).parent / "pyright/node_modules/pyright/index.js"

METHODS = {
    "on": {"message": ..., "namespace": None},
    "on_event": {"message": ..., "handler": ..., "namespace": None},
    "on_error": {"namespace": None},
    "on_error_default": {},
    "on_namespace": {},
    "emit": {"event": ..., "namespace": "/", "to": None, "room": None, "include_self": True, "skip_sid": None,
             "callback": None, "ignore_queue": False},
    "send": {"data": ..., "json": False, "namespace": None, "to": None, "callback": None, "include_self": True,
             "skip_sid": None},
    "call": {"event": ..., "namespace": "/", "to": None, "timeout": 60, "ignore_queue": False},
    "close_room": {"room": ..., "namespace": None},
    "run": {"host": None, "port": None, "debug": None, "use_reloader": None, "reloader_options": None, "extra_files": None,
            "ssl_context": None, "certfile": None, "keyfile": None},
    "sleep": {"seconds": 0},
    "test_client": {"app": ..., "namespace": None, "query_string": None, "headers": None, "auth": None,
                    "flask_test_client": None},
}

FUNCTIONS = {
    "emit": ("event", "namespace", "to", "room", "broadcast", "include_self", "skip_sid", "callback", "ignore_queue"),
    "send": ("message", "json", "namespace", "to", "room", "broadcast", "include_self", "skip_sid", "callback"),
    "call": ("event", "namespace", "to", "timeout", "ignore_queue"),
    "join_room": ("room", "sid", "namespace"),
    "leave_room": ("room", "sid", "namespace"),
    "close_room": ("room", "namespace"),
    "rooms": ("sid", "namespace"),
    "disconnect": ("sid", "namespace", "silent"),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_list_their_keywords_and_defaults(sio_lib, name):
    parameters = inspect.signature(getattr(sio_lib.SocketIO, name)).parameters
    for keyword, default in METHODS[name].items():
        assert keyword in parameters
        expected = inspect.Parameter.empty if default is ... else default
        assert parameters[keyword].default == expected, keyword


def test_the_options_are_listed_with_those_of_the_reference(sio_lib):
    listed = {"path", "resource", "manage_session", "message_queue", "channel", "engineio_logger", *options.BOUNDS}
    for server in ("engineio.base_server", "socketio.base_server"):
        parameters = inspect.signature(pytest.importorskip(server).BaseServer.__init__).parameters
        listed |= {name for name in parameters if name not in ("self", "kwargs")}
    assert listed <= set(options.Options.__annotations__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_list_their_keywords(sio_lib, name):
    assert set(FUNCTIONS[name]) <= set(inspect.signature(getattr(sio_lib, name)).parameters)


PROGRAM = '''
from typing import Any

from flask import Flask
from erlen import (ConnectionRefusedError, Namespace, SocketIO, SocketIOTestClient, close_room, disconnect, emit,
                   join_room, leave_room, rooms, send)

app = Flask(__name__)
socketio = SocketIO(app, cors_allowed_origins="*", max_sessions=5, of_tomorrow=True)
late = SocketIO()
late.init_app(app)


@socketio.on("one")
@socketio.on("two", namespace="/n")
def handler(value: int) -> str:
    emit("x", {"a": 1}, to=["a", "b"], skip_sid=["c"])
    emit("y", (1, 2), broadcast=True, include_self=False, callback=print)
    join_room(5)
    leave_room("r", sid="s", namespace="/n")
    close_room("r")
    send("text", to="r")
    names = rooms()
    names.append("z")
    disconnect()
    return "answer"


text: str = handler(1)
handler("wrong")  # E: the handler keeps its own type


@socketio.event
def named(value: str) -> None: ...


@socketio.event(namespace="/n")
def other(value: str) -> None: ...


@socketio.on("later")
async def later(value: str) -> int:
    return 1


@socketio.on_error("/n")
def of_namespace(error: Exception) -> None: ...


@socketio.on_error_default
def of_all(error: Exception) -> Any: ...


class Chat(Namespace):
    def on_connect(self, auth: Any) -> None:
        raise ConnectionRefusedError("no", {"a": 1})

    def on_e(self) -> None:
        self.emit("x", 1, room="r")
        self.send("text")


socketio.on_namespace(Chat("/chat"))
socketio.emit("x", to=["a", "b"])
socketio.emit("x", {"a": 1}, to=5, namespace="/n")
client: SocketIOTestClient = socketio.test_client(app)
client.get_received()[0]["args"]
task = socketio.start_background_task(print, 1, sep="")
task.join()
if __name__ == "__main__":
    socketio.run(app)
'''


def by_mypy(folder):
    """The lines with errors, and all that was said."""
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), str(folder / "program.py")],
        capture_output=True, text=True, timeout=120, check=False)
    return [int(line) for line in re.findall(r"program\.py:(\d+): error:", done.stdout)], done.stdout + done.stderr


def by_pyright(folder):
    """The same."""
    if not PYRIGHT.exists() or shutil.which("node") is None:
        pytest.skip("pyright is not installed here (npm ci in python/tests/pyright)")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    done = subprocess.run(
        ["node", str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "--project", str(folder)],
        capture_output=True, text=True, timeout=120, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [each["range"]["start"]["line"] + 1 for each in found], done.stdout + done.stderr


@pytest.mark.parametrize("check", [by_mypy, by_pyright])
def test_a_type_checker_accepts_what_works(sio_lib, tmp_path, check):
    (tmp_path / "program.py").write_text(PROGRAM)
    errors, said = check(tmp_path)
    assert errors == [number for number, text in enumerate(PROGRAM.splitlines(), 1) if "# E:" in text], said
