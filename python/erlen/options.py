"""What the keywords of `SocketIO` mean: checked, and turned into the engine's.

Sources: Flask-SocketIO's `SocketIO`, python-socketio's `Server`, python-engineio's `Server`.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Optional, TypedDict, TypeVar, Union

import flask

from . import cors, green, spelling
from .payload import Codec, OwnCodec

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Options", "async_mode", "check", "codec", "engine", "logger", "path"]

_log = logging.getLogger("erlen")

T = TypeVar("T")

ASYNC_MODES = ("eventlet", "gevent_uwsgi", "gevent", "threading")
TRANSPORTS = ("polling", "websocket")


class Bounds(TypedDict, total=False):
    """The engine's own: what each means and its default are in docs/deployment.md."""

    max_attachments: int
    max_event_threads: int
    max_events_per_second: int
    max_new_sessions_per_address: int
    max_payload_packets: int
    max_pending_acks: int
    max_queue_bytes: int
    max_queue_packets: int
    max_rooms: int
    max_sessions: int
    max_sessions_per_address: int
    max_total_queue_bytes: int
    max_waiting_event_bytes: int
    max_waiting_events: int
    shards: int


BOUNDS = tuple(Bounds.__annotations__)


class Options(Bounds, total=False):
    """The keywords of `SocketIO` and of `init_app`, for editors, and for the log line about others."""

    path: str
    resource: str
    manage_session: bool
    message_queue: Optional[str]
    channel: str
    client_manager: Any
    async_mode: Optional[str]
    async_handlers: Union[bool, str]
    always_connect: bool
    namespaces: Union[str, list[str]]
    json: Any
    allow_nan: bool
    serializer: Any
    logger: Union[bool, logging.Logger]
    engineio_logger: Union[bool, logging.Logger]
    ping_interval: Union[float, tuple[float, float]]
    ping_timeout: float
    max_http_buffer_size: int
    allow_upgrades: bool
    transports: Union[None, str, list[str]]
    cookie: Union[None, str, dict[str, Any]]
    cors_allowed_origins: Any
    cors_credentials: bool
    monitor_clients: bool
    http_compression: bool
    compression_threshold: int
    allow_eio3: bool


def check(options: dict[str, Any]) -> None:
    """Refuses what does not exist, and what is not built yet. A keyword that nobody knows is ignored, as upstream; the log says so.

    :raises ValueError: an `async_mode` or `transports` that do not exist; a bound that is no number.
    :raises NotImplementedError: an option that is not built yet.
    """
    async_mode(options)
    transports(options.get("transports"))
    bounds(options, {})
    for name in sorted(options.keys() - Options.__annotations__.keys()):
        _log.warning("SocketIO() has no option %r and ignores it%s", name, _meant(name))
    serializer = options.get("serializer", "default")
    if serializer != "default":
        raise NotImplementedError(f"serializer={serializer!r} is not built yet: leave it out")
    for name in ("http_compression", "allow_eio3"):
        if options.get(name):
            raise NotImplementedError(f"{name} is not built yet: leave it out")


def _meant(name: str) -> str:
    """Where a keyword belongs, if it is one of `run`; or the option that it looks like."""
    from .run import run

    if name in inspect.signature(run).parameters:
        return ": it belongs to run()"
    return spelling.likely(name, Options.__annotations__)


def bounds(options: dict[str, Any], environment: Mapping[str, str]) -> dict[str, int]:
    """The engine's bounds that are given: by keyword, or in the environment as `ERLEN_MAX_SESSIONS` and so on.

    :raises ValueError: one is no number, and its name.
    """
    given = {}
    for name in BOUNDS:
        twin = _twin(name)
        said, value = (
            (name, options[name]) if options.get(name) is not None else (twin, environment.get(twin))
        )
        if value is None:
            continue
        number = int(value) if str(value).isdecimal() else -1
        if number < 0:
            raise ValueError(f"{said} must be a whole number, and not {value!r}")
        given[name] = number
    return given


def tell_unknown(environment: Iterable[str]) -> None:
    """Warns of variables by the names of Erlen's that nothing reads."""
    found = {name for name in environment if name.startswith("ERLEN_")} - {*map(_twin, BOUNDS)}
    if not found:
        return
    from .cli import twins

    known = {*map(_twin, BOUNDS), *twins()}
    for name in sorted(found - known):
        if spelling.is_new("environment", name):
            _log.warning("nothing reads %s of the environment%s", name, _meant_by_variable(name, known))


def _meant_by_variable(name: str, known: Iterable[str]) -> str:
    keyword = name[len("ERLEN_") :].lower()
    if keyword in Options.__annotations__:
        return f": {keyword} is a keyword of SocketIO() alone"
    return spelling.likely(name, known)


def _twin(name: str) -> str:
    """A bound's name in the environment."""
    return f"ERLEN_{name.upper()}"


def async_mode(options: dict[str, Any]) -> str:
    """The mode that `SocketIO.async_mode` says: whose greenlets the handlers are, if anybody's. Threads serve all of them."""
    mode = options.get("async_mode")
    if mode is None:
        return green.patched_by() or "threading"
    if mode not in ASYNC_MODES:
        raise ValueError("Invalid async_mode specified")
    return str(mode)


