"""The example of sessions that comes with Flask-SocketIO: pages and events that share a session kept by the server
(Flask-Session) and a login (Flask-Login). Asks of the server: `manage_session=False`, so that an event opens the
session as a page does and saves what it changed; `login_user()` inside an event."""
from __future__ import annotations

from cachelib import SimpleCache
from flask import Flask, jsonify, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_session import Session
from flask_socketio import SocketIO, disconnect, emit

app = Flask(__name__)
app.config.update(SECRET_KEY="top-secret!", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
login = LoginManager(app)
Session(app)
socketio = SocketIO(app, manage_session=False)

refreshed = []


class User(UserMixin):
    def __init__(self, id):
        self.id = id


@login.user_loader
def user_of(id):
    return User(id)


def what_is_known():
    return {"session": session.get("value", ""), "user": current_user.id if current_user.is_authenticated else "anonymous"}


@app.route("/session", methods=["GET", "POST"])
def of_page():
    if request.method == "POST":
        data = request.get_json()
        if "session" in data:
            session["value"] = data["session"]
        if "user" in data:
            login_user(User(data["user"])) if data["user"] else logout_user()
    return jsonify(what_is_known())


@socketio.on("get session")
def tell():
    emit("session", what_is_known())


@socketio.on("set session")
def change(data):
    if "session" in data:
        session["value"] = data["session"]
    elif data.get("user"):
        login_user(User(data["user"]))
    else:
        logout_user()
    return what_is_known()


@socketio.on("fail")
def change_and_fail(data):
    session["value"] = data
    raise ValueError("after the change")


@socketio.on("fail quietly")
def change_and_fail_quietly(data):
    session["value"] = data
    raise LookupError("after the change")


@socketio.on_error_default
def failed(error):
    if not isinstance(error, LookupError):
        raise error
    return "failed"


@socketio.on("members only")
def members_only():
    if not current_user.is_authenticated:
        disconnect()
        return None
    return f"hello {current_user.id}"
