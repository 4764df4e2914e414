"""The request context that an event handler sees: that of the handshake, made cheap.

What does not change during a connection is made once: the URL adapter, the match of the route (a miss, unless the application has
a route for every path), and the managed session. What an application can observe is made anew for each event: `g`, the request object, and the teardown
functions and signals, in Flask's order.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from flask.ctx import RequestContext

from .session import ManagedSession

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Connection", "EventContext"]

_SESSION = "_session" if isinstance(getattr(RequestContext, "session", None), property) else "session"
"""Where a context keeps its session: later versions of Flask 3.1 have a property in front of it."""


class Connection:
    """What is kept for an Engine.IO session: the environ of its handshake, and what contexts are made from.

    :param environ: the same dict for every event, so that applications may put things into it.
    """

    __slots__ = (
        "__weakref__",
        "app",
        "environ",
        "lock",
        "route",
        "sessions",
        "sid",
    )

    def __init__(self, app: Flask, environ: dict[str, Any], sid: str) -> None:
        self.app = app
        self.environ = environ
        self.sid = sid
        self.lock = threading.Lock()
        self.route: Optional[Route] = None
        """What the first event found."""
        self.sessions: dict[str, dict[str, Any]] = {}
        """What `Server.get_session` gives, by namespace."""

    def context(self, managed: bool) -> RequestContext:
        """A context for one event, to be entered.

        :param managed: whether its session is the connection's own.
        """
        return EventContext(self, managed)


class Route(NamedTuple):
    """Where the path of the handshake leads: nowhere, in most applications."""

    url_adapter: Any
    url_rule: Any
    view_args: Optional[dict[str, Any]]
    routing_exception: Any


class EventContext(RequestContext):
    """A request context that matches no route and opens no session of its own where the connection has one."""

    def __init__(self, connection: Connection, managed: bool) -> None:
        app = connection.app
        self.app = app
        self.request = request = app.request_class(connection.environ)
        request.json_module = app.json
        self.flashes = None
        setattr(self, _SESSION, None)
        self._after_request_functions = []
        self._cv_tokens = []
        # Flask matches a route where there is an adapter: it is put in after the push.
        self.url_adapter = None
        self._connection = connection
        self._managed = managed

    def push(self) -> None:
        """Makes this the current context."""
        connection = self._connection
        if self._managed and "saved_session" in connection.environ:
            setattr(self, _SESSION, connection.environ["saved_session"])
        super().push()
        self._route()
        if self._managed:
            saved = connection.environ.get("saved_session")
            if saved is None:
                with connection.lock:
                    saved = connection.environ.setdefault("saved_session", ManagedSession(self.session))
                setattr(self, _SESSION, saved)

    def _route(self) -> None:
        """Gives the request its route: matched by the first event, within the context as Flask does, and kept for the others."""
        request = self.request
        route = self._connection.route
        if route is None:
            self.url_adapter = self.app.create_url_adapter(request)
            if self.url_adapter is not None:
                self.match_request()
            self._connection.route = Route(
                self.url_adapter, request.url_rule, request.view_args, request.routing_exception
            )
            return
        self.url_adapter = route.url_adapter
        request.url_rule = route.url_rule
        request.view_args = None if route.view_args is None else dict(route.view_args)
        request.routing_exception = route.routing_exception

    def copy(self) -> RequestContext:
        """An ordinary context of the same request and session, for another thread."""
        return RequestContext(self.app, self.request.environ, self.request, self.session)
