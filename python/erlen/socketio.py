"""The class `SocketIO`: what an application holds, registers handlers on, and emits by.

Names, defaults and return values are Flask-SocketIO's; where Erlen differs, docs/migrate-from-flask-socketio.md says so.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, overload

import flask

from . import _erlen, aio, background, flask_run, green, naming, options
from .context import Connection
from .dispatch import Current, Dispatcher, current
from .ending import shut
from .handlers import RESERVED as _COMES_OR_GOES
from .handlers import Registry
from .namespace import Namespace
from .payload import Codec, arguments
from .run import run
from .server import Server
from .wsgi import Middleware, admit, is_wrapped

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


_serving: weakref.WeakSet[SocketIO] = weakref.WeakSet()
"""Those that have started an engine."""


def _in_child() -> None:
    for socketio in list(_serving):
        socketio._leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


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
        self._runs: dict[int, tuple[_erlen.Listener, Optional[_erlen.Engine]]] = {}
        self._stop_asked = False
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
        self._app: Optional[Flask] = None
        self._entry: Optional[Callable[..., Any]] = None
        self._dispatcher = Dispatcher(self)
        self._engine: Optional[_erlen.Engine] = None
        self._engine_lock = threading.Lock()
        self._is_childs = False
        self._hub: Optional[green.Hub] = None
        self._asks = False
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
        self._engine = None
        self._app = self._entry = app
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
            self._open_namespaces()
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
        self._open_namespaces()

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
    ) -> Any:
        """Emits to one client, and waits for its acknowledgement.

        :param timeout: seconds.
        :returns: None, the one argument, or a tuple of them.
        :raises TimeoutError: (`erlen.exceptions`) no answer in time, or nobody has that id.
        """
        if len(args) > 1:
            raise TypeError("call() takes one payload: give several arguments as a tuple")
        server = self._require_server()
        data = args[0] if args else None
        aio.warn_of_waiting("socketio.call")
        return server.call(event, data, to=to or room, namespace=namespace, timeout=timeout)

    def close_room(self, room: Any, namespace: Optional[str] = None) -> None:
        """Takes everyone out of a room."""
        self._require_server().close_room(room, namespace)

    # Running.

    run = run

    def stop(self) -> None:
        """Ends :meth:`run`, from any thread; each of them, where there are several. Nothing happens where nothing runs."""
        # One of the two sees the other: this, or `_listens`.
        self._stop_asked = True
        for listener, _ in list(self._runs.values()):
            listener.stop()

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
        return self._start_engine().metrics()

    # For the package.

    def _handle_event(
        self, handler: Callable[..., Any], message: str, namespace: str, sid: str, *args: Any
    ) -> Any:
        """Calls a function in the request context of a client. Class namespaces that override `trigger_event` call it."""
        handled = current.get()
        if handled is not None and handled.client.sid == sid:
            client = handled.client
        else:
            socket = self._socket(sid, namespace)
            if socket is None:
                return "", 400
            client = self._dispatcher.client(socket)
        return self._dispatcher.invoke(self, client, handler, message, args)

    def _require_server(self) -> Server:
        if self.server is None:
            raise AttributeError("this SocketIO has no server yet: call init_app(app) first")
        return self.server

    def _require_app(self) -> Flask:
        if self._app is None:
            raise RuntimeError("this SocketIO has no application: call init_app(app) first")
        return self._app

    def _connection(self, environ: dict[str, Any]) -> Connection:
        """What is kept for a session with this environ."""
        app = environ.setdefault("flask.app", self._require_app())
        return Connection(app, environ, "")

    def _admit(self, environ: dict[str, Any]) -> Connection:
        """Decides on a handshake, and makes what is kept for its session."""
        return self._connection(admit(self, self._entry or self._require_app(), environ))

    def _start_engine(self) -> _erlen.Engine:
        """The engine, started when it is first needed: not at import, for a process that forks."""
        with self._engine_lock:
            if self._engine is None:
                self._refuse_queue()
                ask = self._app is not None and is_wrapped(self._app, self._entry, self.sockio_mw)
                self._asks = ask
                self._engine = _erlen.Engine(self._dispatcher, **options.engine(self.server_options, ask))
                self._is_childs = False
                _serving.add(self)
        self._open_namespaces()
        return self._engine

    def _leave_to_parent(self) -> None:
        """In the child of a fork: the engine's threads, its clients and the locks that those threads hold are the parent's."""
        self._engine = self.wsgi_server = self._hub = None
        self._runs = {}
        self._engine_lock = threading.Lock()
        self._is_childs = True

    def _refuse_queue(self) -> None:
        """What goes through a queue does not go anywhere yet, and says so."""
        if self._queue:
            raise NotImplementedError(
                f"{self._queue} is not built yet: leave it out, one process uses all cores"
            )

    def _serve(self, app: Flask, entry: Optional[Callable[..., Any]] = None) -> _erlen.Engine:
        """The engine, for an application that is about to be served: one of those that this was bound to.

        :param entry: the WSGI application that is served, where that is something around the Flask application.
        """
        middleware: Optional[Middleware] = app.extensions.get("erlen", {}).get(self)
        if middleware is None:
            if self._app is None or app is self._app:
                raise RuntimeError("this SocketIO is not bound to that application: call init_app(app) first")
            # Its own is somewhere below that one (DispatcherMiddleware).
            return self._serve(self._app, entry or app)
        self._stop_asked = False
        if self._hub is None:
            self._hub = green.hub()
        with self._engine_lock:
            self._entry = entry or app
            if app is not self._app:
                self._app, self.sockio_mw, self._engine = app, middleware, None
            elif self._engine is not None and not self._asks and is_wrapped(app, self._entry, middleware):
                # A test client has started it, before the application was wrapped.
                self._engine = None
        return self._start_engine()

    def _listens(self, listener: _erlen.Listener) -> None:
        """From here on :meth:`stop` ends this listener; where it was asked for while the listener began, it ends now."""
        self.wsgi_server = listener
        self._runs[threading.get_ident()] = (listener, self._engine)
        if self._stop_asked:
            listener.stop()

    def _beside(self, app: Flask) -> list[SocketIO]:
        """The other SocketIO objects of an application that are to be served with this one: they have paths of their own."""
        path = options.path(self.server_options)
        others = [other for other in app.extensions.get("erlen", ()) if other.wsgi_server is None]
        return [other for other in others if options.path(other.server_options) != path]

    def _over(self, left: Callable[[], float]) -> None:
        """The run of this thread has ended, and its engine with it: a new run begins with a new one.

        :param left: says how many seconds handlers still have.
        """
        _, engine = self._runs.pop(threading.get_ident(), (None, self._engine))
        self.wsgi_server, other = next(reversed([*self._runs.values()]), (None, None))
        if engine is self._engine:
            self._engine = other
        hub, self._hub = self._hub, None
        if engine is not None and hub is None:
            shut(engine.shutdown, left)
        elif engine is not None and hub is not None:
            shut(partial(hub.outside, engine.shutdown), left)
        if hub is not None:
            hub.close()

    def _hosted(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """A WSGI application as the engine's threads are to call it."""
        return application if self._hub is None else self._hub.application(application)

    def _wait(self, listener: _erlen.Listener, timeout: Optional[float] = None) -> bool:
        """Waits for the end of a listener, and lets greenlets run meanwhile where there are any."""
        return listener.wait(timeout) if self._hub is None else self._hub.wait(listener, timeout)

    def _open_namespaces(self) -> None:
        """Tells the engine which namespaces may be joined, and what is to be called for them."""
        engine = self._engine
        if engine is None:
            return
        listed = self.server_options.get("namespaces") or ["/"]
        names = self.registry.namespaces()
        if isinstance(listed, str) and listed != "*":
            # Upstream looks for the name within the text, where "/" always is.
            listed = ["/", listed]
        if listed == "*" or "*" in listed:
            engine.any_namespace(True)
        else:
            names |= set(listed)
        for name in names:
            connect, disconnect = (self.registry.wants(name, event) for event in ("connect", "disconnect"))
            engine.namespace(name, connect, disconnect, self.registry.events(name))

    def _socket(self, sid: Any, namespace: str) -> Optional[_erlen.Socket]:
        """The socket of a client; that which connects or leaves by the event that is handled, too."""
        handled = current.get()
        if self._is_childs:
            return None
        if (
            handled is not None
            and handled.client.sid == sid
            and handled.client.namespace == namespace
            and (handled.event in _COMES_OR_GOES or handled.socket.connected)
        ):
            return handled.socket
        if self._engine is None or not isinstance(sid, str):
            return None
        return self._engine.socket(namespace, sid)

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
        engine = self._engine
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
            if self._is_childs:
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
            self._dispatcher.run(lambda: aio.settle(callback(*values)))

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
            token = current.set(Current(self, socket, handled.client, ""))
            try:
                self._dispatcher.invoke(self, handled.client, callback, None, args)
            finally:
                current.reset(token)

        return in_context

    def _disconnect(self, sid: str, namespace: str) -> None:
        """Disconnects a client; its handler runs here, before this returns. One that is still connecting stays, as upstream."""
        socket = self._socket(sid, namespace)
        if socket is None or not socket.connected:
            return
        client = self._dispatcher.client(socket)
        if not socket.disconnect():
            return
        self.logger.info("Disconnecting %s [%s]", sid, namespace)
        result = None
        try:
            result = self._dispatcher.handle(
                Current(self, socket, client, "disconnect"), Reason.SERVER_DISCONNECT
            )
        finally:
            # Until then the handler has the client's rooms.
            if isinstance(result, aio.Later):
                result.add_done_callback(lambda _: socket.disconnected())
            else:
                socket.disconnected()


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
