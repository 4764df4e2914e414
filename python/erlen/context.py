"""The request context that an event handler sees: that of the handshake, made cheap.

What cannot change during a connection is found out by its first event, in a context that Flask makes, and kept: the URL adapter, what
the handshake's path matches (usually no route), what a request is made of, and the managed session. What the path matches is kept for
other connections too, where it is the same for all that ask alike (routing.py). What an application can observe is made anew for each event: `g`, the request object once somebody asks for it, and the teardown functions and signals, by Flask's own push and
pop. Where nobody has registered anything that those would call, the contexts are put in place and taken away without asking.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

import flask
import flask.ctx

from . import routing
from .routing import Routing
from .session import SAVED, managed_session

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Client", "Connection", "addressee", "inline", "isolated"]

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


class Client:
    """A client in a namespace, for as long as it is there."""

    __slots__ = ("connection", "namespace", "sid")

    def __init__(self, sid: str, namespace: str, connection: Connection) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection

    def context(self, message: Optional[str], args: Sequence[Any], managed: bool) -> Union[First, Known]:
        """A context for one event, to be entered; its `session` is then what the handler sees.

        :param message: the event's name; None for the callback of an acknowledgement.
        :param managed: whether its session is the connection's own.
        """
        connection = self.connection
        known = connection.routing
        if known is None and _SEPARATE:
            known = connection.routing = routing.found(connection.app, connection.environ)
        if known is None:
            return First(self, message, args, managed)
        return Known(self, known, message, args, managed)

    def put_on(self, request: Any, message: Optional[str], args: Sequence[Any]) -> None:
        """Adds to a request what the requests of events have more than others."""
        request.sid = self.sid
        request.namespace = self.namespace
        request.event = {"message": message, "args": args}


class First:
    """The context of the first event, or of every one where nothing can be kept: it is Flask's."""

    __slots__ = ("_args", "_client", "_context", "_managed", "_message", "session")

    def __init__(self, client: Client, message: Optional[str], args: Sequence[Any], managed: bool) -> None:
        self._client = client
        self._message = message
        self._args = args
        self._managed = managed

    def __enter__(self) -> First:
        connection = self._client.connection
        kept = _SEPARATE and routing.is_kept(connection.app)
        asked = routing.asked(connection.app, connection.environ) if kept else None
        context: Any = connection.app.request_context(connection.environ)
        context.push()
        if kept:
            connection.routing = Routing.of(context)
            if asked is not None:
                routing.keep(asked, context)
        self._context = context
        self._client.put_on(context.request, self._message, self._args)
        if self._managed:
            saved = managed_session(connection.environ, flask.session._get_current_object())  # type: ignore[attr-defined]
            setattr(context, "_session" if hasattr(context, "_session") else "session", saved)
            self.session: Any = saved
        else:
            self.session = context.session
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        self._context.pop(error)


if _SEPARATE:
    from flask.globals import _cv_app, _cv_request

    _Ordinary = flask.ctx.RequestContext
    _SESSION = "_session" if isinstance(getattr(_Ordinary, "session", None), property) else "session"
    """Where a context keeps its session: later versions of Flask 3.1 have a property in front of it."""

    class _Lazy:
        """A context's request, which is made when somebody first asks for it."""

        def __get__(self, context: Known, kind: Any) -> flask.Request:
            # Where two threads ask at once, both get the same.
            return vars(context).setdefault("request", context.make_request())  # type: ignore[no-any-return]

    class Known(_Ordinary):
        """A request context that knows its URL adapter and its route beforehand."""

        flashes = None
        request = _Lazy()

        def __init__(
            self, client: Client, routing: Routing, message: Optional[str], args: Sequence[Any], managed: bool
        ) -> None:
            app = self.app = client.connection.app
            self.url_adapter = routing.adapter
            setattr(self, _SESSION, client.connection.environ.get(SAVED) if managed else None)
            self._after_request_functions = []
            self._cv_tokens = []
            self._routing = routing
            self._managed = managed
            self.client = client
            self._message = message
            self._args = args
            if not routing.requests.are(app.request_class):
                vars(self)["request"] = self.make_request()

        def make_request(self) -> flask.Request:
            """The request, with what is known of it."""
            app, routing = self.app, self._routing
            request = routing.requests.make(app.request_class, self.client.connection.environ)
            request.json_module = app.json
            if routing.trusted_hosts is not None:
                request.trusted_hosts = routing.trusted_hosts
            if self.url_adapter is None:
                request.routing_exception = routing.exception()
            if getattr(self, _SESSION) is not None:
                self._complete(request)
            return request

        def _complete(self, request: flask.Request) -> None:
            """What a request has from when its session is open: who opens that does not see it, as in Flask."""
            routing = self._routing
            request.routing_exception, request.url_rule = routing.exception(), routing.rule
            request.view_args = None if routing.view_args is None else dict(routing.view_args)
            self.client.put_on(request, self._message, self._args)

        def match_request(self) -> None:
            """The route is known."""

        def copy(self) -> _Ordinary:
            """An ordinary context of the same request and session, for another thread."""
            return _Ordinary(self.app, self.request.environ, self.request, getattr(self, _SESSION))

        def push(self) -> None:
            """As Flask's."""
            is_kept = getattr(self, _SESSION) is not None
            if _cv_app.get(None) is None and self._routing.is_plain:
                app_context = _App(self.app)
                app_context.push()
                self._cv_tokens.append((_cv_request.set(self), app_context))
                if not is_kept:
                    self._open_session()
            else:
                super().push()
            if not is_kept:
                if self._managed:
                    opened = getattr(self, _SESSION)
                    setattr(self, _SESSION, managed_session(self.client.connection.environ, opened))
                self._complete(self.request)

        def _open_session(self) -> None:
            """As Flask's own push does."""
            interface = self.app.session_interface
            session = interface.open_session(self.app, self.request)
            setattr(self, _SESSION, interface.make_null_session(self.app) if session is None else session)

        def pop(self, *error: Any) -> None:
            """As Flask's, which is asked where it would call anything."""
            request = vars(self).get("request")
            if (
                self.app.teardown_request_funcs
                or flask.request_tearing_down.receivers
                or not self._routing.is_plain
                or (request is not None and "files" in vars(request))
                or len(self._cv_tokens) != 1
                or _cv_request.get() is not self
            ):
                return super().pop(*error)
            token, app_context = self._cv_tokens.pop()
            _cv_request.reset(token)
            if request is not None:
                request.environ["werkzeug.request"] = None
            if app_context is not None:
                app_context.pop(*error)

    class _App(flask.ctx.AppContext):
        """The application context around it."""

        def push(self) -> None:
            """As Flask's."""
            if flask.appcontext_pushed.receivers:
                return super().push()
            self._cv_tokens.append(_cv_app.set(self))

        def pop(self, *error: Any) -> None:
            """As Flask's, which is asked where it would call anything."""
            if (
                self.app.teardown_appcontext_funcs
                or flask.appcontext_tearing_down.receivers
                or flask.appcontext_popped.receivers
                or len(self._cv_tokens) != 1
                or _cv_app.get() is not self
            ):
                return super().pop(*error)
            _cv_app.reset(self._cv_tokens.pop())


def addressee() -> Any:
    """What has the `sid` and the `namespace` of the current request: that, or the client of an event whose request nobody has asked for."""
    if _SEPARATE:
        context = _cv_request.get(None)
        if type(context) is Known and "request" not in vars(context):
            return context.client
    return flask.request._get_current_object()  # type: ignore[attr-defined]


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
