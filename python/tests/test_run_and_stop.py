"""`run` and `stop` of Erlen: stop from anywhere, start again (field report B42). The reference cannot be stopped."""
from __future__ import annotations

import contextlib
import gc
import threading
import time

import erlen.run
import flask
import pytest
import requests

import threads
import wire
from engines import DEADLINE, Running, held_port

pytestmark = pytest.mark.only("erlen")


def test_a_server_runs_again_on_the_same_port(app, socketio, engine):
    with held_port() as port:
        for _ in range(5):
            run = Running(app, socketio, port)
            assert run.port() == port
            assert requests.get(f"http://127.0.0.1:{port}/none", timeout=10).status_code == 404
            run.stop()
            with pytest.raises(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/none", timeout=10)


def read_to_the_end(client):
    """What the server sends before it closes; a client that reads closes its side too."""
    packets = []
    with contextlib.suppress(wire.Closed):
        while True:
            packets.append(client.next())
    client.close()
    return packets


def test_an_event_handler_stops_the_server(app, socketio, engine):
    socketio.on("stop")(lambda: socketio.stop())
    run = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/").join()
    client.emit("stop")
    read_to_the_end(client)
    run.thread.join(10)
    assert not run.thread.is_alive()


def test_a_page_stops_the_server(app, socketio, engine):
    @app.route("/stop")
    def stop():
        socketio.stop()
        return "stopping"

    run = Running(app, socketio)
    assert requests.get(f"http://127.0.0.1:{run.port()}/stop", timeout=10).text == "stopping"
    run.thread.join(10)
    assert not run.thread.is_alive()


def test_a_stop_in_the_moment_of_the_start_counts(app, socketio, monkeypatch):
    listen = erlen.run.listen

    def listen_and_stop(*args, **keywords):
        # The port is open already: a page that stops the server might be asked for now.
        listener = listen(*args, **keywords)
        socketio.stop()
        return listener

    monkeypatch.setattr(erlen.run, "listen", listen_and_stop)
    thread = threading.Thread(target=socketio.run, args=(app,), kwargs={"port": 0}, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("stopping", [0, 1])
def test_of_two_objects_of_an_application_either_stops_the_server_that_both_have(app, sio_lib, stopping, engine):
    both = [sio_lib.SocketIO(app, path="one"), sio_lib.SocketIO(app, path="two")]
    for _ in range(2):
        run = Running(app, both[1])
        run.port()
        both[stopping].stop()
        run.thread.join(10)
        assert not run.thread.is_alive()


def running_beside(app, socketio, **options):
    """A second run of an object, and its port."""
    before = socketio.wsgi_server
    run = Running(app, socketio, **options)
    deadline = time.monotonic() + DEADLINE
    while socketio.wsgi_server is before and run.thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert socketio.wsgi_server is not before, run.error
    return run, socketio.wsgi_server.port


def test_an_object_that_runs_for_two_applications_is_stopped_at_both(sio_lib, engine):
    apps = [flask.Flask("one"), flask.Flask("two")]
    socketio = sio_lib.SocketIO()
    for app in apps:
        app.add_url_rule("/name", view_func=lambda: flask.current_app.name)
        socketio.init_app(app)
    first = Running(apps[0], socketio)
    ports = [first.port()]
    second, port = running_beside(apps[1], socketio)
    ports.append(port)
    assert [requests.get(f"http://127.0.0.1:{port}/name", timeout=10).text for port in ports] == ["one", "two"]
    socketio.stop()
    for run in (first, second):
        run.stop()
        assert run.error is None
    for port in ports:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/name", timeout=10)
    assert socketio.wsgi_server is None
    again = Running(apps[0], socketio)
    assert wire.WebSocket(f"http://127.0.0.1:{again.port()}/socket.io/").join("/").sid
    again.stop()


def named(app):
    """What stands around an application's own WSGI function, and says whose it is."""
    inner = app.wsgi_app

    def middleware(environ, start_response):
        environ["around"] = app.name
        return inner(environ, start_response)

    app.wsgi_app = middleware


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_clients_of_two_runs_of_an_object_are_each_of_their_own_application(sio_lib, engine, seen, wrapped):
    apps = [flask.Flask("one"), flask.Flask("two")]
    socketio = sio_lib.SocketIO()
    for app in apps:
        socketio.init_app(app)
        if wrapped:
            named(app)
    socketio.on("connect")(lambda: seen.put(flask.current_app.name))

    @socketio.on("who")
    def who():
        sid = flask.request.sid
        sio_lib.join_room(f"of {sid}")
        sio_lib.emit("to you")
        socketio.emit("to your room", to=f"of {sid}")
        assert dict(socketio.server.manager.get_participants("/", f"of {sid}")).keys() == {sid}
        return [flask.current_app.name, flask.request.environ.get("around")]

    first = Running(apps[0], socketio)
    port = first.port()
    second, other_port = running_beside(apps[1], socketio)
    # Who comes to the first one comes when the second one is there already.
    for name, at in [("one", port), ("two", other_port), ("one", port)]:
        client = wire.WebSocket(f"http://127.0.0.1:{at}/socket.io/").join("/")
        assert seen.next() == name
        client.emit("who", ack=1)
        answer = wire.dumps([name, name if wrapped else None])
        assert [client.next() for _ in range(3)] == ['42["to you"]', '42["to your room"]', f"431[{answer}]"]
        client.close()
    socketio.stop()
    for run in (first, second):
        run.stop()


def test_the_end_of_one_of_two_runs_leaves_the_other_as_it_is(sio_lib, engine):
    apps = [flask.Flask("one"), flask.Flask("two")]
    socketio = sio_lib.SocketIO()
    for app in apps:
        socketio.init_app(app)
    first = Running(apps[0], socketio)
    first.port()
    listener = socketio.wsgi_server
    second, port = running_beside(apps[1], socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{port}/socket.io/").join("/")
    listener.stop()
    first.thread.join(2 * DEADLINE)
    assert not first.thread.is_alive() and socketio.wsgi_server.port == port
    socketio.emit("still here")
    assert client.next() == '42["still here"]'
    socketio.stop()
    client.close()
    second.stop()


def test_a_second_run_with_something_around_the_application_leaves_the_first_its_clients(app, socketio, engine):
    socketio.on("e")(lambda: flask.request.environ.get("around", ""))
    first = Running(app, socketio)
    clients = [wire.WebSocket(f"http://127.0.0.1:{first.port()}/socket.io/").join("/")]
    second, port = running_beside(app, socketio, environ={"around": "it"})
    clients.append(wire.WebSocket(f"http://127.0.0.1:{port}/socket.io/").join("/"))
    assert [client.ask("e") for client in clients] == ['[""]', '["it"]']
    socketio.stop()
    for client in clients:
        client.close()
    for run in (first, second):
        run.stop()


def test_an_object_that_runs_several_times_for_one_application_is_stopped_everywhere(app, socketio, engine):
    first = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{first.port()}/socket.io/").join("/")
    runs = [first, *[running_beside(app, socketio)[0] for _ in range(3)]]
    socketio.stop()
    client.close()
    for run in runs:
        run.stop()
        assert run.error is None


def test_the_clients_are_told_that_the_server_leaves(app, socketio, seen, engine):
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    run = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/").join()
    socketio.stop()
    assert read_to_the_end(client) in (["41"], [])
    assert seen.next() == "server disconnect"
    run.stop()


def test_a_client_that_does_not_listen_holds_up_the_end_for_the_grace_time_at_most(app, socketio, engine):
    run = Running(app, socketio)
    client = wire.WebSocket(f"http://127.0.0.1:{run.port()}/socket.io/").join()
    run.stop()
    client.close()


@threads.counted
def test_forty_servers_leave_no_thread_and_no_descriptor_behind(sio_lib, engine, eventually, request):
    def run_once():
        app = flask.Flask("once")
        app.secret_key = "secret"
        app.add_url_rule("/page", view_func=lambda: "page")
        socketio = sio_lib.SocketIO(app)
        socketio.on("e")(lambda: "handled")
        run = Running(app, socketio)
        url = f"http://127.0.0.1:{run.port()}"
        assert requests.get(f"{url}/page", timeout=10).text == "page"
        client = wire.WebSocket(f"{url}/socket.io/").join()
        assert client.ask("e") == '["handled"]'
        client.close()
        run.stop()

    def left():
        return len(threads.of_erlen()), threading.active_count(), threads.descriptors()

    # What is only garbage must not hold them either.
    request.addfinalizer(gc.enable)
    gc.disable()
    # The first run starts what lives as long as the process.
    run_once()
    before = left()
    for _ in range(39):
        run_once()
    # What the process has once, as the thread of log lines, may come and go.
    eventually(lambda: all(now - then < 39 // 3 for now, then in zip(left(), before)))


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
