"""The Socket.IO server, chosen by `DASHBOARD_ENGINE`: the one place where Flask-SocketIO and Erlen differ.

Everything else imports these names from here and does not know which one it got.
"""

from __future__ import annotations

import os

if os.environ.get("DASHBOARD_ENGINE") == "erlen":
    from erlen import SocketIO, emit, join_room, leave_room
else:
    from flask_socketio import SocketIO, emit, join_room, leave_room

__all__ = ["SocketIO", "emit", "join_room", "leave_room", "socketio"]

socketio = SocketIO(async_mode="threading")
