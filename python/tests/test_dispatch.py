"""Which handler gets an event: exact names, catch-alls, and what never reaches one (contract 1.4)."""
from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import sys
import threading

import flask
import pytest

from engines import DEADLINE


@pytest.fixture
def socketio(sio_lib, app):
    return sio_lib.SocketIO(app, namespaces="*")


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


def put(seen, name):
    return lambda *args: seen.put((name, *args))


def test_a_handler_gets_the_arguments_of_the_event(socketio, live, seen, transport):
    socketio.on("e")(put(seen, "e"))
    client = live.client(transport)
    client.emit("e")
    assert seen.next() == ("e",)
    client.emit("e", 1, "two", [3], {"four": 4}, None)
    assert seen.next() == ("e", 1, "two", [3], {"four": 4}, None)


def test_message_and_json_are_events_like_any_other(socketio, live, seen):
    socketio.on("message")(put(seen, "message"))
    socketio.on("json")(put(seen, "json"))
    client = live.websocket()
    client.emit("message", "text")
    assert seen.next() == ("message", "text")
    client.emit("json", {"a": 1})
    assert seen.next() == ("json", {"a": 1})


def test_the_catch_all_of_a_namespace_gets_the_name_first(socketio, live, seen):
    socketio.on("*")(put(seen, "*"))
    socketio.on("known")(put(seen, "known"))
    client = live.websocket()
    client.emit("anything", 1, 2)
    client.emit("known", 3)
    assert sorted([seen.next(), seen.next()]) == [("*", "anything", 1, 2), ("known", 3)]


def test_request_event_in_a_catch_all(socketio, live, seen):
    socketio.on("*")(lambda *args: seen.put((flask.request.event["message"], list(flask.request.event["args"]))))
    live.websocket().emit("anything", 1)
    assert seen.next() == ("*", ["anything", 1])


def test_an_event_of_the_catch_all_namespace_tells_the_real_one(socketio, live, seen):
    socketio.on("e", namespace="*")(lambda *args: seen.put((flask.request.namespace, args)))
    client = live.websocket().join("/n")
    client.emit("e", 1, namespace="/n")
    client.emit("e", 2)
    assert sorted([seen.next(), seen.next()]) == [("/", (2,)), ("/n", (1,))]


def test_the_ack_of_a_catch_all(socketio, live):
    socketio.on("*")(lambda event, *args: (event, len(args)))
    assert live.websocket().ask("anything", 1, 2) == '["anything",2]'


def test_a_catch_all_in_a_catch_all_namespace(engine, socketio, live, seen):
    socketio.on("*", namespace="*")(lambda *args: seen.put((flask.request.namespace, args)) or "answer")
    client = live.websocket().join("/n")
    answer = client.ask("anything", 1, namespace="/n")
    assert answer == engine.either(upstream='["",400]', erlen='["answer"]')
    assert seen.all() == engine.either(upstream=[], erlen=[("/n", ("anything", 1))])


@pytest.mark.parametrize("registered, expected", [
    (["exact", "star", "ns_star", "both", "class"], "exact"),
    (["star", "ns_star", "class"], "star"),
    (["ns_star", "class"], "ns_star"),
    (["class"], "class"),
])
def test_the_order_in_which_handlers_are_looked_for(sio_lib, socketio, live, seen, registered, expected):
    class Methods(sio_lib.Namespace):
        def on_e(self):
            seen.put(("class",))

    register = {
        "exact": lambda: socketio.on("e", namespace="/n")(put(seen, "exact")),
        "star": lambda: socketio.on("*", namespace="/n")(lambda *args: seen.put(("star",))),
        "ns_star": lambda: socketio.on("e", namespace="*")(put(seen, "ns_star")),
        "both": lambda: socketio.on("*", namespace="*")(lambda *args: seen.put(("both",))),
        "class": lambda: socketio.on_namespace(Methods("/n")),
    }
    for name in registered:
        register[name]()
    live.websocket("/n").emit("e", namespace="/n")
    assert seen.next() == (expected,)
    assert seen.all() == []


