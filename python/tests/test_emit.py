"""`SocketIO.emit` and `SocketIO.send`, called from anywhere: every keyword, and what is refused (contract 1.1, 1.4)."""
from __future__ import annotations

import enum
import threading

import pytest


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


def test_an_emit_goes_to_everybody_in_the_root_namespace(socketio, live, transport):
    one, two = live.client(transport), live.client(transport)
    other = live.websocket(namespace=None)
    socketio.on("x", namespace="/n")(lambda: None)
    other.join("/n")
    socketio.emit("hello", {"a": 1})
    assert one.next() == two.next() == '42["hello",{"a":1}]'
    assert live.before_fence(other, "/n") == []


def test_an_emit_to_a_namespace_goes_to_that_one(socketio, live):
    socketio.on("x", namespace="/n")(lambda: None)
    client = live.websocket().join("/n")
    socketio.emit("hello", 1, namespace="/n")
    assert client.next() == '42/n,["hello",1]'


@pytest.mark.parametrize("keyword", ["to", "room"])
def test_to_and_room_are_one_and_the_same(socketio, live, keyword):
    one, two = live.websocket(), live.websocket()
    socketio.emit("hello", **{keyword: one.sid})
    assert one.next() == '42["hello"]'
    assert live.before_fence(two) == []


@pytest.mark.parametrize("nobody", [None, 0, "", []])
def test_a_falsy_target_of_the_method_is_no_target_so_everybody_gets_it(socketio, live, nobody):
    one, two = live.websocket(), live.websocket()
    socketio.emit("e", to=nobody)
    assert one.next() == two.next() == '42["e"]'


DOORS = {
    "SocketIO.emit": lambda sio, cls, to: sio.emit("message", to=to),
    "SocketIO.emit, room": lambda sio, cls, to: sio.emit("message", room=to),
    "SocketIO.send": lambda sio, cls, to: sio.send(None, to=to),
    "Server.emit": lambda sio, cls, to: sio.server.emit("message", to=to),
    "Server.send": lambda sio, cls, to: sio.server.send(None, to=to),
    "Namespace.emit": lambda sio, cls, to: cls.emit("message", room=to),
    "Namespace.send": lambda sio, cls, to: cls.send(None, room=to),
}


@pytest.mark.parametrize("nobody", [None, 0, "", [], ()])
@pytest.mark.parametrize("door", DOORS)
def test_a_falsy_target_is_no_target_at_any_door(sio_lib, socketio, live, door, nobody):
    instance = sio_lib.Namespace("/")
    socketio.on_namespace(instance)
    one, two = live.websocket(), live.websocket()
    DOORS[door](socketio, instance, nobody)
    assert one.next() == two.next() == '42["message"]'


@pytest.mark.parametrize("keyword", ["to", "room"])
def test_the_other_of_to_and_room_counts_where_one_is_falsy(socketio, live, keyword):
    one, two = live.websocket(), live.websocket()
    target = {"to": "", "room": "", keyword: one.sid}
    socketio.emit("e", **target)
    socketio.server.emit("f", **target)
    assert [one.next(), one.next()] == ['42["e"]', '42["f"]']
    assert live.before_fence(two) == []


@pytest.mark.parametrize("nobody", ["", 0])
def test_the_server_and_the_manager_take_a_falsy_room_for_a_room(socketio, live, nobody):
    client, server = live.websocket(), socketio.server
    server.emit("e", room=nobody)
    server.send(None, room=nobody)
    server.manager.emit("e", None, "/", room=nobody)
    assert live.before_fence(client) == []
    server.enter_room(client.sid, nobody)
    server.emit("e", room=nobody)
    server.manager.emit("f", None, "/", room=nobody)
    assert [client.next(), client.next()] == ['42["e"]', '42["f"]']


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_call_to_nobody_in_particular_is_a_broadcast_and_refused(socketio, live, nobody):
    with pytest.raises(ValueError, match="broadcast"):
        socketio.call("q", to=nobody)


@pytest.mark.only("erlen")
@pytest.mark.parametrize("nobody", [0, "", []])
def test_so_is_one_of_the_server(socketio, live, nobody):
    with pytest.raises(ValueError, match="broadcast"):
        socketio.server.call("q", to=nobody)


