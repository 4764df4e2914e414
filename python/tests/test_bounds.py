"""The engine's bounds as options of the package, and keywords that are none."""
from __future__ import annotations

import concurrent.futures
import threading

import flask
import pytest
import requests
from erlen.options import BOUNDS

from engines import Running

pytestmark = pytest.mark.only("erlen")


def handshake(live):
    return requests.get(f"{live.url}/socket.io/?EIO=4&transport=polling", timeout=10).status_code


# Room for everything that a connect takes: the engine may cut a client for what is past a bound, at any moment.
LEGAL = 1_000_000
TOO_MUCH = 2**64


@pytest.mark.parametrize("name", BOUNDS)
def test_each_is_taken(sio_lib, app, engine, name):
    legal = 1 if name == "shards" else LEGAL
    assert sio_lib.SocketIO(app, **{name: legal}).test_client(app).is_connected()


@pytest.mark.parametrize("name", BOUNDS)
def test_each_is_one_of_the_engine_which_refuses_by_its_name_what_no_number_of_its_own_is(sio_lib, app, engine, name):
    with pytest.raises(TypeError, match=f"the engine's option '{name}' cannot be {TOO_MUCH}"):
        sio_lib.SocketIO(app, **{name: TOO_MUCH}).test_client(app)


def test_a_keyword_bounds(sio_lib, app, serve, engine):
    live = serve(app, sio_lib.SocketIO(app, max_sessions=1))
    assert [handshake(live), handshake(live)] == [200, 503]


def test_the_environment_bounds_and_a_keyword_comes_first(sio_lib, serve, engine, monkeypatch):
    monkeypatch.setenv("ERLEN_MAX_SESSIONS", "1")
    for options, statuses in [({}, [200, 503]), ({"max_sessions": 2}, [200, 200])]:
        app = flask.Flask("bounded")
        live = serve(app, sio_lib.SocketIO(app, **options))
        assert [handshake(live), handshake(live)] == statuses


@pytest.mark.parametrize("value", ["many", -1, 1.5, True])
def test_what_is_no_number_is_refused_by_its_name(sio_lib, app, engine, value):
    with pytest.raises(ValueError, match="max_rooms"):
        sio_lib.SocketIO(app, max_rooms=value)


def test_what_is_no_number_in_the_environment_is_refused_by_its_name(sio_lib, app, engine, monkeypatch):
    monkeypatch.setenv("ERLEN_MAX_ROOMS", "many")
    with pytest.raises(ValueError, match="ERLEN_MAX_ROOMS"):
        sio_lib.SocketIO(app).run(app, port=0)


@pytest.mark.parametrize("name, words", [
    ("max_roms", "no option 'max_roms' and ignores it; did you mean 'max_rooms'?"), ("certfile", "belongs to run()")])
def test_a_keyword_that_is_no_option_is_ignored_and_the_log_says_so(sio_lib, app, output, engine, name, words):
    assert sio_lib.SocketIO(app, **{name: 1}).test_client(app).is_connected()
    assert words in output.text()


@pytest.mark.parametrize("bounded", [{"max_event_threads": 2}, "ERLEN_MAX_EVENT_THREADS"])
def test_handlers_that_hold_all_threads_are_told_in_the_log_and_all_go_on_when_one_is_let_go(
        sio_lib, app, serve, engine, output, seen, monkeypatch, bounded):
    if isinstance(bounded, str):
        monkeypatch.setenv(bounded, "2")
        bounded = {}
    socketio = sio_lib.SocketIO(app, **bounded)
    go = [threading.Event(), threading.Event()]

    @socketio.on("block")
    def block(number):
        seen.put(number)
        assert go[number].wait(60)
        return number

    socketio.on("quick")(lambda: "quick")
    live = serve(app, socketio)
    one, two = live.websocket(), live.websocket()
    for number in range(2):
        one.emit("block", number, ack=number)
    assert sorted([seen.next(), seen.next()]) == [0, 1]
    for number in range(5):
        two.emit("quick", ack=number)
    text = output.until("all 2 threads of handlers", "start_background_task", "max_event_threads")
    go[1].set()
    assert one.next() == "431[1]"
    assert sorted(two.next() for _ in range(5)) == [f'43{number}["quick"]' for number in range(5)]
    go[0].set()
    assert one.next() == "430[0]"
    assert text.count("all 2 threads of handlers") == output.text().count("all 2 threads of handlers")


def test_pages_that_hold_all_threads_are_told_in_the_log(sio_lib, app, engine, output, seen):
    go = threading.Event()

    @app.route("/block")
    def block():
        seen.put("begun")
        return str(go.wait(60))

    socketio = sio_lib.SocketIO(app)
    run = Running(app, socketio, threads=1)
    try:
        url = f"http://127.0.0.1:{run.port()}/block"
        with concurrent.futures.ThreadPoolExecutor(2) as executor:
            pages = [executor.submit(requests.get, url, timeout=60) for _ in range(2)]
            try:
                assert seen.next() == "begun"
                output.until("all 1 threads of pages", "`threads`")
            finally:
                go.set()
            assert [page.result().text for page in pages] == ["True", "True"]
    finally:
        run.stop()
