"""Row 9 of the app shapes: tinypilot."""
from __future__ import annotations

import json
import os
import threading
import time

import pytest

from engines import DEADLINE


@pytest.fixture
def shape(load):
    return load("remote_keyboard")


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "hidg0"
    path.touch()
    return path


@pytest.fixture
def live(shape, device, serve):
    return serve(shape.create_app(str(device)), shape.socketio)


def ask(client, event, *args, **options):
    return json.loads(client.ask(event, *args, **options))


def test_a_key_is_acknowledged_with_a_dict_when_it_has_reached_the_device(live, device, transport):
    client = live.client(transport)
    for number, key in enumerate("héllo"):
        assert ask(client, "keystroke", {"key": key}, ack=number) == [{"success": True}]
        assert device.read_text() == "héllo"[:number + 1]


def test_a_message_that_is_no_key_is_acknowledged_as_a_failure(live, device):
    answer = ask(live.websocket(), "keystroke", {"key": "abc"})
    assert answer == [{"success": False, "error": "not a key: abc"}]
    assert device.read_bytes() == b""


def test_an_event_with_a_hyphen_has_its_handler(live, transport):
    client = live.client(transport)
    assert ask(client, "mouse-event", {"buttons": 1, "relativeX": 0.5, "relativeY": 1.0}) == [
        {"success": True, "report": [1, 16383, 32767]}]
    assert ask(client, "mouse-event", {"relativeX": 1.5, "relativeY": 0.5}) == [{"success": False}]


def test_the_namespace_that_was_registered_before_the_init_is_there(live, transport):
    client = live.client(transport, "/updateLogs")
    assert client.early == ['42/updateLogs,["logs",{"lines":["installing"]}]']
    client.emit("read", namespace="/updateLogs", ack=3)
    assert [client.next(), client.next()] == [
        '42/updateLogs,["logs",{"lines":["done"]}]', '43/updateLogs,3[{"success":true,"value":null}]']


def test_a_device_that_is_not_there_is_a_failure_and_no_more(live, shape, device):
    device.unlink()
    client = live.websocket()
    assert ask(client, "keystroke", {"key": "a"}) == [{"success": False, "error": "the device is not there"}]
    assert ask(client, "keyRelease") == [{"success": True}]


def test_a_device_that_hangs_holds_up_neither_the_mouse_nor_others(live, shape, device):
    device.unlink()
    os.mkfifo(device)  # opening it for writing waits until somebody reads, which nobody does
    given_up = threading.Event()
    shape.device["patience"] = lambda child: given_up.wait(DEADLINE)
    client, other = live.websocket(), live.websocket()
    client.emit("keystroke", {"key": "a"}, ack=1)
    moves = [ask(each, "mouse-event", {"relativeX": 0, "relativeY": 0}, ack=2) for each in (client, other)]
    assert moves == [[{"success": True, "report": [0, 0, 0]}]] * 2
    given_up.set()
    assert client.next() == '431[{"success":false,"error":"the device hangs"}]'


def test_the_way_of_a_key_is_short(live):
    client = live.websocket()
    times = []
    for _ in range(200):
        start = time.perf_counter()
        ask(client, "keyRelease")
        times.append(time.perf_counter() - start)
    # The best of them: the others say how busy the machine is. What waits for a timer or a full buffer never is that short.
    assert min(times) < 0.02
