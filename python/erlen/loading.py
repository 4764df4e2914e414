"""Finding an application by its name, `package.module:app`, as Flask's own command does, and the SocketIO that it has or that is below it.

While one is being loaded by `erlen run` or gunicorn, a `socketio.run(app)` at the top of its module is an error that names the line:
it would never return.
"""

from __future__ import annotations

import inspect
import os
import secrets
import sys
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import FrameType
from typing import TYPE_CHECKING, Any, Optional

from . import options

if TYPE_CHECKING:
    from flask import Flask

    from .socketio import SocketIO

__all__ = [
    "MISCONFIGURED",
    "NotFound",
    "bound",
    "flasks_of",
    "load",
    "loader",
    "refuse_while_loading",
    "sentence",
    "served",
    "socketio_of",
    "stand_in",
]

loader: Optional[str] = None
"""Which command is loading an application now."""


MISCONFIGURED = (NotImplementedError, ValueError)
"""What Erlen raises for an option that cannot be meant, or is not built yet."""


STAND_IN = "stand-in"
"""The name of what is served in the place of an application that cannot be loaded."""


class NotFound(Exception):
    """There is no such module or application: the message says so in one line, with the mend."""


class RunWhileLoading(SystemExit):
    """`socketio.run()` was called at the top of a module that is being loaded."""


def refuse_while_loading() -> None:
    """Ends with one line where a module runs its server while it is being loaded."""
    if loader is None:
        return
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    sentence = f'{where} runs the server itself while {loader} loads it: put that line under `if __name__ == "__main__":`'
    if loader == "gunicorn":
        print(sentence, file=sys.stderr, flush=True)
        # A worker's exit by this code tells gunicorn that another try would be no better.
        raise RunWhileLoading(4)
    raise RunWhileLoading(sentence)


def sentence(error: Exception) -> Optional[str]:
    """What is wrong in one line, where it is Erlen that has found it while a module was loaded; None for any other error."""
    if not isinstance(error, MISCONFIGURED):
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    theirs = [f"{frame.f_code.co_filename}:{line}" for frame, line in frames if not _is_ours(frame)]
    return f"{theirs[-1]}: {error}" if theirs and _is_ours(frames[-1][0]) else None


def _is_ours(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("erlen", "flask_socketio")


def stand_in(pages: Callable[..., Iterable[bytes]]) -> Flask:
    """An application in the place of one that cannot be loaded: its pages say why, and no client connects to it."""
    from flask import Flask

    from .socketio import SocketIO

    app = Flask(STAND_IN)
    app.wsgi_app = pages  # type: ignore[method-assign]
    SocketIO(app, path=secrets.token_hex())
    return app


def is_loaded_by_flask() -> bool:
    """Whether the command `flask` loads a module that runs its server. As Flask does with its own `run`, says so where it is true."""
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        return False
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) != (
        "flask.cli",
        "load_app",
    ):
        frame = frame.f_back
    if frame is not None:
        print(
            " * Ignoring a call of socketio.run() that would block the command `flask`: "
            'put it under `if __name__ == "__main__":`',
            file=sys.stderr,
            flush=True,
        )
    return frame is not None


def load(name: str) -> Any:
    """The application of that name: `module`, `module:app`, `module:create_app()`, or a path of a file. It is a Flask application, or one of
    WSGI that has such a one in it.

    :raises NotFound: with one line.
    """
    global loader
    from flask.cli import NoAppException, locate_app, prepare_import

    path, _, variable = name.partition(":")
    before, loader = loader, loader or "erlen run"
    try:
        module = prepare_import(path)
        return locate_app(module, variable or None)
    except NoAppException as error:
        other = getattr(sys.modules.get(module), variable, None)
        if _is_around_flask(other):
            return other
        raise NotFound(_sentence(name, path, str(error))) from None
    finally:
        loader = before


def _sentence(name: str, path: str, error: str) -> str:
    text = error.strip()
    if "ImportError was raised" in text or "an ImportError was" in text:
        last = text.splitlines()[-1]
        return f"{name}: its import failed: {last}\n{text}"
    if text.startswith("Could not import"):
        return (
            f"there is no module {path!r} here: name it as in `import`, and start in the folder that it is in"
        )
    return f"{name}: {' '.join(text.split())}"


def _is_around_flask(application: Any) -> bool:
    """Whether it is called as WSGI has it, and leads to a Flask application, or to one that has a SocketIO."""
    if not callable(application) or not (bound or any(flasks_of(application))):
        return False
    try:
        takes = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(1 for each in takes if each.default is each.empty) == 2


# What is served.


bound: weakref.WeakSet[SocketIO] = weakref.WeakSet()
"""The SocketIO objects of this process that have an application."""

_INSIDE = ("wsgi_app", "app", "application", "__self__", "__wrapped__")
"""Where middleware has what it is around, and a bound method its object."""

_MOST = 1000
"""So many objects are looked at."""


def flasks_of(application: Any) -> Iterator[Flask]:
    """The Flask applications in what may be middleware around them and between them, the outer ones first."""
    from flask import Flask

    waiting, seen = [application], set()
    # There are objects that make up an attribute of any name, without end.
    for each in islice(waiting, _MOST):
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Flask):
            yield each
        inner = [getattr(each, name, None) for name in _INSIDE]
        mounts = getattr(each, "mounts", None)
        inner += mounts.values() if isinstance(mounts, Mapping) else []
        waiting += filter(callable, inner)


def served(application: Any, name: str) -> tuple[Flask, SocketIO]:
    """An application as a Flask one, and its SocketIO: a new one, where it has none.

    :param name: what it is called, where it is around a Flask application and none itself.
    :raises ValueError: one of several could be meant.
    :raises LookupError: there is no Flask application.
    """
    from flask import Flask

    from .socketio import SocketIO

    app = application
    if not isinstance(application, Flask):
        app = Flask(name, static_folder=None, root_path=os.getcwd())
        app.wsgi_app = application  # type: ignore[method-assign]
    socketio = socketio_of(app)
    if socketio is None:
        inner = next(flasks_of(application), None)
        if inner is None:
            raise LookupError(f"Erlen serves Flask applications, and {application!r} is none")
        socketio = SocketIO(inner)
    return app, socketio


def socketio_of(app: Flask) -> Optional[SocketIO]:
    """The SocketIO of a Flask application, or that of one below it, or else the only one of the process; None if there is none, or another
    library's.

    :raises ValueError: one of several could be meant.
    """
    from .socketio import SocketIO

    own = app.extensions.get("socketio")
    if own is not None:
        return own if isinstance(own, SocketIO) else None
    inner = [each.extensions.get("socketio") for each in flasks_of(app)]
    below = [each for each in dict.fromkeys(inner) if isinstance(each, SocketIO)]
    paths = [options.path(each.server_options) for each in below]
    if len(set(paths)) < len(paths):
        raise ValueError(
            f"several applications below {app.name!r} have Socket.IO at {paths[0]}: "
            "give each the whole path of its own, SocketIO(app, path='/below/socket.io')"
        )
    if not below and len(bound) > 1:
        raise ValueError(
            f"there are {len(bound)} SocketIO objects, and nothing says which of them is that of {app.name!r}: "
            "let it have an attribute `app`, the Flask application that has the right one"
        )
    return next(iter(below or bound), None)
