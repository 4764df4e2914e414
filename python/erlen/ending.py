"""The end of a run: what begins it, and for how long it waits for what is under way. Called by run.py and gunicorn.py."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from . import _erlen
    from .serving import Served

__all__ = ["Ending", "shut"]

GRACE = 5.0
"""Seconds that clients, pages and handlers have together, once it was stopped by a signal."""

FAREWELL = 1.0
"""Seconds of these that handlers have, once the last client has gone."""

SLICE = 0.1
"""Seconds between two looks for a signal."""


class Ending:
    """How a listener ends: a first signal begins it, a second one is it."""

    def __init__(self, listener: _erlen.Listener) -> None:
        self._listener = listener
        self._until: Optional[float] = None

    def signalled(self, *_: Any) -> None:
        """A signal has come. In the main thread, between any two of its instructions."""
        if self._until is None:
            self._until = time.monotonic() + GRACE
            self._listener.stop(grace=GRACE)
        else:
            self._until = 0.0
            self._listener.stop(grace=0.0)

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Lets Ctrl-C and SIGTERM end it, where the application has no handlers of its own."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        free = [number for number, default in defaults.items() if signal.getsignal(number) == default]
        before = {number: signal.signal(number, self.signalled) for number in free}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def of(self, served: list[Served]) -> Iterator[None]:
        """The run in which the listener serves these. What is under way when the block is left has time to end."""
        for each in served:
            each.socketio._serving.listens(self._listener, each)
        try:
            yield
        finally:
            left = self._left()
            for each in served:
                each.socketio._serving.over(self._listener, left)

    def _left(self) -> Callable[[], float]:
        """Says how many seconds handlers still have, now that the listener has ended."""
        farewell = time.monotonic() + FAREWELL

        def left() -> float:
            until = farewell if self._until is None else min(farewell, self._until)
            return max(0.0, until - time.monotonic())

        return left


def shut(shutdown: Callable[[float], bool], left: Callable[[], float]) -> None:
    """Shuts an engine down, and waits for its handlers while there is time. A signal may end that time meanwhile."""
    while True:
        time_left = left()
        if shutdown(min(time_left, SLICE)) or time_left <= 0.0:
            return
