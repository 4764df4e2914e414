"""The life of one event, from the engine's call to the acknowledgement. Read it from top to bottom.

The engine calls a `Dispatcher` on its worker threads (`_erlen.Delegate`). What an application's handler raises and nobody handles
goes back to the engine, which shows the traceback, or to the test client that sent the event.
"""

from __future__ import annotations

import builtins
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from . import _erlen, aio, exceptions
from .context import Client, Connection, isolated
from .handlers import RESERVED, Handler, is_passed_on_in_vain, takes_argument
from .payload import arguments
from .session import save

if TYPE_CHECKING:
    from .namespace import Namespace
    from .serving import Served
    from .socketio import SocketIO

__all__ = ["Client", "Current", "Dispatcher", "current"]


class Current:
    """Which event is handled here and now. The copies of a context share it."""

    __slots__ = ("client", "event", "refusal", "served", "socket", "socketio")

    def __init__(self, served: Served, socket: _erlen.Socket, client: Client, event: str) -> None:
        self.served = served
        self.socketio = served.socketio
        self.socket = socket
        self.client = client
        self.event = event
        """Its name; empty for the callback of an acknowledgement."""
        self.refusal: Optional[dict[str, Any]] = None
        """What the client is told whose connect handler has raised something."""

    def raised(self, error: Exception) -> None:
        """Whoever takes what a connect handler raises, and whatever they make of it: the client is not let in."""
        if self.event == "connect" and self.refusal is None:
            self.refusal = exceptions.refusal(error)


T = TypeVar("T")

current: ContextVar[Optional[Current]] = ContextVar("erlen.current", default=None)


