"""Row 6 of the app shapes: flack, with its database; live, and by unit tests with the test client as its own are."""
from __future__ import annotations

import json

import pytest


@pytest.fixture
def shape(load):
    return load("flack")


@pytest.fixture
def app(shape, tmp_path):
    return shape.create_app(f"sqlite:///{tmp_path / 'flack.sqlite'}")


@pytest.fixture
def live(shape, app, serve):
    return serve(app, shape.socketio)


def user_of(person, nickname):
    return person.post("/users", json={"nickname": nickname}).json()


def model(kind, **fields):
    return ["updated_model", {"class": kind, "model": fields}]


def post(client, source, token):
    """Posts a message. What the task tells of it may come before the acknowledgement and is returned."""
    client.emit("post_message", {"source": source}, token, ack=1)
    packets = [client.next() for _ in range(3)]
    packets.remove("431[true]")
    return [json.loads(packet.removeprefix("42")) for packet in packets]


def test_a_new_user_is_told_to_all_by_the_page(live, browser, transport):
    client = live.client(transport)
    assert user_of(browser(live.url), "ann")["token"] == "token of ann"
    assert client.received() == model("User", id=1, nickname="ann", online=False)


def test_a_message_is_stored_and_told_by_a_background_task(live, browser, transport):
    ann = user_of(browser(live.url), "ann")
    writer, reader = live.client(transport), live.client(transport)
    post(writer, "1 < 2", ann["token"])
    for html in (None, "<p>1 &lt; 2</p>"):
        assert reader.received() == model("Message", id=1, source="1 < 2", html=html, user="ann")


def test_a_wrong_token_stores_nothing(live, browser):
    client = live.websocket()
    assert client.ask("post_message", {"source": "x"}, "no token") == "[false]"
    assert client.ask("post_message", {"source": "x"}, None) == "[false]"


def test_who_disconnects_is_offline_in_the_database_and_for_the_others(live, browser, transport):
    person = browser(live.url)
    ann = user_of(person, "ann")
    client, other = live.client(transport), live.client(transport)
    client.emit("ping_user", ann["token"])
    assert other.received() == model("User", id=1, nickname="ann", online=True)
    assert person.get("/users").json() == {"ann": True}
    client.send("41")
    assert other.received() == model("User", id=1, nickname="ann", online=False)
    assert person.get("/users").json() == {"ann": False}


def test_a_client_that_is_cut_off_is_offline_too(live, browser):
    ann = user_of(browser(live.url), "ann")
    client, other = live.websocket(), live.websocket()
    client.emit("ping_user", ann["token"])
    other.received()
    client.drop()
    assert other.received() == model("User", id=1, nickname="ann", online=False)


def test_what_an_event_puts_into_g_is_gone_in_the_next(live, browser):
    ann = user_of(browser(live.url), "ann")
    client = live.websocket()
    client.emit("ping_user", ann["token"])
    client.received()
    assert client.ask("is g empty") == "[true]"


def test_an_event_that_broke_its_database_session_does_not_break_the_next(live, browser, shape, output):
    ann = user_of(browser(live.url), "ann")
    client = live.websocket()
    client.emit("break the database")
    output.until("IntegrityError")
    assert post(client, "still here", ann["token"]) == [
        model("Message", id=1, source="still here", html=html, user="ann") for html in (None, "<p>still here</p>")]


def test_the_app_context_ends_after_every_event_with_the_error_if_there_was_one(engine, shape, live, eventually, output):
    client = live.websocket()
    client.ask("is g empty")
    client.emit("break the database")
    output.until("IntegrityError")
    client.send("41")
    # The reference finds out that `gone()` takes no reason by calling it with one.
    leaving = engine.either(upstream=["TypeError", None], erlen=[None])
    eventually(lambda: shape.events.teardowns == [None, "IntegrityError", *leaving])


# The app's own unit tests: no server, the test client alone, one after another.

@pytest.fixture
def http(app):
    return app.test_client()


@pytest.fixture
def token(http):
    return http.post("/users", json={"nickname": "foo"}).get_json()["token"]


def test_unit_a_user_comes_online_and_goes_offline(shape, app, http, token):
    client = shape.socketio.test_client(app)
    client.emit("ping_user", token)
    received = client.get_received()
    assert [event["name"] for event in received] == ["updated_model"]
    assert received[0]["args"][0]["class"] == "User"
    assert received[0]["args"][0]["model"]["online"] is True
    other = shape.socketio.test_client(app)
    client.disconnect()
    received = other.get_received()
    assert received[0]["args"] == [{"class": "User", "model": {"id": 1, "nickname": "foo", "online": False}}]


def test_unit_a_message_comes_as_two_updates(shape, app, token, eventually):
    client = shape.socketio.test_client(app)
    assert client.emit("post_message", {"source": "hello"}, token, callback=True) is True
    received = []
    eventually(lambda: received.extend(client.get_received()) or len(received) == 2)
    assert [event["args"][0]["model"]["html"] for event in received] == [None, "<p>hello</p>"]


def test_unit_an_unknown_token_is_refused(shape, app):
    client = shape.socketio.test_client(app)
    assert client.emit("ping_user", "bad token", callback=True) is False
    assert client.get_received() == []
