"""The server of Open-MSS, on which people plan flights together. Asks of the server: an attribute that the app sets on
the SocketIO object, bound methods of a manager as handlers, rooms named `str(id)` that pages let other clients into by
`join_room(..., sid=...)` and out of by `leave_room`, and tokens in the events rather than in the connection."""
from __future__ import annotations

import threading

from flask import Flask, jsonify, request
from flask_socketio import SocketIO, emit, join_room, leave_room


class SocketsManager:
    """Who is connected, and what they plan."""

    def __init__(self):
        self.sockets = []
        self.permissions = {}
        self.changes = {}
        self.lock = threading.Lock()

    def connect(self):
        return None

    def start(self, data):
        user = data["token"].removeprefix("token-")
        with self.lock:
            self.sockets.append({"sid": request.sid, "user": user})
        for operation in self.permissions.get(user, []):
            join_room(str(operation))
        return sorted(self.permissions.get(user, []))

    def disconnect(self):
        with self.lock:
            self.sockets[:] = [each for each in self.sockets if each["sid"] != request.sid]

    def user(self):
        return next((each["user"] for each in self.sockets if each["sid"] == request.sid), None)

    def add_collaborator(self, user, operation):
        """Called by a page: lets every connection of the user into the room."""
        self.permissions.setdefault(user, []).append(operation)
        for each in self.sockets:
            if each["user"] == user:
                join_room(str(operation), sid=each["sid"], namespace="/")
        socketio.emit("new-permission", {"op_id": operation, "user": user})

    def remove_collaborator(self, user, operation):
        self.permissions[user].remove(operation)
        for each in self.sockets:
            if each["user"] == user:
                leave_room(str(operation), sid=each["sid"], namespace="/")
                socketio.emit("revoke-permission", {"op_id": operation}, room=each["sid"])

    def chat(self, json):
        operation = json["op_id"]
        if operation not in self.permissions.get(self.user(), []):
            return False
        emit("chat-message-client", {"user": self.user(), "text": json["text"]}, room=str(operation))
        return True

    def save(self, json):
        operation = json["op_id"]
        with self.lock:
            self.changes[operation] = self.changes.get(operation, 0) + 1
            change = self.changes[operation]
        emit("file-changed", {"op_id": operation, "change": change, "content": json["content"]},
             include_self=False, room=str(operation))
        return change


socketio = SocketIO(logger=False, engineio_logger=False, cors_allowed_origins="*")


def create_app():
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "secret!"
    socketio.init_app(app)
    manager = SocketsManager()
    for event, handler in {"connect": manager.connect, "start": manager.start, "disconnect": manager.disconnect,
                           "chat-message": manager.chat, "file-save": manager.save}.items():
        socketio.on_event(event, handler)
    socketio.sm = manager

    @app.route("/permission/<user>/<int:operation>", methods=["POST", "DELETE"])
    def permission(user, operation):
        change = socketio.sm.add_collaborator if request.method == "POST" else socketio.sm.remove_collaborator
        change(user, operation)
        return jsonify(success=True)

    return app
