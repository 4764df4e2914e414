"""Who looks at what: the selection of each socket, and the rooms that follow from it.

A socket is in two rooms: that of its dashboard (for `presence`) and that of its selection (for `update_dashboard`).
"""

from __future__ import annotations

import threading

from .catalogue import Dashboard
from .engine import join_room, leave_room
from .selection import Selection


class Audience:
    """The sockets and their selections. Handlers of one socket may overlap, so that every change is under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selections: dict[str, Selection | None] = {}

    def arrive(self, sid: str) -> None:
        """A socket connected; it looks at nothing yet."""
        with self._lock:
            self._selections[sid] = None

    def leave(self, sid: str) -> Selection | None:
        """A socket is gone. Its rooms go with it; what it looked at is given back."""
        with self._lock:
            return self._selections.pop(sid, None)

    def selection(self, sid: str) -> Selection | None:
        """What a socket looks at."""
        with self._lock:
            return self._selections.get(sid)

    def move(self, sid: str, selection: Selection) -> Selection | None:
        """A socket looks at something else from now on; returns what it was before. In a handler of that socket."""
        with self._lock:
            if sid not in self._selections:
                return None
            before = self._selections[sid]
            old = {before.dashboard.room, before.room} if before else set()
            new = {selection.dashboard.room, selection.room}
            for room in old - new:
                leave_room(room)
            for room in new - old:
                join_room(room)
            self._selections[sid] = selection
            return before

    def watched(self) -> list[Selection]:
        """Each selection that somebody looks at, once."""
        with self._lock:
            return list({selection for selection in self._selections.values() if selection})

    def viewers(self, dashboard: Dashboard) -> int:
        """How many look at a dashboard."""
        with self._lock:
            return sum(1 for selection in self._selections.values() if selection and selection.dashboard is dashboard)
