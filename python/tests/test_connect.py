"""Connecting to a namespace: what the handler gets, and what each outcome is on the wire (contract 1.4)."""
from __future__ import annotations

import builtins
import json

import flask
import pytest

REJECTED = '44{"message":"Connection rejected by server"}'


def accepted(client, answer, namespace="/"):
    prefix = "40" if namespace == "/" else f"40{namespace},"
    return answer.startswith(prefix + '{"sid":"') and answer.endswith('"}') and len(json.loads(
        answer[len(prefix):])) == 1


def test_the_root_namespace_needs_no_handler(app, socketio, serve, transport):
    client = serve(app, socketio).client(transport, namespace=None)
    assert accepted(client, client.connect())


def test_the_sid_of_the_namespace_is_that_of_the_request(app, socketio, serve, seen):
    socketio.on("connect")(lambda: seen.put(flask.request.sid))
    socketio.on("connect", namespace="/n")(lambda: seen.put(flask.request.sid))
    client = serve(app, socketio).websocket().join("/n")
    assert [seen.next(), seen.next()] == [client.sids["/"], client.sids["/n"]]
    assert len({client.handshake["sid"], *client.sids.values()}) == 3


@pytest.mark.parametrize("value", [None, True, 0, "", [], {}, "text", ("a", "b")])
def test_every_answer_but_false_accepts(app, socketio, serve, value, transport):
    socketio.on("connect")(lambda: value)
    client = serve(app, socketio).client(transport, namespace=None)
    assert accepted(client, client.connect())


def test_false_rejects(app, socketio, serve, transport):
    socketio.on("connect")(lambda: False)
    client = serve(app, socketio).client(transport, namespace=None)
    assert client.connect() == REJECTED


@pytest.mark.parametrize("arguments, data", [
    ((), '{"message":"Connection rejected by server"}'),
    (("nope",), '{"message":"nope"}'),
    (("nope", {"a": 1}), '{"message":"nope","data":{"a":1}}'),
    (("nope", "why"), '{"message":"nope","data":"why"}'),
    (("nope", 1, 2), '{"message":"nope","data":[1,2]}'),
])
def test_a_refusal_carries_its_message_and_data(sio_lib, app, socketio, serve, arguments, data):
    @socketio.on("connect")
    def refuse():
        raise sio_lib.ConnectionRefusedError(*arguments)

    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect() == "44" + data


def test_a_refusal_in_another_namespace_carries_its_name(sio_lib, app, socketio, serve, transport):
    @socketio.on("connect", namespace="/n")
    def refuse():
        raise sio_lib.ConnectionRefusedError("nope")

    client = serve(app, socketio).client(transport)
    assert client.connect("/n") == '44/n,{"message":"nope"}'
    client.emit("still here")
    socketio.emit("e")
    assert client.next() == '42["e"]'


def test_the_refusal_of_the_package_passes_by_the_error_handler(sio_lib, app, socketio, serve):
    called = []

    @socketio.on("connect")
    def refuse():
        raise sio_lib.ConnectionRefusedError("nope")

    socketio.on_error_default(called.append)
    assert serve(app, socketio).websocket(namespace=None).connect() == '44{"message":"nope"}'
    assert called == []


@pytest.mark.parametrize("with_error_handler", [False, True])
def test_the_builtin_refusal_rejects(engine, app, socketio, serve, with_error_handler):
    called = []

    @socketio.on("connect")
    def refuse():
        raise builtins.ConnectionRefusedError("secret text")

    if with_error_handler:
        socketio.on_error_default(called.append)
    answer = serve(app, socketio).websocket(namespace=None).connect()
    if with_error_handler and not engine.is_erlen:
        assert answer.startswith("40")
    else:
        assert answer == '44{"message":"Connection refused by server"}'
    assert len(called) == with_error_handler


