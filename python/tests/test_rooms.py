"""Rooms: joining, leaving, closing, listing, their types and their order (contract 1.2, 1.4, 8)."""
from __future__ import annotations

import flask
import pytest
import requests


@pytest.fixture
def live(app, socketio, serve, sio_lib):
    socketio.on("join")(sio_lib.join_room)
    socketio.on("leave")(sio_lib.leave_room)
    socketio.on("close")(sio_lib.close_room)
    socketio.on("rooms")(lambda: sio_lib.rooms())
    socketio.on("join", namespace="/n")(sio_lib.join_room)
    socketio.on("rooms", namespace="/n")(lambda: sio_lib.rooms())
    return serve(app, socketio)


def test_the_own_sid_is_the_first_room(live):
    client = live.websocket()
    assert client.ask("rooms") == f'[["{client.sid}"]]'


def test_rooms_are_listed_in_the_order_of_joining_with_their_types(live):
    client = live.websocket()
    for room in ("b", 5, "a"):
        client.ask("join", room)
    assert client.ask("rooms") == f'[["{client.sid}","b",5,"a"]]'


def test_an_integer_and_its_text_are_two_rooms(socketio, live):
    one, two = live.websocket(), live.websocket()
    one.ask("join", 5)
    two.ask("join", "5")
    socketio.emit("number", to=5)
    socketio.emit("text", to="5")
    assert live.before_fence(one) == ['42["number"]']
    assert live.before_fence(two) == ['42["text"]']


def test_leaving_a_room_ends_its_events(socketio, live):
    client = live.websocket()
    client.ask("join", "r")
    socketio.emit("one", to="r")
    assert client.next() == '42["one"]'
    client.ask("leave", "r")
    socketio.emit("two", to="r")
    assert live.before_fence(client) == []


def test_leaving_a_room_one_is_not_in_is_silent(live):
    client = live.websocket()
    assert client.ask("leave", "never") == "[]"


def test_joining_twice_is_joining_once(socketio, live):
    client = live.websocket()
    client.ask("join", "r")
    client.ask("join", "r")
    assert client.ask("rooms") == f'[["{client.sid}","r"]]'
    socketio.emit("e", to="r")
    assert live.before_fence(client) == ['42["e"]']


def test_closing_a_room_puts_everybody_out(socketio, live):
    one, two = live.websocket(), live.websocket()
    one.ask("join", "r"), two.ask("join", "r")
    one.ask("close", "r")
    assert one.ask("rooms") == f'[["{one.sid}"]]'
    assert two.ask("rooms") == f'[["{two.sid}"]]'
    socketio.emit("e", to="r")
    assert live.before_fence(two) == []


def test_closing_an_unknown_room_is_silent(live, socketio):
    client = live.websocket()
    assert client.ask("close", "never") == "[]"
    socketio.close_room("never")


def test_the_method_close_room_works_outside_of_events(socketio, live):
    client = live.websocket()
    client.ask("join", "r")
    socketio.close_room("r")
    assert client.ask("rooms") == f'[["{client.sid}"]]'


def test_rooms_belong_to_a_namespace(socketio, live):
    client = live.websocket().join("/n")
    client.ask("join", "r", namespace="/n")
    assert client.ask("rooms") == f'[["{client.sid}"]]'
    socketio.emit("root", to="r")
    socketio.emit("n", to="r", namespace="/n")
    assert client.next() == '42/n,["n"]'


def test_a_handler_puts_another_client_into_a_room(sio_lib, socketio, live):
    one, two = live.websocket(), live.websocket()
    socketio.on("invite")(lambda sid: sio_lib.join_room("r", sid=sid))
    socketio.on("expel")(lambda sid: sio_lib.leave_room("r", sid=sid))
    socketio.on("rooms of")(lambda sid: sio_lib.rooms(sid=sid))
    one.ask("invite", two.sid)
    assert one.ask("rooms of", two.sid) == f'[["{two.sid}","r"]]'
    one.ask("expel", two.sid)
    assert one.ask("rooms of", two.sid) == f'[["{two.sid}"]]'


def test_a_room_of_another_namespace_is_joined_by_name(sio_lib, socketio, live):
    client = live.websocket().join("/n")
    sid = client.sids["/n"]
    socketio.on("cross")(lambda: sio_lib.join_room("r", sid=sid, namespace="/n"))
    client.ask("cross")
    assert client.ask("rooms", namespace="/n") == f'[["{sid}","r"]]'


