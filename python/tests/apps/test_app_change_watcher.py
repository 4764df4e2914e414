"""Row 10 of the app shapes: changedetection.io."""
from __future__ import annotations

import threading

import pytest


@pytest.fixture
def shape(load):
    shape = load("change_watcher")
    yield shape
    shape.workers.stop()


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


def events(client, name, count):
    found = []
    while len(found) < count:
        received = client.received()
        found += received[1:] if received[0] == name else []
    return found


def test_bound_methods_are_the_handlers(shape, live, transport, eventually):
    client = live.client(transport)
    assert client.early == ['42["queue",{"length":0}]']
    assert shape.live_page.connected == {client.sid: "127.0.0.1"}
    client.send("41")
    eventually(lambda: shape.live_page.connected == {})


def test_an_event_with_a_hyphen_changes_the_store_and_all_are_told(live, transport):
    one, two = live.client(transport), live.client(transport)
    one.emit("checkbox-operation", {"op": "pause", "uuids": ["a"]})
    for client in (one, two):
        assert events(client, "watch_update", 1) == [{"uuid": "a", "checked": 0, "paused": True}]


def test_what_the_threads_of_the_app_signal_reaches_every_page(live, transport):
    one, two = live.client(transport), live.client(transport)
    uuids = [f"watch-{number}" for number in range(50)]
    one.emit("checkbox-operation", {"op": "check", "uuids": uuids})
    for client in (one, two):
        updates = events(client, "watch_update", len(uuids))
        assert sorted(update["uuid"] for update in updates) == sorted(uuids)
        assert {update["checked"] for update in updates} == {1}


def test_each_thread_has_its_signals_arrive_in_the_order_it_sent_them(shape, live):
    client = live.websocket()

    def check(uuid):
        for number in range(1, 101):
            shape.store.update(uuid, checked=number)

    threads = [threading.Thread(target=check, args=(f"watch-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    checked = {}
    for update in events(client, "watch_update", 800):
        checked.setdefault(update["uuid"], []).append(update["checked"])
    for thread in threads:
        thread.join()
    assert all(numbers == list(range(1, 101)) for numbers in checked.values())
    assert len(checked) == 8


def test_it_runs_without_a_terminal_in_a_thread_beside_others(shape, run_main):
    url = run_main(shape.socketio, shape.main)
    assert run_main.get(url).text == "the list of watches"
    assert run_main.websocket(url).early == ['42["queue",{"length":0}]']
