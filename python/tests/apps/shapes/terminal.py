"""The terminal in a browser of cs01/pyxtermjs. Asks of the server: that `pty.fork()` inside a connect handler does it
no harm (the child, a copy of the server with this one thread, runs a shell and at its end *returns from the handler*),
and a background task that looks every 10 ms whether the shell has said something."""
from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading

from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
app.config.update(SECRET_KEY="secret!", child=None, fd=None, reader=None, command=["sh", "-i"])
socketio = SocketIO(app)

stopping = threading.Event()


@app.route("/")
def index():
    return "the page with the terminal"


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def forward_output():
    while not stopping.is_set():
        socketio.sleep(0.01)
        if not select.select([app.config["fd"]], [], [], 0)[0]:
            continue
        try:
            output = os.read(app.config["fd"], 20 * 1024)
        except OSError:
            return
        socketio.emit("pty-output", {"output": output.decode(errors="ignore")}, namespace="/pty")


@socketio.on("pty-input", namespace="/pty")
def typed(data):
    os.write(app.config["fd"], data["input"].encode())


@socketio.on("resize", namespace="/pty")
def resized(data):
    set_size(app.config["fd"], data["rows"], data["cols"])
    return True


@socketio.on("connect", namespace="/pty")
def connect():
    if app.config["child"]:
        return
    child, fd = pty.fork()
    if child == 0:
        subprocess.run(app.config["command"], check=False)
    else:
        app.config.update(child=child, fd=fd)
        set_size(fd, 50, 50)
        app.config["reader"] = socketio.start_background_task(target=forward_output)
