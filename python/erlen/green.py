"""Applications that are monkey-patched by gevent or eventlet: their handlers and pages run as greenlets, as their code expects.

In such a process `threading`, `queue` and `time` are those of one hub, that of the thread which runs the server. A worker thread of the
engine therefore hands each job to that hub, where it becomes a greenlet, and waits for it on a lock of the system's, without the
interpreter. Nothing of this is imported or done where nothing was patched. Called by dispatch.py, run.py and gunicorn.py.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, Optional, TypeVar

__all__ = ["Hub", "hub", "patched_by"]

T = TypeVar("T")

_log = logging.getLogger("erlen")


def patched_by() -> Optional[str]:
    """Who has monkey-patched the threads of this process: 'gevent', 'eventlet', or None."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def hub() -> Optional[Hub]:
    """The hub of this thread, ready to take jobs; None where nothing is patched."""
    patcher = patched_by()
    if patcher is None:
        return None
    _log.warning(
        "%s has monkey-patched this process: handlers and pages run as its greenlets, on one core and one at a time. Erlen needs no "
        "patching; without it they run on threads",
        patcher,
    )
    return Gevent() if patcher == "gevent" else Eventlet()


class Hub:
    """Runs functions as greenlets of one thread, for other threads."""

    def __init__(self, allocate_lock: Callable[[], Any], get_ident: Callable[[], int]) -> None:
        self._allocate_lock = allocate_lock
        self._get_ident = get_ident
        self._thread = get_ident()
        self._jobs: deque[Callable[[], None]] = deque()
        self._closed = False

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a function as a greenlet of the hub, and returns what it returns. From the hub's thread it just runs.

        :raises RuntimeError: the hub is closed.
        """
        if self._get_ident() == self._thread:
            return function(*args)
        if self._closed:
            raise RuntimeError("the server has ended")
        done = self._allocate_lock()
        done.acquire()
        results: list[T] = []
        errors: list[BaseException] = []

        def job() -> None:
            try:
                results.append(function(*args))
            except BaseException as error:
                errors.append(error)
            finally:
                done.release()

        self._jobs.append(job)
        self._wake()
        done.acquire()
        if errors:
            raise errors[0]
        return results[0]

    def start(self, function: Callable[..., None], *args: Any) -> None:
        """Starts a function as a greenlet of the hub, and does not wait for it.

        :raises RuntimeError: the hub is closed.
        """
        if self._closed:
            raise RuntimeError("the server has ended")
        self._jobs.append(lambda: function(*args))
        self._wake()

    def wait(self, listener: Any, timeout: Optional[float] = None) -> bool:
        """`Listener.wait`, while the greenlets run."""
        ended: bool = self.outside(listener.wait, timeout)
        return ended

    def application(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """A WSGI application for the engine's threads, whose requests run as greenlets."""

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ["wsgi.input"] = _Input(self, environ["wsgi.input"])
            answer = self.run(app, environ, start_response)
            return answer if isinstance(answer, (list, tuple)) else _Answer(self, answer)

        return call

    def close(self) -> None:
        """No jobs from here on; those that wait are run."""
        self._closed = True

    def _take(self) -> list[Callable[[], None]]:
        jobs = []
        while self._jobs:
            jobs.append(self._jobs.popleft())
        return jobs

    def _wake(self) -> None:
        """Has the hub start the jobs. From any thread."""
        raise NotImplementedError

    def outside(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs what blocks on a thread of the system, while other greenlets run."""
        raise NotImplementedError


class Gevent(Hub):
    """The hub of gevent."""

    def __init__(self) -> None:
        gevent: Any = import_module("gevent")
        get_original = import_module("gevent.monkey").get_original
        super().__init__(get_original("_thread", "allocate_lock"), get_original("_thread", "get_ident"))
        self._spawn = gevent.spawn
        self._hub = gevent.get_hub()
        self._watcher = self._hub.loop.async_()
        self._watcher.start(self._start)

    def _start(self) -> None:
        for job in self._take():
            self._spawn(job)

    def _wake(self) -> None:
        self._watcher.send()

    def outside(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._hub.threadpool.apply(function, args)

    def close(self) -> None:
        super().close()
        self._start()
        self._watcher.stop()
        self._watcher.close()


class Eventlet(Hub):
    """The hub of eventlet. It is woken through a pipe, which one of its greenlets reads."""

    def __init__(self) -> None:
        original = import_module("eventlet.patcher").original
        thread = original("_thread")
        super().__init__(thread.allocate_lock, thread.get_ident)
        self._os = original("os")
        self._reader, self._writer = self._os.pipe()
        self._os.set_blocking(self._reader, False)
        self._os.set_blocking(self._writer, False)
        self._spawn = import_module("eventlet").spawn_n
        self._trampoline = import_module("eventlet.hubs").trampoline
        self._execute = import_module("eventlet.tpool").execute
        self._spawn(self._serve)

    def _serve(self) -> None:
        while not self._closed:
            self._trampoline(self._reader, read=True)
            try:
                self._os.read(self._reader, 4096)
            except BlockingIOError:
                continue
            for job in self._take():
                self._spawn(job)
        self._os.close(self._reader)
        self._os.close(self._writer)

    def _wake(self) -> None:
        try:
            self._os.write(self._writer, b"\0")
        except BlockingIOError:
            # It is full: the hub has been woken, and has not got to it yet.
            pass

    def outside(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._execute(function, *args)

    def close(self) -> None:
        super().close()
        self._wake()


class _Answer:
    """The parts of a WSGI answer, each made in the hub."""

    def __init__(self, hub: Hub, answer: Iterable[bytes]) -> None:
        self._hub = hub
        self._answer = answer
        self._iterator: Optional[Iterator[bytes]] = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = self._hub.run(self._next)
        if part is None:
            raise StopIteration
        return part

    def _next(self) -> Optional[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._answer)
        return next(self._iterator, None)

    def close(self) -> None:
        """As the application's own; called by the WSGI host."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            self._hub.run(close)


class _Input:
    """`wsgi.input`: a greenlet that reads a slow upload does not hold up the others."""

    def __init__(self, hub: Hub, stream: Any) -> None:
        self._hub = hub
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._hub.outside(self._stream.read, size)
        return data

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._hub.outside(self._stream.readline, size)
        return line

    def readlines(self, hint: int = -1) -> list[bytes]:
        lines: list[bytes] = self._hub.outside(self._stream.readlines, hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
