"""`SocketIO.run`: serves a Flask application and its clients until it is stopped.

Also what `erlen run` and `flask run` call. Not the gunicorn worker, which has sockets and signals of its own. The reloader is in
reloading.py, the end in ending.py.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from . import green, loading, reloading, tls
from .ending import Ending
from .relay import handed, through
from .serving import listen

if TYPE_CHECKING:
    from flask import Flask

    from . import _erlen
    from .socketio import SocketIO

__all__ = ["run"]

IGNORED = frozenset(
    {
        # Flask's and Flask-SocketIO's own.
        "allow_unsafe_werkzeug",
        "load_dotenv",
        "log_output",
        # Werkzeug's `run_simple`.
        "passthrough_errors",
        "processes",
        "request_handler",
        "threaded",
        # Eventlet's `wsgi.server`, `listen` and `wrap_ssl`.
        "capitalize_response_headers",
        "custom_pool",
        "do_handshake_on_connect",
        "keepalive",
        "log",
        "log_format",
        "log_x_forwarded_for",
        "max_http_version",
        "max_size",
        "minimum_chunk_size",
        "protocol",
        "reuse_addr",
        "reuse_port",
        "server_event",
        "server_side",
        "socket_timeout",
        "suppress_ragged_eofs",
        "url_length_limit",
        # Gevent's `pywsgi.WSGIServer`.
        "backlog",
        "error_log",
        "handler_class",
        "spawn",
        "worker",
    }
)
"""Keywords of the servers of Flask-SocketIO that mean nothing here: how those share out, log and bound what the engine does its own way."""

WSGI = Callable[..., Iterable[bytes]]


class _Debugger(NamedTuple):
    """Werkzeug's debugger."""

    is_wanted: bool
    is_interactive: bool
    """Whether a page that failed takes Python to run."""


