"""The example that comes with Flask-SocketIO: a session's counter, rooms, a catch-all, a disconnect that is asked for
by the client, a background task that the first client starts. Asks of the server: `async_mode=None`, `logger=True`,
`'*'` with data, an ack's callback that runs in a copied request context and disconnects from there."""
from __future__ import annotations

import threading

from flask import Flask, copy_current_request_context, render_template_string, request, session
from flask_socketio import SocketIO, close_room, disconnect, emit, join_room, leave_room, rooms

app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
socketio = SocketIO(app, async_mode=None, logger=True)

stopping = threading.Event()
ticker = None
ticker_lock = threading.Lock()
ticker_starts = []
left = []


def tick():
    count = 0
    while not stopping.is_set():
        socketio.sleep(0.01)
        count += 1
        socketio.emit("tick", {"data": "from the server", "count": count})


def counted(data):
    session["received"] = session.get("received", 0) + 1
    return {"data": data, "count": session["received"]}


@app.route("/")
def index():
    return render_template_string("mode: {{ mode }}", mode=socketio.async_mode)


@socketio.event
def connect():
    global ticker
    with ticker_lock:
        if ticker is None:
            ticker_starts.append(request.sid)
            ticker = socketio.start_background_task(tick)
    emit("response", {"data": "Connected", "count": 0})


@socketio.event
def echo(message):
    emit("response", counted(message["data"]))


@socketio.event
def everyone(message):
    emit("response", counted(message["data"]), broadcast=True)


@socketio.on("*")
def anything_else(event, data):
    emit("response", counted([event, data]))


@socketio.event
def join(message):
    join_room(message["room"])
    emit("response", counted("In rooms: " + ", ".join(sorted(set(rooms()) - {request.sid}))))


@socketio.event
def leave(message):
    leave_room(message["room"])
    emit("response", counted("In rooms: " + ", ".join(sorted(set(rooms()) - {request.sid}))))


@socketio.on("close room")
def end_room(message):
    emit("response", counted("Room " + message["room"] + " is closing."), to=message["room"])
    close_room(message["room"])


@socketio.event
def tell_room(message):
    emit("response", counted(message["data"]), to=message["room"])


@socketio.event
def disconnect_request():
    @copy_current_request_context
    def may_disconnect():
        disconnect()

    # The client has received the event when the callback runs: only then may it be disconnected.
    emit("response", counted("Disconnected!"), callback=may_disconnect)


@socketio.event
def measure():
    emit("measured")


@socketio.on("disconnect")
def gone(reason):
    left.append((request.sid, reason))
