"""`async def` handlers: all of them run on one asyncio loop, in a thread of its own, which starts with the first of them.

The worker thread that handles the event waits meanwhile. Context variables, Flask's contexts among them, go along.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any, Optional, TypeVar

__all__ = ["loop", "run", "settle"]

T = TypeVar("T")

_lock = threading.Lock()
_loop: Optional[asyncio.AbstractEventLoop] = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop of async handlers, running."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="erlen-asyncio", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on the loop, in a copy of the caller's context, and waits for what it returns."""
    context = contextvars.copy_context()

    async def inside() -> T:
        return await coroutine

    running = loop()
    done: threading.Event = threading.Event()
    outcome: list[asyncio.Task[T]] = []

    def start() -> None:
        # A task runs in a copy of the context of who makes it: that of `call_soon_threadsafe`.
        task = running.create_task(inside())
        outcome.append(task)
        task.add_done_callback(lambda _: done.set())

    running.call_soon_threadsafe(start, context=context)
    done.wait()
    return outcome[0].result()


def settle(result: Any) -> Any:
    """What a handler has returned; where that is a coroutine, what it returns in its turn."""
    return run(result) if isinstance(result, CoroutineType) else result
