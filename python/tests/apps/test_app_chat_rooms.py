"""Row 5 of the app shapes: Flask-SocketIO-Chat, a factory and a blueprint."""
from __future__ import annotations

import pytest


@pytest.fixture
def shape(load):
    return load("chat_rooms")


@pytest.fixture
def live(shape, serve):
    return serve(shape.create_app(), shape.socketio)


@pytest.fixture
def enter(live, browser, transport):
    """Fills in the form, opens the chat, and is connected by the page's script."""
    def enter(name, room):
        person = browser(live.url)
        assert person.post("/", data={"name": name, "room": room}).text == f"{name} in {room}"
        return live.client(transport, "/chat", headers=person.headers)

    return enter


def say(client, event, **message):
    client.emit(event, message, namespace="/chat")


def test_the_pages_lead_to_the_form_without_a_name(live, browser):
    assert browser(live.url).get("/chat").text == "your name, and the room?"


def test_the_room_of_the_form_is_the_room_of_the_events(enter):
    ann, bob = enter("Ann", "blue"), enter("Bob", "blue")
    say(ann, "joined")
    assert ann.received() == ["status", {"msg": "Ann has entered the room."}]
    say(bob, "joined")
    assert ann.received() == bob.received() == ["status", {"msg": "Bob has entered the room."}]
    say(ann, "text", msg="hé, 世界")
    assert ann.received() == bob.received() == ["message", {"msg": "Ann:hé, 世界"}]


def test_another_room_hears_nothing(live, enter):
    ann, eve = enter("Ann", "blue"), enter("Eve", "red")
    for client in (ann, eve):
        say(client, "joined")
        client.received()
    say(ann, "text", msg="secret")
    ann.received()
    assert live.before_fence(eve, "/chat") == []


def test_who_leaves_hears_no_more_and_gets_the_way_to_the_form(live, enter):
    ann, bob = enter("Ann", "blue"), enter("Bob", "blue")
    say(ann, "joined")
    ann.received()
    say(bob, "joined")
    ann.received(), bob.received()
    assert bob.ask("left", {}, namespace="/chat") == '["/"]'
    assert ann.received() == ["status", {"msg": "Bob has left the room."}]
    assert live.before_fence(bob, "/chat") == []


def test_the_main_namespace_knows_nothing_of_the_chat(live, enter):
    ann = enter("Ann", "blue")
    ann.join("/")
    ann.emit("text", {"msg": "x"})
    assert live.before_fence(ann) == []


def test_the_factory_may_be_called_again_for_each_test(shape):
    for name in ("Ann", "Bob"):
        app = shape.create_app()
        http = app.test_client()
        http.post("/", data={"name": name, "room": "blue"})
        client = shape.socketio.test_client(app, namespace="/chat", flask_test_client=http)
        client.emit("joined", {}, namespace="/chat")
        assert [event["args"] for event in client.get_received("/chat")] == [[{"msg": f"{name} has entered the room."}]]
        client.disconnect("/chat")
