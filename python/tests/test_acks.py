"""Acks in both directions: return values, callbacks, `call` (contract 1.4)."""
from __future__ import annotations

import collections
import time

import flask
import pytest
import requests


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


@pytest.mark.parametrize("value, text", [
    (None, "[]"),
    ((), "[]"),
    (("a",), '["a"]'),
    (("a", 1), '["a",1]'),
    ((None,), "[null]"),
    ([], "[[]]"),
    (["a", 1], '[["a",1]]'),
    ({"a": 1}, '[{"a":1}]'),
    ({}, "[{}]"),
    (0, "[0]"),
    (False, "[false]"),
    (True, "[true]"),
    ("", '[""]'),
    ("text", '["text"]'),
    (1.5, "[1.5]"),
])
def test_what_a_handler_returns_is_the_ack(socketio, live, value, text):
    socketio.on("e")(lambda: value)
    assert live.websocket().ask("e") == text


def test_the_id_zero_counts(socketio, live, transport):
    socketio.on("e")(lambda: "yes")
    assert live.client(transport).ask("e", ack=0) == '["yes"]'


def test_without_an_id_nothing_is_sent(socketio, live, seen):
    socketio.on("e")(lambda: seen.put("ran") or "value")
    client = live.websocket()
    client.emit("e")
    seen.next()
    assert live.before_fence(client) == []


def test_a_large_id_comes_back_as_it_was(socketio, live):
    socketio.on("e")(lambda: None)
    assert live.websocket().ask("e", ack=2 ** 31 + 5) == "[]"


def test_bytes_in_the_return_value_make_a_binary_ack(socketio, live):
    socketio.on("e")(lambda: {"a": b"\x01", "b": [b"\x02"]})
    client = live.websocket()
    client.emit("e", ack=5)
    assert client.next() == ('462-5[{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]')
    assert [client.next(), client.next()] == [b"\x01", b"\x02"]


def test_the_ack_in_a_namespace(socketio, live):
    socketio.on("e", namespace="/n")(lambda: 1)
    assert live.websocket("/n").ask("e", namespace="/n") == "[1]"


def test_the_value_of_the_error_handler_is_the_ack(socketio, live):
    @socketio.on("e")
    def fail():
        raise ValueError("x")

    socketio.on_error_default(lambda error: {"error": str(error)})
    assert live.websocket().ask("e") == '[{"error":"x"}]'


def test_events_of_the_handler_come_before_its_ack(sio_lib, socketio, live, transport):
    @socketio.on("e")
    def handle():
        sio_lib.emit("first")
        return "second"

    client = live.client(transport)
    client.emit("e", ack=1)
    assert [client.next(), client.next()] == ['42["first"]', '431["second"]']


@pytest.mark.parametrize("answer, arguments", [
    ("[]", ()),
    ("[1]", (1,)),
    ('[1,"two",[3],{"four":4}]', (1, "two", [3], {"four": 4})),
    ("[null]", (None,)),
])
def test_a_callback_gets_the_arguments_of_the_answer(socketio, live, seen, answer, arguments):
    client = live.websocket()
    socketio.emit("q", "data", to=client.sid, callback=lambda *args: seen.put(args))
    assert client.asked() == '42["q","data"]'
    client.answer(answer)
    assert seen.next() == arguments


def test_each_question_to_a_client_has_an_id_of_its_own(socketio, live, seen):
    client = live.websocket()
    questions = []
    for number in range(3):
        socketio.emit("q", to=client.sid, callback=lambda value, number=number: seen.put((number, value)))
        assert client.asked() == '42["q"]'
        questions.append(client.question)
    assert len(set(questions)) == 3
    for number in (2, 1, 0):
        client.question = questions[number]
        client.answer(f"[{questions[number]}]")
        assert seen.next() == (number, int(questions[number]))


def test_the_ids_of_a_client_are_counted_from_one(socketio, live):
    clients = [live.websocket(), live.websocket()]
    for number in ("1", "2"):
        socketio.emit("q", callback=lambda *args: None)
        for client in clients:
            assert client.next() == f'42{number}["q"]'
    socketio.emit("q", to=clients[1].sid, callback=lambda *args: None)
    assert clients[1].next() == '423["q"]'


def test_a_callback_runs_once(socketio, live, seen):
    client = live.websocket()
    socketio.emit("q", to=client.sid, callback=lambda value: seen.put(value))
    client.asked()
    client.answer('["first"]')
    assert seen.next() == "first"
    client.answer('["second"]')
    socketio.emit("q", to=client.sid, callback=lambda value: seen.put(value))
    client.asked()
    client.answer('["third"]')
    assert seen.next() == "third"


