"""The debugger in a browser of cs01/gdbgui. Asks of the server: `SocketIO(manage_session=False)` first and `init_app`
with options later, `request.args` in the connect handler, a background task that reads from the debugger and emits to
the sids that watch it, an event whose name has spaces. The debugger is a program that answers line by line."""
from __future__ import annotations

import subprocess
import sys
import threading

from flask import Flask, request, session
from flask_socketio import SocketIO, emit

PROGRAM = "import sys\nfor line in sys.stdin:\n    print('done: ' + line.strip(), flush=True)\n"

socketio = SocketIO(manage_session=False)
app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
lock = threading.Lock()
debuggers = {}
watchers = {}
readers = []


def setup_backend(**options):
    socketio.init_app(app, **options)
    return app


def start_debugger():
    debugger = subprocess.Popen([sys.executable, "-u", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    debuggers[debugger.pid] = debugger
    watchers[debugger.pid] = set()
    readers.append(socketio.start_background_task(target=read_and_forward, debugger=debugger))
    return debugger.pid


def read_and_forward(debugger):
    for line in debugger.stdout:
        with lock:
            sids = sorted(watchers[debugger.pid])
        for sid in sids:
            socketio.emit("debugger_response", {"output": line.strip()}, namespace="/listener", to=sid)


@app.route("/")
def index():
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@socketio.on("connect", namespace="/listener")
def connect():
    pid = int(request.args.get("pid", 0))
    with lock:
        found = pid in debuggers
        if not found:
            pid = start_debugger()
        watchers[pid].add(request.sid)
    emit("debug_session", {"ok": True, "started": not found, "pid": pid, "visits": session.get("visits")})


def watched():
    return next((pid for pid, sids in watchers.items() if request.sid in sids), None)


@socketio.on("run command", namespace="/listener")
def run_command(message):
    pid = watched()
    if pid is None:
        emit("error_running_command", {"message": "no debugger"})
        return
    session["last"] = message["cmd"]  # a cookie cannot be set from an event: this is lost, and does no harm
    for command in message["cmd"]:
        debuggers[pid].stdin.write(command + "\n")
    debuggers[pid].stdin.flush()


@socketio.on("last command", namespace="/listener")
def last_command():
    return session.get("last")


@socketio.on("disconnect", namespace="/listener")
def gone():
    with lock:
        pid = watched()
        watchers[pid].discard(request.sid)
        if not watchers[pid]:
            debuggers.pop(pid).stdin.close()