@pytest.mark.only("erlen")
def test_an_emit_that_reaches_nobody_leaves_a_debug_line_that_says_why(sio_lib, socketio, live, caplog):
    socketio.on("x", namespace="/n")(lambda: None)
    client = live.websocket().join("/n")
    caplog.set_level("DEBUG", logger="erlen")
    socketio.emit("lost", to=client.sids["/n"])
    sid = client.sids["/n"]
    assert f"event 'lost' to '{sid}' in / reaches nobody: that is the id of a client in /n" in caplog.text
    socketio.emit("void", to=["empty", 5, client.sid])
    assert "event 'void' to 'empty' in / reaches nobody: nobody is there" in caplog.text
    assert "event 'void' to 5 in / reaches nobody" in caplog.text
    assert client.sid not in caplog.text and client.handshake["sid"] not in caplog.text


@pytest.mark.parametrize("payload, text", [
    ((), '["e"]'),
    ((None,), '["e"]'),
    (("text",), '["e","text"]'),
    ((0,), '["e",0]'),
    ((False,), '["e",false]'),
    (([1, 2],), '["e",[1,2]]'),
    (((1, 2),), '["e",1,2]'),
    (((),), '["e"]'),
    (((None,),), '["e",null]'),
    (((1, [2, 3]),), '["e",1,[2,3]]'),
    (({"a": None},), '["e",{"a":null}]'),
])
def test_a_tuple_is_several_arguments_and_none_is_no_argument(socketio, live, payload, text):
    client = live.websocket()
    socketio.emit("e", *payload)
    assert client.next() == "42" + text


def test_a_second_positional_payload_is_an_error(socketio):
    with pytest.raises(TypeError):
        socketio.emit("e", 1, 2)


@pytest.mark.parametrize("keyword", ["broadcast", "json", "anything"])
def test_unknown_keywords_of_the_method_emit_are_an_error(socketio, keyword):
    with pytest.raises(TypeError, match=keyword):
        socketio.emit("e", 1, **{keyword: True})


def test_skip_sid_leaves_out_one_or_several(socketio, live):
    one, two, three = (live.websocket() for _ in range(3))
    socketio.emit("a", skip_sid=one.sid)
    socketio.emit("b", skip_sid=[one.sid, two.sid])
    assert live.before_fence(one) == []
    assert live.before_fence(two) == ['42["a"]']
    assert live.before_fence(three) == ['42["a"]', '42["b"]']


def test_include_self_false_leaves_out_the_sender(socketio, live):
    @socketio.on("tell")
    def tell():
        socketio.emit("told", include_self=False)

    one, two = live.websocket(), live.websocket()
    one.ask("tell")
    assert two.next() == '42["told"]'
    assert live.before_fence(one) == []


def test_in_emit_skip_sid_replaces_the_sender_that_include_self_leaves_out(socketio, live, seen):
    one, two = live.websocket(), live.websocket()

    @socketio.on("tell")
    def tell():
        socketio.emit("told", include_self=False, skip_sid=two.sid)

    one.emit("tell")
    assert one.next() == '42["told"]'
    assert live.before_fence(two) == []


def test_in_send_include_self_false_overrides_skip_sid(socketio, live):
    one, two = live.websocket(), live.websocket()

    @socketio.on("tell")
    def tell():
        socketio.send("told", include_self=False, skip_sid=two.sid)

    one.ask("tell")
    assert two.next() == '42["message","told"]'
    assert live.before_fence(one) == []


def test_include_self_false_outside_of_an_event_is_an_error(socketio):
    with pytest.raises((RuntimeError, AttributeError)):
        socketio.emit("e", include_self=False)


def test_an_emit_to_several_rooms_arrives_once(sio_lib, socketio, live):
    socketio.on("join")(sio_lib.join_room)
    one, two, three = (live.websocket() for _ in range(3))
    one.ask("join", "a"), one.ask("join", "b"), two.ask("join", "b")
    socketio.emit("e", to=["a", "b"])
    socketio.emit("f", to=("a", "b"))
    assert live.before_fence(one) == live.before_fence(two) == ['42["e"]', '42["f"]']
    assert live.before_fence(three) == []


def test_an_emit_to_nobody_is_silent(socketio, live):
    client = live.websocket()
    socketio.emit("e", to="no such room")
    socketio.emit("e", namespace="/nowhere")
    assert live.before_fence(client) == []


