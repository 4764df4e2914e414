"""The example app again, as a class on the namespace `/`. Asks of the server: `on_` methods by the event's name,
`room=` where others say `to=`, an `on_disconnect` that takes no reason, `self.emit` to the whole namespace."""
from __future__ import annotations

import threading

from flask import Flask, request, session
from flask_socketio import Namespace, SocketIO, close_room, disconnect, emit, join_room, leave_room, rooms

app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
socketio = SocketIO(app, async_mode=None)

stopping = threading.Event()
ticker = None
ticker_lock = threading.Lock()
left = []


def tick():
    while not stopping.is_set():
        socketio.sleep(0.01)
        socketio.emit("tick", {"data": "from the server"}, namespace="/")


class Example(Namespace):
    def on_connect(self):
        emit("response", {"data": "Connected"})

    def on_start(self):
        global ticker
        with ticker_lock:
            if ticker is None:
                ticker = socketio.start_background_task(target=tick)
        return True

    def on_echo(self, message):
        session["received"] = session.get("received", 0) + 1
        emit("response", {"data": message["data"], "count": session["received"]})

    def on_everyone(self, message):
        self.emit("response", {"data": message["data"]})

    def on_join(self, message):
        join_room(message["room"])
        return [room for room in rooms() if room != request.sid]

    def on_leave(self, message):
        leave_room(message["room"])
        return [room for room in rooms() if room != request.sid]

    def on_close_room(self, message):
        emit("response", {"data": "closing"}, room=message["room"])
        close_room(message["room"])

    def on_tell_room(self, message):
        emit("response", {"data": message["data"]}, room=message["room"])

    def on_tell_others(self, message):
        self.emit("response", {"data": message["data"]}, room=message["room"], include_self=False)

    def on_disconnect_request(self):
        disconnect()

    def on_disconnect(self):
        left.append(request.sid)


socketio.on_namespace(Example("/"))
