"""`async def` handlers: all of them run on one asyncio loop, in a thread of its own, which starts with the first of them.

The worker thread that handles the event waits meanwhile. Context variables, Flask's contexts among them, go along.

The loop's own thread waits for nobody, since that would be for itself. Where an async handler has another event handled – the
`disconnect()` that it calls runs the disconnect handler – and that handler is a coroutine too, it becomes a task of the loop, and the
caller goes on before it. It belongs to the event of its caller, which is over when both are.

```text
worker  ── finish(steps) ─▶ waits ──────────────────────────▶ goes on
loop                        └▶ handler ─▶ disconnect() ─▶ …   │
                                          └▶ finish(steps): a Later, for which the worker waits too
```
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import threading
from collections.abc import Awaitable, Generator
from threading import get_ident
from typing import Any, NamedTuple, Optional, TypeVar, Union

__all__ = ["Later", "Steps", "finish", "is_pending", "loop", "settle", "warn_of_waiting"]

T = TypeVar("T")

Steps = Generator[Any, Any, T]
"""What is done about an event: yields what is to be awaited, is sent what that returns, and returns the outcome."""

_log = logging.getLogger("erlen")

_lock = threading.Lock()
_loop: Optional[asyncio.AbstractEventLoop] = None
_thread: Optional[int] = None
_tasks: set[asyncio.Task[Any]] = set()
"""Those of steps that go on later: the loop itself would not keep them alive."""
_warned = False


def loop() -> asyncio.AbstractEventLoop:
    """The loop of async handlers, running."""
    global _loop, _thread
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_serve, args=(_loop,), name="erlen-asyncio", daemon=True)
            thread.start()
            _thread = thread.ident
        return _loop


def _serve(running: asyncio.AbstractEventLoop) -> None:
    """The life of the loop's thread. A task that calls `sys.exit` ends the run, and must not end the other handlers."""
    while not running.is_closed():
        try:
            running.run_forever()
        except (SystemExit, KeyboardInterrupt):
            pass


def _in_child() -> None:
    """The child of a fork has no thread for its parent's loop."""
    global _loop, _thread, _lock
    _loop = _thread = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class Later(asyncio.Future[Any]):
    """The outcome of steps that go on as a task of the loop, because its thread could not wait for them."""

    is_awaited = False
    """Whoever has awaited it has got what was raised, too."""

    def __await__(self) -> Generator[Any, None, Any]:
        self.is_awaited = True
        return super().__await__()

    def error(self) -> Optional[BaseException]:
        """What was raised. Where who awaited it was cancelled, nothing is known of that."""
        return None if self.cancelled() else self.exception()


_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})


def is_pending(result: Any) -> bool:
    """Whether what a handler has returned is to be awaited."""
    kind = type(result)
    return kind not in _PLAIN and hasattr(kind, "__await__")


def settle(result: Any) -> Any:
    """What a handler has returned; where that can be awaited, what it returns in its turn."""
    return finish(_settled(result)) if is_pending(result) else result


def _settled(result: Any) -> Steps[Any]:
    while is_pending(result):
        result = yield result
    return result


def finish(steps: Steps[T]) -> Union[T, Later]:
    """Does the steps, and waits for what they await; on the loop's own thread, returns a `Later` as soon as one awaits something."""
    if get_ident() == _thread:
        return _begin(steps)
    try:
        awaited = next(steps)
        while True:
            try:
                value = _run(awaited)
            except BaseException as error:
                awaited = steps.throw(error)
            else:
                awaited = steps.send(value)
    except StopIteration as end:
        result: T = end.value
        return result


class _Outcome(NamedTuple):
    """What was returned, or raised. A task that raised `SystemExit` would end the loop."""

    value: Any
    error: Optional[BaseException]


async def _outcome(awaited: Awaitable[Any]) -> _Outcome:
    try:
        return _Outcome(await awaited, None)
    except BaseException as error:
        return _Outcome(None, error)


# On a worker's thread.


class _Scope:
    """What a handler has begun and could not wait for, until somebody has waited for that."""

    def __init__(self) -> None:
        self.begun: list[Later] = []
        self.is_over = False


_scope: contextvars.ContextVar[Optional[_Scope]] = contextvars.ContextVar("erlen.scope", default=None)


def _run(awaited: Awaitable[T]) -> T:
    """Awaits on the loop, in a copy of the caller's context, and waits for what comes of it."""
    context = contextvars.copy_context()
    running = loop()
    done = threading.Event()
    tasks: list[asyncio.Task[_Outcome]] = []

    def start() -> None:
        # A task runs in a copy of the context of who makes it: that of `call_soon_threadsafe`.
        task = running.create_task(_whole(awaited))
        tasks.append(task)
        task.add_done_callback(lambda _: done.set())

    running.call_soon_threadsafe(start, context=context)
    done.wait()
    value, error = tasks.pop().result()
    if error is None:
        result: T = value
        return result
    try:
        raise error
    finally:
        del error


async def _whole(awaited: Awaitable[Any]) -> _Outcome:
    """Awaits a handler, and what it has begun."""
    scope = _Scope()
    _scope.set(scope)
    outcome = await _outcome(awaited)
    # It may grow meanwhile.
    for later in scope.begun:
        await asyncio.wait([later])
        error = later.error()
        if outcome.error is None and error is not None and not later.is_awaited:
            outcome = _Outcome(None, error)
        else:
            _tell(later)
    scope.is_over = True
    return outcome


# On the loop's thread.


def _begin(steps: Steps[T]) -> Union[T, Later]:
    # All steps are done in this very context, so that those can take away what they have put there.
    context = contextvars.copy_context()
    try:
        awaited = context.run(next, steps)
    except StopIteration as end:
        result: T = end.value
        return result
    later = Later(loop=loop())
    scope = _scope.get()
    if scope is None or scope.is_over:
        later.add_done_callback(_tell)
    else:
        scope.begun.append(later)
    context.run(_await, awaited, steps, context, later)
    return later


def _await(awaited: Awaitable[Any], steps: Steps[Any], context: contextvars.Context, later: Later) -> None:
    task = loop().create_task(_outcome(awaited))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    task.add_done_callback(functools.partial(_go_on, steps, context, later), context=context)


def _go_on(
    steps: Steps[Any], context: contextvars.Context, later: Later, task: asyncio.Task[_Outcome]
) -> None:
    value, error = (None, asyncio.CancelledError()) if task.cancelled() else task.result()
    try:
        awaited = steps.send(value) if error is None else steps.throw(error)
    except StopIteration as end:
        if not later.cancelled():
            later.set_result(end.value)
    except BaseException as raised:
        if not later.cancelled():
            later.set_exception(raised)
    else:
        _await(awaited, steps, context, later)
    finally:
        del error


def _tell(later: Later) -> None:
    """Says what was raised where nobody else will."""
    error = later.error()
    if error is not None and not later.is_awaited:
        _log.error("a handler that an async handler had begun has failed", exc_info=error)


def warn_of_waiting(what: str, instead: str) -> None:
    """Says once that something holds up all async handlers, where it does, and what would not."""
    global _warned
    if get_ident() == _thread and not _warned:
        _warned = True
        _log.warning(
            "%s() in an async def handler holds up all other async handlers until its answer has come: write `await %s(…)`",
            what,
            instead,
        )
