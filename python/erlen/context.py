"""The request context that an event handler sees: that of the handshake, made cheap.

What cannot change during a connection is found out by its first event, in a context that Flask makes, and kept: the URL adapter, what
the handshake's path matches (usually no route), and the managed session. What an application can observe is made anew for each
event: `g`, the request object, and the teardown functions and signals, by Flask's own push and pop.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import flask
import flask.ctx

from .session import SAVED, managed_session

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Connection", "EventContext", "inline", "isolated"]

T = TypeVar("T")

_SEPARATE = "RequestContext" in vars(flask.ctx)
"""Flask 3.2 has one context for the application and the request; there every event gets one that Flask makes."""

_inline: contextvars.ContextVar[bool] = contextvars.ContextVar("erlen.inline", default=False)
"""Set where a test client has its events handled, which are part of what the test does there."""


class Connection:
    """What is kept for an Engine.IO session: the environ of its handshake, and what contexts are made from.

    :param environ: the same dict for every event, so that applications may put things into it.
    """

    __slots__ = ("__weakref__", "app", "environ", "routing", "sessions", "sid")

    def __init__(self, app: Flask, environ: dict[str, Any], sid: str) -> None:
        self.app = app
        self.environ = environ
        self.sid = sid
        self.routing: Optional[Routing] = None
        self.sessions: dict[str, dict[str, Any]] = {}
        """What `Server.get_session` gives, by namespace."""

    def context(self, managed: bool) -> EventContext:
        """A context for one event, to be entered.

        :param managed: whether its session is the connection's own.
        """
        return EventContext(self, managed)


class Routing:
    """What Flask finds out about the URL of a handshake."""

    __slots__ = ("adapter", "exception", "rule", "view_args")

    def __init__(self, context: Any) -> None:
        self.adapter = context.url_adapter
        self.rule = context.request.url_rule
        self.view_args = context.request.view_args
        self.exception = context.request.routing_exception
        if self.exception is not None:
            # Its traceback would keep the frames of the first event, and all that is in them, as long as the connection.
            self.exception.__traceback__ = self.exception.__context__ = None


class EventContext:
    """A context manager: the request context of one event."""

    __slots__ = ("_connection", "_context", "_managed", "request", "session")

    def __init__(self, connection: Connection, managed: bool) -> None:
        self._connection = connection
        self._managed = managed

    def __enter__(self) -> EventContext:
        """Makes it the current context; `request` and `session` are then what the handler sees."""
        connection = self._connection
        routing = connection.routing
        saved = connection.environ.get(SAVED) if self._managed else None
        context: Any
        if routing is None:
            context = connection.app.request_context(connection.environ)
            context.push()
            if _SEPARATE and type(connection.app).request_context is flask.Flask.request_context:
                connection.routing = Routing(context)
        else:
            context = _Known(connection, routing, saved)
            context.push()
        self._context = context
        self.request = context.request
        if self._managed and (routing is None or saved is None):
            saved = managed_session(connection.environ, flask.session._get_current_object())  # type: ignore[attr-defined]
            setattr(context, "_session" if hasattr(context, "_session") else "session", saved)
        self.session: Any = saved if self._managed else context.session
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        self._context.pop(error)


if _SEPARATE:
    _Ordinary = flask.ctx.RequestContext
    _SESSION = "_session" if isinstance(getattr(_Ordinary, "session", None), property) else "session"
    """Where a context keeps its session: later versions of Flask 3.1 have a property in front of it."""

    class _Known(_Ordinary):
        """A request context that knows its URL adapter and its route beforehand."""

        def __init__(self, connection: Connection, routing: Routing, session: Any) -> None:
            self.app = connection.app
            self.request = connection.app.request_class(connection.environ)
            self.request.json_module = connection.app.json
            self.request.routing_exception = routing.exception
            self.url_adapter = routing.adapter
            self.flashes = None
            setattr(self, _SESSION, session)
            self._after_request_functions = []
            self._cv_tokens = []
            self._routing = routing

        def match_request(self) -> None:
            """Puts down what is known; called by `push`."""
            self.request.url_rule = self._routing.rule
            self.request.view_args = self._routing.view_args and dict(self._routing.view_args)

        def copy(self) -> _Ordinary:
            """An ordinary context of the same request and session, for another thread."""
            return _Ordinary(self.app, self.request.environ, self.request, getattr(self, _SESSION))


def isolated(function: Callable[..., T], *args: Any) -> T:
    """Calls a function with no context variable set, as a new thread would; where a test client waits, with those of the test."""
    if _inline.get():
        return function(*args)
    return contextvars.Context().run(function, *args)


def inline(function: Callable[..., T], *args: Any) -> T:
    """Calls a function whose events are handled here and now, with the context variables of the caller."""
    token = _inline.set(True)
    try:
        return function(*args)
    finally:
        _inline.reset(token)
