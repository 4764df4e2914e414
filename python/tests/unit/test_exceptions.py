"""Erlen's exceptions, and how they become python-socketio's too once that has been imported."""
from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from erlen import exceptions

PROGRAM = """
import sys
import erlen
from erlen import exceptions
assert "socketio" not in sys.modules
early = exceptions.TimeoutError("early")
exceptions.derive_from_upstream()  # nothing to derive from
import socketio
exceptions.derive_from_upstream()
exceptions.derive_from_upstream()
for name in exceptions.__all__:
    assert issubclass(getattr(exceptions, name), getattr(socketio.exceptions, name)), name
assert isinstance(early, socketio.exceptions.TimeoutError)
try:
    raise erlen.ConnectionRefusedError("no", 1, 2)
except socketio.exceptions.ConnectionRefusedError as error:
    assert error.error_args == {"message": "no", "data": [1, 2]}
assert exceptions.refuses(socketio.exceptions.ConnectionRefusedError("no"))
assert not exceptions.refuses(ConnectionRefusedError("the builtin one"))
print("all of it")
"""


def test_python_socketios_classes_are_bases_once_it_is_imported():
    if importlib.util.find_spec("socketio") is None:
        pytest.skip("python-socketio is not installed here")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all of it\n", done.stderr


@pytest.mark.parametrize("error, told", [
    (None, {"message": "Connection rejected by server"}),
    (exceptions.ConnectionRefusedError(), {"message": "Connection rejected by server"}),
    (exceptions.ConnectionRefusedError("why", {"a": 1}), {"message": "why", "data": {"a": 1}}),
    (ConnectionRefusedError("secret"), {"message": "Connection refused by server"}),
    (ValueError("secret"), {"message": "Connection rejected by server"}),
])
def test_what_a_refused_client_is_told(error, told):
    assert exceptions.refusal(error) == told
