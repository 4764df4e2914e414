"""`flask run` for an application that has a SocketIO of Erlen: its server takes the place of Werkzeug's, in that process alone."""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any

from . import loading

__all__ = ["take_over"]


def take_over() -> None:
    """Lets the `flask run` of this process serve by Erlen. Nothing happens in any other process."""
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        return
    import flask
    import flask.cli
    import werkzeug.serving

    original = werkzeug.serving.run_simple
    if getattr(original, "_is_erlens", False):
        return

    parameters = inspect.signature(original)

    @functools.wraps(original)
    def run_simple(hostname: str, port: int, application: Any, *args: Any, **kwargs: Any) -> None:
        # Where it could not be loaded, it is a function that says why.
        is_app = isinstance(application, flask.Flask)
        try:
            socketio = loading.socketio_of(application) if is_app else None
        except ValueError as error:
            raise SystemExit(f"flask run: {error}") from None
        if socketio is None:
            original(hostname, port, application, *args, **kwargs)
            return
        given = parameters.bind(hostname, port, application, *args, **kwargs)
        given.apply_defaults()
        keywords = dict(given.arguments)
        for name in ("hostname", "port", "application"):
            del keywords[name]
        try:
            socketio.run(application, hostname, port, **keywords)
        except loading.MISCONFIGURED as error:
            raise SystemExit(f"flask run: {error}") from None

    run_simple._is_erlens = True  # type: ignore[attr-defined]
    werkzeug.serving.run_simple = run_simple
    if hasattr(flask.cli, "run_simple"):
        flask.cli.run_simple = run_simple
