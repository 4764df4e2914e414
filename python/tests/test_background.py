"""Background tasks, `sleep`, and emits from threads that no event started (contract 1.1)."""
from __future__ import annotations

import threading
import time

import flask
import pytest


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


def test_a_background_task_is_a_started_daemon_thread(socketio, live, seen):
    release = threading.Event()
    task = socketio.start_background_task(lambda: release.wait(10))
    assert isinstance(task, threading.Thread)
    assert task.is_alive()
    assert task.daemon
    release.set()
    task.join(10)
    assert not task.is_alive()


def test_a_background_task_gets_its_arguments(socketio, live, seen):
    socketio.start_background_task(lambda *args, **options: seen.put((args, options)), 1, 2, a=3)
    assert seen.next() == ((1, 2), {"a": 3})


def test_a_background_task_has_no_context(socketio, live, seen):
    @socketio.on("e")
    def handle():
        socketio.start_background_task(lambda: seen.put((flask.has_request_context(), flask.has_app_context())))

    live.websocket().emit("e")
    assert seen.next() == (False, False)


def test_a_background_task_of_the_connect_handler_emits(socketio, live):
    lock = threading.Lock()
    tasks = []

    def work():
        for number in range(3):
            socketio.sleep(0)
            socketio.emit("tick", number)

    @socketio.on("connect")
    def connect():
        with lock:
            if not tasks:
                tasks.append(socketio.start_background_task(work))

    client = live.websocket()
    packets = [*client.early]
    while len(packets) < 3:
        packets.append(client.next())
    assert packets == ['42["tick",0]', '42["tick",1]', '42["tick",2]']
    assert len(tasks) == 1


def test_an_error_in_a_background_task_is_printed_and_stops_nothing_else(socketio, live, output):
    def the_task():
        raise ValueError("the text of the error")

    socketio.start_background_task(the_task)
    output.until("Traceback", "the_task", "ValueError: the text of the error")
    client = live.websocket()
    socketio.emit("alive")
    assert client.next() == '42["alive"]'


def test_sleep_sleeps(socketio):
    began = time.monotonic()
    socketio.sleep(0.02)
    assert time.monotonic() - began >= 0.02


def test_an_emit_from_a_callback_of_foreign_code(socketio, live):
    client = live.websocket()
    timer = threading.Timer(0, lambda: socketio.emit("from a timer"))
    timer.start()
    assert client.next() == '42["from a timer"]'


def test_an_emit_with_an_app_context_pushed_by_hand(sio_lib, app, socketio, live):
    client = live.websocket()

    def work():
        with app.app_context():
            sio_lib.emit("e", namespace="/", broadcast=True)

    socketio.start_background_task(work)
    assert client.next() == '42["e"]'


def test_many_threads_emit_to_many_clients(socketio, live):
    clients = [live.websocket() for _ in range(5)]
    tasks = [socketio.start_background_task(lambda n=n: [socketio.emit("e", (n, i)) for i in range(50)])
             for n in range(4)]
    for task in tasks:
        task.join(30)
    for client in clients:
        got = [tuple(client.received()[1:]) for _ in range(200)]
        for n in range(4):
            assert [i for thread, i in got if thread == n] == list(range(50))


def test_a_handler_that_blocks_does_not_hold_up_emits(socketio, live):
    release = threading.Event()
    socketio.on("block")(lambda: release.wait(10) and None)
    client = live.websocket()
    client.emit("block", ack=1)
    socketio.emit("news")
    assert client.next() == '42["news"]'
    release.set()
    assert client.next() == "431[]"


@pytest.mark.only("erlen")
def test_attachments_stay_with_their_event_when_many_threads_emit(socketio, live, transport):
    client = live.client(transport)
    tasks = [socketio.start_background_task(
        lambda n=n: [socketio.emit("e", [n, bytes([n]) * 10, bytes([n]) * 20]) for _ in range(25)])
        for n in range(4)]
    for _ in range(100):
        header = client.next()
        number = int(header[len('452-["e",['):].split(",")[0])
        assert [client.next(), client.next()] == [bytes([number]) * 10, bytes([number]) * 20]
    for task in tasks:
        task.join(10)
