"""Starts the dashboard: `python app.py --engine flask-socketio|erlen`.

Reads the command line and nothing else. The application is made by `dashboard.create_app`, which a WSGI server or
`erlen run` may call just as well.
"""

from __future__ import annotations

import argparse
import os

ENGINES = ("flask-socketio", "erlen")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A live dashboard of this host.")
    engine = os.environ.get("DASHBOARD_ENGINE", ENGINES[0])
    parser.add_argument("--engine", choices=ENGINES, default=engine, help="which Socket.IO server (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000, help="0 is any that is free")
    return parser.parse_args()


def main() -> None:
    """Serves until it is stopped."""
    given = arguments()
    os.environ["DASHBOARD_ENGINE"] = given.engine
    from dashboard import create_app, socketio

    # Flask-SocketIO asks for this word before it serves by Werkzeug without a terminal; Erlen has a server of its own.
    socketio.run(create_app(), host=given.host, port=given.port, allow_unsafe_werkzeug=True)


if __name__ == "__main__":
    main()
