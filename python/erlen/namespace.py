"""Class namespaces: the events of a namespace as methods of a class."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional

from . import aio
from .dispatch import current

if TYPE_CHECKING:
    from .naming import Room
    from .server import Server
    from .socketio import SocketIO

__all__ = ["Namespace"]


class Namespace:
    """A namespace whose event `x` is handled by the method `on_x`.

    :param namespace: its name; None is `/`.

    An instance is registered by :meth:`SocketIO.on_namespace`. `self.socketio` is then the SocketIO, `self.server` its server; before,
    both are None.
    """

    socketio: SocketIO = None  # type: ignore[assignment]
    server: Server = None  # type: ignore[assignment]

    def __init__(self, namespace: Optional[str] = None) -> None:
        self.namespace = namespace or "/"

    def _set_socketio(self, socketio: SocketIO) -> None:
        self.socketio = socketio

    def _set_server(self, server: Server) -> None:
        self.server = server

    def _here(self) -> str:
        """The namespace; for a class of all namespaces, that of the event which is handled."""
        handled = current.get() if self.namespace == "*" else None
        return self.namespace if handled is None else handled.client.namespace

    def is_asyncio_based(self) -> bool:
        """Always False: handlers run on threads."""
        return False

    def wants(self, event: str) -> bool:
        """Whether the class would handle an event: it has the method, or decides by its own `trigger_event`."""
        return type(self).trigger_event is not Namespace.trigger_event or callable(
            getattr(self, f"on_{event}", None)
        )

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Handles an event: the sid, and the environ and auth of `connect`, the reason of `disconnect`, or the event's arguments.

        May be overridden. What it returns is the acknowledgement.
        """
        handler = getattr(self, f"on_{event or ''}", None)
        if not callable(handler):
            return None
        return self.socketio._handle_event(handler, event, self.namespace, *args)

    def emit(
        self,
        event: str,
        data: Any = None,
        room: Optional[Room] = None,
        include_self: bool = True,
        namespace: Optional[str] = None,
        callback: Optional[Callable[..., Any]] = None,
    ) -> None:
        """Emits to everyone in the namespace, or to a room."""
        self.socketio.emit(
            event,
            data,
            namespace=namespace or self._here(),
            room=room,
            include_self=include_self,
            callback=callback,
        )

    def send(
        self,
        data: Any,
        room: Optional[Room] = None,
        include_self: bool = True,
        namespace: Optional[str] = None,
        callback: Optional[Callable[..., Any]] = None,
    ) -> None:
        """Emits the event `message` to everyone in the namespace, or to a room."""
        self.socketio.send(
            data, namespace=namespace or self._here(), to=room, include_self=include_self, callback=callback
        )

    def call(
        self,
        event: str,
        data: Any = None,
        to: Optional[str] = None,
        sid: Optional[str] = None,
        namespace: Optional[str] = None,
        timeout: Optional[float] = None,
        ignore_queue: bool = False,
    ) -> Any:
        """Emits to one client, and waits for its acknowledgement."""
        aio.warn_of_waiting("self.call", "self.acall")
        return self.server.call(
            event,
            data=data,
            to=to,
            sid=sid,
            namespace=namespace or self._here(),
            timeout=timeout,
            ignore_queue=ignore_queue,
        )

    async def acall(
        self,
        event: str,
        data: Any = None,
        to: Optional[str] = None,
        sid: Optional[str] = None,
        namespace: Optional[str] = None,
        timeout: Optional[float] = None,
        ignore_queue: bool = False,
    ) -> Any:
        """As :meth:`call`, to be awaited: in an `async def` method, so that other handlers run meanwhile."""
        return await self.server.acall(
            event,
            data=data,
            to=to,
            sid=sid,
            namespace=namespace or self._here(),
            timeout=timeout,
            ignore_queue=ignore_queue,
        )

    def enter_room(self, sid: str, room: Room, namespace: Optional[str] = None) -> None:
        """Puts a client into a room."""
        self.server.enter_room(sid, room, namespace=namespace or self._here())

    def leave_room(self, sid: str, room: Room, namespace: Optional[str] = None) -> None:
        """Takes a client out of a room."""
        self.server.leave_room(sid, room, namespace=namespace or self._here())

    def close_room(self, room: Room, namespace: Optional[str] = None) -> None:
        """Takes every client out of a room."""
        self.server.close_room(room, namespace=namespace or self._here())

    def rooms(self, sid: str, namespace: Optional[str] = None) -> list[Room]:
        """The rooms of a client, its own among them."""
        return self.server.rooms(sid, namespace=namespace or self._here())

    def get_session(self, sid: str, namespace: Optional[str] = None) -> dict[str, Any]:
        """The session that the server keeps for a client of the namespace; not Flask's."""
        return self.server.get_session(sid, namespace=namespace or self._here())

    def save_session(self, sid: str, session: dict[str, Any], namespace: Optional[str] = None) -> None:
        """Replaces the session that the server keeps for a client of the namespace."""
        self.server.save_session(sid, session, namespace=namespace or self._here())

    def session(self, sid: str, namespace: Optional[str] = None) -> AbstractContextManager[dict[str, Any]]:
        """The same as a context manager, which saves at its end."""
        return self.server.session(sid, namespace=namespace or self._here())

    def disconnect(self, sid: str, namespace: Optional[str] = None) -> None:
        """Disconnects a client from the namespace."""
        self.server.disconnect(sid, namespace=namespace or self._here())
