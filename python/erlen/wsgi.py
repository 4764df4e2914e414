"""The WSGI side: what stands in front of the application, and how a handshake passes through what stands in front of that.

Requests of pages never come here by the engine's path: the engine takes those. What does come by it runs under a WSGI server that is
not Erlen's, and is told so. A handshake passes the middleware that was put around `app.wsgi_app` after the SocketIO (ProxyFix, a
prefix), so that its handlers see the environ that these made; one that answers by itself refuses the handshake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Optional

import flask
from werkzeug.exceptions import ClientDisconnected

from . import _erlen, cors, options

if TYPE_CHECKING:
    from flask import Flask

    from .socketio import SocketIO

__all__ = ["ClientGone", "Middleware", "admit", "is_wrapped"]

_log = logging.getLogger("erlen")

_HANDSHAKE = "erlen.handshake"
"""The key of an environ that is a handshake's: its value is the `_Passage`."""


class ClientGone(ClientDisconnected, OSError):
    """The client went before its request was read, or before it had its answer.

    Werkzeug's own exception for that, so that Flask answers it by 400 and does not log it; and an `OSError`, as of a file.
    """


class Middleware:
    """Stands where Flask-SocketIO's middleware would.

    :param app: the application; what it has as its `wsgi_app` is what this is put around. A debugger may be put in its place.
    :param path: that of the Socket.IO requests, with its slashes.
    """

    def __init__(self, app: Flask, socketio: SocketIO, path: str) -> None:
        self.flask_app = app
        self.wsgi_app: Callable[..., Iterable[bytes]] = app.wsgi_app
        self._socketio = socketio
        self._path = path
        self._told = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers a request of a page, and takes a handshake that has come through the middleware around."""
        environ["flask.app"] = self.flask_app
        passage: Optional[_Passage] = environ.pop(_HANDSHAKE, None)
        if passage is not None and passage.socketio is self._socketio:
            passage.environ = environ
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b""]
        if passage is not None:
            # Another SocketIO of the application, further inside, waits for it.
            environ[_HANDSHAKE] = passage
            return self.wsgi_app(environ, start_response)
        if environ.get("PATH_INFO", "").startswith(self._path):
            self._tell(environ)
            return self._socketio._require_server().handle_request(environ, start_response)
        return self.wsgi_app(environ, start_response)

    def _tell(self, environ: dict[str, Any]) -> None:
        if self._told:
            return
        self._told = True
        if environ.get("SERVER_SOFTWARE", "").startswith("Erlen/"):
            served = options.mounted(self._path)
            _log.warning(
                "a Socket.IO request came to the application's pages: Socket.IO is at %s here", served
            )
        else:
            _log.warning(
                "a Socket.IO request came to a WSGI server that is not Erlen's: "
                "start the application by `erlen run`, or by gunicorn with -k erlen.gunicorn.Worker"
            )


def is_wrapped(app: Flask, entry: object, middleware: Optional[Middleware]) -> bool:
    """Whether anything stands around the middleware of an application, which handshakes must pass.

    :param entry: the WSGI application that is served.
    """
    if entry is not app or type(app).__call__ is not flask.Flask.__call__:
        return True
    return app.wsgi_app is not middleware


class _Passage:
    """A handshake on its way through the middleware around the application."""

    def __init__(self, socketio: SocketIO) -> None:
        self.socketio = socketio
        self.environ: Optional[dict[str, Any]] = None
        """As it has arrived; None if it was answered on the way."""
        self.status = ""

    def go(self, app: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> None:
        """Passes."""
        environ[_HANDSHAKE] = self
        answer = app(environ, self._start_response)
        try:
            for _ in answer:
                pass
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        self.status = status
        return lambda data: None


def admit(
    socketio: SocketIO, around: Optional[Callable[..., Iterable[bytes]]], environ: dict[str, Any]
) -> dict[str, Any]:
    """The environ of a handshake, after the middleware around the application.

    :param around: the WSGI application with that; None where there is none.
    :raises Refused: a middleware answers it itself, or the origin is not accepted.
    """
    if around is not None:
        passage = _Passage(socketio)
        passage.go(around, environ)
        if passage.environ is None:
            raise _erlen.Refused(f"a middleware of the application answered the handshake: {passage.status}")
        environ = passage.environ
    check = cors.check_of(socketio.server_options.get("cors_allowed_origins"))
    origin = environ.get("HTTP_ORIGIN")
    if check is not None and origin is not None and not check(origin, environ):
        _log.warning("the origin %s is not accepted", origin)
        raise _erlen.Refused("Not an accepted origin.")
    return environ
