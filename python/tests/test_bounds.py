"""The engine's bounds as options of the package, and keywords that are none."""
from __future__ import annotations

import flask
import pytest
import requests
from erlen.options import BOUNDS

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


@pytest.mark.parametrize("name, words", [("max_roms", "no option 'max_roms'"), ("certfile", "belongs to run()")])
def test_a_keyword_that_is_no_option_is_ignored_and_the_log_says_so(sio_lib, app, output, engine, name, words):
    assert sio_lib.SocketIO(app, **{name: 1}).test_client(app).is_connected()
    assert words in output.text()