def test_any_other_exception_rejects(engine, app, socketio, serve):
    @socketio.on("connect")
    def fail():
        raise ValueError("secret text")

    socketio.on("connect", namespace="/ok")(lambda: None)
    client = serve(app, socketio).websocket(namespace=None)
    if engine.is_erlen:
        assert client.connect() == REJECTED
    else:
        client.send("40")
        assert client.connect("/ok").startswith("40/ok,")


@pytest.mark.parametrize("value", [None, True, False])
def test_an_exception_is_shown_to_the_error_handler(engine, app, socketio, serve, value):
    @socketio.on("connect")
    def fail():
        raise ValueError("shown")

    called = []

    @socketio.on_error_default
    def look(error):
        called.append(str(error))
        return value

    answer = serve(app, socketio).websocket(namespace=None).connect()
    assert called == ["shown"]
    if engine.is_erlen or value is False:
        assert answer == REJECTED
    else:
        assert answer.startswith("40")


def test_an_exception_leaves_a_client_that_is_not_connected(engine, app, socketio, serve, seen):
    @socketio.on("connect")
    def fail():
        raise ValueError

    socketio.on("e")(lambda: seen.put("event"))
    socketio.on("disconnect")(lambda reason: seen.put("disconnect"))
    socketio.on("connect", namespace="/ok")(lambda: None)
    socketio.on("e", namespace="/ok")(lambda: seen.put("ok"))
    client = serve(app, socketio).websocket(namespace=None)
    client.send("40")
    client.emit("e", ack=1)
    client.send("41")
    if engine.is_erlen:
        assert client.next() == REJECTED
    client.join("/ok")
    assert client.early == []
    client.emit("e", namespace="/ok")
    assert seen.next() == "ok"
    assert seen.all() == []


@pytest.mark.parametrize("refusal", ["false", "error"])
def test_a_refused_client_never_reaches_the_disconnect_handler(sio_lib, app, socketio, serve, seen, refusal):
    @socketio.on("connect")
    def refuse():
        if refusal == "false":
            return False
        raise sio_lib.ConnectionRefusedError("nope")

    socketio.on("disconnect")(lambda reason: seen.put(reason))
    socketio.on("e")(lambda: seen.put("event"))
    socketio.on("connect", namespace="/ok")(lambda: None)
    socketio.on("disconnect", namespace="/ok")(lambda reason: seen.put("ok left"))
    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect().startswith("44")
    client.emit("e")
    client.send("41")
    client.join("/ok")
    client.send("41/ok,")
    assert seen.next() == "ok left"
    assert seen.all() == []


def test_a_refused_client_may_try_again(app, socketio, serve):
    answers = iter([False, None])
    socketio.on("connect")(lambda auth: next(answers))
    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect() == REJECTED
    assert client.connect().startswith("40")


def test_an_event_of_the_connect_handler_comes_before_the_connect_packet(sio_lib, app, socketio, serve, transport):
    @socketio.on("connect")
    def connect():
        sio_lib.emit("welcome", {"a": 1})
        sio_lib.send("text")

    client = serve(app, socketio).client(transport)
    assert client.early == ['42["welcome",{"a":1}]', '42["message","text"]']


def test_a_room_joined_in_the_connect_handler_is_kept(sio_lib, app, socketio, serve):
    socketio.on("connect")(lambda: sio_lib.join_room("r"))
    client = serve(app, socketio).websocket()
    socketio.emit("e", to="r")
    assert client.next() == '42["e"]'


@pytest.mark.parametrize("namespace", ["/unknown", "/tool", "/socket.io"])
def test_an_unknown_namespace_is_refused_by_a_bare_string(app, socketio, serve, namespace, transport):
    client = serve(app, socketio).client(transport)
    assert client.connect(namespace) == f'44{namespace},"Unable to connect"'
    socketio.emit("still alive")
    assert client.next() == '42["still alive"]'


