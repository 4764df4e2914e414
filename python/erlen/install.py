"""Erlen under the name of Flask-SocketIO, for applications that cannot be changed.

After :func:`install_as_flask_socketio`, `import flask_socketio` is Erlen. `socketio` and `engineio` stay what they are; where
python-engineio is not installed, `engineio.payload.Payload` is there for those that set its `max_decode_packets`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install_as_flask_socketio"]


def install_as_flask_socketio() -> None:
    """Makes `import flask_socketio` mean Erlen, in this process. Call it before the application is imported."""
    import erlen
    from erlen import exceptions, namespace, test_client

    module = _package("flask_socketio", "Flask-SocketIO's API on Erlen's engine.")
    for name in erlen.__all__:
        setattr(module, name, getattr(erlen, name))
    module.__dict__.update({"namespace": namespace, "test_client": test_client})
    sys.modules["flask_socketio.namespace"] = namespace
    sys.modules["flask_socketio.test_client"] = test_client
    with contextlib.suppress(ImportError):
        importlib.import_module("socketio.exceptions")
    exceptions.derive_from_upstream()
    _shim_payload()


def _shim_payload() -> None:
    with contextlib.suppress(ImportError):
        importlib.import_module("engineio.payload")
        return

    class Payload:
        """Takes the attribute that applications set. The engine's own bound is 1 024 packets."""

        max_decode_packets = 1024

    payload = _package("engineio.payload", "The one class of python-engineio that applications reach for.")
    payload.__dict__["Payload"] = Payload
    _package("engineio", "Stands for python-engineio, which is not installed.").__dict__["payload"] = payload


def _package(name: str, doc: str) -> ModuleType:
    """A package without files, which can be imported and looked for."""
    package = sys.modules[name] = ModuleType(name, doc)
    package.__spec__ = ModuleSpec(name, None, is_package=True)
    package.__path__ = []
    return package
