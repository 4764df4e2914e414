"""Finding an application by its name, `package.module:app`, as Flask's own command does.

While one is being loaded by `erlen run` or gunicorn, a `socketio.run(app)` at the top of its module is an error that names the line:
it would never return.
"""

from __future__ import annotations

import os
import secrets
import sys
import traceback
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from flask import Flask

    from .socketio import SocketIO

__all__ = [
    "MISCONFIGURED",
    "NotFound",
    "load",
    "loader",
    "refuse_while_loading",
    "sentence",
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


def load(name: str) -> Flask:
    """The application of that name: `module`, `module:app`, `module:create_app()`, or a path of a file.

    :raises NotFound: with one line.
    """
    global loader
    from flask.cli import NoAppException, locate_app, prepare_import

    path, _, variable = name.partition(":")
    before, loader = loader, loader or "erlen run"
    try:
        return locate_app(prepare_import(path), variable or None)
    except NoAppException as error:
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


def socketio_of(application: Any) -> Optional[SocketIO]:
    """The SocketIO of a Flask application; None if it has none, or another library's."""
    from .socketio import SocketIO

    extensions = getattr(application, "extensions", None) or {}
    found = extensions.get("socketio")
    return found if isinstance(found, SocketIO) else None