def test_an_ack_that_nobody_waits_for_is_ignored(socketio, live):
    socketio.on("e")(lambda: "alive")
    client = live.websocket()
    client.send("4399[]")
    assert client.ask("e") == '["alive"]'


def test_bytes_in_the_answer_of_a_client(socketio, live, seen, transport):
    client = live.client(transport)
    socketio.emit("q", to=client.sid, callback=lambda *args: seen.put(args))
    client.asked()
    client.answer('[{"_placeholder":true,"num":0}]', kind="461-")
    client.send(b"\x01\x02")
    assert seen.next() == (b"\x01\x02",)


def test_a_callback_of_the_function_runs_in_the_context_of_the_emitter(sio_lib, socketio, live, seen):
    def answered(value):
        seen.put((value, flask.request.sid, flask.request.namespace, flask.request.event["message"],
                  flask.current_app.name))

    socketio.on("ask me")(lambda: sio_lib.emit("q", callback=answered))
    client = live.websocket()
    client.emit("ask me")
    assert client.asked() == '42["q"]'
    client.answer('["yes"]')
    assert seen.next() == ("yes", client.sid, "/", None, "contract")


def test_a_callback_may_emit_and_disconnect(sio_lib, socketio, live):
    def answered(value):
        sio_lib.emit("got", value)
        sio_lib.disconnect()

    socketio.on("ask me")(lambda: sio_lib.emit("q", callback=answered))
    client = live.websocket()
    client.emit("ask me")
    client.asked()
    client.answer('["yes"]')
    assert [client.next(), client.next()] == ['42["got","yes"]', "41"]


def test_a_callback_with_its_context_copied_may_disconnect(sio_lib, socketio, live):
    @socketio.on("bye")
    def bye():
        @flask.copy_current_request_context
        def can_disconnect():
            sio_lib.disconnect()

        sio_lib.emit("q", callback=can_disconnect)

    client = live.websocket()
    client.emit("bye")
    assert client.asked() == '42["q"]'
    client.answer("[]")
    assert client.next() == "41"


def test_a_callback_for_another_client_runs_as_the_emitter(sio_lib, socketio, live, seen):
    one, two = live.websocket(), live.websocket()
    socketio.on("ask")(lambda: sio_lib.emit("q", to=two.sid, callback=lambda: seen.put(flask.request.sid)))
    one.emit("ask")
    assert two.asked() == '42["q"]'
    two.answer("[]")
    assert seen.next() == one.sid


def test_a_callback_does_not_run_when_the_emitter_has_gone(sio_lib, socketio, live, seen, eventually):
    one, two = live.websocket(), live.websocket()
    socketio.on("ask")(lambda: sio_lib.emit("q", to=two.sid, callback=lambda: seen.put("ran")))
    socketio.on("disconnect")(lambda reason: seen.put("gone"))
    one.emit("ask")
    assert two.asked() == '42["q"]'
    one.drop()
    assert seen.next() == "gone"
    eventually(lambda: socketio.server.get_environ(one.sid) is None)
    two.answer("[]")
    socketio.emit("r", to=two.sid, callback=lambda: seen.put("second"))
    assert two.asked() == '42["r"]'
    two.answer("[]")
    assert seen.next() == "second"


def test_callbacks_are_dropped_when_the_client_leaves(socketio, live, seen):
    socketio.on("disconnect")(lambda reason: seen.put("gone"))
    client = live.websocket()
    socketio.emit("q", to=client.sid, callback=lambda: seen.put("ran"))
    client.asked()
    old = client.question
    client.send("41")
    assert seen.next() == "gone"
    client.join()
    client.question = old
    client.answer("[]")
    socketio.emit("r", to=client.sid, callback=lambda: seen.put("second"))
    client.asked()
    client.answer("[]")
    assert seen.next() == "second"


def test_a_callback_from_a_page_runs_for_each_client_without_a_context(socketio, app, live, seen):
    @app.route("/ask")
    def ask():
        socketio.emit("q", namespace="/n", callback=lambda *args: seen.put((args, flask.has_request_context())))
        return "asked"

    socketio.on("x", namespace="/n")(lambda: None)
    one, two = live.websocket("/n"), live.websocket("/n")
    assert requests.get(live.url + "/ask", timeout=10).text == "asked"
    for client, answer in ((one, "[1]"), (two, "[]")):
        assert client.asked() == '42/n,["q"]'
        client.answer(answer)
    answers = [seen.next(), seen.next()]
    assert sorted(answers) == [((), False), ((1,), False)]


