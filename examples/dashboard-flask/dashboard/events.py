"""The Socket.IO events of the page.

Each event is answered by an acknowledgement: `{ok: true, …}`, or `{ok: false, message}` with a sentence for the viewer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import request

from .catalogue import Dashboard
from .engine import SocketIO, emit
from .selection import Selection, SelectionError
from .state import State
from .updates import build

log = logging.getLogger(__name__)

Answer = dict[str, Any]


def register(socketio: SocketIO) -> None:
    """Puts the handlers on the server object."""
    socketio.on_event("connect", connect)
    socketio.on_event("disconnect", disconnect)
    socketio.on_event("join_dashboard", join_dashboard)
    socketio.on_event("apply_filters", apply_filters)
    socketio.on_event("update_settings", update_settings)
    socketio.on_event("refresh_data", refresh_data)


def connect() -> None:
    """A page is there; it says next what it wants to see."""
    State.current().audience.arrive(request.sid)
    log.info("connected", extra={"sid": request.sid})


def disconnect(reason: str) -> None:
    """A page is gone."""
    left = State.current().audience.leave(request.sid)
    log.info("disconnected", extra={"sid": request.sid, "reason": reason})
    if left:
        _tell_presence(left.dashboard)


def answered(handler: Callable[..., Answer]) -> Callable[..., Answer]:
    """Logs an event and how long it took; a choice that does not exist becomes an answer instead of an error."""

    @wraps(handler)
    def answering(*data: Any) -> Answer:
        started = time.perf_counter()
        try:
            answer = {"ok": True, **handler(*data)}
        except SelectionError as error:
            answer = {"ok": False, "message": str(error)}
        facts = {"sid": request.sid, "ok": answer["ok"], "room": answer.get("room"), "refusal": answer.get("message")}
        took = round((time.perf_counter() - started) * 1000, 1)
        log.info(handler.__name__, extra={k: v for k, v in facts.items() if v is not None} | {"took_ms": took})
        return answer

    return answering


@answered
def join_dashboard(data: Any = None) -> Answer:
    """`{dashboard, filters?, settings?}`: look at a dashboard, and at no other any more."""
    return _look_at(Selection.parse(data))


@answered
def apply_filters(data: Any = None) -> Answer:
    """`{sources?, statistic?, split?, process?}`: other data on the same dashboard."""
    return _look_at(_current().filtered(data))


@answered
def update_settings(data: Any = None) -> Answer:
    """`{window_s?, refresh_s?}`: another time window, another pace."""
    return _look_at(_current().set(data))


@answered
def refresh_data(data: Any = None) -> Answer:
    """Sends an update now, to this page alone, whatever its pace."""
    update = build(State.current(), _current())
    emit("update_dashboard", update)
    return {"room": update["room"]}


def _current() -> Selection:
    selection = State.current().audience.selection(request.sid)
    if selection is None:
        raise SelectionError("Join a dashboard first.")
    return selection


def _look_at(selection: Selection) -> Answer:
    state = State.current()
    before = state.audience.move(request.sid, selection)
    if before is None or before.dashboard is not selection.dashboard:
        _tell_presence(selection.dashboard)
        if before:
            _tell_presence(before.dashboard)
    return {"room": selection.room, "selection": selection.to_json(), "update": build(state, selection)}


def _tell_presence(dashboard: Dashboard) -> None:
    viewers = State.current().audience.viewers(dashboard)
    emit("presence", {"dashboard": dashboard.id, "viewers": viewers}, to=dashboard.room)