def transports(given: Union[None, str, list[str]]) -> list[str]:
    """The transports that are switched on."""
    if given is None:
        return list(TRANSPORTS)
    wanted = [given] if isinstance(given, str) else list(given)
    valid = [name for name in TRANSPORTS if name in wanted]
    if not valid:
        raise ValueError("No valid transports provided")
    return valid


def codec(options: dict[str, Any], app: Optional[Flask]) -> Codec:
    """The encoder that the application wants."""
    json = options.get("json")
    flask_json = sys.modules.get("flask.json")
    if json is not None and json is flask_json and app is not None:
        json = _InAppContext(json, app)
    return Codec(bool(options.get("allow_nan", False))) if json is None else OwnCodec(json)


class _InAppContext:
    """`flask.json`, whose functions give something else without an application context."""

    def __init__(self, json: Any, app: Flask) -> None:
        self._json = json
        self._app = app

    def _context(self) -> AbstractContextManager[Any]:
        inside = flask.has_app_context() and flask.current_app._get_current_object() is self._app  # type: ignore[attr-defined]
        return nullcontext() if inside else self._app.app_context()

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        with self._context():
            text: str = self._json.dumps(obj, **kwargs)
            return text

    def loads(self, s: str, **kwargs: Any) -> Any:
        with self._context():
            return self._json.loads(s, **kwargs)


def logger(name: str, wanted: Any) -> logging.Logger:
    """The logger of that name: True shows INFO on stderr, False errors alone; or one of the application's own."""
    if isinstance(wanted, logging.Logger):
        return wanted
    found = logging.getLogger(name)
    if found.level == logging.NOTSET:
        found.setLevel(logging.INFO if wanted else logging.ERROR)
        if wanted and not found.handlers and not logging.getLogger().handlers:
            found.addHandler(logging.StreamHandler())
    return found


def number(name: str, value: Any, kind: Callable[[Any], T]) -> T:
    """The number that an option is.

    :raises ValueError: it is none, with its name.
    """
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number, and not {value!r}") from None


def heartbeat(interval: Any) -> tuple[float, float]:
    """`ping_interval`: a number of seconds, or a pair whose second is how much more the clients are told.

    :raises ValueError: it is neither.
    """
    pair = interval if isinstance(interval, (tuple, list)) else (interval, 0)
    if len(pair) != 2:
        raise ValueError(f"ping_interval must be a number or a pair of them, and not {interval!r}")
    return number("ping_interval", pair[0], float), number("ping_interval", pair[1], float)


def cookie(given: Any) -> Optional[list[tuple[str, Any]]]:
    """The cookie's name, and its attributes: those that are None or False are left out.

    :raises ValueError: it is no cookie.
    """
    if not given:
        return None
    if isinstance(given, str):
        return [(given, True), ("path", "/"), ("SameSite", "Lax")]
    if not isinstance(given, Mapping):
        raise ValueError(f"cookie must be a name, or a dict with a name and attributes, and not {given!r}")
    attributes = {key: value() if callable(value) else value for key, value in given.items()}
    name = attributes.pop("name", "io")
    return [(name, True), *attributes.items()]


def origins(given: Any) -> Any:
    """`cors_allowed_origins`.

    :raises ValueError: it is nothing that origins can be.
    """
    if given is None or isinstance(given, str) or callable(given):
        return given
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise ValueError(
            f"cors_allowed_origins must be an origin, a list of them, or a function, and not {given!r}"
        )
    return list(given)


def path(options: dict[str, Any]) -> str:
    """The path of the Socket.IO requests, with its slashes."""
    given = str(options.get("path") or options.get("resource") or "socket.io")
    return f"/{given.strip('/')}/"


def mounted(path: str) -> str:
    """A path below that of the application: `SCRIPT_NAME` in the environment, as gunicorn has it."""
    mount = os.environ.get("SCRIPT_NAME", "").rstrip("/")
    return path if mount and path.startswith(f"{mount}/") else mount + path


def engine(options: dict[str, Any], ask_handshake: bool) -> dict[str, Any]:
    """The engine's options. `ask_handshake`: a handshake passes WSGI middleware."""
    tell_unknown(os.environ)
    allowed = origins(options.get("cors_allowed_origins"))
    ping_interval, ping_grace = heartbeat(options.get("ping_interval", 25))
    return {
        **bounds(options, os.environ),
        "path": mounted(path(options)),
        "transports": transports(options.get("transports")),
        "allow_upgrades": bool(options.get("allow_upgrades", True)),
        "ping_interval": ping_interval,
        "ping_grace": ping_grace,
        "ping_timeout": number("ping_timeout", options.get("ping_timeout", 20), float),
        "max_payload": number("max_http_buffer_size", options.get("max_http_buffer_size", 1_000_000), int),
        "cookie": cookie(options.get("cookie")),
        "cors": cors.option(allowed),
        "cors_credentials": bool(options.get("cors_credentials", True)),
        "ask_handshake": ask_handshake or callable(allowed),
        "always_connect": bool(options.get("always_connect", False)),
        "ordered": options.get("async_handlers", True) is not True,
    }
