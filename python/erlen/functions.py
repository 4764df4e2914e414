"""The functions of a handler: `emit`, `join_room` and their kin, for the client whose event is handled.

They find the SocketIO by the event that is handled, or by the current application. Keywords that they do not know are ignored, as
upstream's are; the log says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

import flask

from . import aio, spelling
from .context import addressee
from .dispatch import current

if TYPE_CHECKING:
    from .naming import Room
    from .server import Server
    from .socketio import SocketIO

__all__ = ["acall", "call", "close_room", "disconnect", "emit", "join_room", "leave_room", "rooms", "send"]


_OF_THE_EVENT: Any = object()
"""The default of `namespace`: that of the event which is handled."""


def _socketio() -> SocketIO:
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    handled = current.get()
    if handled is not None and handled.client.connection.app is app:
        return handled.socketio
    socketio: SocketIO = app.extensions["socketio"]
    return socketio


def _server() -> Server:
    return _socketio()._require_server()


def _sid(sid: Optional[str]) -> str:
    found: str = sid or addressee().sid
    return found


def _namespace(namespace: Optional[str]) -> str:
    found: str = namespace or addressee().namespace
    return found


def _target(to: Any, room: Any, broadcast: bool) -> Any:
    """Whom an emit is for: the client itself where nothing else is said."""
    target = to or room
    return addressee().sid if not target and not broadcast else target or None


def emit(
    event: str,
    *args: Any,
    namespace: Optional[str] = _OF_THE_EVENT,
    to: Any = None,
    room: Any = None,
    broadcast: bool = False,
    include_self: bool = True,
    skip_sid: Any = None,
    callback: Optional[Callable[..., Any]] = None,
    ignore_queue: bool = False,
    **ignored: Any,
) -> None:
    """Emits an event to the client whose event is handled, to rooms, or to everyone.

    :param args: at most one payload; a tuple is several arguments.
    :param namespace: that of the event that is handled, unless given; None is `/`.
    :param to: a room or a sid, or a list of them. `room` is the same.
    :param broadcast: everyone, where `to` says nothing.
    :param include_self: False leaves the client itself out.
    :param skip_sid: a sid, or a list of them, to leave out.
    :param callback: called with the acknowledgement of the client.
    """
    if ignored:
        spelling.tell_ignored(emit, ignored)
    where = addressee().namespace if namespace is _OF_THE_EVENT else namespace
    _socketio().emit(
        event,
        *args,
        namespace=where,
        to=_target(to, room, broadcast),
        include_self=include_self,
        skip_sid=skip_sid,
        callback=callback,
        ignore_queue=ignore_queue,
    )


def call(
    event: str,
    *args: Any,
    namespace: Optional[str] = _OF_THE_EVENT,
    to: Any = None,
    room: Any = None,
    timeout: Optional[float] = 60,
    ignore_queue: bool = False,
    **ignored: Any,
) -> Any:
    """Emits to one client, and waits for its acknowledgement. In an async handler all others of them would wait too: :func:`acall`.

    :returns: None, the one argument, or a tuple of them.
    """
    if ignored:
        spelling.tell_ignored(call, ignored)
    where = addressee().namespace if namespace is _OF_THE_EVENT else namespace
    target = _target(to, room, False)
    aio.warn_of_waiting("call", "acall")
    return _socketio().call(
        event, *args, namespace=where, to=target, timeout=timeout, ignore_queue=ignore_queue
    )


async def acall(
    event: str,
    *args: Any,
    namespace: Optional[str] = _OF_THE_EVENT,
    to: Any = None,
    room: Any = None,
    timeout: Optional[float] = 60,
    ignore_queue: bool = False,
    **ignored: Any,
) -> Any:
    """As :func:`call`, to be awaited: in an `async def` handler, so that the others of them run meanwhile."""
    if ignored:
        spelling.tell_ignored(acall, ignored)
    where = addressee().namespace if namespace is _OF_THE_EVENT else namespace
    target = _target(to, room, False)
    return await _socketio().acall(
        event, *args, namespace=where, to=target, timeout=timeout, ignore_queue=ignore_queue
    )


def send(
    message: Any,
    json: bool = False,
    namespace: Optional[str] = _OF_THE_EVENT,
    to: Any = None,
    room: Any = None,
    broadcast: bool = False,
    include_self: bool = True,
    skip_sid: Any = None,
    callback: Optional[Callable[..., Any]] = None,
    ignore_queue: bool = False,
    **ignored: Any,
) -> None:
    """Emits the event `message`, or `json`."""
    if ignored:
        spelling.tell_ignored(send, ignored)
    where = addressee().namespace if namespace is _OF_THE_EVENT else namespace
    _socketio().send(
        message,
        json=json,
        namespace=where,
        to=_target(to, room, broadcast),
        include_self=include_self,
        skip_sid=skip_sid,
        callback=callback,
        ignore_queue=ignore_queue,
    )


def join_room(room: Room, sid: Optional[str] = None, namespace: Optional[str] = None) -> None:
    """Puts the client, or another, into a room.

    :raises ValueError: the client is not in the namespace.
    """
    _server().enter_room(_sid(sid), room, namespace=_namespace(namespace))


def leave_room(room: Room, sid: Optional[str] = None, namespace: Optional[str] = None) -> None:
    """Takes the client, or another, out of a room."""
    _server().leave_room(_sid(sid), room, namespace=_namespace(namespace))


def close_room(room: Room, namespace: Optional[str] = None) -> None:
    """Takes everyone out of a room."""
    _server().close_room(room, namespace=_namespace(namespace))


def rooms(sid: Optional[str] = None, namespace: Optional[str] = None) -> list[Room]:
    """The rooms of the client, or of another, its own among them."""
    return _server().rooms(_sid(sid), namespace=_namespace(namespace))


def disconnect(sid: Optional[str] = None, namespace: Optional[str] = None, silent: bool = False) -> None:
    """Disconnects the client, or another, from the namespace: its disconnect handler runs before this returns. An async one that
    waits for something goes on after it, where this is called by an async handler.

    :param silent: ignored.
    """
    _server().disconnect(_sid(sid), namespace=_namespace(namespace))
