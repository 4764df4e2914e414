"""What Flask finds out about the URL of a handshake, and what the requests of a connection are made of.

Most handshakes of an application ask for the same path of the same host, which matches no route. Where nothing but what was asked for
can decide on that (Flask's own functions, Werkzeug's own converters), it is found out once, and not for each connection.
"""

from __future__ import annotations

import copy
import operator
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import flask
import flask.app
import flask.ctx
import werkzeug.routing
import werkzeug.routing.map
import werkzeug.wrappers.request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import HTTPException, NotFound

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["EXTENSION", "KEPT", "Requests", "Routing", "asked", "found", "is_kept", "keep"]


class Matched(NamedTuple):
    """What a handshake's URL matches."""

    adapter: Optional[werkzeug.routing.MapAdapter]
    rule: Any
    view_args: Any
    trusted_hosts: Any

    @classmethod
    def by(cls, context: Any) -> Matched:
        """As Flask has found it out in a context of its own."""
        request = context.request
        # A handler may change its own.
        view_args = None if request.view_args is None else dict(request.view_args)
        adapter = copy.copy(context.url_adapter)
        return cls(adapter, request.url_rule, view_args, vars(request).get("trusted_hosts"))


class Routing:
    """What is kept for a connection."""

    __slots__ = (
        *(
            "_exception",
            "_is_nowhere",
            "adapter",
            "is_plain",
            "requests",
            "rule",
            "trusted_hosts",
            "view_args",
        ),
    )

    def __init__(self, app: Flask, matched: Matched, exception: Optional[HTTPException]) -> None:
        self.adapter, self.rule, self.view_args, self.trusted_hosts = matched
        self._exception = exception
        self._is_nowhere = type(exception) is NotFound and vars(exception) == vars(NotFound())
        self.is_plain = _is_plain(app)
        self.requests = Requests()

    @classmethod
    def of(cls, context: Any) -> Routing:
        """What Flask has found out in a context of its own."""
        exception = context.request.routing_exception
        if exception is not None:
            # Frames of Flask's, which hold the request that holds the exception.
            exception.__traceback__ = exception.__context__ = None
        return cls(context.app, Matched.by(context), copy.copy(exception))

    def exception(self) -> Optional[HTTPException]:
        """What the match has raised, of each request its own: a handler that raises it again gives it a traceback, whose frames
        hold the socket."""
        return NotFound() if self._is_nowhere else copy.copy(self._exception)


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
        """None before the second of a kind: many connections have no more. Empty where making one does more than to put down what
        does not change."""

    def are(self, kind: type[flask.Request]) -> bool:
        """Whether they are of that kind, and nobody sees when one is made."""
        return kind is self._kind and bool(self._attributes)

    def make(self, kind: type[flask.Request], environ: dict[str, Any]) -> flask.Request:
        """What `kind(environ)` is."""
        made_of = tuple(map(environ.get, self._OF))
        if kind is not self._kind or made_of != self._made_of:
            request = kind(environ)
            self._kind, self._made_of, self._attributes = kind, made_of, None
        elif not self._attributes:
            request = kind(environ)
            if self._attributes is None:
                self._attributes = self._attributes_of(request)
        else:
            request = object.__new__(kind)
            vars(request).update(self._attributes)
            environ["werkzeug.request"] = request
        return request

    def _attributes_of(self, request: flask.Request) -> dict[str, Any]:
        kind, attributes = type(request), dict(vars(request))
        makes = _is_made_plainly(kind)
        fixed = (value is request.environ or isinstance(value, self._FIXED) for value in attributes.values())
        return attributes if makes and all(fixed) else {}


# What is the same for all that ask alike.


