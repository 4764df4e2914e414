"""`SocketIO.run`: serves a Flask application and its clients until it is stopped.

Also what `erlen run` and `flask run` call. Not the gunicorn worker, which has sockets and signals of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

from . import green, loading, tls
from .relay import Over, Relay, handed

if TYPE_CHECKING:
    from flask import Flask

    from . import _erlen
    from .socketio import SocketIO

__all__ = ["run"]

GRACE = 5.0
"""Seconds that clients have to go, once it was stopped."""

IGNORED = frozenset(
    {
        "allow_unsafe_werkzeug",
        "ciphers",
        "environ",
        "exclude_patterns",
        "keepalive",
        "load_dotenv",
        "log",
        "log_format",
        "log_output",
        "max_size",
        "passthrough_errors",
        "processes",
        "request_handler",
        "server_side",
        "static_files",
        "threaded",
        "use_debugger",
        "worker",
    }
)
"""Keywords of Werkzeug's, eventlet's and gevent's servers that mean nothing here."""


def run(
    socketio: SocketIO,
    app: Flask,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    debug: Optional[bool] = None,
    use_reloader: Optional[bool] = None,
    reloader_options: Optional[dict[str, Any]] = None,
    extra_files: Optional[list[str]] = None,
    ssl_context: Any = None,
    certfile: Optional[str] = None,
    keyfile: Optional[str] = None,
    keyfile_password: Optional[str] = None,
    threads: int = 100,
    **ignored: Any,
) -> None:
    """Serves, and returns when it was stopped: by :meth:`SocketIO.stop`, Ctrl-C, or SIGTERM.

    :param host: 127.0.0.1 unless given.
    :param port: that of the application's `SERVER_NAME`, or 5000, unless given; 0 is any that is free.
    :param debug: sets `app.debug`, and with it Werkzeug's debugger.
    :param use_reloader: starts anew when a file changes; as `debug` unless given.
    :param reloader_options: of Werkzeug's reloader.
    :param ssl_context: TLS; see :mod:`erlen.tls`. `certfile` and `keyfile` say the same.
    :param threads: the most that handle pages at one time. They are made when they are needed.
    :raises TypeError: a keyword that no server knows.
    """
    unknown = set(ignored) - IGNORED
    if unknown:
        raise TypeError(f"run() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    loading.refuse_while_loading()
    if debug is not None:
        app.debug = debug
    address = (host or "127.0.0.1", _port(app, port))
    secured = tls.asked(ssl_context, certfile, keyfile, keyfile_password)

    def serve() -> None:
        socketio._hub = green.hub()
        with handed(secured, socketio._hub) as over:
            _serve(socketio, app, address, over, threads)

    if app.debug if use_reloader is None else use_reloader:
        from werkzeug._reloader import run_with_reloader

        options = dict(reloader_options or {})
        options["extra_files"] = [*options.get("extra_files", []), *(extra_files or [])]
        run_with_reloader(serve, **options)
    else:
        serve()


def _port(app: Flask, port: Optional[int]) -> int:
    if port is not None:
        return int(port)
    name = app.config.get("SERVER_NAME") or ""
    _, _, number = name.rpartition(":") if ":" in name else ("", "", "")
    return int(number) if number.isdigit() else 5000


def _serve(
    socketio: SocketIO,
    app: Flask,
    address: tuple[str, int],
    over: Over,
    threads: int,
) -> None:
    if app.debug:
        _add_debugger(socketio)
    entry = over.application(app) if isinstance(over, Relay) else app
    engine = socketio._serve(app, entry)
    beside = socketio._beside(app)
    try:
        listener = engine.listen(
            *address,
            socketio._hosted(entry),
            threads=threads,
            tls=over,
            also=[other._serve(app, entry) for other in beside],
        )
    except OSError as error:
        raise SystemExit(_sentence(error, *address)) from None
    except ValueError as error:
        raise SystemExit(str(error)) from None
    _say(app, listener, address[0], secure=over is not None)
    for served in (socketio, *beside):
        served._listens(listener)
    try:
        with _terminable(listener):
            _wait(socketio, listener)
    finally:
        for served in (socketio, *beside):
            served._over()


def _wait(socketio: SocketIO, listener: _erlen.Listener) -> None:
    """Waits for the end; Ctrl-C begins it, and a second one is the end."""
    try:
        socketio._wait(listener)
        return
    except KeyboardInterrupt:
        listener.stop(grace=GRACE)
    try:
        socketio._wait(listener, GRACE + 1)
    except KeyboardInterrupt:
        pass


@contextmanager
def _terminable(listener: _erlen.Listener) -> Iterator[None]:
    """Lets SIGTERM stop the listener, where the application has no handler of its own."""
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: listener.stop(grace=GRACE))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _add_debugger(socketio: SocketIO) -> None:
    """Puts Werkzeug's debugger around the application, once."""
    from werkzeug.debug import DebuggedApplication

    middleware = socketio.sockio_mw
    if middleware is not None and not isinstance(middleware.wsgi_app, DebuggedApplication):
        middleware.wsgi_app = DebuggedApplication(middleware.wsgi_app, evalex=True)


def _sentence(error: OSError, host: str, port: int) -> str:
    """What is wrong with an address, and the mend."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use by another program: stop that, or choose another port (0 is any that is free)."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used: ports below 1024 are root's; choose a higher one."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses."
    return f"{host}:{port} cannot be listened on: {error}"


def _say(app: Flask, listener: _erlen.Listener, host: str, secure: bool) -> None:
    """The banner, on stderr, at once: also where that is no terminal."""
    from . import __version__

    scheme = "https" if secure else "http"
    shown = f"[{listener.host}]" if ":" in listener.host else listener.host
    print(
        f" * Erlen {__version__} serves {app.name!r} on {scheme}://{shown}:{listener.port}", file=sys.stderr
    )
    if listener.host in ("0.0.0.0", "::"):
        print(
            f"   on all addresses of this machine, {scheme}://localhost:{listener.port} among them",
            file=sys.stderr,
        )
    if app.debug:
        print("   debug mode: never on the internet, the debugger runs what it is sent", file=sys.stderr)
    print(f"   process {os.getpid()}{_open_files()}; Ctrl-C ends it", file=sys.stderr, flush=True)


def _open_files() -> str:
    """What the listener has raised the limit of open files to: a client is one."""
    try:
        import resource
    except ImportError:
        return ""
    return f", at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} open files"
