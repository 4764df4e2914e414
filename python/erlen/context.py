"""The request context that an event handler sees: that of the handshake, made cheap.

What cannot change during a connection is found out by its first event, in a context that Flask makes, and kept: the URL adapter, what
the handshake's path matches (usually no route), what a request is made of, and the managed session. What an application can observe is
made anew for each event: `g`, the request object once somebody asks for it, and the teardown functions and signals, by Flask's own push and
pop. Where nobody has registered anything that those would call, the contexts are put in place and taken away without asking.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

import flask
import flask.app
import flask.ctx
import werkzeug.wrappers.request
from werkzeug.datastructures import EnvironHeaders

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
        session = connection.environ.get(SAVED) if managed else None
        if connection.routing is None or (managed and session is None):
            return First(self, message, args, managed)
        return Known(self, connection.routing, message, args, session)

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
        context: Any = connection.app.request_context(connection.environ)
        context.push()
        if _SEPARATE and type(connection.app).request_context is flask.Flask.request_context:
            connection.routing = Routing(context)
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


class Routing:
    """What Flask finds out about the URL of a handshake."""

    __slots__ = ("adapter", "exception", "is_plain", "requests", "rule", "view_args")

    def __init__(self, context: Any) -> None:
        self.adapter = context.url_adapter
        self.rule = context.request.url_rule
        self.view_args = context.request.view_args
        self.exception = context.request.routing_exception
        if self.exception is not None:
            # Its traceback would keep the frames of the first event, and all that is in them, as long as the connection.
            self.exception.__traceback__ = self.exception.__context__ = None
        self.is_plain = _is_plain(context.app)
        self.requests = Requests()


class Requests:
    """The requests of a connection: what they have in common is put down anew, as long as nobody changes what they were made of."""

    __slots__ = ("_attributes", "_kind", "_made_of")

    _OF = (
        *("REQUEST_METHOD", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT"),
        *("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR"),
    )
    _FIXED = (str, bytes, int, tuple, type(None), EnvironHeaders)

    def __init__(self) -> None:
        self._kind: Optional[type[flask.Request]] = None
        self._made_of: tuple[Any, ...] = ()
        self._attributes: Optional[dict[str, Any]] = None
        """None where making one does more than to put down what does not change."""

    def are(self, kind: type[flask.Request]) -> bool:
        """Whether they are of that kind, and nobody sees when one is made."""
        return kind is self._kind and self._attributes is not None

    def make(self, kind: type[flask.Request], environ: dict[str, Any]) -> flask.Request:
        """What `kind(environ)` is."""
        made_of = tuple(map(environ.get, self._OF))
        if kind is not self._kind or made_of != self._made_of:
            request = kind(environ)
            self._kind, self._made_of, self._attributes = kind, made_of, self._attributes_of(request)
        elif self._attributes is None:
            request = kind(environ)
        else:
            request = object.__new__(kind)
            vars(request).update(self._attributes)
            environ["werkzeug.request"] = request
        return request

    def _attributes_of(self, request: flask.Request) -> Optional[dict[str, Any]]:
        kind, attributes = type(request), dict(vars(request))
        makes = _is_of(werkzeug.wrappers.request, kind.__init__) and kind.__new__ is object.__new__
        fixed = (value is request.environ or isinstance(value, self._FIXED) for value in attributes.values())
        return attributes if makes and all(fixed) else None


def _is_of(module: Any, function: Any) -> bool:
    """Whether a function is what its module defines, and nobody has put something in front of it."""
    return type(function) is FunctionType and function.__globals__ is vars(module)


def _is_plain(app: Flask) -> bool:
    """Whether an application's contexts come and go as Flask has it."""
    ends = (app.app_context, app.do_teardown_request, app.do_teardown_appcontext)
    ways = (flask.ctx.AppContext, flask.ctx.RequestContext)
    return (
        all(type(end) is MethodType and _is_of(flask.app, end.__func__) for end in ends)
        and all(_is_of(flask.ctx, function) for way in ways for function in (way.push, way.pop))
        and _is_of(werkzeug.wrappers.request, app.request_class.close)
    )


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
            self, client: Client, routing: Routing, message: Optional[str], args: Sequence[Any], session: Any
        ) -> None:
            app = self.app = client.connection.app
            self.url_adapter = routing.adapter
            setattr(self, _SESSION, session)
            self._after_request_functions = []
            self._cv_tokens = []
            self._routing = routing
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
            request.routing_exception = routing.exception
            if self.url_adapter is not None:
                request.url_rule = routing.rule
                request.view_args = routing.view_args and dict(routing.view_args)
            self.client.put_on(request, self._message, self._args)
            return request

        def match_request(self) -> None:
            """The route is known."""

        def copy(self) -> _Ordinary:
            """An ordinary context of the same request and session, for another thread."""
            return _Ordinary(self.app, self.request.environ, self.request, getattr(self, _SESSION))

        def push(self) -> None:
            """As Flask's."""
            is_outermost = _cv_app.get(None) is None
            if not (is_outermost and self._routing.is_plain) or getattr(self, _SESSION) is None:
                return super().push()
            app_context = _App(self.app)
            app_context.push()
            self._cv_tokens.append((_cv_request.set(self), app_context))

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
