"""Row 11 of the app shapes: the chat of onionshare."""
from __future__ import annotations

import pytest
import requests


@pytest.fixture
def web(load):
    return load("desktop_chat").Web()


@pytest.fixture
def live(web, serve):
    return serve(web.app, web.socketio)


@pytest.fixture
def enter(live, browser, transport):
    def enter(*names):
        """One more person, once the room has been told of `names`, the newest last."""
        person = browser(live.url)
        person.get("/")
        client = live.client(transport, "/chat", headers=person.headers)
        client.emit("joined", {}, namespace="/chat")
        assert client.received() == joined(*names)
        return client

    return enter


def status(name, text, *users):
    return ["status", {"username": name, "msg": text, "connected_users": list(users)}]


def joined(*names):
    return status(names[-1], f"{names[-1]} has joined.", *names)


@pytest.fixture
def pair(enter):
    one = enter("guest-1")
    two = enter("guest-1", "guest-2")
    assert one.received() == joined("guest-1", "guest-2")
    return one, two


def test_who_joins_is_told_to_the_room_with_all_names(enter):
    one = enter("guest-1")
    enter("guest-1", "guest-2")
    assert one.received() == joined("guest-1", "guest-2")


def test_a_name_that_is_changed_is_the_name_of_what_is_said_next(enter):
    one = enter("guest-1")
    one.emit("text", {"msg": "hi"}, namespace="/chat")
    assert one.received() == ["chat_message", {"username": "guest-1", "msg": "hi"}]
    one.emit("update_username", {"username": "ann"}, namespace="/chat", ack=5)
    assert one.received() == status("ann", "guest-1 is now ann.", "ann")
    assert one.next() == "43/chat,5[true]"
    one.emit("text", {"msg": "hi"}, namespace="/chat")
    assert one.received() == ["chat_message", {"username": "ann", "msg": "hi"}]
    assert one.ask("update_username", {"username": "ann"}, namespace="/chat") == "[false]"


def test_who_leaves_is_told_to_the_room_from_within_the_disconnect_handler(pair, web):
    one, two = pair
    two.send("41/chat,")
    assert one.received() == status("guest-2", "guest-2 has left.", "guest-1")
    assert web.mode.connected_users == ["guest-1"]


def test_the_name_that_was_changed_is_the_name_that_leaves(pair):
    one, two = pair
    two.emit("update_username", {"username": "bob"}, namespace="/chat")
    assert one.received() == status("bob", "guest-2 is now bob.", "guest-1", "bob")
    two.close()
    assert one.received() == status("bob", "bob has left.", "guest-1")


def test_a_desktop_program_starts_it_in_a_thread(web, run_main):
    url = run_main(web.socketio, web.start)
    client = run_main.websocket(url, "/chat", headers={"Cookie": cookie_of(url)})
    client.emit("joined", {}, namespace="/chat")
    assert client.received() == joined("guest-1")


def test_and_stops_it_and_starts_it_again(engine, load, run_main):
    if not engine.is_erlen:
        web = load("desktop_chat").Web()
        run_main(web.socketio, web.start)
        with pytest.raises(RuntimeError):
            web.socketio.stop()
        return
    for _ in range(2):
        web = load("desktop_chat").Web()
        url = run_main(web.socketio, web.start)
        client = run_main.websocket(url, "/chat", headers={"Cookie": cookie_of(url)})
        client.emit("joined", {}, namespace="/chat")
        assert client.received() == joined("guest-1")
        run_main.stop()
        with pytest.raises(requests.ConnectionError):
            run_main.get(url)


def cookie_of(url):
    return requests.get(url, timeout=10).headers["Set-Cookie"].split(";")[0]
