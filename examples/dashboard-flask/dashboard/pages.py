"""The pages: one for each dashboard, and the two JavaScript libraries that they load from this server."""

from __future__ import annotations

from pathlib import Path

import plotly
from flask import Blueprint, Response, abort, redirect, render_template, send_file, url_for
from werkzeug.wrappers import Response as AnyResponse

from .catalogue import DASHBOARDS
from .selection import REFRESHES, SPLITS, STATISTICS, WINDOWS

blueprint = Blueprint("pages", __name__)

LIBRARIES = {
    "plotly.min.js": Path(plotly.__file__).parent / "package_data" / "plotly.min.js",
    "socket.io.min.js": Path(__file__).parent.parent / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js",
}
"""Where the libraries are: Plotly's comes with its Python package, Socket.IO's with `npm ci`."""

MONTH = 30 * 24 * 3600


@blueprint.get("/")
def index() -> AnyResponse:
    """The first dashboard."""
    return redirect(url_for("pages.dashboard", board_id=next(iter(DASHBOARDS))))


@blueprint.get("/dashboards/<board_id>")
def dashboard(board_id: str) -> str:
    """The page of a dashboard: everything but the values, which come by events."""
    board = DASHBOARDS.get(board_id) or abort(404)
    return render_template(
        "dashboard.html",
        board=board,
        boards=DASHBOARDS.values(),
        windows=WINDOWS,
        refreshes=REFRESHES,
        statistics=STATISTICS,
        splits=SPLITS,
        plotly_version=plotly.__version__,
    )


@blueprint.get("/libraries/<name>")
def library(name: str) -> Response:
    """A JavaScript library."""
    path = LIBRARIES.get(name) or abort(404)
    if not path.exists():
        abort(404, f"{name} is not installed; `npm ci` in the folder of app.py installs it.")
    return send_file(path, mimetype="text/javascript", max_age=MONTH)


@blueprint.after_app_request
def guard(response: Response) -> Response:
    """The page loads nothing from elsewhere. Plotly sets styles of its elements, so that these are allowed inline."""
    policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; base-uri 'none'"
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
