"""Row 2 of the app shapes: the example app as a class-based namespace on `/`."""
from __future__ import annotations

import pytest


@pytest.fixture
def shape(load):
    return load("class_namespace")


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


def answer(client, event, *args):
    client.emit(event, *args)
    return client.received()


def test_the_methods_are_the_handlers(live, transport):
    client = live.client(transport)
    assert client.early == ['42["response",{"data":"Connected"}]']
    assert answer(client, "echo", {"data": "a"}) == ["response", {"data": "a", "count": 1}]
    assert answer(client, "echo", {"data": "b"}) == ["response", {"data": "b", "count": 2}]


def test_room_is_an_alias_of_to(live):
    one, two = live.websocket(), live.websocket()
    assert one.ask("join", {"room": "r"}) == '[["r"]]'
    two.ask("tell_room", {"room": "r", "data": "hi"})
    assert one.received() == ["response", {"data": "hi"}]
    assert live.before_fence(two) == []


def test_a_member_that_tells_the_others_is_left_out(live):
    one, two = live.websocket(), live.websocket()
    one.ask("join", {"room": "r"})
    two.ask("join", {"room": "r"})
    one.ask("tell_others", {"room": "r", "data": "hi"})
    assert two.received() == ["response", {"data": "hi"}]
    assert live.before_fence(one) == []


def test_a_room_is_left_and_closed(live):
    one, two = live.websocket(), live.websocket()
    for client in (one, two):
        client.ask("join", {"room": "r"})
    assert two.ask("leave", {"room": "r"}) == "[[]]"
    two.ask("close_room", {"room": "r"})
    assert one.received() == ["response", {"data": "closing"}]
    two.ask("tell_room", {"room": "r", "data": "nobody is here"})
    assert live.before_fence(one) == live.before_fence(two) == []


def test_the_emit_of_the_class_goes_to_the_whole_namespace(live):
    one, two = live.websocket(), live.websocket()
    one.emit("everyone", {"data": "all"})
    assert one.received() == two.received() == ["response", {"data": "all"}]


def test_a_background_task_emits_to_the_namespace(live):
    client = live.websocket()
    client.emit("start")
    assert client.received() == ["tick", {"data": "from the server"}]


def test_a_disconnect_handler_without_a_reason_runs_for_every_way_of_leaving(shape, live, eventually):
    asked, said, dropped = live.websocket(), live.websocket(), live.websocket()
    asked.emit("disconnect_request")
    assert asked.next() == "41"
    said.send("41")
    dropped.drop()
    eventually(lambda: sorted(shape.left) == sorted([asked.sid, said.sid, dropped.sid]))


def test_an_event_without_a_method_is_acknowledged_with_nothing(live):
    assert live.websocket().ask("no such method") == "[]"
