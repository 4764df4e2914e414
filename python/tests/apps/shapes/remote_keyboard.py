"""The keyboard and mouse over IP of tiny-pilot/tinypilot. Asks of the server: handlers and a class namespace that are
registered before `init_app`, dicts as acks, an event's name with a hyphen, a short way from a key to the device: the
write to the device is done in a process of its own, so that a device that hangs can be given up."""
from __future__ import annotations

import multiprocessing
import os

from flask import Flask
from flask_socketio import Namespace, SocketIO, emit

socketio = SocketIO()
device = {"path": None, "patience": lambda child: child.join(10)}


class WriteError(Exception):
    pass


def write_report(path, report):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, report)
    os.close(fd)


def write(report):
    """Writes to the device by a child process, which is killed when it takes too long."""
    child = multiprocessing.get_context("fork").Process(target=write_report, args=(device["path"], report), daemon=True)
    child.start()
    device["patience"](child)
    if child.is_alive():
        child.kill()
        child.join()
        raise WriteError("the device hangs")
    if child.exitcode != 0:
        raise WriteError("the device is not there")


@socketio.on("keystroke")
def on_keystroke(message):
    if len(message.get("key", "")) != 1:
        return {"success": False, "error": f"not a key: {message.get('key')}"}
    try:
        write(message["key"].encode())
    except WriteError as error:
        return {"success": False, "error": str(error)}
    return {"success": True}


@socketio.on("mouse-event")
def on_mouse_event(message):
    x, y = message["relativeX"], message["relativeY"]
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        return {"success": False}
    return {"success": True, "report": [message.get("buttons", 0), int(x * 32767), int(y * 32767)]}


@socketio.on("keyRelease")
def on_key_release():
    return {"success": True}


class UpdateLogs(Namespace):
    def on_connect(self):
        emit("logs", {"lines": ["installing"]})

    def on_read(self):
        emit("logs", {"lines": ["done"]})
        return {"success": True, "value": None}


socketio.on_namespace(UpdateLogs("/updateLogs"))


def create_app(path):
    device["path"] = path
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.urandom(32)
    socketio.init_app(app)
    return app