def test_putting_an_unknown_client_into_a_room_is_an_error(sio_lib, socketio, live, seen):
    @socketio.on("ghost")
    def ghost(namespace):
        try:
            sio_lib.join_room("r", sid="nobody", namespace=namespace)
        except (KeyError, ValueError) as error:
            seen.put((type(error), str(error)))

    client = live.websocket()
    client.emit("ghost", "/")
    assert seen.next()[0] is KeyError
    client.emit("ghost", "/empty")
    assert seen.next() == (ValueError, "sid is not connected to requested namespace")


def test_the_sid_of_another_client_cannot_be_joined_as_a_room(sio_lib, socketio, live, seen):
    one, two = live.websocket(), live.websocket()

    @socketio.on("try")
    def attempt():
        for function, match in ((sio_lib.join_room, "cannot enter a sid room"),
                                (sio_lib.close_room, "cannot close a sid room")):
            with pytest.raises(ValueError, match=match):
                function(two.sid)
        seen.put("both refused")

    one.emit("try")
    assert seen.next() == "both refused"
    socketio.emit("private", to=two.sid)
    assert live.before_fence(one) == []


def test_all_rooms_are_left_when_the_client_leaves(sio_lib, socketio, live, seen, eventually):
    @socketio.on("disconnect")
    def gone(reason):
        seen.put(sio_lib.rooms())

    one, two = live.websocket(), live.websocket()
    one.ask("join", "r"), two.ask("join", "r")
    one.send("41")
    assert seen.next() == [one.sid, "r"]
    socketio.emit("e", to="r")
    assert live.before_fence(two) == ['42["e"]']
    eventually(lambda: [sid for sid, _ in socketio.server.manager.get_participants("/", "r")] == [two.sid])


def test_the_disconnect_handler_still_knows_the_rooms_and_reaches_the_others(sio_lib, socketio, live):
    @socketio.on("disconnect")
    def gone(reason):
        for room in sio_lib.rooms():
            if room != flask.request.sid:
                sio_lib.emit("left", to=room)

    one, two = live.websocket(), live.websocket()
    one.ask("join", "r"), two.ask("join", "r")
    one.drop()
    assert two.next() == '42["left"]'


def test_rooms_of_strange_names(socketio, live):
    client = live.websocket()
    for room in (" ", "a,b", "/", "*", "ünï", -1, 2 ** 40):
        client.ask("join", room)
        socketio.emit("e", to=room)
        assert client.next() == '42["e"]', room


def test_a_broadcast_in_a_room_leaves_out_the_sender(sio_lib, socketio, live):
    @socketio.on("say")
    def say():
        sio_lib.emit("said", to="r", include_self=False)

    one, two, three = (live.websocket() for _ in range(3))
    one.ask("join", "r"), two.ask("join", "r")
    one.ask("say")
    assert live.before_fence(one) == live.before_fence(three) == []
    assert live.before_fence(two) == ['42["said"]']


def test_a_page_moves_clients_between_rooms_by_their_sid(sio_lib, app, socketio, live):
    @app.route("/in/<sid>")
    def enter(sid):
        sio_lib.join_room("r", sid=sid, namespace="/")
        return sio_lib.rooms(sid=sid, namespace="/")

    @app.route("/out/<sid>")
    def leave(sid):
        sio_lib.leave_room("r", sid=sid, namespace="/")
        return sio_lib.rooms(sid=sid, namespace="/")

    client = live.websocket()
    assert requests.get(f"{live.url}/in/{client.sid}", timeout=10).json() == [client.sid, "r"]
    socketio.emit("e", to="r")
    assert client.next() == '42["e"]'
    assert requests.get(f"{live.url}/out/{client.sid}", timeout=10).json() == [client.sid]


def test_the_id_of_one_namespace_is_nobody_in_another(socketio, live):
    client = live.websocket().join("/n")
    socketio.emit("e", to=client.sids["/n"])
    socketio.emit("e", to=client.sids["/"], namespace="/n")
    assert live.before_fence(client) == []
    socketio.emit("e", to=client.sids["/n"], namespace="/n")
    assert client.next() == '42/n,["e"]'