def test_a_callback_of_a_wrong_arity_is_an_error_that_is_told(socketio, live, output):
    client = live.websocket()
    socketio.on("e")(lambda: "alive")
    socketio.emit("q", to=client.sid, callback=lambda one, two: None)
    client.asked()
    client.answer('["only one"]')
    output.until("TypeError", "two")


def test_a_callback_runs_for_every_client_of_a_room(sio_lib, socketio, live, seen):
    socketio.on("join")(sio_lib.join_room)
    clients = [live.websocket() for _ in range(3)]
    for client in clients:
        client.ask("join", "r")
    socketio.emit("q", to="r", callback=lambda value: seen.put(value))
    for number, client in enumerate(clients):
        assert client.asked() == '42["q"]'
        client.answer(f"[{number}]")
    assert sorted(seen.next() for _ in clients) == [0, 1, 2]


def test_send_takes_a_callback(sio_lib, socketio, live, seen):
    socketio.on("e")(lambda: sio_lib.send("text", callback=lambda value: seen.put(value)))
    client = live.websocket()
    client.emit("e")
    assert client.asked() == '42["message","text"]'
    client.answer('["got it"]')
    assert seen.next() == "got it"


@pytest.mark.parametrize("answer, value", [("[]", None), ("[5]", 5), ("[1,2]", (1, 2)), ("[[1,2]]", [1, 2])])
def test_call_waits_for_the_answer(socketio, live, seen, answer, value):
    client = live.websocket()
    task = socketio.start_background_task(lambda: seen.put(socketio.call("q", "data", to=client.sid)))
    assert client.asked() == '42["q","data"]'
    client.answer(answer)
    assert seen.next() == value
    task.join()


@pytest.mark.parametrize("name", ["to", "room", "sid"])
def test_whom_call_asks_has_three_names(socketio, live, seen, name):
    client = live.websocket()
    task = socketio.start_background_task(lambda: seen.put(socketio.call("q", **{name: client.sid})))
    assert client.asked() == '42["q"]'
    client.answer("[5]")
    assert seen.next() == 5
    task.join()


def test_call_in_a_handler_asks_the_sender(sio_lib, socketio, live):
    socketio.on("e")(lambda: sio_lib.call("q", 1, timeout=10))
    client = live.websocket()
    client.emit("e", ack=3)
    assert client.asked() == '42["q",1]'
    client.answer('["answer"]')
    assert client.next() == '433["answer"]'


def test_call_in_a_namespace(sio_lib, socketio, live):
    socketio.on("e", namespace="/n")(lambda: sio_lib.call("q", timeout=10))
    client = live.websocket("/n")
    client.emit("e", namespace="/n", ack=3)
    assert client.asked() == '42/n,["q"]'
    client.answer('["answer"]')
    assert client.next() == '43/n,3["answer"]'


def test_call_without_a_target_is_an_error(socketio, live):
    with pytest.raises(ValueError, match="Cannot use call\\(\\) to broadcast"):
        socketio.call("q")


def test_call_times_out(engine, socketio, live):
    client = live.websocket()
    with pytest.raises(engine.exceptions.TimeoutError) as raised:
        socketio.call("q", to=client.sid, timeout=0.05)
    assert client.asked() == '42["q"]'
    said = f"call('q'): {client.sid!r} in the namespace / has not answered within 0.05 s"
    assert str(raised.value) == engine.either(upstream="", erlen=said)


@pytest.mark.only("erlen")
def test_call_to_an_id_that_nobody_has_fails_at_once(engine, socketio, live):
    began = time.monotonic()
    with pytest.raises(engine.exceptions.TimeoutError, match=r"call\('q'\): nobody has the id 'nobody' in the namespace /n$"):
        socketio.call("q", to="nobody", namespace="/n", timeout=30)
    assert time.monotonic() - began < 15


@pytest.mark.only("erlen")
def test_call_without_a_timeout_does_not_wait_for_ever(engine, socketio, live):
    with pytest.raises(engine.exceptions.TimeoutError):
        socketio.call("q", to="nobody", timeout=None)


def test_call_is_refused_where_handlers_do_not_run_on_their_own(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, async_handlers=False)
    client = serve(app, socketio).websocket()
    with pytest.raises(RuntimeError):
        socketio.call("q", to=client.sid)


def test_a_named_tuple_is_several_arguments(socketio, live):
    Point = collections.namedtuple("Point", "x y")
    socketio.on("e")(lambda: Point(1, 2))
    assert live.websocket().ask("e") == "[1,2]"
