"""A worker of gunicorn: `gunicorn -k erlen.gunicorn.Worker app:app`.

gunicorn brings the sockets, the signals and the logs; the engine serves. One worker: it uses all cores by itself.
"""

from __future__ import annotations

import os
import ssl
import sys
from typing import TYPE_CHECKING, Any

from gunicorn import sock
from gunicorn.workers import base

from . import green, loading, tls
from .install import install_as_flask_socketio
from .relay import Over, Relay, handed

if TYPE_CHECKING:
    from flask import Flask

    from . import _erlen
    from .socketio import SocketIO

__all__ = ["Worker"]

# gunicorn imports its worker's class before the application: from here on an application is being loaded, in which
# `flask_socketio` is Erlen.
loading.loader = "gunicorn"
install_as_flask_socketio()


class Worker(base.Worker):  # type: ignore[misc]
    """Serves a Flask application and its clients on gunicorn's sockets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cfg.workers > 1:
            self.log.error(
                "%s workers are asked for, and Erlen has one: it uses all cores by itself, "
                "and clients of one process are not known to another. Start gunicorn with -w 1",
                self.cfg.workers,
            )
            sys.exit(3)

    def run(self) -> None:
        """Serves until gunicorn says that it is over."""
        from .socketio import SocketIO

        app = _flask_of(self.wsgi)
        socketio = loading.socketio_of(app)
        if socketio is None:
            socketio = SocketIO(app)
        socketio._hub = green.hub()
        with handed(_secured(self.cfg), socketio._hub) as over:
            self._serve(socketio, app, over)

    def _serve(self, socketio: SocketIO, app: Flask, over: Over) -> None:
        entry = over.application(self.wsgi) if isinstance(over, Relay) else self.wsgi
        engine = socketio._serve(app, entry)
        beside = socketio._beside(app)
        listeners = []
        for listening in self.sockets:
            name = listening.getsockname()
            if not isinstance(name, tuple):
                self.log.error("Erlen listens on TCP alone, and not on %s", name)
                sys.exit(3)
            listeners.append(
                engine.listen(
                    name[0],
                    name[1],
                    socketio._hosted(entry),
                    threads=max(self.cfg.threads, 100),
                    tls=over,
                    fd=listening.fileno(),
                    also=[other._serve(app, entry) for other in beside],
                )
            )
        for served in (socketio, *beside):
            served._listens(listeners[0])
        self._wait(socketio, listeners)
        for served in (socketio, *beside):
            served._over()

    def _wait(self, socketio: SocketIO, listeners: list[_erlen.Listener]) -> None:
        """Waits for the end, and for what is under way then."""
        parent = self.ppid
        while self.alive and os.getppid() == parent:
            self.notify()
            if socketio._wait(listeners[0], 1.0):
                break
        # At the whole of it gunicorn kills the worker.
        grace = 0.9 * self.cfg.graceful_timeout
        for listener in listeners:
            listener.stop(spread=min(grace / 10, 3.0), grace=grace)
        for listener in listeners:
            while not socketio._wait(listener, 1.0):
                self.notify()


def _secured(cfg: Any) -> tls.Secured:
    """The files; or gunicorn's context, where more is asked for than they say: clients' certificates, ciphers, a hook."""
    if not cfg.is_ssl:
        return None
    if cfg.cert_reqs or cfg.ciphers or cfg.ssl_context != cfg.settings["ssl_context"].default:
        context: ssl.SSLContext = sock.ssl_context(cfg)
        return context
    return tls.pem(certfile=cfg.certfile, keyfile=cfg.keyfile)


def _flask_of(application: Any) -> Any:
    """The Flask application inside of what may be middleware around it."""
    seen = 0
    while not hasattr(application, "extensions") and seen < 20:
        inner = getattr(application, "wsgi_app", None) or getattr(application, "app", None)
        if inner is None:
            break
        application = inner
        seen += 1
    return application
