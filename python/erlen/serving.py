"""How a SocketIO is served: the engine that it has for each application, and the listeners on which they run.

Not what a run does and prints (run.py, gunicorn.py), and not how it ends (ending.py).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from . import _erlen, green, loading, options
from .context import Connection
from .dispatch import Dispatcher, current
from .ending import shut
from .wsgi import Middleware, admit, is_wrapped

if TYPE_CHECKING:
    from flask import Flask

    from .relay import Over
    from .socketio import SocketIO

__all__ = ["Served", "Serving", "listen"]

_all: weakref.WeakSet[Serving] = weakref.WeakSet()
"""Those that have started an engine."""


def _in_child() -> None:
    for serving in list(_all):
        serving.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class Served:
    """An application as a SocketIO serves it: the engine, and who is called for its clients."""

    def __init__(self, socketio: SocketIO, app: Optional[Flask]) -> None:
        self.socketio = socketio
        self.app = app
        self.entry: Optional[Callable[..., Any]] = app
        """The WSGI application: that one, or something around it."""
        self.engine: Optional[_erlen.Engine] = None
        self.asks = False
        """Whether a handshake passes what stands around the application."""
        self.dispatcher = Dispatcher(self)

    @property
    def middleware(self) -> Optional[Middleware]:
        """What the SocketIO has put into the application."""
        bound = {} if self.app is None else self.app.extensions.get("erlen", {})
        return bound.get(self.socketio)

    def is_wrapped(self) -> bool:
        """Whether something stands around that, which handshakes must pass."""
        return self.app is not None and is_wrapped(self.app, self.entry, self.middleware)

    def admit(self, environ: dict[str, Any]) -> Connection:
        """Decides on a handshake, and makes what is kept for its session."""
        return self.connection(admit(self.socketio, self.entry if self.asks else None, environ))

    def connection(self, environ: dict[str, Any]) -> Connection:
        """What is kept for a session with this environ."""
        if self.app is None:
            raise RuntimeError("this SocketIO has no application: call init_app(app) first")
        return Connection(environ.setdefault("flask.app", self.app), environ, "")


def listen(
    served: list[Served], host: str, port: int, *, threads: int, tls: Over, fd: Optional[int]
) -> _erlen.Listener:
    """Listens for what has begun, on the socket of that descriptor, or on one of its own.

    :raises OSError: the address cannot be listened on.
    """
    first, *others = served
    if first.engine is None or first.entry is None:
        raise RuntimeError("it has ended meanwhile")
    return first.engine.listen(
        host,
        port,
        first.socketio._serving.hosted(first.entry),
        threads=threads,
        tls=tls,
        fd=fd,
        also=[other.engine for other in others if other.engine is not None],
    )


class Serving:
    """What serves a SocketIO: one engine for each application that is served at a time."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio
        self.latest = Served(socketio, None)
        """The application that was bound last, or served last."""
        self.hub: Optional[green.Hub] = None
        self.is_childs = False
        """Whether the engine was that of the process that has forked this one."""
        self._runs: dict[_erlen.Listener, Served] = {}
        self._stop_asked = False
        self._lock = threading.Lock()

    def bind(self, app: Optional[Flask]) -> None:
        """The SocketIO is bound to an application."""
        self.latest = Served(self._socketio, app)
        if app is not None:
            loading.bound.add(self._socketio)

    def here(self) -> Served:
        """What serves the client whose event is handled; outside of events, what was begun last."""
        handled = current.get()
        return self.latest if handled is None or handled.socketio is not self._socketio else handled.served

    def engine(self) -> _erlen.Engine:
        """The engine, started when it is first needed: not at import, for a process that forks."""
        return self.here().engine or self._start(self.latest)

    def _start(self, served: Served) -> _erlen.Engine:
        with self._lock:
            engine = served.engine
            if engine is None:
                self._socketio._refuse_queue()
                served.asks = served.is_wrapped()
                given = options.engine(self._socketio.server_options, served.asks)
                engine = served.engine = _erlen.Engine(served.dispatcher, **given)
                self.is_childs = False
                _all.add(self)
        self.open_namespaces()
        return engine

    def open_namespaces(self) -> None:
        """Tells the engines which namespaces may be joined, and what is to be called for them."""
        for served in {self.latest, *self._runs.values()}:
            if served.engine is not None:
                self._open_namespaces(served.engine)

    def _open_namespaces(self, engine: _erlen.Engine) -> None:
        registry = self._socketio.registry
        listed = self._socketio.server_options.get("namespaces") or ["/"]
        names = registry.namespaces()
        if isinstance(listed, str) and listed != "*":
            # Upstream looks for the name within the text, where "/" always is.
            listed = ["/", listed]
        if listed == "*" or "*" in listed:
            engine.any_namespace(True)
        else:
            names |= set(listed)
        for name in names:
            connect, disconnect = (registry.wants(name, event) for event in ("connect", "disconnect"))
            engine.namespace(name, connect, disconnect, registry.events(name))

    def leave_to_parent(self) -> None:
        """In the child of a fork: the engines' threads, their clients and the locks that those threads hold are the parent's."""
        for served in {self.latest, *self._runs.values()}:
            served.engine = None
        self._socketio.wsgi_server = self.hub = None
        self._runs = {}
        self._lock = threading.Lock()
        self.is_childs = True

    # A run.

    def begin(self, app: Flask, entry: Callable[..., Any]) -> list[Served]:
        """What is served for an application from here on: it, with this SocketIO, and with others that have paths of their own there.

        :param entry: the WSGI application: that one, or something around it.
        """
        together = {options.path(self._socketio.server_options): self}
        for inner in loading.flasks_of(app):
            for other in inner.extensions.get("erlen", ()):
                if other.wsgi_server is None:
                    together.setdefault(options.path(other.server_options), other._serving)
        return [serving._begin(app, entry) for serving in together.values()]

    def _begin(self, app: Flask, entry: Callable[..., Any]) -> Served:
        self._stop_asked = False
        if self.hub is None:
            self.hub = green.hub()
        with self._lock:
            served = self._served(app)
            served.entry = entry
            if served.engine is not None and not served.asks and served.is_wrapped():
                # A test client has started it, before the application was wrapped.
                served = Served(self._socketio, served.app)
                served.entry = entry
            self.latest = served
            self._socketio.sockio_mw = served.middleware
        self._start(served)
        return served

    def _served(self, app: Flask) -> Served:
        """What there is for an application already, or anew."""
        if self.latest.app is None:
            raise RuntimeError("this SocketIO is not bound to that application: call init_app(app) first")
        # Its own may be somewhere below that one (DispatcherMiddleware).
        own = (each for each in loading.flasks_of(app) if self._socketio in each.extensions.get("erlen", ()))
        home = next(own, self.latest.app)
        there = (served for served in (self.latest, *self._runs.values()) if served.app is home)
        return next(there, None) or Served(self._socketio, home)

    def listens(self, listener: _erlen.Listener, served: Served) -> None:
        """From here on :meth:`stop` ends this listener; where it was asked for while the listener began, it ends now."""
        self._socketio.wsgi_server = listener
        self._runs[listener] = served
        if self._stop_asked:
            listener.stop()

    def stop(self) -> None:
        """Ends the runs, from any thread."""
        # One of the two sees the other: this, or `listens`.
        self._stop_asked = True
        for listener in list(self._runs):
            listener.stop()

    def wait(self, listener: _erlen.Listener, timeout: Optional[float] = None) -> bool:
        """Waits for the end of a listener, and lets greenlets run meanwhile where there are any."""
        return listener.wait(timeout) if self.hub is None else self.hub.wait(listener, timeout)

    def over(self, listener: _erlen.Listener, left: Callable[[], float]) -> None:
        """A run has ended, and with the last of an application its engine: a new run begins with a new one.

        :param left: says how many seconds handlers still have.
        """
        served = self._runs.pop(listener)
        others = [*self._runs.items()]
        self._socketio.wsgi_server = others[-1][0] if others else None
        if others and served is self.latest:
            self.latest = others[-1][1]
        if served in self._runs.values():
            # Another listener goes on with the engine.
            return
        engine, served.engine = served.engine, None
        hub, self.hub = self.hub, None
        if engine is not None and hub is None:
            shut(engine.shutdown, left)
        elif engine is not None and hub is not None:
            shut(partial(hub.outside, engine.shutdown), left)
        if hub is not None:
            hub.close()

    def hosted(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """A WSGI application as the engine's threads are to call it."""
        return application if self.hub is None else self.hub.application(application)
