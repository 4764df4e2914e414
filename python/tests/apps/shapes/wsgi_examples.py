"""The WSGI examples of python-socketio in one app, with the API of Flask-SocketIO: the echo app, the latency meter
and the fiddle that shows what a client sent when it connected. Asks of the server: real clients, in Python and in
JavaScript, and `instrument()` for the admin page."""
from __future__ import annotations

from flask import Flask, request
from flask_socketio import SocketIO, disconnect, emit, join_room, rooms

app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
socketio = SocketIO(app, cors_allowed_origins="*")

transports = []


@app.route("/")
def index():
    return "the page of the client"


@socketio.on("connect")
def connect(auth):
    emit("hello", ("one", 2, {"auth": auth, "query": request.args.get("who"), "path": request.path}))


@socketio.on("ping_from_client")
def measure():
    transports.append(socketio.server.transport(request.sid))
    emit("pong_from_server", to=request.sid)


@socketio.on("my event")
def echo(message):
    emit("my response", {"data": message["data"]}, to=request.sid)


@socketio.on("join")
def join(message):
    join_room(message["room"])
    emit("my response", {"data": "Entered room: " + message["room"]})
    return sorted(set(rooms()) - {request.sid})


@socketio.on("my room event")
def tell_room(message):
    emit("my response", {"data": message["data"]}, to=message["room"])


@socketio.on("blob")
def blob(data):
    emit("blob back", {"reversed": data["bytes"][::-1], "size": len(data["bytes"])})
    return data["bytes"]


@socketio.on("ask me")
def ask_the_client(question):
    return {"client said": socketio.call("question", question, to=request.sid, timeout=10)}


@socketio.on("disconnect request")
def disconnect_request():
    disconnect()
