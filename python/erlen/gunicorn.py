"""A worker of gunicorn: `gunicorn -k erlen.gunicorn.Worker app:app`.

gunicorn brings the sockets, the signals and the logs; the engine serves. One worker: it uses all cores by itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.workers import base

from . import loading, tls
from .install import install_as_flask_socketio

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

        application = self.wsgi
        app = _flask_of(application)
        socketio = loading.socketio_of(app)
        if socketio is None:
            socketio = SocketIO(app)
        engine = socketio._serve(app, application)
        beside = socketio._beside(app)
        certificates = (
            tls.pem(certfile=self.cfg.certfile, keyfile=self.cfg.keyfile) if self.cfg.is_ssl else None
        )
        listeners = []
        for sock in self.sockets:
            name = sock.getsockname()
            if not isinstance(name, tuple):
                self.log.error("Erlen listens on TCP alone, and not on %s", name)
                sys.exit(3)
            listeners.append(
                engine.listen(
                    name[0],
                    name[1],
                    socketio._hosted(application),
                    threads=max(self.cfg.threads, 100),
                    tls=certificates,
                    fd=sock.fileno(),
                    also=[other._serve(app, application) for other in beside],
                )
            )
        for served in (socketio, *beside):
            served._listens(listeners[0])
        parent = self.ppid
        while self.alive and os.getppid() == parent:
            self.notify()
            if socketio._wait(listeners[0], 1.0):
                break
        grace = float(self.cfg.graceful_timeout)
        for listener in listeners:
            listener.stop(spread=min(grace / 10, 3.0), grace=grace)
        for listener in listeners:
            while not socketio._wait(listener, 1.0):
                self.notify()
        for served in (socketio, *beside):
            served._over()


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