@pytest.mark.only("erlen")
def test_the_catch_all_of_all_comes_before_class_namespaces_and_after_named_ones(sio_lib, socketio, live, seen):
    class Methods(sio_lib.Namespace):
        def on_e(self):
            seen.put(("class",))

    socketio.on_namespace(Methods("/n"))
    socketio.on("*", namespace="*")(lambda *args: seen.put(("both",)))
    client = live.websocket("/n")
    client.emit("e", namespace="/n")
    assert seen.next() == ("both",)
    socketio.on("e", namespace="*")(put(seen, "ns_star"))
    client.emit("e", namespace="/n")
    assert seen.next() == ("ns_star",)


def test_a_class_for_all_namespaces(engine, sio_lib, socketio, live, seen):
    class Everything(sio_lib.Namespace):
        def on_e(self, value):
            seen.put((flask.request.namespace, value))
            return "answer"

    socketio.on_namespace(Everything("*"))
    answer = live.websocket("/n").ask("e", 1, namespace="/n")
    if engine.is_erlen:
        assert answer == '["answer"]'
        assert seen.all() == [("/n", 1)]
    else:
        assert seen.all() == []


def test_catch_alls_do_not_catch_connect_and_disconnect(socketio, live, seen):
    socketio.on("*")(lambda *args: seen.put(args))
    socketio.on("*", namespace="/n")(lambda *args: seen.put(args))
    client = live.websocket().join("/n")
    client.send("41/n,")
    client.emit("last")
    assert seen.next() == ("last",)


def test_an_unknown_event_is_ignored_and_gets_no_ack(socketio, live, seen):
    socketio.on("known")(lambda: "answer")
    client = live.websocket()
    client.emit("unknown", ack=1)
    assert client.ask("known", ack=2) == '["answer"]'


def test_an_unknown_event_of_a_class_namespace_gets_an_empty_ack(sio_lib, socketio, live):
    socketio.on_namespace(sio_lib.Namespace("/n"))
    assert live.websocket("/n").ask("unknown", namespace="/n") == "[]"


@pytest.mark.only("erlen")
@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error"])
def test_a_client_cannot_send_the_reserved_events(socketio, live, seen, name):
    socketio.on(name)(lambda *args: seen.put(("reserved", *args)))
    socketio.on("known")(lambda: seen.put("known"))
    client = live.websocket()
    seen.all()
    client.emit(name, "spoof", ack=1)
    # Whether the connection survives is the engine's business; that no handler ran is the app's.
    other = live.websocket()
    seen_connects = 1 if name == "connect" else 0
    other.emit("known")
    items = [seen.next()]
    while items[-1] != "known":
        items.append(seen.next())
    assert ("reserved", "spoof") not in items
    assert len(items) <= 1 + seen_connects + (1 if name == "disconnect" else 0)


def test_events_for_a_namespace_that_was_not_joined_are_ignored(socketio, live, seen):
    socketio.on("e", namespace="/n")(put(seen, "n"))
    socketio.on("e")(put(seen, "root"))
    client = live.websocket()
    client.emit("e", namespace="/n", ack=1)
    client.emit("e")
    assert seen.next() == ("root",)
    assert live.before_fence(client) == []
    assert seen.all() == []


def test_a_handler_that_raises_gives_no_ack_and_keeps_the_connection(socketio, live, output):
    @socketio.on("fail")
    def fail():
        raise ValueError("the text of the error")

    socketio.on("known")(lambda: "answer")
    client = live.websocket()
    client.emit("fail", ack=1)
    output.until("Traceback", "the text of the error")
    assert client.ask("known", ack=2) == '["answer"]'


def test_a_wrong_number_of_arguments_is_an_error_of_the_handler(socketio, live, seen, transport):
    socketio.on("two")(lambda a, b: "both")
    socketio.on_error_default(lambda error: seen.put(type(error)) or "wrong")
    client = live.client(transport)
    assert client.ask("two", 1) == '["wrong"]'
    assert seen.next() is TypeError
    assert client.ask("two", 1, 2) == '["both"]'


def test_one_client_does_not_wait_for_the_handlers_of_another(socketio, live, seen):
    release = threading.Event()
    socketio.on("block")(lambda: release.wait(10) and None)
    socketio.on("quick")(lambda: "quick")
    one, two = live.websocket(), live.websocket()
    one.emit("block", ack=1)
    assert two.ask("quick") == '["quick"]'
    release.set()
    assert one.next() == "431[]"


