"""What is left when a server, or a client, ends in the middle of something: nothing."""
from __future__ import annotations

import gc
import threading
import weakref

import flask
import pytest
import requests

import wire
from engines import DEADLINE, Running


@pytest.fixture
def goes(socketio, eventually):
    """Waits until what references refer to has been freed."""
    another = socketio._serving.engine()

    def goes(references):
        def gone():
            # What a thread without the interpreter has let go of is freed by the next call into any engine.
            another.load()
            gc.collect()
            return not any(reference() for reference in references)

        eventually(gone)

    return goes


@pytest.mark.only("erlen")
@pytest.mark.parametrize("handler", ["connect", "disconnect"])
def test_a_server_that_stops_while_a_handler_runs_leaves_nothing_of_its_application(sio_lib, engine, goes, handler):
    def use():
        app = flask.Flask("stopped")
        app.secret_key = "secret"
        socketio = sio_lib.SocketIO(app)
        began, go_on, over = threading.Event(), threading.Event(), threading.Event()

        def slow(*reason):
            began.set()
            go_on.wait(DEADLINE)
            over.set()

        socketio.on(handler)(slow)
        run = Running(app, socketio)
        client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/")
        if handler == "connect":
            client.send("40")
        else:
            client.join()
            client.close()
        assert began.wait(DEADLINE)
        # It returns when workers have had their time to end.
        run.stop()
        go_on.set()
        assert over.wait(DEADLINE)
        client.close()
        return weakref.ref(app), weakref.ref(socketio)

    goes(use())


@pytest.mark.only("erlen")
def test_a_client_whose_handler_has_raised_the_error_of_its_path_goes_when_it_leaves(app, socketio, serve, goes):
    class Mine:
        pass

    references = []

    @socketio.on("e")
    def handle():
        flask.request.environ["mine"] = mine = Mine()
        references.append(weakref.ref(mine))
        raise flask.request.routing_exception

    socketio.on_error_default(lambda error: error.code)
    live = serve(app, socketio)
    for _ in range(2):
        client = live.websocket()
        assert client.ask("e") == "[404]"
        client.close()
    assert len(references) == 2
    goes(references)


@pytest.mark.only("erlen")
def test_servers_of_one_process_may_lie_at_different_paths(sio_lib, serve, monkeypatch):
    for mount in ("", "/tool"):
        monkeypatch.setenv("SCRIPT_NAME", mount)
        app = flask.Flask("mounted")
        app.add_url_rule("/page", "page", lambda: flask.request.script_root)
        socketio = sio_lib.SocketIO(app)
        socketio.on("e")(lambda: flask.request.script_root)
        live = serve(app, socketio)
        assert requests.get(f"{live.url}{mount}/page", timeout=DEADLINE).text == mount
        client = live.client("polling", path=f"{mount}/socket.io/")
        assert client.ask("e") == f'["{mount}"]'
