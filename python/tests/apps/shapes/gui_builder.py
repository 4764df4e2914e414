"""What Avaiga/taipy, KoboldAI, openalgo, radiosonde_auto_rx and mxcubeweb have in common: a subclass of `Flask` that has
the SocketIO inside, started from a notebook, a service or a thread beside other work, with `debug=None` and the
flag for Werkzeug; a limit of engineio that is raised from outside; states of many hundreds of KiB that are sent to all; and
unit tests that log in by Flask's test client and go on with it."""
from __future__ import annotations

import threading

from engineio.payload import Payload
from flask import Flask, session
from flask_socketio import SocketIO, emit, join_room

Payload.max_decode_packets = 4000


class Gui(Flask):
    """The app, which is the program's own class."""

    def __init__(self, title, **options):
        super().__init__(__name__)
        self.secret_key = "secret!"
        self.title = title
        self.state = {"text": "", "size": 0}
        self.thread = None
        self.socketio = SocketIO(self, async_mode=None, cors_allowed_origins="*", ping_timeout=10,
                                 max_http_buffer_size=10_000_000, **options)
        self.add_url_rule("/", view_func=lambda: self.title)
        self.add_url_rule("/login/<user>", view_func=self.log_in)
        self.socketio.on_event("connect", self.connect)
        self.socketio.on_event("message", self.message)
        self.socketio.on_event("load", self.load)
        self.socketio.on_event("numbers", self.numbers)
        self.count = 0
        self.lock = threading.Lock()

    def log_in(self, user):
        session["user"] = user
        return user

    def connect(self):
        join_room(f"user-{session.get('user', 'anonymous')}")
        emit("state", self.state)

    def message(self, data):
        """All events of the page come as `message`, with a type."""
        if data.get("type") == "U":
            self.state["text"] = data["payload"]
            self.socketio.emit("state", self.state)
        elif data.get("type") == "WHO":
            return session.get("user", "anonymous")
        return None

    def load(self, size):
        """The whole story goes to every page, at once."""
        self.socketio.emit("story", {"text": "é" * size, "size": size})

    def numbers(self, number):
        with self.lock:
            self.count += 1
            return self.count

    def main(self, host, port, in_thread=False):
        options = {"host": host, "port": port, "debug": None, "use_reloader": False, "allow_unsafe_werkzeug": True}
        if not in_thread:
            return self.socketio.run(self, **options)
        self.thread = threading.Thread(target=self.socketio.run, args=(self,), kwargs=options, daemon=True)
        self.thread.start()
        return None


def new_gui(title="a title", **options):
    return Gui(title, **options)
