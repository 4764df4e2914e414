"""The chat of miguelgrinberg/Flask-SocketIO-Chat: an app factory, a blueprint with the pages, the events in a module of
their own that the blueprint's package imports. Asks of the server: `SocketIO()` without an app and `init_app` in each
call of the factory, handlers that were registered before; the room's name out of the session that a page wrote; the
namespace `/chat`."""
from __future__ import annotations

from flask import Flask
from flask_socketio import SocketIO

socketio = SocketIO()


def create_app(debug=False):
    app = Flask(__name__)
    app.debug = debug
    app.config["SECRET_KEY"] = "secret!"

    from .main import main

    app.register_blueprint(main)
    socketio.init_app(app)
    return app
