"""`run` and `stop` of Erlen: stop from anywhere, start again (field report B42). The reference cannot be stopped."""
from __future__ import annotations

import threading

import pytest
import requests

import wire
from engines import Running

pytestmark = pytest.mark.only("erlen")


def test_a_server_runs_again_on_the_same_port(app, socketio, engine):
    port = 0
    for _ in range(5):
        run = Running(app, socketio, port)
        port = run.port()
        assert requests.get(f"http://127.0.0.1:{port}/none", timeout=10).status_code == 404
        run.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/none", timeout=10)


def test_an_event_handler_stops_the_server(app, socketio, serve, engine):
    socketio.on("stop")(lambda: socketio.stop())
    run = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/").join()
    client.emit("stop")
    run.thread.join(10)
    assert not run.thread.is_alive()
    client.close()


def test_a_page_stops_the_server(app, socketio, engine):
    @app.route("/stop")
    def stop():
        socketio.stop()
        return "stopping"

    run = Running(app, socketio)
    assert requests.get(f"http://127.0.0.1:{run.port()}/stop", timeout=10).text == "stopping"
    run.thread.join(10)
    assert not run.thread.is_alive()


def test_the_clients_are_told_that_the_server_leaves(app, socketio, seen, engine):
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    run = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/").join()
    run.stop()
    assert seen.next() == "server disconnect"
    with pytest.raises(wire.Closed):
        while client.next() != "41":
            pass
        client.next()
    client.close()


def test_no_thread_is_left_behind(app, socketio, engine, eventually):
    def run_once():
        run = Running(app, socketio)
        run.port()
        run.stop()
        return threading.active_count()

    # The first run starts what lives as long as the process.
    after_one = run_once()
    for _ in range(3):
        run_once()
    eventually(lambda: threading.active_count() <= after_one)


def test_a_port_that_is_taken_is_an_error_at_once(app, socketio, serve, engine):
    live = serve(app, socketio)
    other = type(socketio)(app)
    with pytest.raises((OSError, SystemExit)):
        other.run(app, host="127.0.0.1", port=live.port)


def test_the_keywords_of_upstream_are_accepted(app, socketio, engine):
    run = Running(app, socketio, debug=None, use_reloader=False, log_output=False, allow_unsafe_werkzeug=True)
    assert requests.get(f"http://127.0.0.1:{run.port()}/none", timeout=10).status_code == 404
    run.stop()
    assert run.error is None
