"""The events of the chat, in the namespace `/chat`."""
from __future__ import annotations

from flask import session, url_for
from flask_socketio import emit, join_room, leave_room

from . import socketio


@socketio.on("joined", namespace="/chat")
def joined(message):
    join_room(session["room"])
    emit("status", {"msg": f"{session['name']} has entered the room."}, room=session["room"])


@socketio.on("text", namespace="/chat")
def text(message):
    emit("message", {"msg": f"{session['name']}:{message['msg']}"}, room=session["room"])


@socketio.on("left", namespace="/chat")
def left(message):
    leave_room(session["room"])
    emit("status", {"msg": f"{session['name']} has left the room."}, room=session["room"])
    return url_for("main.index")
