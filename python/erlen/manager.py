"""`socketio.server.manager` and `socketio.server.eio`: what applications read of python-socketio's internals, as views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from . import naming

if TYPE_CHECKING:
    from . import _erlen
    from .naming import Room
    from .socketio import SocketIO

__all__ = ["EngineView", "Manager"]


class Members(Mapping[str, str]):
    """Who is in a room: Socket.IO sid to Engine.IO sid."""

    def __init__(self, sockets: list[_erlen.Socket]) -> None:
        self._sockets = {socket.sid: socket.session.sid for socket in sockets}

    def __getitem__(self, sid: str) -> str:
        return self._sockets[sid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sockets)

    def __len__(self) -> int:
        return len(self._sockets)


class NamespaceRooms(Mapping[Optional["Room"], Members]):
    """The rooms of a namespace, that of each sid among them; None is everyone."""

    def __init__(self, engine: _erlen.Engine, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace

    def __getitem__(self, room: Optional[Room]) -> Members:
        name = None if room is None else naming.text_of(room)
        sockets = self._engine.sockets(self._namespace, name)
        if not sockets and name is not None:
            raise KeyError(room)
        return Members(sockets)

    def __iter__(self) -> Iterator[Optional[Room]]:
        everyone = self._engine.sockets(self._namespace)
        if everyone:
            yield None
        for socket in everyone:
            yield socket.sid
        for name in self._engine.room_sizes(self._namespace):
            yield naming.room_of(name)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Rooms(Mapping[str, NamespaceRooms]):
    """The rooms of all namespaces in which somebody is."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio

    def __getitem__(self, namespace: str) -> NamespaceRooms:
        engine = self._socketio._engine
        if engine is None or not engine.sockets(namespace):
            raise KeyError(namespace)
        return NamespaceRooms(engine, namespace)

    def __iter__(self) -> Iterator[str]:
        engine = self._socketio._engine
        names = [] if engine is None else engine.namespaces()
        return iter([name for name in names if engine is not None and engine.sockets(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Manager:
    """Who is connected, and who is in which room, on this process."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio
        self.rooms = Rooms(socketio)
        self.write_only: bool = socketio._app is None

    def get_namespaces(self) -> Iterator[str]:
        """The namespaces in which somebody is."""
        return iter(self.rooms)

    def get_participants(self, namespace: str, room: Optional[Any]) -> Iterator[tuple[str, str]]:
        """`(sid, eio_sid)` of everyone in a room, or in one of several; None is everyone."""
        engine = self._socketio._engine
        if engine is None:
            return
        names: list[Optional[str]] = [None] if room is None else [*(naming.names(room) or [])]
        seen = set()
        for name in names:
            for socket in engine.sockets(namespace, name):
                if socket.sid not in seen:
                    seen.add(socket.sid)
                    yield socket.sid, socket.session.sid

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is in the namespace."""
        socket = self._socketio._socket(sid, namespace)
        return socket is not None and socket.connected

    def eio_sid_from_sid(self, sid: str, namespace: str) -> Optional[str]:
        """The Engine.IO sid behind a client."""
        socket = self._socketio._socket(sid, namespace)
        return None if socket is None else socket.session.sid

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> Optional[str]:
        """The client of a session in a namespace."""
        engine = self._socketio._engine
        sockets = [] if engine is None else engine.sockets(namespace)
        return next((socket.sid for socket in sockets if socket.session.sid == eio_sid), None)

    def get_rooms(self, sid: str, namespace: str) -> list[Room]:
        """The rooms of a client."""
        return self._socketio._require_server().rooms(sid, namespace)

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Emits."""
        self._socketio._require_server().emit(
            event, data, to=to, room=room, skip_sid=skip_sid, namespace=namespace, callback=callback
        )

    def enter_room(self, sid: str, namespace: str, room: Room, eio_sid: Optional[str] = None) -> None:
        """Puts a client into a room."""
        self._socketio._require_server().enter_room(sid, room, namespace)

    def leave_room(self, sid: str, namespace: str, room: Room) -> None:
        """Takes a client out of a room."""
        self._socketio._require_server().leave_room(sid, room, namespace)

    def close_room(self, room: Room, namespace: str) -> None:
        """Takes everyone out of a room."""
        self._socketio._require_server().close_room(room, namespace)


class Sessions(Mapping[str, Any]):
    """The open Engine.IO sessions by their sid."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio

    def _all(self) -> dict[str, Any]:
        engine = self._socketio._engine
        return {} if engine is None else {session.sid: session for session in engine.sessions()}

    def __getitem__(self, sid: str) -> Any:
        return self._all()[sid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class EngineView:
    """The engine's options and sessions, under python-engineio's names."""

    def __init__(self, socketio: SocketIO) -> None:
        options = socketio.server_options
        self.sockets = Sessions(socketio)
        self.async_mode = socketio.async_mode
        self.async_handlers = False
        self.cors_allowed_origins = options.get("cors_allowed_origins")
        self.cors_credentials = options.get("cors_credentials", True)
        self.allow_upgrades = options.get("allow_upgrades", True)
        self.cookie = options.get("cookie")
        self.ping_interval = options.get("ping_interval", 25)
        self.ping_timeout = options.get("ping_timeout", 20)
        self.max_http_buffer_size = options.get("max_http_buffer_size", 1_000_000)
