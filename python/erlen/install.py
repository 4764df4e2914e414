"""Erlen under the name of Flask-SocketIO, for applications that cannot be changed.

After :func:`install_as_flask_socketio`, `import flask_socketio` is Erlen. `socketio` and `engineio` stay what they are; where
python-engineio is not installed, `engineio.payload.Payload` is there for those that set its `max_decode_packets`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

__all__ = ["install_as_flask_socketio"]


def install_as_flask_socketio() -> None:
    """Makes `import flask_socketio` mean Erlen, in this process. Call it before the application is imported."""
    import erlen
    from erlen import exceptions, namespace, test_client

    module = ModuleType("flask_socketio", "Flask-SocketIO's API on Erlen's engine.")
    for name in erlen.__all__:
        setattr(module, name, getattr(erlen, name))
    module.__dict__.update({"namespace": namespace, "test_client": test_client, "__path__": []})
    sys.modules["flask_socketio"] = module
    sys.modules["flask_socketio.namespace"] = namespace
    sys.modules["flask_socketio.test_client"] = test_client
    if importlib.util.find_spec("socketio") is not None:
        importlib.import_module("socketio.exceptions")
        exceptions.derive_from_upstream()
    _shim_payload()


def _shim_payload() -> None:
    if "engineio" in sys.modules or importlib.util.find_spec("engineio") is not None:
        return

    class Payload:
        """Takes the attribute that applications set. The engine's own bound is 1 024 packets."""

        max_decode_packets = 1024

    package = ModuleType("engineio")
    payload = ModuleType("engineio.payload")
    package.__dict__.update({"payload": payload, "__path__": []})
    payload.__dict__["Payload"] = Payload
    sys.modules["engineio"] = package
    sys.modules["engineio.payload"] = payload
