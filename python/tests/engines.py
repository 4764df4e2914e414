"""The two implementations that the contract tests run on, and how an app is served by each.

Not a test, and not an abstraction of the two: a test calls the module (`sio_lib`) as an app would, and asks the
engine only how to serve an app on a free port, where the exceptions live, and which of two answers is expected
where Erlen decides otherwise on purpose. Used by conftest.py.
"""
from __future__ import annotations

import contextlib
import importlib
import socket
import threading
import time

DEADLINE = 10


class Engine:
    """One implementation of the Flask-SocketIO API."""

    name: str
    exceptions_module: str

    def __init__(self, module_name):
        self.lib = importlib.import_module(module_name)
        self.exceptions = importlib.import_module(self.exceptions_module)

    def until_in(self, socketio, sid, namespace):
        """Waits until a client that was told its id is in the namespace for the server too."""

    @property
    def is_erlen(self):
        return self.name == "erlen"

    def either(self, *, upstream, erlen):
        """What this engine is to answer, where the two differ on purpose."""
        return erlen if self.is_erlen else upstream


class FlaskSocketIO(Engine):
    name = "flask-socketio"
    exceptions_module = "socketio.exceptions"

    def __init__(self):
        super().__init__("flask_socketio")

    @contextlib.contextmanager
    def serve(self, app, socketio):
        """Serve the app by Werkzeug, as `run()` does; yields the port."""
        from werkzeug.serving import make_server

        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(DEADLINE)
            server.server_close()

    def until_in(self, socketio, sid, namespace):
        """The packet with the id is sent first; until the manager knows, `disconnect` does nothing."""
        deadline = time.monotonic() + DEADLINE
        while not socketio.server.manager.is_connected(sid, namespace):
            assert time.monotonic() < deadline, "the client did not get in"
            time.sleep(0.001)


class Erlen(Engine):
    name = "erlen"
    exceptions_module = "erlen.exceptions"

    def __init__(self):
        super().__init__("erlen")

    @contextlib.contextmanager
    def serve(self, app, socketio):
        """Serve the app by its own `run()` in a thread; yields the port."""
        run = Running(app, socketio)
        try:
            yield run.port()
        finally:
            run.stop()


class Running:
    """`socketio.run(app)` in a thread of its own."""

    def __init__(self, app, socketio, port=0, **options):
        self.socketio = socketio
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(app, port), kwargs=options, daemon=True)
        self.thread.start()

    def _run(self, app, port, **options):
        try:
            self.socketio.run(app, host="127.0.0.1", port=port, **options)
        except BaseException as error:
            self.error = error
            raise

    def port(self):
        """The port that was bound, as soon as there is one."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.thread.is_alive():
            port = getattr(self.socketio.wsgi_server, "port", None)
            if port:
                return port
            self.thread.join(0.005)
        raise AssertionError(f"the server did not come up: {self.error!r}")

    def stop(self):
        """Stop the server, and wait until `run()` has returned."""
        if self.thread.is_alive():
            self.socketio.stop()
        # Half of one goes to clients that do not listen.
        self.thread.join(2 * DEADLINE)
        assert not self.thread.is_alive(), "run() did not return after stop()"


@contextlib.contextmanager
def held_port():
    """A port for those who have to be told a number. Nobody else is given it: a socket that is bound and does not listen
    keeps it, and lets in whoever asks for that very number, with SO_REUSEADDR as servers do."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


ENGINES = {engine.name: engine for engine in (Erlen, FlaskSocketIO)}
