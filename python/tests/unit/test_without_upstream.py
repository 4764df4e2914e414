"""Erlen where neither python-socketio nor python-engineio nor Flask-SocketIO is installed: it needs none of them."""
from __future__ import annotations

import subprocess
import sys

import pytest

ABSENT = """
import sys
from importlib.abc import MetaPathFinder
class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("socketio", "engineio", "flask_socketio"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""

APPLICATION = """
import flask
from {module} import ConnectionRefusedError, Namespace, SocketIO, emit
app = flask.Flask("app")
app.secret_key = "secret"
socketio = SocketIO(app)
class Chat(Namespace):
    def on_connect(self, auth):
        if auth is None:
            raise ConnectionRefusedError("no")
    def on_e(self, value):
        emit("told", value)
        return "answer"
socketio.on_namespace(Chat("/n"))
client = socketio.test_client(app)
client.connect("/n")
assert not client.is_connected("/n")
client.connect("/n", auth={{"a": 1}})
assert client.emit("e", b"1", namespace="/n", callback=True) == "answer"
assert client.get_received("/n")[0]["args"] == [b"1"]
from erlen import exceptions
try:
    socketio.call("q", to="nobody")
except RuntimeError as error:
    assert "async_handlers" in str(error)
try:
    SocketIO(flask.Flask("other")).call("q", to="nobody")
except exceptions.TimeoutError:
    print("all of it")
assert "socketio" not in sys.modules
"""

INSTALLED = """
import erlen
erlen.install_as_flask_socketio()
import importlib.util
from engineio.payload import Payload
Payload.max_decode_packets = 500
for name in ("flask_socketio", "flask_socketio.namespace", "engineio", "engineio.payload"):
    assert importlib.util.find_spec(name) is not None, name
"""


@pytest.mark.parametrize("program", [
    ABSENT + APPLICATION.format(module="erlen"),
    ABSENT + INSTALLED + APPLICATION.format(module="flask_socketio"),
], ids=["by its own name", "as flask_socketio"])
def test_an_application_needs_nothing_of_upstream(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr


def test_the_command_line_needs_nothing_of_upstream(tmp_path):
    program = ABSENT + """
import erlen.cli
sys.argv = ["erlen", "run", "--help"]
erlen.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "run" in done.stdout, done.stderr
