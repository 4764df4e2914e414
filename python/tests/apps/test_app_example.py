"""Row 1 of the app shapes: the example that comes with Flask-SocketIO."""
from __future__ import annotations

import json
import re

import pytest
import requests


@pytest.fixture
def shape(load):
    return load("example_app")


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


def without_ticks(packets):
    """What does not come from the background task."""
    return [packet for packet in packets if not packet.startswith('42["tick"')]


def packet_of(client):
    """The next packet that is not the background task's."""
    while not (packets := without_ticks([client.next()])):
        pass
    return packets[0]


def response(client):
    return tuple(json.loads(packet_of(client).removeprefix("42")))


def answer(client, event, *args):
    client.emit(event, *args)
    return response(client)


def of(data, count):
    return "response", {"data": data, "count": count}


def test_the_mode_that_was_found_by_itself_is_told_to_the_page(shape, live):
    page = requests.get(live.url, timeout=10).text
    assert page == "mode: threading"
    assert shape.socketio.async_mode == "threading"


def test_the_connect_handler_answers_before_the_client_is_told_that_it_is_connected(live, transport):
    assert without_ticks(live.client(transport).early) == ['42["response",{"data":"Connected","count":0}]']


def test_the_first_client_starts_the_background_task_and_the_second_does_not(shape, live):
    clients = [live.websocket(), live.websocket()]
    counts = [client.received() for client in clients]
    assert all(name == "tick" and data["data"] == "from the server" for name, data in counts)
    assert len(shape.ticker_starts) == 1
    assert shape.ticker.is_alive()


def test_the_session_counts_what_one_client_has_sent(live, transport):
    one, two = live.client(transport), live.client(transport)
    assert answer(one, "echo", {"data": "a"}) == of("a", 1)
    assert answer(one, "echo", {"data": {"b": [1]}}) == of({"b": [1]}, 2)
    assert answer(two, "echo", {"data": "c"}) == of("c", 1)


def test_a_broadcast_reaches_the_sender_and_the_others(live, transport):
    one, two = live.client(transport), live.client(transport)
    assert answer(one, "everyone", {"data": "hello"}) == of("hello", 1)
    assert response(two) == of("hello", 1)


def test_an_event_without_a_handler_goes_to_the_catch_all_with_its_data(live):
    assert answer(live.websocket(), "some other event", {"x": 1}) == of(["some other event", {"x": 1}], 1)


def test_a_room_is_joined_told_left_and_closed(live):
    one, two = live.websocket(), live.websocket()
    assert answer(one, "join", {"room": "a"}) == of("In rooms: a", 1)
    assert answer(one, "join", {"room": "b"}) == of("In rooms: a, b", 2)
    assert answer(two, "join", {"room": "b"}) == of("In rooms: b", 1)
    assert answer(one, "leave", {"room": "a"}) == of("In rooms: b", 3)
    assert answer(two, "tell_room", {"room": "b", "data": "hi"}) == of("hi", 2)
    assert response(one) == of("hi", 2)
    assert answer(two, "close room", {"room": "b"}) == of("Room b is closing.", 3)
    assert response(one) == of("Room b is closing.", 3)
    two.emit("tell_room", {"room": "b", "data": "nobody is here"}, ack=1)
    assert packet_of(two) == "431[]"
    assert answer(two, "echo", {"data": "next"}) == of("next", 5)
    assert answer(one, "echo", {"data": "next"}) == of("next", 4)


def test_the_client_that_has_acknowledged_is_disconnected_by_the_callback(shape, live, transport, eventually):
    client = live.client(transport)
    client.emit("disconnect_request")
    number, data = re.fullmatch(r"42(\d+)(\[.*\])", packet_of(client)).groups()
    assert data == '["response",{"data":"Disconnected!","count":1}]'
    assert shape.left == []
    client.send(f"43{number}[]")
    assert packet_of(client) == "41"
    eventually(lambda: shape.left == [(client.sid, "server disconnect")])


def test_the_round_trip_that_the_page_measures(live, transport):
    assert answer(live.client(transport), "measure") == ("measured",)


def test_the_log_that_was_asked_for_tells_what_comes_and_goes(output, load, serve):
    shape = load("example_app")
    client = serve(shape.app, shape.socketio).websocket()
    client.emit("echo", {"data": "a"})
    output.until(f'received event "echo" from {client.sid} [/]', f'emitting event "response" to {client.sid} [/]',
                 'emitting event "tick" to all [/]')


def test_a_client_that_leaves_is_noticed_with_the_reason(shape, live, eventually):
    client = live.websocket()
    client.send("41")
    eventually(lambda: shape.left == [(client.sid, "client disconnect")])
