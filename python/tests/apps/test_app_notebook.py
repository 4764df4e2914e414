"""Row 14 of the app shapes: querybook."""
from __future__ import annotations

import json

import pytest

DOCS, QUERIES = "/data_doc", "/query_execution"


@pytest.fixture
def shape(load):
    return load("notebook")


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


@pytest.fixture
def person(live, browser, transport):
    def person(user, namespace=DOCS):
        http = browser(live.url)
        http.get(f"/login/{user}")
        return live.client(transport, namespace, headers=http.headers)

    return person


def ask(client, event, *args, namespace=DOCS):
    client.emit(event, *args, namespace=namespace, ack=9)
    events = []
    while not (packet := client.next()).startswith(f"43{namespace},9"):
        events.append(json.loads(packet[packet.index("["):]))
    return json.loads(packet[packet.index("9[") + 1:]), events


def test_without_a_login_nobody_gets_in(live, shape, transport):
    client = live.client(transport, None)
    assert client.connect(DOCS).startswith("44" + DOCS)
    assert shape.left == []


def test_a_room_is_a_number_and_rooms_gives_the_number_back(person):
    ann = person("ann")
    answer, events = ask(ann, "subscribe", 12)
    assert answer == [[12]]
    assert events == [["data_doc_user", "add", ann.sids[DOCS], "ann"]]
    assert ask(ann, "subscribe", 13)[0] == [[12, 13]]
    ask(ann, "unsubscribe", 12)
    assert ask(ann, "subscribe", "12")[0] == [[13, "12"]]


def test_the_number_and_its_text_are_two_rooms(person, live):
    ann, bob = person("ann"), person("bob")
    ask(ann, "subscribe", 12)
    ask(bob, "subscribe", "12")
    live.socketio.emit("e", namespace=DOCS, to=12)
    assert ann.received() == ["e"]
    assert live.before_fence(bob, DOCS) == []


def test_a_tuple_is_several_arguments_both_as_payload_and_as_ack(person, shape):
    ann, bob = person("ann"), person("bob")
    ask(ann, "subscribe", 1)
    ask(bob, "subscribe", 1)
    ann.received()
    assert ask(ann, "move_cell", 1, 4, 2) == ([4, 2], [])
    assert bob.received() == ["data_doc_moved", ann.sids[DOCS], 4, 2]
    assert shape.stored == {1: [(4, 2)]}


def test_the_rooms_are_known_in_the_disconnect_handler_and_told(person, shape, live, eventually):
    ann, bob, eve = person("ann"), person("bob"), person("eve")
    for doc_id in (3, 1, 2):
        ask(ann, "subscribe", doc_id)
    ask(bob, "subscribe", 2)
    ask(eve, "subscribe", 9)
    ann.send(f"41{DOCS},")
    assert bob.received() == ["data_doc_user", "remove", ann.sids[DOCS]]
    assert shape.left == [("ann", [3, 1, 2])]
    assert live.before_fence(eve, DOCS) == []


def test_an_exception_below_the_decorators_reaches_the_error_handler(person, shape, eventually):
    ann = person("ann")
    assert ask(ann, "fail", 5)[0] == [{"error": "5"}]
    assert ask(ann, "subscribe", 1)[0] == [[1]]
    eventually(lambda: shape.database_sessions["open"] == 0)
    assert shape.database_sessions["most"] >= 1


def test_wrong_arguments_reach_it_too(person):
    (answer,), _ = ask(person("ann"), "subscribe")
    assert "doc_id" in answer["error"]


def test_a_handler_that_finds_no_login_disconnects(live):
    client = live.websocket(QUERIES)
    client.emit("run", 1, 1, namespace=QUERIES)
    assert client.next() == f"41{QUERIES},"


def test_a_background_task_tells_the_room_of_a_number(person):
    ann = person("ann", QUERIES)
    ann.emit("run", 77, 3, namespace=QUERIES)
    for done in (1, 2, 3):
        assert ann.received() == ["statement_update", 77, {"done": done, "of": 3}]


def test_one_connection_is_in_both_namespaces_with_one_session(person):
    ann = person("ann").join(QUERIES)
    ann.emit("run", 1, 1, namespace=QUERIES)
    assert ann.received() == ["statement_update", 1, {"done": 1, "of": 1}]
    assert ask(ann, "subscribe", 1)[0] == [[1]]


def test_broadcast_as_a_keyword_of_the_method_is_refused_as_it_is_today(shape):
    shape.app.testing = True
    with pytest.raises(TypeError, match="broadcast"):
        shape.app.test_client().get("/outdated")
