"""`emit`, `send` and their like as functions inside of a handler: whom they reach by default (contract 1.2)."""
from __future__ import annotations

import pytest
import requests


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


@pytest.fixture
def do(socketio):
    """Registers a handler of the event `do` that runs the function."""
    return lambda function, namespace=None: socketio.on("do", namespace=namespace)(function)


def test_emit_answers_the_sender_alone(sio_lib, live, do, transport):
    do(lambda: sio_lib.emit("e", 1))
    one, two = live.client(transport), live.websocket()
    one.emit("do")
    assert one.next() == '42["e",1]'
    assert live.before_fence(two) == []


def test_emit_stays_in_the_namespace_of_the_event(sio_lib, live, do):
    do(lambda: sio_lib.emit("e"), "/n")
    client = live.websocket().join("/n")
    client.emit("do", namespace="/n")
    assert client.next() == '42/n,["e"]'


@pytest.mark.parametrize("namespace", ["/", None, ""])
def test_a_namespace_that_is_given_counts_even_if_it_is_falsy(sio_lib, live, do, namespace):
    do(lambda: sio_lib.emit("e", namespace=namespace, broadcast=True), "/n")
    client = live.websocket().join("/n")
    client.emit("do", namespace="/n")
    assert client.next() == '42["e"]'


def test_broadcast_reaches_everybody_of_the_namespace(sio_lib, live, do):
    do(lambda: sio_lib.emit("e", broadcast=True))
    one, two = live.websocket(), live.websocket()
    one.emit("do")
    assert one.next() == two.next() == '42["e"]'


def test_broadcast_without_self(sio_lib, live, do):
    do(lambda: sio_lib.emit("e", broadcast=True, include_self=False))
    one, two = live.websocket(), live.websocket()
    one.ask("do")
    assert two.next() == '42["e"]'
    assert live.before_fence(one) == []


def test_a_target_wins_over_broadcast(sio_lib, live, do):
    one, two = live.websocket(), live.websocket()
    do(lambda: sio_lib.emit("e", broadcast=True, to=two.sid))
    one.ask("do")
    assert two.next() == '42["e"]'
    assert live.before_fence(one) == []


@pytest.mark.parametrize("nobody", [0, "", None, []])
def test_a_falsy_target_is_no_target_so_the_sender_gets_it(sio_lib, live, do, nobody):
    do(lambda: sio_lib.emit("e", to=nobody))
    one, two = live.websocket(), live.websocket()
    one.emit("do")
    assert one.next() == '42["e"]'
    assert live.before_fence(two) == []


def test_room_is_the_old_name_of_to(sio_lib, live, do):
    one, two = live.websocket(), live.websocket()
    do(lambda: sio_lib.emit("e", room=two.sid))
    one.emit("do")
    assert two.next() == '42["e"]'


def test_unknown_keywords_of_the_functions_are_ignored(sio_lib, live, do):
    def both():
        sio_lib.emit("e", anything=True)
        sio_lib.send("m", anything=True)

    do(both)
    client = live.websocket()
    client.emit("do")
    assert [client.next(), client.next()] == ['42["e"]', '42["message","m"]']


def test_a_second_positional_payload_is_an_error(sio_lib, live, do, seen):
    def two_payloads():
        with pytest.raises(TypeError):
            sio_lib.emit("e", 1, 2)
        seen.put("raised")

    do(two_payloads)
    live.websocket().emit("do")
    assert seen.next() == "raised"


def test_skip_sid_takes_a_list(sio_lib, live, do):
    one, two, three = (live.websocket() for _ in range(3))
    do(lambda: sio_lib.emit("e", broadcast=True, skip_sid=[one.sid, three.sid]))
    one.ask("do")
    assert two.next() == '42["e"]'
    assert live.before_fence(one) == live.before_fence(three) == []


def test_send_answers_with_message_and_json(sio_lib, live, do):
    def both():
        sio_lib.send("text")
        sio_lib.send([1], json=True)

    do(both)
    client = live.websocket()
    client.emit("do")
    assert [client.next(), client.next()] == ['42["message","text"]', '42["json",[1]]']


def test_send_broadcasts_without_self_and_to_a_room(sio_lib, live, do):
    one, two = live.websocket(), live.websocket()

    def both():
        sio_lib.send("a", broadcast=True, include_self=False)
        sio_lib.send("b", to=two.sid)

    do(both)
    one.ask("do")
    assert live.before_fence(one) == []
    assert live.before_fence(two) == ['42["message","a"]', '42["message","b"]']


def test_emit_with_a_tuple_is_several_arguments(sio_lib, live, do):
    do(lambda: sio_lib.emit("e", (1, {"a": 2}, [3])))
    client = live.websocket()
    client.emit("do")
    assert client.next() == '42["e",1,{"a":2},[3]]'


def test_emit_outside_of_any_context_is_an_error(sio_lib, live):
    with pytest.raises(RuntimeError):
        sio_lib.emit("e")


def test_emit_in_a_page_needs_a_namespace_and_a_target(sio_lib, app, socketio, serve):
    @app.route("/tell")
    def tell():
        sio_lib.emit("e", namespace="/", broadcast=True)
        return "told"

    @app.route("/fail")
    def fail():
        sio_lib.emit("e")
        return "told"

    live = serve(app, socketio)
    client = live.websocket()
    assert requests.get(live.url + "/fail", timeout=10).status_code == 500
    assert requests.get(live.url + "/tell", timeout=10).text == "told"
    assert client.next() == '42["e"]'


def test_the_method_emit_in_a_page_reaches_everybody(app, socketio, live):
    @app.route("/tell")
    def tell():
        socketio.emit("e", 1)
        return "told"

    client = live.websocket()
    assert requests.get(live.url + "/tell", timeout=10).text == "told"
    assert client.next() == '42["e",1]'


def test_a_keyword_that_is_none_is_ignored_and_told_once_in_the_log(engine, sio_lib, live, do, output):
    @do
    def do_all():
        sio_lib.emit("e", romm="nobody")
        sio_lib.emit("e", romm="nobody")
        sio_lib.send("text", brodcast=True, nothing_alike=1)
        return sio_lib.call("q", timout=5)

    client = live.websocket()
    client.emit("do", ack=1)
    assert [client.next(), client.next(), client.next(), client.asked()] == [
        '42["e"]', '42["e"]', '42["message","text"]', '42["q"]']
    client.answer('["answer"]')
    assert client.next() == '431["answer"]'
    told = [record.getMessage() for record in output.caplog.records if "has no keyword" in record.getMessage()]
    assert told == engine.either(upstream=[], erlen=[
        "emit() has no keyword 'romm' and ignores it; did you mean 'room'?",
        "send() has no keyword 'brodcast' and ignores it; did you mean 'broadcast'?",
        "send() has no keyword 'nothing_alike' and ignores it",
        "call() has no keyword 'timout' and ignores it; did you mean 'timeout'?"])


@pytest.mark.only("erlen")
def test_of_keywords_that_a_client_makes_up_the_log_tells_the_first_ones(sio_lib, live, do, output, monkeypatch):
    monkeypatch.setattr("erlen.spelling._told", set())
    do(lambda keywords: sio_lib.emit("e", **keywords))
    client = live.websocket()
    client.emit("do", {f"made up {number}": 1 for number in range(500)})
    assert client.next() == '42["e"]'
    told = [record for record in output.caplog.records if "has no keyword" in record.getMessage()]
    assert len(told) == 100
