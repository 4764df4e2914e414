"""The chat of onionshare. A desktop program makes the web app in a class, starts it in a thread of its own when the
user presses a button, and stops it again. Asks of the server: a start outside the main thread, `emit` to a room that
the client has left within its disconnect handler, a session in which the name is changed while connected."""
from __future__ import annotations

from flask import Flask, request, session
from flask_socketio import SocketIO, emit, join_room, leave_room


class ChatMode:
    """The events of the chat, defined as closures when the mode is chosen."""

    def __init__(self, web):
        self.web = web
        self.connected_users = []
        self.define_routes()

    def define_routes(self):
        @self.web.app.route("/")
        def index():
            session["name"] = session.get("name") or f"guest-{len(self.connected_users) + 1}"
            session["room"] = "default"
            return session["name"]

        @self.web.app.route("/update-session-username", methods=["POST"])
        def rename():
            name = request.get_json()["name"]
            session["name"] = name if self.valid(name) else session["name"]
            return session["name"]

        @self.web.socketio.on("joined", namespace="/chat")
        def joined(message):
            session["name"] = self.free_name(session["name"])
            session["room"] = session.get("room", "default")
            self.connected_users.append(session["name"])
            join_room(session["room"])
            self.tell(f"{session['name']} has joined.")

        @self.web.socketio.on("text", namespace="/chat")
        def text(message):
            emit("chat_message", {"username": session["name"], "msg": message["msg"]}, to=session["room"])

        @self.web.socketio.on("update_username", namespace="/chat")
        def update_username(message):
            before, wanted = session["name"], message["username"]
            if not self.valid(wanted):
                return False
            session["name"] = wanted
            self.connected_users[self.connected_users.index(before)] = wanted
            self.tell(f"{before} is now {wanted}.")
            return True

        @self.web.socketio.on("disconnect", namespace="/chat")
        def gone():
            if session["name"] not in self.connected_users:
                return
            self.connected_users.remove(session["name"])
            leave_room(session["room"])
            self.tell(f"{session['name']} has left.")

    def tell(self, text):
        users = {"connected_users": list(self.connected_users)}
        emit("status", {"username": session["name"], "msg": text, **users}, to=session["room"])

    def valid(self, name):
        return name.isascii() and 0 < len(name) < 128 and name not in self.connected_users

    def free_name(self, name):
        number = 2
        while name in self.connected_users:
            name, number = f"{name}-{number}", number + 1
        return name


class Web:
    """The web side of the desktop program."""

    def __init__(self):
        self.app = Flask(__name__)
        self.app.secret_key = "secret!"
        self.socketio = SocketIO()
        self.socketio.init_app(self.app)
        self.mode = ChatMode(self)

    def start(self, host, port):
        self.socketio.run(self.app, host=host, port=port, allow_unsafe_werkzeug=True)