def test_a_second_connect_changes_nothing_for_the_first(engine, app, socketio, serve, seen):
    socketio.on("connect")(lambda: seen.put("connect"))
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    live = serve(app, socketio)
    client = live.websocket()
    client.send("40")
    socketio.on("known")(lambda: "answer")
    client.emit("known", ack=1)
    assert client.until('431["answer"]') == engine.either(upstream=['44"Unable to connect"'], erlen=[])
    socketio.emit("e", to=client.sid)
    assert client.next() == '42["e"]'
    assert seen.all() == ["connect"]


def test_a_list_of_namespaces_replaces_the_root(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, namespaces=["/a", "/b"])
    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect("/a").startswith("40/a,")
    assert client.connect() == '44"Unable to connect"'


def test_a_text_is_one_namespace_besides_the_root(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, namespaces="/a")
    client = serve(app, socketio).websocket()
    assert client.connect("/a").startswith("40/a,")
    assert client.connect("/b") == '44/b,"Unable to connect"'
    assert socketio.server.namespaces == "/a"


STRAYS = ['42/n,["e",1]', '42/n,7["e"]', "43/n,1[]", "41/n,", "42/nowhere,[\"e\"]"]


def test_packets_for_a_namespace_that_was_not_joined_are_ignored(app, socketio, serve, seen, transport):
    for event in ("connect", "e", "disconnect"):
        socketio.on(event, namespace="/n")(lambda *args: seen.put(args))
    socketio.on("still here")(lambda: "yes")
    client = serve(app, socketio).client(transport)
    for packet in STRAYS:
        client.send(packet)
    assert client.ask("still here") == '["yes"]'
    assert seen.all() == []


@pytest.mark.only("erlen")
def test_each_of_them_is_counted(app, socketio, serve, engine):
    def counted():
        return next(line for line in socketio.metrics().splitlines() if line.startswith("erlen_stray_packets_total"))

    socketio.on("e", namespace="/n")(lambda *args: None)
    socketio.on("still here")(lambda: "yes")
    client = serve(app, socketio).websocket()
    assert counted() == "erlen_stray_packets_total 0"
    for number, packet in enumerate([*STRAYS, "40", '44{"message":"no"}'], 1):
        client.send(packet)
        assert client.ask("still here") == '["yes"]'
        assert counted() == f"erlen_stray_packets_total {number}", packet


def test_a_star_makes_every_namespace_connectable(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, namespaces="*")
    client = serve(app, socketio).websocket()
    assert client.connect("/anything/at/all").startswith("40/anything/at/all,")


def test_a_handler_makes_its_namespace_connectable(app, socketio, serve):
    socketio.on("any event", namespace="/n")(lambda: None)
    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect("/n").startswith("40/n,")


@pytest.mark.parametrize("sent, got", [
    (None, None),
    ({}, None),
    ({"token": "x"}, {"token": "x"}),
    ({"deep": [1, {"a": None}]}, {"deep": [1, {"a": None}]}),
])
def test_the_handler_gets_the_auth_of_the_client(app, socketio, serve, seen, sent, got):
    socketio.on("connect")(lambda auth: seen.put(auth))
    serve(app, socketio).websocket(auth=sent)
    assert seen.next() == got


def test_a_handler_without_parameters_is_called_without_auth(app, socketio, serve, seen):
    socketio.on("connect")(lambda: seen.put("called"))
    serve(app, socketio).websocket(auth={"token": "x"})
    assert seen.next() == "called"
    assert seen.all() == []


def test_a_handler_with_a_default_and_one_with_star_args_get_the_auth(app, socketio, serve, seen):
    @socketio.on("connect")
    def connect(auth="default"):
        seen.put(auth)

    @socketio.on("connect", namespace="/n")
    def connect_n(*args):
        seen.put(args)

    client = serve(app, socketio).websocket(auth={"a": 1})
    client.join("/n", {"b": 2})
    assert [seen.next(), seen.next()] == [{"a": 1}, ({"b": 2},)]


