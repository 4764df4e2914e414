"""`SocketIO.run`: serves a Flask application and its clients until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from flask import Flask

    from .socketio import SocketIO

__all__ = ["run"]


def run(socketio: SocketIO, app: Flask, host: Optional[str], port: Optional[int], **kwargs: Any) -> None:
    """Serves. Returns when it was stopped."""
    engine = socketio._start_engine()
    listener = engine.listen(host or "127.0.0.1", 5000 if port is None else port, app)
    socketio.wsgi_server = listener
    try:
        listener.wait()
    except KeyboardInterrupt:
        listener.stop()
        listener.wait(5.0)
    finally:
        socketio.wsgi_server = None