class Dispatcher:
    """What an engine calls for the application that it serves."""

    def __init__(self, served: Served) -> None:
        # The engine holds this, and is held by that.
        self._reference = weakref.ref(served)
        self._lock = threading.Lock()

    @property
    def _served(self) -> Served:
        served = self._reference()
        if served is None:
            raise RuntimeError("the SocketIO of this client is gone")
        return served

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Calls a function as a new thread would: with no context variable set, and as a greenlet where there is a hub of them."""
        hub = self._served.socketio._serving.hub
        return isolated(function, *args) if hub is None else hub.run(isolated, function, *args)

    # What the engine calls.

    def handshake(self, environ: dict[str, Any]) -> Connection:
        """A client asks for a session: its environ comes back from the WSGI middleware around the application."""
        return self.run(self._served.admit, environ)

    def connect(self, socket: _erlen.Socket, auth_text: Optional[str]) -> Optional[str]:
        """A client asks for a namespace. None grants; a text is the payload of the refusal."""
        return self.run(self._connect, socket, auth_text)

    def event(
        self,
        socket: _erlen.Socket,
        name: str,
        args_text: str,
        attachments: Optional[list[bytes]],
        ack: Optional[_erlen.Ack],
    ) -> None:
        """An event has arrived."""
        self.run(self._event, socket, name, args_text, attachments, ack)

    def disconnect(self, socket: _erlen.Socket, reason: str) -> None:
        """A client has left."""
        self.run(self._disconnect, socket, reason)

    # What is done about it.

    def _connect(self, socket: _erlen.Socket, auth_text: Optional[str]) -> Optional[str]:
        served = self._served
        socketio, client = served.socketio, self.client(socket)
        try:
            auth = socketio.codec.loads(auth_text) if auth_text is not None else None
        except (ValueError, RecursionError):
            return socketio.codec.dumps(exceptions.refusal(None))
        connecting = Current(served, socket, client, "connect")
        try:
            result = self.handle(connecting, client.connection.environ, auth or None)
        except Exception as error:
            if not exceptions.refuses(error) and not isinstance(error, builtins.ConnectionRefusedError):
                raise
            return socketio.codec.dumps(exceptions.refusal(error))
        if isinstance(result, aio.Later):
            raise RuntimeError("a test client cannot connect in an async handler")
        refusal = connecting.refusal
        if refusal is None and result is False:
            refusal = exceptions.refusal(None)
        return None if refusal is None else socketio.codec.dumps(refusal)

    def _event(
        self,
        socket: _erlen.Socket,
        name: str,
        args_text: str,
        attachments: Optional[list[bytes]],
        ack: Optional[_erlen.Ack],
    ) -> None:
        served = self._served
        socketio, client = served.socketio, self.client(socket)
        if socketio.logger.isEnabledFor(logging.INFO):
            socketio.logger.info('received event "%s" from %s [%s]', name, client.sid, client.namespace)
        if name in RESERVED:
            return
        registry = socketio.registry
        handler = registry.find(client.namespace, name) or registry.find_class(client.namespace)
        if handler is None:
            return
        try:
            args = socketio.codec.decode(args_text, attachments)
        except (ValueError, RecursionError) as error:
            socketio.logger.error(
                'the arguments of the event "%s" from %s cannot be read: %s', name, client.sid, error
            )
            return
        result = self._call(Current(served, socket, client, name), handler, args)
        # A test client in an async handler gets no answer of another one: its thread cannot wait for it.
        if ack is not None and not isinstance(result, aio.Later):
            values = arguments(result)
            if not (socketio.codec.is_standard and ack.send_plain(values)):
                ack.send(*socketio.codec.encode(values, name))

    def _disconnect(self, socket: _erlen.Socket, reason: str) -> None:
        self.handle(Current(self._served, socket, self.client(socket), "disconnect"), reason)

    # Who handles it.

    def client(self, socket: _erlen.Socket) -> Client:
        """The client behind a socket, made when it is first asked for."""
        client: Optional[Client] = socket.data
        if client is not None:
            return client
        connection: Optional[Connection] = socket.session.data
        with self._lock:
            if connection is None:
                connection = socket.session.data
            if connection is None:
                connection = self._served.connection(socket.session.environ())
                socket.session.data = connection
            connection.sid = socket.session.sid
            if socket.data is None:
                socket.data = Client(socket.sid, socket.namespace, connection)
            made: Client = socket.data
            return made

    def handle(self, handled: Current, *args: Any) -> Any:
        """Finds the handler of a connect or disconnect, a function before a class, and calls it. On the thread of async handlers the
        result may be a `Later`.
        """
        registry, namespace = handled.socketio.registry, handled.client.namespace
        handler = registry.find(namespace, handled.event) or registry.find_class(namespace)
        return None if handler is None else self._call(handled, handler, args)

    def _call(self, handled: Current, handler: Union[Handler, Namespace], args: Sequence[Any]) -> Any:
        """Calls it in the way of its kind."""
        token = current.set(handled)
        try:
            if not isinstance(handler, Handler):
                return aio.finish(_trigger(handler, handled, args))
            if handler.raw:
                return aio.finish(_call_raw(handler, handled, args))
            # As upstream, the arguments of a catch-all are a list, and the event's name is the first.
            seen = [handled.event, *args] if handler.message == "*" else tuple(args)
            return self.invoke(
                handled.socketio, handled.client, handler.call, handler.message, seen, handler.takes_argument
            )
        finally:
            current.reset(token)

    # In which context, and what becomes of its exception.

    def invoke(
        self,
        socketio: SocketIO,
        client: Client,
        function: Callable[..., Any],
        message: Optional[str],
        args: Sequence[Any],
        takes: Optional[bool] = None,
    ) -> Any:
        """Calls a handler in the request context of its client.

        :param message: the event's name; None for the callback of an acknowledgement.
        :param takes: whether the handler of connect or disconnect takes its argument, where that is known.
        """
        return aio.finish(_invoke(socketio, client, function, message, args, takes))


def _invoke(
    socketio: SocketIO,
    client: Client,
    function: Callable[..., Any],
    message: Optional[str],
    args: Sequence[Any],
    takes: Optional[bool],
) -> aio.Steps[Any]:
    handled = current.get()
    try:
        managed = socketio.manage_session
        with client.context(message, args, managed) as context:
            try:
                if message in RESERVED:
                    result = yield from _call_optional(function, args[-1:], (), takes)
                else:
                    result = function(*args)
                    while aio.is_pending(result):
                        result = yield result
            except Exception as error:
                _note(handled, client, error)
                if exceptions.refuses(error):
                    raise
                on_error = socketio.exception_handlers.get(
                    client.namespace, socketio.default_exception_handler
                )
                if on_error is None:
                    raise
                result = on_error(error)
                while aio.is_pending(result):
                    result = yield result
                return result
            if not managed:
                save(client.connection.app, context.session)
            return result
    except Exception as error:
        _note(handled, client, error)
        raise


def _note(handled: Optional[Current], client: Client, error: Exception) -> None:
    if handled is not None and handled.client is client:
        handled.raised(error)


def _call_optional(
    function: Callable[..., Any], args: Sequence[Any], shorter: Sequence[Any], takes: Optional[bool]
) -> aio.Steps[Any]:
    """Calls a handler of connect or disconnect, which may leave out its last argument.

    :param shorter: the arguments without it.
    :param takes: whether its signature takes it; None, if that has not been looked at.
    """
    if takes is None:
        takes = takes_argument(function)
    try:
        result = function(*(args if takes else shorter))
        while aio.is_pending(result):
            result = yield result
        return result
    except TypeError as error:
        if not takes or not is_passed_on_in_vain(error, args[-1]):
            raise
    result = function(*shorter)
    while aio.is_pending(result):
        result = yield result
    return result


def _trigger(instance: Namespace, handled: Current, args: Sequence[Any]) -> aio.Steps[Any]:
    """Lets a class namespace handle an event; its `error` method, if it has one, sees what it raises."""
    try:
        result = instance.trigger_event(handled.event, handled.client.sid, *args)
        while aio.is_pending(result):
            result = yield result
        return result
    except Exception as error:
        handled.raised(error)
        on_error: Optional[Callable[[Exception], Any]] = getattr(instance, "error", None)
        if on_error is None:
            raise
        result = on_error(error)
        while aio.is_pending(result):
            result = yield result
        return result


def _call_raw(handler: Handler, handled: Current, args: Sequence[Any]) -> aio.Steps[Any]:
    """Calls a function of `socketio.server` as python-socketio does: names that a `'*'` stands for, then the sid."""
    names = [handled.event] if handler.message == "*" else []
    names += [handled.client.namespace] if handler.namespace == "*" else []
    args = [*names, handled.client.sid, *args]
    if handled.event in RESERVED:
        return (yield from _call_optional(handler.call, args, args[:-1], handler.takes_argument))
    result = handler.call(*args)
    while aio.is_pending(result):
        result = yield result
    return result
