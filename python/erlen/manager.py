"""`socketio.server.manager` and `socketio.server.eio`: what applications read of python-socketio's internals, as views."""

from __future__ import annotations

import logging
from collections.abc import Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from . import naming
from .options import heartbeat, transports

if TYPE_CHECKING:
    from . import _erlen
    from .naming import Room
    from .server import Server
    from .socketio import SocketIO

__all__ = ["EngineView", "Manager"]

_log = logging.getLogger("erlen")

K = TypeVar("K")
V = TypeVar("V")


class View(Mapping[K, V]):
    """A dict of python-socketio's as a view of the engine: read, printed and copied as one, and changed by nobody."""

    def copy(self) -> dict[K, V]:
        """What is there now."""
        return dict(self.items())

    def __repr__(self) -> str:
        return repr(self.copy())


class Members(View[str, str]):
    """Who is in a room: Socket.IO sid to Engine.IO sid."""

    def __init__(self, sockets: list[_erlen.Socket]) -> None:
        self._sockets = {socket.sid: socket.session.sid for socket in sockets}

    def __getitem__(self, sid: str) -> str:
        return self._sockets[sid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sockets)

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def inverse(self) -> dict[str, str]:
        """Engine.IO sid to Socket.IO sid."""
        return {eio_sid: sid for sid, eio_sid in self._sockets.items()}


class NamespaceRooms(View[Optional["Room"], Members]):
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


class Rooms(View[str, NamespaceRooms]):
    """The rooms of all namespaces in which somebody is."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio

    def __getitem__(self, namespace: str) -> NamespaceRooms:
        engine = self._socketio._serving.here().engine
        if engine is None or not isinstance(namespace, str) or not engine.sockets(namespace):
            raise KeyError(namespace)
        return NamespaceRooms(engine, namespace)

    def __iter__(self) -> Iterator[str]:
        engine = self._socketio._serving.here().engine
        names = [] if engine is None else engine.namespaces()
        return iter([name for name in names if engine is not None and engine.sockets(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Manager:
    """Who is connected, and who is in which room, on this process. A namespace is called by its name here: None is none."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio
        self.rooms = Rooms(socketio)
        self.write_only: bool = socketio._serving.latest.app is None
        self.logger: Optional[logging.Logger] = None
        """None, as upstream: what it does is logged by the server's."""
        self.callbacks: dict[str, dict[int, Any]] = {}
        """Empty: what waits for an acknowledgement is the engine's, which lets go of it when the client leaves."""

    @property
    def server(self) -> Server:
        """The server that this is the manager of."""
        return self._socketio._require_server()

    def get_namespaces(self) -> KeysView[str]:
        """The namespaces in which somebody is."""
        return self.rooms.keys()

    def get_participants(self, namespace: str, room: Optional[Any]) -> Iterator[tuple[str, str]]:
        """`(sid, eio_sid)` of everyone in a room, or in one of several; None is everyone."""
        names: list[Optional[str]] = [None] if room is None else [*(naming.names(room) or [])]
        seen = set()
        for name in names:
            for socket in self._sockets(namespace, name):
                if socket.sid not in seen:
                    seen.add(socket.sid)
                    yield socket.sid, socket.session.sid

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is in the namespace. One whose connect or disconnect handler runs is not."""
        socket = self._socket(sid, namespace)
        return socket is not None and socket.connected

    def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether a client may be disconnected from the namespace: it is in it."""
        return self.is_connected(sid, namespace)

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        """Whether a room is a client's own."""
        return self._socket(room, namespace) is not None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> Optional[str]:
        """The Engine.IO sid behind a client."""
        socket = self._socket(sid, namespace)
        return None if socket is None else socket.session.sid

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> Optional[str]:
        """The client of a session in a namespace."""
        sockets = self._sockets(namespace, None)
        return next((socket.sid for socket in sockets if socket.session.sid == eio_sid), None)

    def get_rooms(self, sid: str, namespace: str) -> list[Room]:
        """The rooms of a client."""
        socket = self._socket(sid, namespace)
        return [] if socket is None else [naming.room_of(name) for name in socket.rooms()]

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
        """Emits to everyone, a client, or rooms."""
        if namespace:
            self.server.emit(
                event, data, to=to, room=room, skip_sid=skip_sid, namespace=namespace, callback=callback
            )

    def enter_room(self, sid: str, namespace: str, room: Room, eio_sid: Optional[str] = None) -> None:
        """Puts a client into a room.

        :raises KeyError: the client is not in the namespace.
        :raises ValueError: nobody is in the namespace, or the room is another client's own.
        """
        if not namespace:
            raise ValueError("sid is not connected to requested namespace")
        self.server.enter_room(sid, room, namespace)

    def leave_room(self, sid: str, namespace: str, room: Room) -> None:
        """Takes a client out of a room."""
        if namespace:
            self.server.leave_room(sid, room, namespace)

    def close_room(self, room: Room, namespace: str) -> None:
        """Takes everyone out of a room.

        :raises ValueError: the room is a client's own.
        """
        if namespace:
            self.server.close_room(room, namespace)

    def _tell_unreached(self, event: str, namespace: str, to: Any) -> None:
        """A debug line for each room of an emit in which nobody is: an id is another one in each namespace."""
        for name in naming.names(to) or []:
            if self._sockets(namespace, name):
                continue
            room = naming.room_of(name)
            owners = [other for other in self.rooms if self._socket(room, other) is not None]
            why = f"that is the id of a client in {owners[0]}" if owners else "nobody is there"
            _log.debug("event %r to %r in %s reaches nobody: %s", event, room, namespace, why)

    def _socket(self, sid: Any, namespace: Any) -> Optional[_erlen.Socket]:
        return self._socketio._socket(sid, namespace) if isinstance(namespace, str) else None

    def _sockets(self, namespace: Any, room: Optional[str]) -> list[_erlen.Socket]:
        engine = self._socketio._serving.here().engine
        return [] if engine is None or not isinstance(namespace, str) else engine.sockets(namespace, room)


class Sessions(View[str, Any]):
    """The open Engine.IO sessions by their sid: each with `sid`, `connected`, `closed` and `upgraded`."""

    def __init__(self, socketio: SocketIO) -> None:
        self._socketio = socketio

    def _all(self) -> dict[str, Any]:
        engine = self._socketio._serving.here().engine
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
        interval = options.get("ping_interval", 25)
        self.ping_interval = interval[0] if isinstance(interval, (tuple, list)) else interval
        self.ping_interval_grace_period = heartbeat(interval)[1]
        self.ping_timeout = options.get("ping_timeout", 20)
        self.max_http_buffer_size = options.get("max_http_buffer_size", 1_000_000)
        self.transports = transports(options.get("transports"))
        self.http_compression = False
        """Answers are not compressed yet."""
        self.compression_threshold = options.get("compression_threshold", 1024)
        logger = options.get("engineio_logger")
        self.logger = logger if isinstance(logger, logging.Logger) else logging.getLogger("engineio.server")

    def transport(self, sid: str) -> str:
        """`'polling'` or `'websocket'`.

        :raises KeyError: no session has that id.
        """
        name: str = self.sockets[sid].transport()
        return name

    def disconnect(self, sid: Optional[str] = None) -> None:
        """Ends a session, and with it its client in every namespace; all sessions unless one is named."""
        for session in self.sockets.values() if sid is None else [self.sockets.get(sid)]:
            if session is not None:
                session.close()
