"""Row 3 of the app shapes: Flask-Session and Flask-Login with `manage_session=False`."""
from __future__ import annotations

import json

import pytest


@pytest.fixture
def live(load, serve):
    shape = load("server_sessions")
    return serve(shape.app, shape.socketio)


@pytest.fixture
def person(live, browser):
    """A browser that has been given a session's cookie by a page."""
    person = browser(live.url)
    person.post("/session", json={"session": "first"})
    return person


def known(session, user="anonymous"):
    return {"session": session, "user": user}


def ask(client, event, *args):
    return json.loads(client.ask(event, *args))


def test_an_event_sees_at_once_what_a_page_has_changed(live, person, transport):
    client = live.client(transport, headers=person.headers)
    person.post("/session", json={"session": "second"})
    client.emit("get session")
    assert client.received() == ["session", known("second")]


def test_a_page_sees_at_once_what_an_event_has_changed(live, person, transport):
    client = live.client(transport, headers=person.headers)
    assert ask(client, "set session", {"session": "by an event"}) == [known("by an event")]
    assert person.get("/session").json() == known("by an event")


def test_a_login_inside_an_event_holds_for_pages_and_other_connections(live, person, transport):
    client, other = (live.client(transport, headers=person.headers) for _ in range(2))
    assert ask(client, "set session", {"user": "ann"}) == [known("first", "ann")]
    assert person.get("/session").json() == known("first", "ann")
    assert ask(other, "members only") == ["hello ann"]
    ask(client, "set session", {"user": None})
    assert person.get("/session").json() == known("first")


def test_a_login_by_a_page_holds_for_a_connection_that_was_there_before(live, person):
    client = live.websocket(headers=person.headers)
    person.post("/session", json={"user": "bob"})
    assert ask(client, "members only") == ["hello bob"]
    person.post("/session", json={"user": None})
    client.emit("members only", ack=1)
    assert client.next() == "41"


def test_what_a_handler_changed_before_it_raised_is_not_saved(live, person, output):
    client = live.websocket(headers=person.headers)
    client.emit("fail", "lost")
    output.until("after the change")
    assert ask(client, "set session", {"user": "ann"}) == [known("first", "ann")]
    assert person.get("/session").json() == known("first", "ann")


def test_nor_is_it_saved_when_an_error_handler_took_the_exception(live, person):
    client = live.websocket(headers=person.headers)
    assert ask(client, "fail quietly", "lost") == ["failed"]
    assert person.get("/session").json() == known("first")


def test_two_browsers_do_not_share(live, person, browser):
    stranger = browser(live.url)
    stranger.post("/session", json={"session": "mine"})
    client, theirs = live.websocket(headers=person.headers), live.websocket(headers=stranger.headers)
    assert ask(client, "set session", {"session": "ours"}) == [known("ours")]
    theirs.emit("get session")
    assert theirs.received() == ["session", known("mine")]
