"""A worker of gunicorn: `gunicorn -k erlen.gunicorn.Worker app:app`.

gunicorn brings the sockets, the signals and the logs; the engine serves. One worker: it uses all cores by itself.
"""

from __future__ import annotations

import os
import ssl
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from gunicorn import sock
from gunicorn.arbiter import Arbiter
from gunicorn.workers import base

from . import green, loading, tls
from .ending import Ending
from .install import install_as_flask_socketio
from .relay import Over, handed, through
from .serving import Served, listen

if TYPE_CHECKING:
    from flask import Flask

    from . import _erlen
    from .socketio import SocketIO

__all__ = ["Worker"]

BOOT_ERROR: int = Arbiter.WORKER_BOOT_ERROR
LOAD_ERROR: int = Arbiter.APP_LOAD_ERROR
"""A worker's exit codes that stop gunicorn, which would start another one after any other."""

# gunicorn imports its worker's class before the application: from here on an application is being loaded, in which
# `flask_socketio` is Erlen.
loading.loader = "gunicorn"
install_as_flask_socketio()


class Worker(base.Worker):  # type: ignore[misc]
    """Serves a Flask application and its clients on gunicorn's sockets."""

    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cfg.workers > 1:
            self._refuse(
                f"{self.cfg.workers} workers are asked for, and Erlen has one: it uses all cores by itself, "
                "and clients of one process are not known to another. Start gunicorn with -w 1",
                BOOT_ERROR,
            )

    def load_wsgi(self) -> None:
        """Loads the application. What Erlen finds wrong in it ends gunicorn by one line, since another try would be no better."""
        try:
            super().load_wsgi()
        except loading.MISCONFIGURED as error:
            said = loading.sentence(error)
            if said is None:
                raise
            self._refuse(said)

    def run(self) -> None:
        """Serves until gunicorn says that it is over."""
        app, socketio = self._served()
        hub = socketio._serving.hub = green.hub()
        try:
            secured = _secured(self.cfg)
            tls.tell_out_of_date(None, self.cfg.certfile)
        except (OSError, ValueError) as error:
            self._refuse(f"TLS: {error}", BOOT_ERROR)
        with handed(secured, hub) as over:
            try:
                served = socketio._serving.begin(app, through(over, self.wsgi))
                listeners = self._listen(served, over)
            except loading.MISCONFIGURED as error:
                self._refuse(str(error))
            with Ending(listeners[0]).of(served):
                self._wait(socketio, listeners)

    def _listen(self, served: list[Served], over: Over) -> list[_erlen.Listener]:
        """Serves from here on.

        :raises ValueError, NotImplementedError: an option of the application's.
        """
        names = [listening.getsockname() for listening in self.sockets]
        for name in names:
            if not isinstance(name, tuple):
                self._refuse(
                    f"Erlen listens on TCP alone, and not on {name}: start gunicorn with -b 127.0.0.1:5000, "
                    "and let the proxy connect to that",
                    BOOT_ERROR,
                )
        threads = max(self.cfg.threads, 100)
        return [
            listen(served, name[0], name[1], threads=threads, tls=over, fd=listening.fileno())
            for name, listening in zip(names, self.sockets)
        ]

    def _refuse(self, said: str, code: int = LOAD_ERROR) -> NoReturn:
        """Ends gunicorn, its other workers too."""
        self.log.error("%s", said)
        sys.exit(code)

    def _served(self) -> tuple[Flask, SocketIO]:
        """What gunicorn has loaded, and its SocketIO."""
        if self.cfg.reload and getattr(self.wsgi, "__module__", "") == "gunicorn.util":
            # Its own, which says what is wrong until a file changes.
            self.wsgi = loading.stand_in(self.wsgi)
        try:
            return loading.served(self.wsgi, self.cfg.proc_name)
        except (LookupError, ValueError) as error:
            self._refuse(str(error))

    def _wait(self, socketio: SocketIO, listeners: list[_erlen.Listener]) -> None:
        """Waits for the end, and for what is under way then."""
        parent = self.ppid
        while self.alive and os.getppid() == parent:
            self.notify()
            if socketio._serving.wait(listeners[0], 1.0):
                break
        # At the whole of it gunicorn kills the worker.
        grace = 0.9 * self.cfg.graceful_timeout
        for listener in listeners:
            listener.stop(spread=min(grace / 10, 3.0), grace=grace)
        for listener in listeners:
            while not socketio._serving.wait(listener, 1.0):
                self.notify()


def _secured(cfg: Any) -> tls.Secured:
    """The files; or gunicorn's context, where more is asked for than they say: clients' certificates, ciphers, a hook."""
    if not cfg.is_ssl:
        return None
    if cfg.cert_reqs or cfg.ciphers or cfg.ssl_context != cfg.settings["ssl_context"].default:
        context: ssl.SSLContext = sock.ssl_context(cfg)
        return context
    return tls.pem(certfile=cfg.certfile, keyfile=cfg.keyfile)
