"""Werkzeug's reloader around a server: a parent that holds the socket, and a child that serves, started anew when a file changes.

Called by run.py. The parent hands its socket on as Werkzeug's own server does, so that a child which serves by that (one whose application
cannot be loaded under `flask run`) finds it, and so that clients which come between two children wait.
"""

from __future__ import annotations

import _thread
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Optional

__all__ = ["is_child", "options", "run_with_reloader"]

DESCRIPTOR = "WERKZEUG_SERVER_FD"
"""The environment's name for the descriptor of the socket that is handed on."""

BACKLOG = 1024

Serve = Callable[[Optional[int]], None]
"""Serves on the socket of that descriptor, or on one of its own."""


def is_child() -> bool:
    """Whether this is the process that serves."""
    return os.environ.get("WERKZEUG_RUN_MAIN") == "true"


def options(
    given: Optional[dict[str, Any]],
    extra_files: Optional[Iterable[str]],
    exclude_patterns: Optional[Iterable[str]],
    interval: Optional[float],
    kind: Optional[str],
) -> dict[str, Any]:
    """The options of Werkzeug's reloader. Those that are `given` together may have the names of `run_simple` too."""
    named = dict(given or {})
    if "reloader_interval" in named:
        named["interval"] = named.pop("reloader_interval")
    for name, value in [("interval", interval), ("reloader_type", kind)]:
        if value is not None:
            named[name] = value
    for name, several in [("extra_files", extra_files), ("exclude_patterns", exclude_patterns)]:
        named[name] = [*(named.get(name) or ()), *(several or ())]
    return named


def run_with_reloader(serve: Serve, host: str, port: int, options: dict[str, Any]) -> None:
    """Serves in a child. In the parent it ends the process when the child has ended, and does not return.

    :raises OSError: the address cannot be listened on.
    """
    from werkzeug._reloader import run_with_reloader

    if is_child():
        given = os.environ.get(DESCRIPTOR, "")
        run_with_reloader(lambda: _serve(serve, int(given) if given.isdecimal() else None), **options)
        return
    with _bound(host, port) as listening:
        listening.set_inheritable(True)
        os.environ[DESCRIPTOR] = str(listening.fileno())
        run_with_reloader(lambda: None, **options)


def _serve(serve: Serve, fd: Optional[int]) -> None:
    """Serves, on a thread beside the reloader's. What is wrong is said, and mended by the next change of a file."""
    try:
        serve(fd)
    except SystemExit as error:
        print(error.code, file=sys.stderr, flush=True)
    except (NotImplementedError, ValueError) as error:
        print(f"erlen: {error}", file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
    else:
        # It was stopped: `run` returns, which waits in the main thread.
        _thread.interrupt_main()
        return
    print("erlen: waiting for a change of a file", file=sys.stderr, flush=True)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens."""
    failed: Optional[OSError] = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        listening = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
            return listening
        except OSError as error:
            listening.close()
            failed = error
    raise failed or OSError(f"{host} has no address")