def run(
    socketio: SocketIO,
    app: Flask,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    debug: Optional[bool] = None,
    use_debugger: Optional[bool] = None,
    use_evalex: bool = True,
    use_reloader: Optional[bool] = None,
    reloader_options: Optional[dict[str, Any]] = None,
    reloader_interval: Optional[float] = None,
    reloader_type: Optional[str] = None,
    extra_files: Optional[Iterable[str]] = None,
    exclude_patterns: Optional[Iterable[str]] = None,
    ssl_context: Any = None,
    certfile: Optional[str] = None,
    keyfile: Optional[str] = None,
    keyfile_password: Optional[str] = None,
    cert_reqs: Optional[int] = None,
    ca_certs: Optional[str] = None,
    ciphers: Optional[str] = None,
    ssl_version: Optional[int] = None,
    static_files: Any = None,
    environ: Optional[dict[str, Any]] = None,
    threads: int = 100,
    **ignored: Any,
) -> None:
    """Serves, and returns when it was stopped: by :meth:`SocketIO.stop`, Ctrl-C, or SIGTERM.

    :param host: 127.0.0.1 unless given.
    :param port: that of the application's `SERVER_NAME`, or 5000, unless given; 0 is any that is free.
    :param debug: sets `app.debug`.
    :param use_debugger: Werkzeug's debugger; as `debug` unless given. Without `use_evalex` it shows, and runs nothing.
    :param use_reloader: starts anew when a file changes; as `debug` unless given.
    :param reloader_options: of Werkzeug's reloader, together: `extra_files` and the other keywords say the same.
    :param ssl_context: TLS; see :mod:`erlen.tls`. `certfile` and `keyfile` say the same; with `cert_reqs`, `ca_certs`, `ciphers` or
        `ssl_version` it is Python's, as with a ready context.
    :param static_files: folders for paths, of Werkzeug's `SharedDataMiddleware`.
    :param environ: what each request's environ has as well.
    :param threads: the most that handle pages at one time. They are made when they are needed.
    :raises TypeError: a keyword that no server knows.
    """
    unknown = set(ignored) - IGNORED
    if unknown:
        raise TypeError(f"run() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    loading.refuse_while_loading()
    if loading.is_loaded_by_flask():
        return
    if debug is not None:
        app.debug = debug
    host, port = host or "127.0.0.1", _port(app, port)
    demands = tls.Demands(cert_reqs, ca_certs, ciphers, ssl_version)
    secured = tls.asked(ssl_context, certfile, keyfile, keyfile_password, demands)
    entry = _entry(app, static_files, environ)
    debugger = _Debugger(bool(app.debug if use_debugger is None else use_debugger), use_evalex)

    def serve(fd: Optional[int] = None) -> None:
        hub = socketio._serving.hub = green.hub()
        _debug(socketio, debugger, host)
        with handed(secured, hub) as over:
            try:
                served = socketio._serving.begin(app, through(over, entry))
                listener = listen(served, host, port, threads=threads, tls=over, fd=fd)
            except OSError as error:
                raise SystemExit(_sentence(error, host, port)) from None
            except loading.MISCONFIGURED as error:
                # The caller's line and the sentence are what helps; how it was found does not.
                raise error.with_traceback(None) from None
            ending = Ending(listener)
            with ending.by_signals(), ending.of(served):
                _say(app, listener, host, over is not None, debugger)
                tls.tell_out_of_date(ssl_context, certfile)
                _wait(socketio, listener, ending)

    if not (app.debug if use_reloader is None else use_reloader):
        serve()
        return
    options = reloading.options(
        reloader_options, extra_files, exclude_patterns, reloader_interval, reloader_type
    )
    try:
        reloading.run_with_reloader(serve, host, port, options)
    except OSError as error:
        raise SystemExit(_sentence(error, host, port)) from None


def _port(app: Flask, port: Optional[int]) -> int:
    if port is not None:
        return int(port)
    name = app.config.get("SERVER_NAME") or ""
    _, _, number = name.rpartition(":") if ":" in name else ("", "", "")
    return int(number) if number.isdigit() else 5000


def _entry(app: Flask, static_files: Any, environ: Optional[dict[str, Any]]) -> WSGI:
    """The application, in what the keywords of other servers put around it."""
    entry: WSGI = app
    if static_files:
        from werkzeug.middleware.shared_data import SharedDataMiddleware

        entry = SharedDataMiddleware(entry, static_files)
    return _with_environ(entry, environ) if environ else entry


def _with_environ(entry: WSGI, given: dict[str, Any]) -> WSGI:
    def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        for name, value in given.items():
            environ.setdefault(name, value)
        return entry(environ, start_response)

    return told


def _wait(socketio: SocketIO, listener: _erlen.Listener, ending: Ending) -> None:
    while True:
        try:
            socketio._serving.wait(listener)
            return
        except KeyboardInterrupt:
            # By a handler of the application's own.
            ending.signalled()


def _debug(socketio: SocketIO, debugger: _Debugger, host: str) -> None:
    """Puts Werkzeug's debugger around the application, or takes that of an earlier run away."""
    middleware = socketio.sockio_mw
    if middleware is None:
        return
    if getattr(middleware.wsgi_app, "_is_erlens", False):
        middleware.wsgi_app = middleware.wsgi_app.app  # type: ignore[attr-defined]
    if not debugger.is_wanted:
        return
    from werkzeug.debug import DebuggedApplication

    if not isinstance(middleware.wsgi_app, DebuggedApplication):
        around: Any = DebuggedApplication(middleware.wsgi_app, evalex=debugger.is_interactive)
        around._is_erlens = True
        if hasattr(around, "trusted_hosts"):
            # Werkzeug 3: it is interactive for these alone, and those of this machine.
            around.trusted_hosts.append(host)
        middleware.wsgi_app = around


def _sentence(error: OSError, host: str, port: int) -> str:
    """What is wrong with an address, and the mend."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use by another program: stop that, or choose another port (0 is any that is free)."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used: ports below 1024 are root's; choose a higher one."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses."
    return f"{host}:{port} cannot be listened on: {error}"


def _say(app: Flask, listener: _erlen.Listener, host: str, secure: bool, debugger: _Debugger) -> None:
    """The banner, on stderr, at once: also where that is no terminal."""
    from . import __version__

    scheme = "https" if secure else "http"
    shown = f"[{listener.host}]" if ":" in listener.host else listener.host
    url = f"{scheme}://{shown}:{listener.port}"
    if app.name == loading.STAND_IN:
        said = f" * Erlen {__version__}, waiting for a change of a file, says what is wrong on {url}"
        print(said, file=sys.stderr, flush=True)
        return
    print(f" * Erlen {__version__} serves {app.name!r} on {url}", file=sys.stderr)
    if listener.host in ("0.0.0.0", "::"):
        print(
            f"   on all addresses of this machine, {scheme}://localhost:{listener.port} among them",
            file=sys.stderr,
        )
    if debugger.is_wanted and debugger.is_interactive:
        print("   debug mode: never on the internet, the debugger runs what it is sent", file=sys.stderr)
    print(f"   process {os.getpid()}{_open_files()}; Ctrl-C ends it", file=sys.stderr, flush=True)


def _open_files() -> str:
    """What the listener has raised the limit of open files to: a client is one."""
    try:
        import resource
    except ImportError:
        return ""
    return f", at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} open files"
