"""A live dashboard of this host: Flask pages, Socket.IO events, pandas and Plotly.

`create_app` puts the parts together and starts the background task. The life of a number is
`sampler` → `history` → `service` → `figures`, `kpis` → `updates` → the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import events, logs, pages, updates
from .config import Config
from .engine import socketio
from .state import State

__all__ = ["create_app", "socketio"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """A new application. `config` goes over the defaults and the environment (`DASHBOARD_…`)."""
    app = Flask(__name__)
    app.config.from_object(Config)
    app.config.from_prefixed_env("DASHBOARD")
    app.config.from_mapping(config)
    logs.configure(app.config["LOG_LEVEL"])
    state = State.of(app)
    app.register_blueprint(pages.blueprint)
    socketio.init_app(app)
    events.register(socketio)
    if app.config["COLLECT"]:
        socketio.start_background_task(updates.run, state)
    return app