_LOOKED_AT = (
    *("REQUEST_METHOD", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT"),
    *("SCRIPT_NAME", "PATH_INFO", "HTTP_CONNECTION", "HTTP_UPGRADE"),
)
"""The query is looked at where it is redirected to, and that is not kept."""

KEPT = 64
"""For so many that ask differently: clients choose what they ask for."""

EXTENSION = "erlen.routing"
"""Where an application keeps it, among its extensions: a rule may refer to the application."""


def asked(app: Flask, environ: dict[str, Any]) -> Optional[tuple[Any, ...]]:
    """What decides on what the URL matches; None where something else may decide too."""
    urls, config, context = app.url_map, app.config, flask.ctx.RequestContext
    if (
        type(urls) is not werkzeug.routing.Map
        or urls.converters != werkzeug.routing.Map.default_converters
        or not all(_is_own(flask.app, method) for method in (app.create_url_adapter, app.request_context))
        or not all(_is_of(flask.ctx, way) for way in (context.__init__, context.match_request))
        or not _is_own(werkzeug.routing.map, urls.bind_to_environ)
        or not _is_of(werkzeug.routing.map, werkzeug.routing.MapAdapter.match)
        or not _is_made_plainly(app.request_class)
        or app.url_rule_class is not werkzeug.routing.Rule
    ):
        return None
    hosts = config.get("TRUSTED_HOSTS")
    rules = operator.length_hint(urls.iter_rules())
    of = (urls, rules, urls.host_matching, urls.default_subdomain, app.subdomain_matching)
    named = (config.get("SERVER_NAME"), hosts if hosts is None else tuple(hosts))
    return (*of, *named, *map(environ.get, _LOOKED_AT))


def found(app: Flask, environ: dict[str, Any]) -> Optional[Routing]:
    """What a handshake's URL matches, where another connection has found that out."""
    known = app.extensions.get(EXTENSION)
    if not known:
        return None
    like = asked(app, environ)
    there = None if like is None else known.get(like)
    if there is None:
        return None
    adapter = copy.copy(there.adapter)
    adapter.query_args = environ.get("QUERY_STRING", "").encode("latin-1").decode(errors="replace")
    return Routing(app, there._replace(adapter=adapter), NotFound() if there.rule is None else None)


def keep(like: tuple[Any, ...], context: Any) -> None:
    """Keeps what Flask has found out for those that ask alike."""
    request = context.request
    if context.url_adapter is None or not (request.url_rule or type(request.routing_exception) is NotFound):
        return
    known = context.app.extensions.setdefault(EXTENSION, {})
    if len(known) >= KEPT:
        known.clear()
    matched = Matched.by(context)
    # Of who has asked first: a copy's is its own.
    matched.adapter.query_args = None  # type: ignore[union-attr]
    known[like] = matched


# Whether things are as Flask and Werkzeug have them.


def is_kept(app: Flask) -> bool:
    """Whether a connection keeps what Flask has found out. Not where the application makes its contexts, nor where its requests have a
    host of their own: Flask gives each of them the one that it has looked at."""
    makes = type(app).request_context is flask.Flask.request_context
    return makes and app.request_class.host is werkzeug.wrappers.Request.host


def _is_of(module: Any, function: Any) -> bool:
    """Whether a function is what its module defines, and nobody has put something in front of it."""
    return type(function) is FunctionType and function.__globals__ is vars(module)


def _is_made_plainly(kind: type[flask.Request]) -> bool:
    """Whether making a request does no more than Werkzeug has it do."""
    return _is_of(werkzeug.wrappers.request, kind.__init__) and kind.__new__ is object.__new__


def _is_own(module: Any, method: Any) -> bool:
    """Whether an object's method is what the module defines."""
    return type(method) is MethodType and _is_of(module, method.__func__)


def _is_plain(app: Flask) -> bool:
    """Whether an application's contexts come and go as Flask has it."""
    ends = (app.app_context, app.do_teardown_request, app.do_teardown_appcontext)
    ways = (flask.ctx.AppContext, flask.ctx.RequestContext)
    return (
        all(_is_own(flask.app, end) for end in ends)
        and all(_is_of(flask.ctx, function) for way in ways for function in (way.push, way.pop))
        and _is_of(werkzeug.wrappers.request, app.request_class.close)
    )
