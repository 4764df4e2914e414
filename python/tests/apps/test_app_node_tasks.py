"""Row 12 of the app shapes: vantage6."""
from __future__ import annotations

import concurrent.futures
import json
import re

import pytest
import requests


@pytest.fixture
def shape(load):
    return load("node_tasks")


@pytest.fixture
def live(shape, serve, tmp_path):
    return serve(*shape.create_app(f"sqlite:///{tmp_path / 'nodes.sqlite'}"))


def post(live, path):
    answer = requests.post(live.url + path, timeout=10)
    assert answer.ok, answer.text
    return answer


@pytest.fixture
def node(live, transport):
    def node(name, collaboration=1):
        token = post(live, f"/token/node/{name}/{collaboration}").text
        return live.client(transport, "/tasks", headers={"Authorization": f"Bearer {token}"})

    return node


def ask(client, event, *args):
    return json.loads(client.ask(event, *args, namespace="/tasks"))


def statuses(live):
    return requests.get(live.url + "/node", timeout=10).json()


def test_the_token_in_the_headers_of_the_handshake_says_who_it_is(node, live):
    client = node("one")
    assert ask(client, "who_am_i") == [
        {"type": "node", "id": 1, "name": "one", "rooms": ["collaboration_1", "node_1"]}]
    assert statuses(live) == {"one": "online"}


@pytest.mark.parametrize("headers, error", [
    ({}, "NoAuthorizationError"), ({"Authorization": "Bearer not-a-token"}, "DecodeError")])
def test_without_a_valid_token_it_is_refused_with_the_reason(shape, live, transport, headers, error):
    client = live.client(transport, None, headers=headers)
    assert client.connect("/tasks") == '44/tasks,{"message":"no valid token","data":{"status":401}}'
    assert shape.log == [f"refused: {error}"]


def test_each_connection_has_its_own_attributes_on_the_session(node):
    one, two = node("one", collaboration=1), node("two", collaboration=2)
    for _ in range(2):
        assert [ask(client, "who_am_i")[0]["name"] for client in (one, two)] == ["one", "two"]


def test_the_nodes_of_a_collaboration_hear_of_each_other_and_no_others_do(node, live):
    one, stranger = node("one"), node("stranger", collaboration=2)
    two = node("two")
    assert one.received() == ["node-status", {"name": "two", "online": True}]
    assert two.early == []
    assert live.before_fence(stranger, "/tasks") == []


def test_an_event_is_told_to_the_others_of_the_room_and_acknowledged_with_two_values(node, live):
    one, two = node("one"), node("two")
    one.received()
    assert ask(two, "task_status", {"id": 3, "status": "done"}) == [True, {"received": 3}]
    assert one.received() == ["status_update", {"name": "two", "id": 3, "status": "done"}]
    assert live.before_fence(two, "/tasks") == []


def test_a_node_that_leaves_is_told_and_its_status_is_stored(node, live, transport):
    one, two = node("one"), node("two")
    one.received()
    two.close() if transport == "websocket" else two.send("41/tasks,")
    assert one.received() == ["node-status", {"name": "two", "online": False}]
    assert statuses(live) == {"one": "online", "two": "offline"}


def test_a_page_hands_a_task_to_a_node_and_waits_for_its_answer(node, live):
    client = node("one")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(post, live, "/task/1")
        number, task = re.fullmatch(r"42/tasks,(\d+)(\[.*\])", client.next()).groups()
        assert task == '["new_task",7]'
        client.send(f'43/tasks,{number}[{{"accepted":true}}]')
        assert page.result(10).json() == {"accepted": True}


def test_the_socketio_of_the_class_is_the_one_that_serves(shape, live, node):
    node("one")
    assert shape.Tasks.socketio is live.socketio
    handler = live.socketio.server.namespace_handlers["/tasks"]
    assert handler.socketio is live.socketio


def test_an_event_named_error_is_an_event(shape, node):
    client = node("one")
    assert ask(client, "error", "disk is full") == []
    assert "one: disk is full" in shape.log
