"""The life of one event, from the engine's call to the acknowledgement. Read it from top to bottom.

The engine calls a `Dispatcher` on its worker threads (`_erlen.Delegate`). What an application's handler raises and nobody handles
goes back to the engine, which shows the traceback, or to the test client that sent the event.
"""

from __future__ import annotations

import builtins
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from . import _erlen, exceptions
from .context import Connection
from .handlers import Handler
from .payload import arguments
from .session import save

if TYPE_CHECKING:
    from .namespace import Namespace
    from .socketio import SocketIO

__all__ = ["Client", "Current", "Dispatcher", "current"]


class Client:
    """A client in a namespace, for as long as it is there."""

    __slots__ = ("connection", "namespace", "sid")

    def __init__(self, sid: str, namespace: str, connection: Connection) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection


class Current(NamedTuple):
    """Which event is handled here and now."""

    socketio: SocketIO
    socket: _erlen.Socket
    client: Client


current: ContextVar[Optional[Current]] = ContextVar("erlen.current", default=None)


class Dispatcher:
    """What the engine calls for one SocketIO."""

    def __init__(self, socketio: SocketIO) -> None:
        # The engine holds this, and the SocketIO holds the engine.
        self._reference = weakref.ref(socketio)
        self._lock = threading.Lock()

    @property
    def _socketio(self) -> SocketIO:
        socketio = self._reference()
        if socketio is None:
            raise RuntimeError("the SocketIO of this client is gone")
        return socketio

    # What the engine calls.

    def handshake(self, request: _erlen.Request) -> Connection:
        """A client asks for a session: its environ comes back from the WSGI middleware around the application."""
        return self._socketio._admit(request)

    def connect(self, socket: _erlen.Socket, auth_text: Optional[str]) -> Optional[str]:
        """A client asks for a namespace. None grants; a text is the payload of the refusal."""
        socketio = self._socketio
        client = self.client(socket)
        auth = socketio.codec.loads(auth_text) if auth_text is not None else None
        try:
            result = self._handle(
                socketio, socket, client, "connect", client.connection.environ, auth or None
            )
        except (exceptions.ConnectionRefusedError, builtins.ConnectionRefusedError) as error:
            return socketio.codec.dumps(exceptions.refusal(error))
        except Exception as error:
            if hasattr(error, "error_args"):
                return socketio.codec.dumps(exceptions.refusal(error))
            raise
        if result is False:
            return socketio.codec.dumps(exceptions.refusal(None))
        return None

    def event(
        self,
        socket: _erlen.Socket,
        name: str,
        args_text: str,
        attachments: Optional[list[bytes]],
        ack: Optional[_erlen.Ack],
    ) -> None:
        """An event has arrived."""
        socketio = self._socketio
        client = self.client(socket)
        if socketio._logs_events:
            socketio.logger.info('received event "%s" from %s [%s]', name, client.sid, client.namespace)
        if socketio.registry.find(client.namespace, name) is None and (
            socketio.registry.find_class(client.namespace) is None
        ):
            return
        args = socketio.codec.decode(args_text, attachments)
        result = self._handle(socketio, socket, client, name, *args)
        if ack is not None:
            ack.send(*socketio.codec.encode(arguments(result), name))

    def disconnect(self, socket: _erlen.Socket, reason: str) -> None:
        """A client has left."""
        socketio = self._socketio
        self._handle(socketio, socket, self.client(socket), "disconnect", reason)

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
                environ = _erlen.environ(socket.session.request)
                connection = self._socketio._connection(environ)
                socket.session.data = connection
            connection.sid = socket.session.sid
            if socket.data is None:
                socket.data = Client(socket.sid, socket.namespace, connection)
            made: Client = socket.data
            return made

    def _handle(
        self, socketio: SocketIO, socket: _erlen.Socket, client: Client, event: str, *args: Any
    ) -> Any:
        """Finds the handler, and calls it in a copy of the context: what it leaves in context variables is gone behind it."""
        handled = Current(socketio, socket, client)
        return copy_context().run(self._handle_here, handled, event, *args)

    def _handle_here(self, handled: Current, event: str, *args: Any) -> Any:
        """A function before a class."""
        current.set(handled)
        socketio, _, client = handled
        match = socketio.registry.find(client.namespace, event)
        if match is not None:
            seen = (event, *args) if match.with_name else args
            return self.invoke(socketio, client, match.handler, match.message, seen)
        instance = socketio.registry.find_class(client.namespace)
        if instance is not None:
            return _trigger(instance, client.namespace, event, client.sid, *args)
        return None

    # In which context, and what becomes of its exception.

    def invoke(
        self,
        socketio: SocketIO,
        client: Client,
        handler: Handler,
        message: Optional[str],
        args: tuple[Any, ...],
    ) -> Any:
        """Calls a handler in the request context of its client."""
        managed = socketio.manage_session
        with client.connection.context(managed) as context:
            request: Any = context.request
            request.sid = client.sid
            request.namespace = client.namespace
            request.event = {"message": message, "args": list(args) if message == "*" else args}
            try:
                result = _call(handler, message, args)
            except (exceptions.ConnectionRefusedError, builtins.ConnectionRefusedError) as error:
                if message == "connect":
                    raise
                return self._failed(socketio, client, error)
            except Exception as error:
                result = self._failed(socketio, client, error)
                if message == "connect":
                    raise exceptions.ConnectionRefusedError() from error
                return result
            if not managed:
                save(client.connection.app, context.session)
            return result

    def _failed(self, socketio: SocketIO, client: Client, error: Exception) -> Any:
        """The error handler's value, or the exception where there is none."""
        handler = socketio.exception_handlers.get(client.namespace, socketio.default_exception_handler)
        if handler is None:
            raise error
        return handler(error)


def _trigger(instance: Namespace, namespace: str, event: str, *args: Any) -> Any:
    """Lets a class namespace handle an event; its `error` method, if it has one, sees what it raises."""
    try:
        return instance.trigger_event(event, *args)
    except exceptions.ConnectionRefusedError:
        raise
    except Exception as error:
        on_error: Optional[Callable[[Exception], Any]] = getattr(instance, "error", None)
        if on_error is None:
            raise
        return on_error(error)


def _call(handler: Handler, message: Optional[str], args: tuple[Any, ...]) -> Any:
    """Calls the function: those of connect and disconnect may leave their argument out."""
    if message == "connect":
        call_args = args[1:] if handler.takes_argument else ()
    elif message == "disconnect":
        call_args = args if handler.takes_argument else ()
    else:
        call_args = args
    if handler.is_async:
        from .aio import run

        return run(handler.call(*call_args))
    return handler.call(*call_args)
