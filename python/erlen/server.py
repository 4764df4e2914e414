"""`socketio.server`: the object that applications reach into, in the shape of python-socketio's `Server`.

All of it is a view of the engine; nothing is kept here but what the application hands over (sessions of `get_session`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Optional

from . import _erlen, background, exceptions, naming
from .manager import EngineView, Manager
from .payload import arguments

if TYPE_CHECKING:
    from .dispatch import Client
    from .namespace import Namespace
    from .naming import Room
    from .socketio import SocketIO

__all__ = ["Environs", "Server"]

CALL_TIMEOUT = 60.0
"""Seconds that `call` waits, unless told otherwise."""


class Environs(Mapping[str, dict[str, Any]]):
    """The environs of the open sessions, by the Engine.IO sid."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio

    def _sessions(self) -> list[_erlen.Session]:
        engine = self._socketio._serving.here().engine
        return [] if engine is None else engine.sessions()

    def __getitem__(self, sid: str) -> dict[str, Any]:
        for session in self._sessions():
            if session.sid == sid and session.data is not None:
                environ: dict[str, Any] = session.data.environ
                return environ
        raise KeyError(sid)

    def __iter__(self) -> Iterator[str]:
        return iter([session.sid for session in self._sessions() if session.data is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Packet:
    """What applications read of python-socketio's class of packets; those of Erlen are the engine's."""

    uses_binary_events = True

    def __init__(self, json: Any) -> None:
        self.json = json


class Server:
    """The server behind a SocketIO."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio
        self.manager = Manager(socketio)
        self.eio = EngineView(socketio)
        self.environ = Environs(socketio)
        self.reason = socketio.reason
        self.always_connect = bool(socketio.server_options.get("always_connect", False))
        self.packet_class = Packet(socketio.server_options.get("json") or json)
        self.async_handlers: Any = socketio.server_options.get("async_handlers", True)
        self.namespaces: Any = socketio.server_options.get("namespaces") or ["/"]

    # What is registered.

    @property
    def async_mode(self) -> str:
        """The `async_mode` that was asked for; `'threading'` where none was."""
        return self._socketio.async_mode

    @property
    def handlers(self) -> dict[str, dict[str, Callable[..., Any]]]:
        """The functions that are registered, by namespace and event."""
        functions = self._socketio.registry.functions
        return {
            name: {event: handler.call for event, handler in events.items()}
            for name, events in functions.items()
        }

    @property
    def namespace_handlers(self) -> dict[str, Namespace]:
        """The class namespaces that are registered."""
        return self._socketio.registry.classes

    @property
    def logger(self) -> logging.Logger:
        """Where events are logged."""
        return self._socketio.logger

    def on(
        self, event: str, handler: Optional[Callable[..., Any]] = None, namespace: Optional[str] = None
    ) -> Callable[..., Any]:
        """Registers a function for an event, as a decorator too. It gets the sid first, and has no context of Flask's."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._socketio.registry.add(namespace or "/", event, function, raw=True)
            self._socketio._serving.open_namespaces()
            return function

        return register if handler is None else register(handler)

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Registers a function for the event of its name, as :meth:`on`."""
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__, args[0])
        return lambda function: self.on(function.__name__, function, *args, **kwargs)

    def register_namespace(self, namespace_handler: Namespace) -> None:
        """Registers a class namespace."""
        self._socketio.on_namespace(namespace_handler)

    # Emitting.

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: Optional[str] = None,
        callback: Optional[Callable[..., Any]] = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits an event to everyone, a client, or rooms. As upstream, a `to` that is falsy is nobody in particular, and so everyone; a
        `room` is a room. The payload is encoded before this returns.

        :raises TypeError: for what JSON cannot hold, a name that is no text, a room that is none.
        :raises ValueError: for a reserved name.
        """
        self._socketio._emit(
            event,
            arguments(data),
            namespace=namespace or "/",
            to=to or room,
            skip=skip_sid,
            callback=callback,
        )

    def send(
        self,
        data: Any,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: Optional[str] = None,
        callback: Optional[Callable[..., Any]] = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits the event `message`."""
        self.emit("message", data, to, room, skip_sid, namespace, callback, ignore_queue)

    def call(
        self,
        event: str,
        data: Any = None,
        to: Optional[str] = None,
        sid: Optional[str] = None,
        namespace: Optional[str] = None,
        timeout: Optional[float] = CALL_TIMEOUT,
        ignore_queue: bool = False,
    ) -> Any:
        """Emits to one client, and waits for its acknowledgement.

        :param timeout: seconds; None is 60.
        :returns: None, the one argument, or a tuple of them.
        :raises TimeoutError: (`erlen.exceptions`) no answer in time, or nobody has that id.
        :raises RuntimeError: `async_handlers` is False: by the option, or for a test client.
        """
        answered = threading.Event()
        answer: list[Any] = []

        def take(*args: Any) -> None:
            answer.extend(args)
            answered.set()

        limit = CALL_TIMEOUT if timeout is None else timeout
        asked = self._ask(event, data, to or sid, namespace, take)
        if not answered.wait(limit):
            raise exceptions.TimeoutError(f"{asked} has not answered within {limit:g} s")
        return _answer(answer)

    async def acall(
        self,
        event: str,
        data: Any = None,
        to: Optional[str] = None,
        sid: Optional[str] = None,
        namespace: Optional[str] = None,
        timeout: Optional[float] = CALL_TIMEOUT,
        ignore_queue: bool = False,
    ) -> Any:
        """As :meth:`call`, to be awaited: others run meanwhile on the loop."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[tuple[Any, ...]] = loop.create_future()

        def take(*args: Any) -> None:
            # Where nobody waits for it any longer, the loop may have been closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, answered, args)

        limit = CALL_TIMEOUT if timeout is None else timeout
        asked = self._ask(event, data, to or sid, namespace, take)
        try:
            return _answer(await asyncio.wait_for(answered, limit))
        except asyncio.TimeoutError:
            raise exceptions.TimeoutError(f"{asked} has not answered within {limit:g} s") from None

    def _ask(
        self, event: str, data: Any, target: Any, namespace: Optional[str], take: Callable[..., Any]
    ) -> str:
        """Emits to one client, whose acknowledgement is to be taken. What is asked, and who.

        :raises TimeoutError: nobody has that id.
        """
        if not target:
            raise ValueError("Cannot use call() to broadcast.")
        if not self.async_handlers:
            raise RuntimeError("Cannot use call() when async_handlers is False.")
        where = namespace or "/"
        reached = self._socketio._emit(
            event, arguments(data), namespace=where, to=target, skip=None, callback=take
        )
        if not reached:
            raise exceptions.TimeoutError(
                f"call({event!r}): nobody has the id {target!r} in the namespace {where}"
            )
        return f"call({event!r}): {target!r} in the namespace {where}"

    # Rooms and clients.

    def _socket(self, sid: str, namespace: Optional[str]) -> _erlen.Socket:
        name = namespace or "/"
        socket = self._socketio._socket(sid, name)
        if socket is not None:
            return socket
        if name in self.manager.rooms:
            raise KeyError(sid)
        raise ValueError("sid is not connected to requested namespace")

    def enter_room(self, sid: str, room: Room, namespace: Optional[str] = None) -> None:
        """Puts a client into a room.

        :raises KeyError: the client is not in the namespace.
        :raises ValueError: nobody is in the namespace, or the room is another client's own.
        """
        if room is None:
            return
        socket = self._socket(sid, namespace)
        name = naming.text_of(room)
        if name != sid and self._socketio._socket(name, namespace or "/") is not None:
            raise ValueError("cannot enter a sid room")
        self.logger.info("%s is entering room %s [%s]", sid, room, namespace or "/")
        socket.join(name)

    def leave_room(self, sid: str, room: Room, namespace: Optional[str] = None) -> None:
        """Takes a client out of a room; nothing happens if it is not there."""
        socket = self._socketio._socket(sid, namespace or "/")
        if socket is not None and room is not None:
            self.logger.info("%s is leaving room %s [%s]", sid, room, namespace or "/")
            socket.leave(naming.text_of(room))

    def close_room(self, room: Room, namespace: Optional[str] = None, ignore_queue: bool = False) -> None:
        """Takes every client out of a room.

        :raises ValueError: the room is a client's own.
        """
        name = naming.text_of(room)
        if self._socketio._socket(name, namespace or "/") is not None:
            raise ValueError("cannot close a sid room")
        self.logger.info("room %s is closing [%s]", room, namespace or "/")
        engine = self._socketio._serving.here().engine
        if engine is not None:
            for socket in engine.sockets(namespace or "/", name):
                socket.leave(name)

    def rooms(self, sid: str, namespace: Optional[str] = None) -> list[Room]:
        """The rooms of a client, its own first."""
        socket = self._socketio._socket(sid, namespace or "/")
        return [] if socket is None else [naming.room_of(name) for name in socket.rooms()]

    def disconnect(self, sid: str, namespace: Optional[str] = None, ignore_queue: bool = False) -> None:
        """Disconnects a client from the namespace: its handler runs before this returns. Its connection stays."""
        self._socketio._disconnect(sid, namespace or "/")

    def transport(self, sid: str, namespace: Optional[str] = None) -> str:
        """`'polling'` or `'websocket'`."""
        return self._socket(sid, namespace).session.transport()

    def get_environ(self, sid: str, namespace: Optional[str] = None) -> Optional[dict[str, Any]]:
        """The environ of a client's handshake; None if it is not there."""
        socket = self._socketio._socket(sid, namespace or "/")
        return (
            None
            if socket is None
            else self._socketio._serving.here().dispatcher.client(socket).connection.environ
        )

    # Sessions of the server's own, by client and namespace.

    def _client(self, sid: str, namespace: Optional[str]) -> Client:
        socket = self._socketio._socket(sid, namespace or "/")
        if socket is None:
            raise KeyError(sid)
        return self._socketio._serving.here().dispatcher.client(socket)

    def get_session(self, sid: str, namespace: Optional[str] = None) -> dict[str, Any]:
        """The session that is kept for a client of a namespace."""
        return self._client(sid, namespace).connection.sessions.setdefault(namespace or "/", {})

    def save_session(self, sid: str, session: dict[str, Any], namespace: Optional[str] = None) -> None:
        """Replaces that session."""
        self._client(sid, namespace).connection.sessions[namespace or "/"] = session

    @contextmanager
    def session(self, sid: str, namespace: Optional[str] = None) -> Iterator[dict[str, Any]]:
        """That session, saved at the end of the block."""
        session = self.get_session(sid, namespace)
        yield session
        self.save_session(sid, session, namespace)

    # The rest.

    def is_asyncio_based(self) -> bool:
        """False."""
        return False

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> threading.Thread:
        """Starts a function on a thread of its own."""
        return background.start(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps, and lets others run meanwhile."""
        background.sleep(seconds)

    def shutdown(self) -> None:
        """Stops the server."""
        self._socketio.stop()

    def handle_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answers 503: requests of Socket.IO are the engine's, not those of another WSGI server."""
        start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
        return [
            b"Socket.IO is served by Erlen's own listener: use `erlen run`, or gunicorn with -k erlen.gunicorn.Worker\n"
        ]

    def instrument(self, *args: Any, **kwargs: Any) -> Any:
        """Not built yet.

        :raises NotImplementedError: always.
        """
        raise NotImplementedError(
            "instrument() is not built yet: the engine's counters are at `socketio.metrics()`"
        )


def _answer(args: Sequence[Any]) -> Any:
    """What `call` returns for the arguments of an acknowledgement."""
    return tuple(args) if len(args) > 1 else args[0] if args else None


def _settle(answered: asyncio.Future[tuple[Any, ...]], args: tuple[Any, ...]) -> None:
    if not answered.done():
        answered.set_result(args)
