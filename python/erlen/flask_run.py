"""`flask run` for an application that has a SocketIO of Erlen: its server takes the place of Werkzeug's, in that process alone."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["take_over"]


def take_over() -> None:
    """Lets the `flask run` of this process serve by Erlen. Nothing happens in any other process."""
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        return
    import flask.cli
    import werkzeug.serving

    original = werkzeug.serving.run_simple
    if getattr(original, "_is_erlens", False):
        return

    def run_simple(hostname: str, port: int, application: Any, *args: Any, **kwargs: Any) -> None:
        from . import loading

        socketio = loading.socketio_of(application)
        if socketio is None:
            original(hostname, port, application, *args, **kwargs)
            return
        from .run import run

        run(
            socketio,
            application,
            hostname,
            port,
            debug=bool(kwargs.get("use_debugger")) or application.debug,
            use_reloader=bool(kwargs.get("use_reloader")),
            reloader_options={"exclude_patterns": kwargs.get("exclude_patterns")},
            extra_files=list(kwargs.get("extra_files") or []),
            ssl_context=kwargs.get("ssl_context"),
        )

    run_simple._is_erlens = True  # type: ignore[attr-defined]
    werkzeug.serving.run_simple = run_simple
    if hasattr(flask.cli, "run_simple"):
        flask.cli.run_simple = run_simple