def test_a_type_error_inside_of_a_connect_handler_runs_its_body_once(engine, app, socketio, serve):
    calls = []

    @socketio.on("connect")
    def connect(auth):
        calls.append(auth)
        raise TypeError("inside")

    socketio.on("connect", namespace="/ok")(lambda: None)
    client = serve(app, socketio).websocket(namespace=None)
    client.send("40")
    if engine.is_erlen:
        assert client.next() == REJECTED
    client.join("/ok")
    assert calls == engine.either(upstream=[None, None], erlen=[None])


def test_disconnect_inside_of_the_connect_handler_does_nothing(sio_lib, app, socketio, serve, seen):
    socketio.on("connect")(lambda: sio_lib.disconnect())
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    live = serve(app, socketio)
    client = live.websocket()
    assert client.early == []
    assert live.before_fence(client) == []
    assert seen.all() == []


def test_the_handler_sees_which_clients_come_by_websocket(app, socketio, serve, seen, transport):
    @socketio.on("connect")
    def connect():
        headers = flask.request.headers
        seen.put((headers.get("Upgrade"), headers.get("Connection") == "Upgrade"))

    serve(app, socketio).client(transport)
    by_websocket = transport == "websocket"
    assert seen.next() == ("websocket" if by_websocket else None, by_websocket)


def test_request_event_in_the_connect_handler(app, socketio, serve, seen):
    @socketio.on("connect")
    def connect(auth):
        environ, given = flask.request.event["args"]
        seen.put((flask.request.event["message"], environ["flask.app"] is app, given))

    live = serve(app, socketio)
    live.websocket()
    assert seen.next() == ("connect", True, None)
    live.websocket(auth={"a": 1})
    assert seen.next() == ("connect", True, {"a": 1})


def test_always_connect_accepts_first_and_then_takes_it_back(engine, sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, always_connect=True)
    socketio.on("connect")(lambda: False)
    client = serve(app, socketio).websocket(namespace=None)
    assert client.connect().startswith("40")
    assert client.next() == engine.either(upstream='41{"message":"Connection rejected by server"}', erlen="41")


def test_always_connect_sends_the_events_of_the_handler_after_the_connect_packet(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, always_connect=True)
    socketio.on("connect")(lambda: sio_lib.emit("welcome"))
    client = serve(app, socketio).websocket()
    assert client.early == []
    assert client.next() == '42["welcome"]'


def test_connecting_to_two_namespaces_runs_both_handlers(engine, app, socketio, serve, seen):
    socketio.on("connect", namespace="/a")(lambda: seen.put("a"))
    socketio.on("connect", namespace="/b")(lambda: seen.put("b"))
    client = serve(app, socketio).websocket(namespace=None)
    client.send("40/a,")
    client.send("40/b,")
    called = [seen.next(), seen.next()]
    # On Erlen the handlers of two namespaces may overlap, those of connect too.
    assert engine.either(upstream=called, erlen=sorted(called)) == ["a", "b"]


def test_events_behind_the_connect_packet_wait_for_the_connect_handler(app, socketio, serve, seen):
    @socketio.on("connect")
    def connect():
        seen.put("connect")

    socketio.on("e")(lambda: seen.put("event"))
    client = serve(app, socketio).websocket()
    client.emit("e")
    assert [seen.next(), seen.next()] == ["connect", "event"]


def test_an_event_before_the_connect_packet_reaches_no_handler(app, socketio, serve, seen):
    socketio.on("e")(lambda value: seen.put(value))
    client = serve(app, socketio).websocket(namespace=None)
    client.emit("e", "early", ack=1)
    client.join()
    assert client.early == []
    client.emit("e", "late")
    assert seen.next() == "late"
    assert seen.all() == []


def test_a_query_behind_the_namespace(engine, app, socketio, serve):
    # Clients of the protocol before version 5 sent one. The reference cuts it off, Node and Erlen know no such namespace.
    socketio.on("connect", namespace="/n")(lambda: None)
    client = serve(app, socketio).websocket(namespace=None)
    client.send("40/n?token=x,")
    assert client.next().startswith(engine.either(upstream='40/n,{"sid"', erlen="44/n?token=x,"))