def test_an_emit_works_from_any_thread(socketio, live):
    client = live.websocket()
    threads = [threading.Thread(target=socketio.emit, args=("e", number)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert sorted(client.next() for _ in threads) == [f'42["e",{number}]' for number in range(8)]


def test_emits_of_one_thread_arrive_in_order(socketio, live, transport):
    client = live.client(transport)
    for number in range(100):
        socketio.emit("e", number)
    assert [client.received()[1] for _ in range(100)] == list(range(100))


def test_the_payload_is_the_one_at_the_time_of_the_call(socketio, live):
    client = live.websocket()
    data = {"list": [1]}
    socketio.emit("e", data)
    data["list"].append(2)
    assert client.next() == '42["e",{"list":[1]}]'


def test_emit_returns_nothing(socketio, live):
    live.websocket()
    assert socketio.emit("e") is None
    assert socketio.send("e") is None


def test_send_is_the_event_message_or_json(socketio, live):
    client = live.websocket()
    socketio.send("text")
    socketio.send({"a": 1}, json=True)
    socketio.send({"a": 1})
    assert [client.next() for _ in range(3)] == [
        '42["message","text"]', '42["json",{"a":1}]', '42["message",{"a":1}]']


def test_unknown_keywords_of_the_method_send_are_an_error(socketio):
    with pytest.raises(TypeError, match="anything"):
        socketio.send("e", anything=True)


def test_send_takes_a_target(socketio, live):
    one, two = live.websocket(), live.websocket()
    socketio.send("a", to=one.sid)
    socketio.send("b", skip_sid=one.sid)
    assert live.before_fence(one) == ['42["message","a"]']
    assert live.before_fence(two) == ['42["message","b"]']


def test_send_without_a_namespace_goes_to_the_root(socketio, live):
    socketio.on("x", namespace="/n")(lambda: None)
    client = live.websocket().join("/n")
    socketio.send("a")
    socketio.send("b", namespace="/n")
    assert [client.next(), client.next()] == ['42["message","a"]', '42/n,["message","b"]']


def test_ignore_queue_changes_nothing_without_a_queue(socketio, live):
    client = live.websocket()
    socketio.emit("e", 1, ignore_queue=True)
    assert client.next() == '42["e",1]'


class Name(str, enum.Enum):
    EVENT = "named"


class Text(str):
    pass


def test_event_names_that_are_subclasses_of_str_go_out_as_their_text(socketio, live):
    client = live.websocket()
    socketio.emit(Text("e"))
    socketio.emit(Name.EVENT)
    assert [client.next(), client.next()] == ['42["e"]', '42["named"]']


@pytest.mark.only("erlen")
@pytest.mark.parametrize("name", [None, b"e", ["e"], {"e": 1}, 1.5, object()])
def test_an_event_name_that_is_no_string_is_a_type_error(socketio, live, name):
    with pytest.raises(TypeError, match="event"):
        socketio.emit(name)


@pytest.mark.only("erlen")
def test_an_integer_as_event_name_reaches_the_clients_that_listen_to_it(socketio, live):
    client = live.websocket()
    socketio.emit(5, "data")
    # A listener in JavaScript is a property: `socket.on(5, …)` and `socket.on("5", …)` are one and the same.
    assert client.next() in ('42[5,"data"]', '42["5","data"]')


@pytest.mark.only("erlen")
@pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener",
                                  "removeListener"])
def test_reserved_event_names_are_refused_at_the_call(socketio, live, name):
    with pytest.raises(ValueError, match=name):
        socketio.emit(name)


@pytest.mark.only("erlen")
@pytest.mark.parametrize("room", [b"r", {"r"}, {"r": 1}, [b"r"]])
def test_a_room_of_a_type_that_reaches_nobody_is_a_type_error(socketio, live, room):
    with pytest.raises(TypeError):
        socketio.emit("e", to=room)


def test_what_json_cannot_hold_is_a_type_error_at_the_call(engine, socketio, live):
    live.websocket()
    with pytest.raises(TypeError) as raised:
        socketio.emit("e", {"items": [0, {"at": object()}]})
    if engine.is_erlen:
        assert "$.items[1].at" in str(raised.value)
        assert "object" in str(raised.value)
