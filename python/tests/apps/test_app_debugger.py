"""Row 8 of the app shapes: gdbgui."""
from __future__ import annotations

import json

import pytest


@pytest.fixture
def shape(load):
    shape = load("debugger")
    yield shape
    for debugger in list(shape.debuggers.values()):
        debugger.stdin.close()
        debugger.wait(10)


@pytest.fixture
def live(shape, serve):
    return serve(shape.setup_backend(ping_interval=5, cors_allowed_origins="*"), shape.socketio)


def session_of(client):
    assert len(client.early) == 1, client.early
    name, data = json.loads(client.early[0].removeprefix("42/listener,"))
    assert name == "debug_session"
    return data


def run(client, *commands):
    client.emit("run command", {"cmd": commands}, namespace="/listener")


def output(text):
    return ["debugger_response", {"output": text}]


def test_the_options_of_the_later_init_are_those_that_hold(live):
    assert live.websocket("/listener").handshake["pingInterval"] == 5000


def test_a_connection_without_an_argument_starts_a_debugger(live, transport):
    client = live.client(transport, "/listener")
    assert session_of(client)["started"] is True
    run(client, "break main", "run")
    assert [client.received(), client.received()] == [output("done: break main"), output("done: run")]


def test_the_argument_of_the_query_attaches_to_a_debugger_that_is_there(live, shape, transport):
    first = live.client(transport, "/listener")
    pid = session_of(first)["pid"]
    second = live.client(transport, "/listener", query=f"&pid={pid}")
    assert session_of(second) == {"ok": True, "started": False, "pid": pid, "visits": None}
    run(second, "next")
    assert first.received() == second.received() == output("done: next")


def test_who_watches_another_debugger_gets_nothing_of_this_one(live):
    first, second = live.websocket("/listener"), live.websocket("/listener")
    assert session_of(first)["pid"] != session_of(second)["pid"]
    run(first, "step")
    assert first.received() == output("done: step")
    assert live.before_fence(second, "/listener") == []


def test_the_session_of_the_page_is_readable_in_an_event(live, browser):
    person = browser(live.url)
    person.get("/"), person.get("/")
    assert session_of(live.websocket("/listener", headers=person.headers))["visits"] == 2


def test_what_an_event_writes_into_a_cookie_session_is_lost(live):
    client = live.websocket("/listener")
    run(client, "print x")
    client.received()
    assert client.ask("last command", namespace="/listener") == "[]"


def test_the_debugger_ends_when_nobody_watches_it_any_more(live, shape, transport):
    first = live.client(transport, "/listener")
    second = live.client(transport, "/listener", query=f"&pid={session_of(first)['pid']}")
    debugger = shape.debuggers[session_of(first)["pid"]]
    first.send("41/listener,")
    run(second, "still here")
    assert second.received() == output("done: still here")
    assert debugger.poll() is None
    second.send("41/listener,")
    assert debugger.wait(10) == 0
    shape.readers[0].join(10)
    assert not shape.readers[0].is_alive()
