"""The chat of miguelgrinberg/flack: users and messages in a database, tokens with each event, work in the background.
Asks of the server: `g` set in an event and gone in the next one, SQLAlchemy within connect, events and disconnect
(each in an app context that ends, so that each gets a session of its own), emits from background tasks and from
pages; and unit tests that use the test client only."""
from __future__ import annotations

from flask import Flask
from flask_socketio import SocketIO
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
socketio = SocketIO()

from . import api, events


def create_app(database="sqlite://"):
    app = Flask(__name__)
    app.config.update(SECRET_KEY="secret!", SQLALCHEMY_DATABASE_URI=database, TESTING=True)
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.register_blueprint(api.api)
    app.teardown_appcontext(events.note_teardown)
    socketio.init_app(app)
    return app
