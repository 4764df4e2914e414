"""Row 13 of the app shapes: the server of Open-MSS."""
from __future__ import annotations

import json

import pytest
import requests


@pytest.fixture
def shape(load):
    return load("flight_planner")


@pytest.fixture
def live(shape, serve):
    return serve(shape.create_app(), shape.socketio)


@pytest.fixture
def person(live, transport):
    def person(user):
        client = live.client(transport)
        client.rooms = json.loads(client.ask("start", {"token": f"token-{user}"}))[0]
        return client

    return person


def permit(live, user, operation, method="POST"):
    answer = requests.request(method, f"{live.url}/permission/{user}/{operation}", timeout=10)
    assert answer.json() == {"success": True}, answer.text


def test_the_manager_is_an_attribute_of_the_socketio_object(shape, live, person, eventually):
    client = person("ann")
    assert shape.socketio.sm.sockets == [{"sid": client.sid, "user": "ann"}]
    client.send("41")
    eventually(lambda: shape.socketio.sm.sockets == [])


def test_a_page_lets_the_connections_of_a_user_into_a_room(live, person):
    ann, also_ann, bob = person("ann"), person("ann"), person("bob")
    permit(live, "ann", 7)
    for client in (ann, also_ann, bob):
        assert client.received() == ["new-permission", {"op_id": 7, "user": "ann"}]
    ann.emit("chat-message", {"op_id": 7, "text": "hi"}, ack=1)
    assert also_ann.received() == ["chat-message-client", {"user": "ann", "text": "hi"}]
    assert [ann.next(), ann.next()] == ['42["chat-message-client",{"user":"ann","text":"hi"}]', "431[true]"]
    assert live.before_fence(bob) == []
    assert bob.ask("chat-message", {"op_id": 7, "text": "may I?"}) == "[false]"


def test_who_connects_later_is_in_the_rooms_at_once(live, person):
    permit(live, "ann", 7)
    permit(live, "ann", 8)
    ann = person("ann")
    assert ann.rooms == [7, 8]
    live.socketio.emit("note", 1, to="8")
    assert ann.received() == ["note", 1]


def test_a_page_takes_a_user_out_of_a_room(live, person):
    permit(live, "ann", 7)
    permit(live, "bob", 7)
    ann, bob = person("ann"), person("bob")
    permit(live, "ann", 7, method="DELETE")
    assert ann.received() == ["revoke-permission", {"op_id": 7}]
    bob.ask("file-save", {"op_id": 7, "content": "x"})
    assert live.before_fence(ann) == []


def test_a_file_that_is_saved_is_told_to_the_others_and_acknowledged(live, person):
    permit(live, "ann", 7)
    permit(live, "bob", 7)
    ann, bob = person("ann"), person("bob")
    assert ann.ask("file-save", {"op_id": 7, "content": "<wp/>"}) == "[1]"
    assert ann.ask("file-save", {"op_id": 7, "content": "<wp>2</wp>"}) == "[2]"
    for change, content in ((1, "<wp/>"), (2, "<wp>2</wp>")):
        assert bob.received() == ["file-changed", {"op_id": 7, "change": change, "content": content}]
    assert live.before_fence(ann) == []


def test_the_text_of_an_id_is_another_room_than_the_id(live, person):
    permit(live, "ann", 7)
    ann = person("ann")
    live.socketio.emit("note", to=7)
    assert live.before_fence(ann) == []
