"""The live page of dgtlmoon/changedetection.io. Asks of the server: bound methods as handlers by `on_event`, a blinker
signal that is sent by the app's own worker threads and turned into emits there, `async_mode='threading'`, and
`run(..., allow_unsafe_werkzeug=True)` in a process that has no terminal."""
from __future__ import annotations

import queue
import threading

from blinker import Namespace as Signals
from flask import Flask, request
from flask_socketio import SocketIO

signals = Signals()
watch_changed = signals.signal("watch-changed")
queue_length = signals.signal("queue-length")


class Store:
    """The pages that are watched."""

    def __init__(self):
        self.watches = {}
        self.lock = threading.Lock()

    def update(self, uuid, **changes):
        with self.lock:
            self.watches.setdefault(uuid, {"uuid": uuid, "checked": 0, "paused": False}).update(changes)
        watch_changed.send(self, uuid=uuid)


class Workers:
    """Threads of the app that check pages. They know the signals, and nothing of Socket.IO."""

    def __init__(self, store, count):
        self.store = store
        self.queue = queue.Queue()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while (uuid := self.queue.get()) is not None:
            self.store.update(uuid, checked=self.store.watches.get(uuid, {}).get("checked", 0) + 1)
            queue_length.send(self, length=self.queue.qsize())

    def stop(self):
        for _ in self.threads:
            self.queue.put(None)
        for thread in self.threads:
            thread.join()


class LivePage:
    """What turns signals into events, and events of the page into changes."""

    def __init__(self, socketio, store, workers):
        self.socketio, self.store, self.workers = socketio, store, workers
        self.connected = {}
        socketio.on_event("connect", self.connect)
        socketio.on_event("disconnect", self.disconnect)
        socketio.on_event("checkbox-operation", self.operate)
        watch_changed.connect(self.tell_watch)
        queue_length.connect(self.tell_queue)

    def connect(self, auth):
        self.connected[request.sid] = request.remote_addr
        self.socketio.emit("queue", {"length": self.workers.queue.qsize()}, to=request.sid)

    def disconnect(self, reason):
        self.connected.pop(request.sid, None)

    def operate(self, data):
        for uuid in data["uuids"]:
            if data["op"] == "check":
                self.workers.queue.put(uuid)
            else:
                self.store.update(uuid, paused=data["op"] == "pause")
        return {"success": True}

    def tell_watch(self, sender, uuid):
        self.socketio.emit("watch_update", self.store.watches[uuid])

    def tell_queue(self, sender, length):
        self.socketio.emit("queue", {"length": length})


app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
store = Store()
workers = Workers(store, count=4)
socketio = SocketIO(app, async_mode="threading", cors_allowed_origins=None, logger=False, engineio_logger=False)
live_page = LivePage(socketio, store, workers)


@app.route("/")
def index():
    return "the list of watches"


def main(host, port):
    socketio.run(app, host=host, port=port, debug=False, allow_unsafe_werkzeug=True)
