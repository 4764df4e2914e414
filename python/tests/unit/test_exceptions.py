"""Erlen's exceptions, and how they become python-socketio's too once that has been imported."""
from __future__ import annotations

import copy
import importlib.util
import pickle
import subprocess
import sys

import pytest
from erlen import exceptions

NAMES = exceptions.__all__

RAISED = """
import socketio
for name in exceptions.__all__:
    own, upstream = getattr(exceptions, name), getattr(socketio.exceptions, name)
    try:
        raise own("told")
    except upstream as error:
        assert type(error) is own and error.args == ("told",)
    try:
        raise own
    except socketio.exceptions.SocketIOError as error:
        assert type(error) is own
    assert issubclass(own, upstream) and not issubclass(upstream, own)
try:
    raise erlen.ConnectionRefusedError("no", 1, 2)
except socketio.exceptions.ConnectionRefusedError as error:
    assert error.error_args == {"message": "no", "data": [1, 2]}
    assert not isinstance(error, ConnectionRefusedError)
assert exceptions.refuses(socketio.exceptions.ConnectionRefusedError("no"))
assert not exceptions.refuses(ConnectionRefusedError("the builtin one"))
print("all of it")
"""

BEFORE = """
import socketio
import erlen
from erlen import exceptions
"""

AFTER = """
import sys
import erlen
from erlen import exceptions
assert "socketio" not in sys.modules
early = exceptions.TimeoutError("early")
class Mine(erlen.ConnectionRefusedError):
    pass
import socketio
try:
    raise Mine("mine")
except socketio.exceptions.ConnectionRefusedError as error:
    assert error.error_args == {"message": "mine"}
assert isinstance(early, socketio.exceptions.TimeoutError)
"""

OF_BOTH = """
import erlen, socketio
from erlen import exceptions
class Odd(socketio.exceptions.ConnectionRefusedError, erlen.ConnectionRefusedError):
    pass
for kind in (socketio.exceptions.ConnectionRefusedError, erlen.ConnectionRefusedError):
    try:
        raise Odd("odd")
    except kind as error:
        assert exceptions.refuses(error) and error.error_args == {"message": "odd"}
print("all of it")
"""

BY_A_CALL = """
import erlen, flask
import socketio as upstream
socketio = erlen.SocketIO(flask.Flask("app"))
try:
    socketio.call("q", to="nobody")
except upstream.exceptions.TimeoutError:
    print("all of it")
"""


@pytest.mark.parametrize("program", [BEFORE + RAISED, AFTER + RAISED, OF_BOTH, BY_A_CALL],
                         ids=["imported before", "imported after", "a class below both", "what Erlen raises itself"])
def test_an_except_clause_of_python_socketio_catches_erlens_exceptions(program):
    if importlib.util.find_spec("socketio") is None:
        pytest.skip("python-socketio is not installed here")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all of it\n", done.stderr


def test_exceptions_are_made_by_many_threads_at_once():
    program = AFTER.split("early =")[0] + """
import threading
import socketio
barrier = threading.Barrier(8)
made = []
def make():
    barrier.wait()
    made.append(exceptions.ConnectionRefusedError("no"))
threads = [threading.Thread(target=make) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert all(isinstance(error, socketio.exceptions.ConnectionRefusedError) for error in made) and len(made) == 8
print("all of it")
"""
    if importlib.util.find_spec("socketio") is None:
        pytest.skip("python-socketio is not installed here")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all of it\n", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_exceptions_are_copied_and_pickled(name):
    error = getattr(exceptions, name)("told", {"a": 1})
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error) and again.args == error.args
        assert getattr(again, "error_args", None) == getattr(error, "error_args", None)


@pytest.mark.parametrize("error, told", [
    (None, {"message": "Connection rejected by server"}),
    (exceptions.ConnectionRefusedError(), {"message": "Connection rejected by server"}),
    (exceptions.ConnectionRefusedError("why", {"a": 1}), {"message": "why", "data": {"a": 1}}),
    (ConnectionRefusedError("secret"), {"message": "Connection refused by server"}),
    (ValueError("secret"), {"message": "Connection rejected by server"}),
])
def test_what_a_refused_client_is_told(error, told):
    assert exceptions.refusal(error) == told
