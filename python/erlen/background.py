"""Background tasks: daemon threads whose exception is shown with the task's name."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from . import aio

__all__ = ["sleep", "start"]

_log = logging.getLogger("erlen")


def start(target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
    """Starts `target` on a thread of its own, without any of Flask's contexts. It ends with the process.

    :returns: the thread, started; it has `join()`.
    """
    name = getattr(target, "__qualname__", None) or type(target).__name__

    def task() -> None:
        try:
            aio.settle(target(*args, **kwargs))
        except Exception:
            _log.exception("the background task %s failed", name)

    # A thread of a free-threaded build would have a copy of the caller's context.
    run = contextvars.Context().run
    thread = threading.Thread(target=run, args=(task,), name=f"task {name}", daemon=True)
    thread.start()
    return thread


def sleep(seconds: float = 0) -> None:
    """Sleeps, and lets others run meanwhile."""
    time.sleep(seconds)
