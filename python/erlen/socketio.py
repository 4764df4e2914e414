"""The class `SocketIO`: what an application holds, registers handlers on, and emits by.

Names, defaults and return values are Flask-SocketIO's; where Erlen differs, docs/migrate-from-flask-socketio.md says so.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, overload

import flask

from . import _erlen, aio, background, flask_run, naming, options
from .dispatch import Current, current
from .handlers import RESERVED as _COMES_OR_GOES
from .handlers import Registry
from .namespace import Namespace
from .payload import Codec, arguments
from .run import run
from .server import Server
from .serving import Serving
from .wsgi import Middleware

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from typing_extensions import Unpack

    from .test_client import SocketIOTestClient

__all__ = ["SocketIO"]

_log = logging.getLogger("erlen")

F = TypeVar("F", bound=Callable[..., Any])

RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Events that mean something to the protocol or to its clients: nobody may emit them."""


class Reason:
    """Why a client has left."""

    SERVER_DISCONNECT = "server disconnect"
    CLIENT_DISCONNECT = "client disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"


class SocketIO:
    """A Socket.IO server for a Flask application.

    :param app: the application; None, if :meth:`init_app` is called later.
    :param options: see :meth:`init_app`.

    >>> from flask import Flask
    >>> from erlen import SocketIO, emit
    >>> app = Flask(__name__)
    >>> socketio = SocketIO(app)
    >>> @socketio.on("say")
    ... def say(text):
    ...     emit("said", text, broadcast=True)
    """

    reason = Reason

    @overload
    def __init__(self, app: Optional[Flask] = None, **options: Unpack[options.Options]) -> None: ...

    @overload
    def __init__(self, app: Optional[Flask] = None, **options: Any) -> None: ...

    def __init__(self, app: Optional[Flask] = None, **options: Any) -> None:
        self.server: Optional[Server] = None
        self.server_options: dict[str, Any] = {}
        self.wsgi_server: Optional[_erlen.Listener] = None
        self.sockio_mw: Optional[Middleware] = None
        self.handlers: list[tuple[str, Callable[..., Any], str]] = []
        self.namespace_handlers: list[Namespace] = []
        self.exception_handlers: dict[str, Callable[[Exception], Any]] = {}
        self.default_exception_handler: Optional[Callable[[Exception], Any]] = None
        self.manage_session = True
        self.async_mode = "threading"
        self.registry = Registry()
        self.codec = Codec()
        self.logger = logging.getLogger("socketio.server")
        self._queue = ""
        self._serving = Serving(self)
        if app is not None or "message_queue" in options:
            self.init_app(app, **options)
        else:
            self.server_options.update(options)

    @overload
    def init_app(self, app: Optional[Flask], **kwargs: Unpack[options.Options]) -> None: ...

    @overload
    def init_app(self, app: Optional[Flask], **kwargs: Any) -> None: ...

    def init_app(self, app: Optional[Flask], **kwargs: Any) -> None:
        """Binds the SocketIO to an application.

        :param app: the application; None makes a SocketIO that only emits, through a queue.
        :param kwargs: options of Flask-SocketIO, python-socketio and python-engineio; those that are not known are ignored.
            `path` (`'socket.io'`), `manage_session` (True), `json`, `allow_nan` (False), `async_handlers` (True; `'ordered'` handles
            the events of a client one after another, and so does False), `always_connect`, `namespaces`, `logger`, `engineio_logger`,
            `ping_interval` (25 s), `ping_timeout` (20 s), `max_http_buffer_size` (1 000 000 bytes), `allow_upgrades`, `transports`,
            `cookie`, `cors_allowed_origins`, `cors_credentials`, `async_mode` (any that is known; threads serve all).
            Erlen's own, whose defaults are in docs/deployment.md: `max_total_queue_bytes` and the other bounds of `erlen.options.BOUNDS`.
        :raises ValueError: an `async_mode` or `transports` that do not exist; a bound that is no number.
        :raises NotImplementedError: an option that is known and not built yet.
        """
        self.server_options.update(kwargs)
        given = self.server_options
        options.check(given)
        self.manage_session = given.get("manage_session", self.manage_session)
        self.async_mode = options.async_mode(given)
        self.codec = options.codec(given, app)
        self.logger = options.logger("socketio.server", given.get("logger", False))
        options.logger("engineio.server", given.get("engineio_logger", False))
        self._queue = next((name for name in ("message_queue", "client_manager") if given.get(name)), "")
        self._serving.bind(app)
        self.server = Server(self)
        for namespace in self.namespace_handlers:
            namespace._set_server(self.server)
        if app is None:
            return
        if not hasattr(app, "extensions"):
            app.extensions = {}
        app.extensions["socketio"] = self
        flask_run.take_over()
        self.sockio_mw = Middleware(app, self, options.path(given))
        app.extensions.setdefault("erlen", weakref.WeakKeyDictionary())[self] = self.sockio_mw
        app.wsgi_app = self.sockio_mw  # type: ignore[method-assign]

    # Registering.

    def on(self, message: str, namespace: Optional[str] = None) -> Callable[[F], F]:
        """Registers a function for an event; a decorator, which gives the function back.

        :param message: the event's name; `'*'` is every event that has no handler, with its name as the first argument.
        :param namespace: `/` unless given; `'*'` is every namespace.
        """

        name = namespace or "/"

        def register(handler: F) -> F:
            self.handlers.append((message, handler, name))
            self.registry.add(name, message, handler)
            self._serving.open_namespaces()
            return handler

        return register

    def on_event(self, message: str, handler: Callable[..., Any], namespace: Optional[str] = None) -> None:
        """Registers a function for an event, in place of an earlier one. As :meth:`on`, which a subclass may override."""
        self.on(message, namespace=namespace)(handler)

    @overload
    def event(self, __function: F) -> F: ...

    @overload
    def event(self, namespace: Optional[str] = None) -> Callable[[F], F]: ...

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Registers a function for the event of its name; a decorator, with or without a namespace."""
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__)(args[0])

        def register(handler: F) -> F:
            return self.on(handler.__name__, *args, **kwargs)(handler)

        return register

    def on_error(self, namespace: Optional[str] = None) -> Callable[[F], F]:
        """Registers what is called with the exceptions of a namespace's handlers; a decorator. What it returns is the ack.

        :raises ValueError: it cannot be called.
        """

        def register(exception_handler: F) -> F:
            if not callable(exception_handler):
                raise ValueError("exception_handler must be callable")
            self.exception_handlers[namespace or "/"] = exception_handler
            return exception_handler

        return register

    def on_error_default(self, exception_handler: F) -> F:
        """Registers what is called with exceptions where the namespace has nothing of its own; a decorator."""
        if not callable(exception_handler):
            raise ValueError("exception_handler must be callable")
        self.default_exception_handler = exception_handler
        return exception_handler

    def on_namespace(self, namespace_handler: Namespace) -> None:
        """Registers an instance of a class namespace.

        :raises ValueError: it is none.
        """
        if not isinstance(namespace_handler, Namespace):
            raise ValueError("Not a namespace instance.")
        namespace_handler._set_socketio(self)
        if self.server is not None:
            namespace_handler._set_server(self.server)
        self.namespace_handlers.append(namespace_handler)
        self.registry.add_class(namespace_handler)
        self._serving.open_namespaces()

    # Emitting.

    def emit(
        self,
        event: str,
        *args: Any,
        namespace: Optional[str] = "/",
        to: Any = None,
        room: Any = None,
        include_self: bool = True,
        skip_sid: Any = None,
        callback: Optional[Callable[..., Any]] = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits an event to everyone in a namespace, or to rooms. From any thread; it does not wait for the network.

        :param event: its name.
        :param args: at most one payload; a tuple is several arguments. It is encoded before this returns.
        :param to: a room or a sid, or a list of them. `room` is the same.
        :param include_self: False leaves out the client whose event is handled.
        :param skip_sid: a sid, or a list of them, to leave out.
        :param callback: called with each client's acknowledgement; within a handler in the context of its client.
        :raises TypeError: what JSON cannot hold, with its place; several payloads; a room that is none.
        :raises ValueError: a reserved name.
        """
        if len(args) > 1:
            raise TypeError("emit() takes one payload: give several arguments as a tuple")
        self._require_server()
        if not include_self and not skip_sid:
            skip_sid = flask.request.sid  # type: ignore[attr-defined]
        self._emit(
            event,
            arguments(args[0]) if args else [],
            namespace=namespace or "/",
            to=to or room or None,
            skip=skip_sid,
            callback=self._in_context(callback) if callback is not None else None,
        )

    def send(
        self,
        data: Any,
        json: bool = False,
        namespace: Optional[str] = None,
        to: Any = None,
        callback: Optional[Callable[..., Any]] = None,
        include_self: bool = True,
        skip_sid: Any = None,
        room: Any = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits the event `message`, or `json`. As :meth:`emit`, but `include_self=False` takes the place of `skip_sid`."""
        if not include_self:
            skip_sid = flask.request.sid  # type: ignore[attr-defined]
        self.emit(
            "json" if json else "message",
            data,
            namespace=namespace,
            to=to,
            room=room,
            skip_sid=skip_sid,
            callback=callback,
            ignore_queue=ignore_queue,
        )

    def call(
        self,
        event: str,
        *args: Any,
        namespace: Optional[str] = "/",
        to: Any = None,
        room: Any = None,
        timeout: Optional[float] = 60,
        ignore_queue: bool = False,
        sid: Any = None,
    ) -> Any:
        """Emits to one client, and waits for its acknowledgement.

        :param to: the client's id; `room` and `sid` are other names for it.
        :param timeout: seconds.
        :returns: None, the one argument, or a tuple of them.
        :raises TimeoutError: (`erlen.exceptions`) no answer in time, or nobody has that id.
        """
        data, server = _payload("call", args), self._require_server()
        aio.warn_of_waiting("socketio.call", "socketio.acall")
        return server.call(event, data, to=to or room or sid, namespace=namespace, timeout=timeout)

    async def acall(
        self,
        event: str,
        *args: Any,
        namespace: Optional[str] = "/",
        to: Any = None,
        room: Any = None,
        timeout: Optional[float] = 60,
        ignore_queue: bool = False,
        sid: Any = None,
    ) -> Any:
        """As :meth:`call`, to be awaited: in an `async def` handler, so that the others of them run meanwhile."""
        data, server = _payload("acall", args), self._require_server()
        return await server.acall(event, data, to=to or room or sid, namespace=namespace, timeout=timeout)

    def close_room(self, room: Any, namespace: Optional[str] = None) -> None:
        """Takes everyone out of a room."""
        self._require_server().close_room(room, namespace)

    # Running.

    run = run

    def stop(self) -> None:
        """Ends :meth:`run`, from any thread; each of them, where there are several. Nothing happens where nothing runs."""
        self._serving.stop()

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> threading.Thread:
        """Starts a function on a daemon thread, without Flask's contexts.

        :returns: the thread, started.
        """
        return background.start(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps, and lets others run meanwhile."""
        background.sleep(seconds)

    def test_client(
        self,
        app: Flask,
        namespace: Optional[str] = None,
        query_string: Optional[str] = None,
        headers: Any = None,
        auth: Optional[dict[str, Any]] = None,
        flask_test_client: Optional[FlaskClient] = None,
    ) -> SocketIOTestClient:
        """A client for tests, connected, in this process."""
        from .test_client import SocketIOTestClient

        return SocketIOTestClient(
            app,
            self,
            namespace=namespace,
            query_string=query_string,
            headers=headers,
            auth=auth,
            flask_test_client=flask_test_client,
        )

    def metrics(self) -> str:
        """The engine's counters, in the OpenMetrics text format."""
        return self._serving.engine().metrics()

    # For the package.

    def _handle_event(
        self, handler: Callable[..., Any], message: str, namespace: str, sid: str, *args: Any
    ) -> Any:
        """Calls a function in the request context of a client. Class namespaces that override `trigger_event` call it."""
        handled, dispatcher = current.get(), self._serving.here().dispatcher
        if handled is not None and handled.client.sid == sid:
            client = handled.client
        else:
            socket = self._socket(sid, namespace)
            if socket is None:
                return "", 400
            client = dispatcher.client(socket)
        return dispatcher.invoke(self, client, handler, message, args)

    def _require_server(self) -> Server:
        if self.server is None:
            raise AttributeError("this SocketIO has no server yet: call init_app(app) first")
        return self.server

    def _refuse_queue(self) -> None:
        """What goes through a queue does not go anywhere yet, and says so."""
        if self._queue:
            raise NotImplementedError(
                f"{self._queue} is not built yet: leave it out, one process uses all cores"
            )

    def _socket(self, sid: Any, namespace: str) -> Optional[_erlen.Socket]:
        """The socket of a client; that which connects or leaves by the event that is handled, too."""
        handled = current.get()
        if self._serving.is_childs:
            return None
        if (
            handled is not None
            and handled.client.sid == sid
            and handled.client.namespace == namespace
            and (handled.event in _COMES_OR_GOES or handled.socket.connected)
        ):
            return handled.socket
        engine = self._serving.here().engine
        return engine.socket(namespace, sid) if engine is not None and isinstance(sid, str) else None

    def _emit(
        self,
        event: Any,
        args: list[Any],
        namespace: str,
        to: Any,
        skip: Any,
        callback: Optional[Callable[..., Any]],
    ) -> int:
        """Encodes and emits. How many were reached, where there is a callback."""
        self._refuse_queue()
        served = self._serving.here()
        engine = served.engine
        if to is not None and _log.isEnabledFor(logging.DEBUG):
            self._require_server().manager._tell_unreached(event, namespace, to)
        is_logged = self.logger.isEnabledFor(logging.INFO)
        if (
            engine is not None
            and callback is None
            and not is_logged
            and self.codec.is_standard
            and engine.emit_plain(namespace, event, args, to, skip)
        ):
            return 0
        name = _event_name(event)
        target = naming.names(to, "to")
        left_out = naming.names(skip, "skip_sid")
        text, attachments = self.codec.encode(args, name)
        if is_logged:
            self.logger.info('emitting event "%s" to %s [%s]', name, to or "all", namespace)
        if engine is None:
            if self._serving.is_childs:
                _log.error(
                    '"%s" is not emitted: this process was forked, and the clients are its parent\'s', name
                )
            return 0
        if callback is None:
            engine.emit(namespace, name, text, attachments, target, left_out)
            return 0
        codec = self.codec

        def answer(sid: str, args_text: str, answered: Optional[list[bytes]]) -> None:
            values = codec.decode(args_text, answered)
            served.dispatcher.run(lambda: aio.settle(callback(*values)))

        return engine.emit_with_ack(namespace, name, text, attachments, target, left_out, answer)

    def _in_context(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The callback in the context of the client whose event is handled, and never once that has gone."""
        handled = current.get()
        if handled is None:
            return callback

        def in_context(*args: Any) -> None:
            socket = self._socket(handled.client.sid, handled.client.namespace)
            if socket is None:
                return
            token = current.set(Current(handled.served, socket, handled.client, ""))
            try:
                handled.served.dispatcher.invoke(self, handled.client, callback, None, args)
            finally:
                current.reset(token)

        return in_context

    def _disconnect(self, sid: str, namespace: str) -> None:
        """Disconnects a client; its handler runs here, before this returns. One that is still connecting stays, as upstream."""
        socket = self._socket(sid, namespace)
        if socket is None or not socket.connected:
            return
        served = self._serving.here()
        client = served.dispatcher.client(socket)
        if not socket.disconnect():
            return
        self.logger.info("Disconnecting %s [%s]", sid, namespace)
        result = None
        try:
            result = served.dispatcher.handle(
                Current(served, socket, client, "disconnect"), Reason.SERVER_DISCONNECT
            )
        finally:
            # Until then the handler has the client's rooms.
            if isinstance(result, aio.Later):
                result.add_done_callback(lambda _: socket.disconnected())
            else:
                socket.disconnected()


def _payload(function: str, args: tuple[Any, ...]) -> Any:
    """The one argument of a question, if it has one.

    :raises TypeError: it has several.
    """
    if len(args) > 1:
        raise TypeError(f"{function}() takes one payload: give several arguments as a tuple")
    return args[0] if args else None


def _event_name(event: Union[str, int]) -> str:
    """An event's name as text.

    :raises TypeError: it is none.
    :raises ValueError: it is reserved.
    """
    if isinstance(event, str):
        name = str.__str__(event)
    elif isinstance(event, int) and not isinstance(event, bool):
        name = str(int(event))
    else:
        raise TypeError(f"event must be a str, not {type(event).__name__}")
    if name in RESERVED:
        raise ValueError(f"the event name {name!r} is reserved")
    return name
