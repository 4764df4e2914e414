"""The WSGI side: what stands in front of the application, and how a handshake passes through what stands in front of that.

Requests of pages never come here by the engine's path: the engine takes those. What does come by it runs under a WSGI server that is
not Erlen's, and is told so. A handshake passes the middleware that was put around `app.wsgi_app` after the SocketIO (ProxyFix, a
prefix), so that its handlers see the environ that these made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Optional

from . import _erlen, cors

if TYPE_CHECKING:
    from flask import Flask

    from .socketio import SocketIO

__all__ = ["Middleware", "admit"]

_log = logging.getLogger("erlen")

_HANDSHAKE = "erlen.handshake"
"""The key of an environ that is a handshake's: a list, in which the environ is put down where it arrives."""


class Middleware:
    """Stands where Flask-SocketIO's middleware would.

    :param wsgi_app: what it is put around.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], socketio: SocketIO) -> None:
        self.wsgi_app = wsgi_app
        self._socketio = socketio
        self._told = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        arrived: Optional[list[dict[str, Any]]] = environ.pop(_HANDSHAKE, None)
        if arrived is not None:
            arrived.append(environ)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b""]
        options = self._socketio.server_options
        path = str(options.get("path") or options.get("resource") or "socket.io").strip("/")
        if environ.get("PATH_INFO", "").startswith(f"/{path}/"):
            self._tell()
            return self._socketio._require_server().handle_request(environ, start_response)
        return self.wsgi_app(environ, start_response)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            _log.error(
                "a Socket.IO request came to a WSGI server that is not Erlen's: "
                "start the application by `erlen run`, or by gunicorn with -k erlen.gunicorn.Worker"
            )


def admit(socketio: SocketIO, app: Flask, request: _erlen.Request) -> dict[str, Any]:
    """The environ of a handshake, after the middleware around the application.

    :raises Refused: a middleware answers it itself, or the origin is not accepted.
    """
    environ = _erlen.environ(request)
    if app.wsgi_app is not socketio.sockio_mw:
        environ = _through_middleware(app, environ)
    check = cors.check_of(socketio.server_options.get("cors_allowed_origins"))
    origin = environ.get("HTTP_ORIGIN")
    if check is not None and origin is not None and not check(origin, environ):
        raise _erlen.Refused("Not an accepted origin.")
    return environ


def _through_middleware(app: Flask, environ: dict[str, Any]) -> dict[str, Any]:
    arrived: list[dict[str, Any]] = []
    environ[_HANDSHAKE] = arrived
    status = ""

    def start_response(line: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        nonlocal status
        status = line
        return lambda data: None

    answer = app.wsgi_app(environ, start_response)
    try:
        for _ in answer:
            pass
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    if not arrived:
        raise _erlen.Refused(f"a middleware of the application answered the handshake: {status}")
    return arrived[0]