def test_by_default_the_handlers_of_one_client_may_overlap(socketio, live):
    release = threading.Event()
    socketio.on("block")(lambda: release.wait(10) and None)
    socketio.on("quick")(lambda: "quick")
    client = live.websocket()
    client.emit("block", ack=1)
    client.emit("quick", ack=2)
    assert client.next() == '432["quick"]'
    release.set()
    assert client.next() == "431[]"


def test_without_async_handlers_the_events_of_a_client_run_one_after_the_other(sio_lib, app, serve, seen):
    socketio = sio_lib.SocketIO(app, async_handlers=False)
    release = threading.Event()

    @socketio.on("e")
    def handle(number):
        if number == 0:
            release.wait(10)
        seen.put(number)

    client = serve(app, socketio).websocket()
    for number in range(5):
        client.emit("e", number)
    release.set()
    assert [seen.next() for _ in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.only("erlen")
def test_ordered_handlers_keep_the_order_of_a_client_and_leave_the_others_alone(sio_lib, app, serve, seen):
    socketio = sio_lib.SocketIO(app, async_handlers="ordered")
    release = threading.Event()

    @socketio.on("e")
    def handle(number):
        if number == 0:
            release.wait(10)
        seen.put(number)

    live = serve(app, socketio)
    one, two = live.websocket(), live.websocket()
    for number in range(3):
        one.emit("e", number)
    two.emit("e", "other")
    assert seen.next() == "other"
    release.set()
    assert [seen.next() for _ in range(3)] == [0, 1, 2]


@pytest.mark.only("erlen")
def test_a_handler_may_be_a_coroutine(socketio, live):
    @socketio.on("e")
    async def handle(value):
        await asyncio.sleep(0)
        return value + 1

    assert live.websocket().ask("e", 1) == "[2]"


def test_a_handler_that_calls_sys_exit_does_not_end_the_server(socketio, live):
    socketio.on("exit")(lambda: sys.exit(3))
    socketio.on("known")(lambda: "answer")
    client = live.websocket()
    client.emit("exit")
    assert client.ask("known") == '["answer"]'


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_handler_may_have_a_process_of_its_own(app, socketio, serve):
    """Also where its thread was asked for before, as every line of a log does."""
    @socketio.on("e")
    def work():
        threading.current_thread()
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        process.join(DEADLINE)
        return process.exitcode

    client = serve(app, socketio).websocket()
    for _ in range(2):
        assert client.ask("e") == "[0]"


def in_a_child(function, *args):
    """The exit code of a process that was forked here and has called a function."""
    process = multiprocessing.get_context("fork").Process(target=function, args=args)
    process.start()
    process.join(DEADLINE)
    return process.exitcode


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_what_the_child_of_a_handler_emits_reaches_nobody_and_harms_nobody(sio_lib, app, socketio, serve):
    def emit():
        socketio.emit("to all")
        sio_lib.emit("to one")

    socketio.on("e")(lambda: in_a_child(emit))
    client = serve(app, socketio).websocket()
    for _ in range(2):
        assert client.ask("e") == "[0]"


@pytest.mark.only("erlen")
def test_a_child_is_told_that_the_clients_are_its_parents_whatever_its_parent_did_meanwhile(
        sio_lib, app, socketio, serve, tmp_path, engine):
    said = tmp_path / "said"

    def reach(sid):
        logging.getLogger("erlen").addHandler(logging.FileHandler(said))
        socketio.emit("to one", to=sid)
        socketio.emit("to all", callback=print)
        assert not socketio.server.manager.is_connected(sid, "/") and not socketio.server.rooms(sid)
        socketio.server.disconnect(sid)
        with pytest.raises(engine.exceptions.TimeoutError):
            socketio.call("question", to=sid)

    @socketio.on("e")
    def work(then):
        if then == "fork":
            return in_a_child(reach, flask.request.sid)
        sio_lib.join_room("crowd")
        socketio.emit("noise", to="crowd")
        sio_lib.leave_room("crowd")

    live = serve(app, socketio)
    noisy, client = live.websocket(), live.websocket()
    for _ in range(10):
        for _ in range(20):
            noisy.emit("e", "noise")
        assert client.ask("e", "fork") == "[0]"
    assert said.read_text().count('"to one" is not emitted') == 10
