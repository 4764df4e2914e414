"""The five events under Flask, on Flask-SocketIO or on Erlen. `python server.py MODE PORT`

MODE is `threading` or `gevent` (Flask-SocketIO's), or `erlen`. With `+handlers` behind it, connect and disconnect have handlers.
`/` is a plain route.
"""

import sys

mode, _, extra = sys.argv[1].partition("+")
if mode == "gevent":
    from gevent import monkey

    monkey.patch_all()

from flask import Flask, request  # noqa: E402

if mode == "erlen":
    from erlen import SocketIO, emit, join_room
else:
    from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, async_mode=None if mode == "erlen" else mode)


@app.route("/")
def index():
    return "hello"


@socketio.on("echo")
def echo(x):
    emit("echo", x)


@socketio.on("ack")
def ack(x):
    return x


@socketio.on("bcast")
def bcast(x):
    emit("bcast", x, broadcast=True)


@socketio.on("join")
def join(room):
    join_room(room)
    return True


@socketio.on("room")
def room(name, x):
    emit("room", x, to=name)


if extra == "handlers":

    @socketio.on("connect")
    def connect():
        request.sid

    @socketio.on("disconnect")
    def disconnect(reason):
        request.sid


socketio.run(app, host="127.0.0.1", port=int(sys.argv[2]), allow_unsafe_werkzeug=True)
