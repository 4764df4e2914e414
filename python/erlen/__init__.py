"""Flask-SocketIO's API on Erlen's engine.

>>> from erlen import SocketIO, emit
"""

from __future__ import annotations

from .exceptions import ConnectionRefusedError
from .functions import acall, call, close_room, disconnect, emit, join_room, leave_room, rooms, send
from .install import install_as_flask_socketio
from .namespace import Namespace
from .socketio import SocketIO
from .test_client import SocketIOTestClient

__version__ = "0.1.0"

__all__ = [
    "ConnectionRefusedError",
    "Namespace",
    "SocketIO",
    "SocketIOTestClient",
    "acall",
    "call",
    "close_room",
    "disconnect",
    "emit",
    "install_as_flask_socketio",
    "join_room",
    "leave_room",
    "rooms",
    "send",
]
