"""Leaving: the reason, who is told and how often, and what a handler can still do (contract 1.4)."""
from __future__ import annotations

import threading

import flask
import pytest
import requests


@pytest.fixture
def reasons(socketio, seen):
    """Every call of the disconnect handler: its reason."""
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    return seen


def test_a_disconnect_packet_is_the_client_leaving(app, socketio, serve, reasons, transport):
    serve(app, socketio).client(transport).send("41")
    assert reasons.next() == "client disconnect"


def test_a_close_packet_is_the_client_leaving(app, socketio, serve, reasons, transport):
    serve(app, socketio).client(transport).send("1")
    assert reasons.next() == "client disconnect"


def test_a_closed_tab_is_the_transport_closing(app, socketio, serve, reasons):
    serve(app, socketio).websocket().drop()
    assert reasons.next() == "transport close"


def test_a_missed_pong_is_a_ping_timeout(sio_lib, app, serve, seen):
    # The timeout is what a busy machine has for the client to come in.
    socketio = sio_lib.SocketIO(app, ping_interval=0.1, ping_timeout=2)
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    client = serve(app, socketio).websocket()
    assert client.socket.recv() == "2"
    assert seen.next() == "ping timeout"


def test_disconnect_in_a_handler_is_the_server_leaving(sio_lib, app, socketio, serve, reasons, transport):
    socketio.on("leave")(lambda: sio_lib.disconnect())
    client = serve(app, socketio).client(transport)
    client.emit("leave")
    assert client.next() == "41"
    assert reasons.next() == "server disconnect"


def test_a_message_over_the_limit_closes_the_transport(sio_lib, app, serve, seen):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=100)
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    serve(app, socketio).websocket().emit("e", "x" * 200)
    assert seen.next() == "transport close"


def test_a_handler_without_parameter_is_called_without_reason(app, socketio, serve, seen):
    socketio.on("disconnect")(lambda: seen.put("called"))
    serve(app, socketio).websocket().send("41")
    assert seen.next() == "called"
    assert seen.all() == []


def test_a_type_error_inside_of_a_disconnect_handler_is_not_taken_for_a_wrong_arity(engine, app, socketio, serve,
                                                                                    seen, output):
    @socketio.on("disconnect")
    def gone(*args):
        seen.put(args)
        raise TypeError("inside of the body")

    client = serve(app, socketio).websocket()
    client.send("41")
    assert seen.next() == ("client disconnect",)
    output.until("inside of the body")
    assert seen.all() == engine.either(upstream=[()], erlen=[])


def test_the_handler_runs_once_for_each_namespace(app, socketio, serve, seen):
    for namespace in ("/", "/a", "/b"):
        socketio.on("disconnect", namespace=namespace)(lambda reason: seen.put((flask.request.namespace, reason)))
    client = serve(app, socketio).websocket().join("/a").join("/b")
    client.send("41/a,")
    assert seen.next() == ("/a", "client disconnect")
    client.drop()
    assert sorted([seen.next(), seen.next()]) == [("/", "transport close"), ("/b", "transport close")]
    assert seen.all() == []


def test_leaving_one_namespace_leaves_the_others_connected(app, socketio, serve, reasons):
    socketio.on("e", namespace="/a")(lambda: "alive")
    client = serve(app, socketio).websocket().join("/a")
    client.send("41")
    assert reasons.next() == "client disconnect"
    assert client.ask("e", namespace="/a") == '["alive"]'


def test_a_client_that_left_may_connect_again_on_the_same_connection(app, socketio, serve, reasons):
    socketio.on("e")(lambda: "alive")
    client = serve(app, socketio).websocket()
    first = client.sid
    client.send("41")
    assert reasons.next() == "client disconnect"
    assert client.join().sid != first
    assert client.ask("e") == '["alive"]'


def test_disconnect_runs_the_handler_before_it_returns(sio_lib, app, socketio, serve, seen):
    socketio.on("disconnect")(lambda reason: seen.put((reason, flask.request.event["message"])))

    @socketio.on("leave")
    def leave():
        seen.put("before")
        sio_lib.disconnect()
        seen.put(("after", flask.request.event["message"]))

    client = serve(app, socketio).websocket()
    client.emit("leave")
    assert [seen.next() for _ in range(3)] == [
        "before", ("server disconnect", "disconnect"), ("after", "leave")]


def test_the_disconnect_handler_runs_on_the_thread_that_calls_disconnect(sio_lib, app, socketio, serve, seen):
    socketio.on("disconnect")(lambda reason: seen.put(threading.get_ident()))

    @socketio.on("leave")
    def leave():
        seen.put(threading.get_ident())
        sio_lib.disconnect()

    serve(app, socketio).websocket().emit("leave")
    assert seen.next() == seen.next()


def test_the_connection_stays_open_after_disconnect(sio_lib, app, socketio, serve, transport, eventually):
    socketio.on("leave")(lambda: sio_lib.disconnect())
    client = serve(app, socketio).client(transport)
    client.emit("leave")
    assert client.next() == "41"
    eventually(lambda: socketio.server.get_environ(client.sid) is None)
    assert client.connect().startswith("40")


def test_an_emit_after_disconnect_goes_nowhere(sio_lib, app, socketio, serve, seen):
    @socketio.on("leave")
    def leave():
        sio_lib.emit("before")
        sio_lib.disconnect()
        sio_lib.emit("after")
        seen.put("the end")

    client = serve(app, socketio).websocket()
    client.emit("leave")
    assert client.next() == '42["before"]'
    assert client.next() == "41"
    assert seen.next() == "the end"
    assert client.connect().startswith("40")
    assert client.early == []


def rooms_of(sio_lib, sid):
    """The rooms that a client is in, and what becomes of joining one."""
    try:
        sio_lib.join_room("late", sid)
    except (KeyError, ValueError) as error:
        return sio_lib.rooms(sid), type(error)
    return sio_lib.rooms(sid), "joined"


@pytest.mark.parametrize("others", [False, True])
def test_disconnect_has_left_all_rooms_when_it_returns(sio_lib, app, socketio, serve, seen, others):
    socketio.on("join")(sio_lib.join_room)
    socketio.on("disconnect")(lambda reason: seen.put(sio_lib.rooms()))

    @socketio.on("leave")
    def leave():
        sid = flask.request.sid
        sio_lib.disconnect()
        seen.put(rooms_of(sio_lib, sid))
        sio_lib.leave_room("r")
        sio_lib.disconnect()
        seen.put([sid for sid, _ in socketio.server.manager.get_participants("/", "r")])

    live = serve(app, socketio)
    client = live.websocket()
    staying = [live.websocket()] if others else []
    for each in [client, *staying]:
        each.ask("join", "r")
    client.emit("leave")
    assert sorted(seen.next()) == sorted([client.sid, "r"])
    assert seen.next() == ([], KeyError if others else ValueError)
    assert seen.next() == [other.sid for other in staying]
    assert seen.all() == []


def test_a_client_that_has_left_by_itself_is_in_no_room_of_a_handler_that_runs_still(sio_lib, app, socketio, serve, seen,
                                                                                    eventually):
    gone = threading.Event()

    @socketio.on("work")
    def work():
        sid = flask.request.sid
        sio_lib.join_room("r")
        seen.put("begun")
        gone.wait(10)
        seen.put(rooms_of(sio_lib, sid))

    client = serve(app, socketio).websocket()
    client.emit("work")
    assert seen.next() == "begun"
    client.drop()
    eventually(lambda: "r" not in socketio.server.manager.rooms.get("/", {}))
    gone.set()
    assert seen.next() == ([], ValueError)


def test_a_handler_disconnects_another_client(sio_lib, app, socketio, serve, seen):
    socketio.on("disconnect")(lambda reason: seen.put((flask.request.sid, reason)))
    socketio.on("kick")(lambda sid: sio_lib.disconnect(sid))
    live = serve(app, socketio)
    one, two = live.websocket(), live.polling()
    one.emit("kick", two.sid)
    assert two.next() == "41"
    assert seen.next() == (two.sid, "server disconnect")
    socketio.emit("e")
    assert one.next() == '42["e"]'


def test_a_namespace_of_the_client_is_disconnected_by_name(sio_lib, app, socketio, serve, seen):
    client_sids = {}
    socketio.on("disconnect", namespace="/n")(lambda reason: seen.put(reason))
    socketio.on("kick")(lambda: sio_lib.disconnect(client_sids["/n"], namespace="/n"))
    client = serve(app, socketio).websocket().join("/n")
    client_sids.update(client.sids)
    client.emit("kick")
    assert client.next() == "41/n,"
    assert seen.next() == "server disconnect"


def test_disconnecting_an_unknown_client_is_silent(sio_lib, app, socketio, serve):
    socketio.on("kick")(lambda: sio_lib.disconnect("nobody"))
    client = serve(app, socketio).websocket()
    assert client.ask("kick") == "[]"


def test_silent_is_accepted(sio_lib, app, socketio, serve, reasons):
    socketio.on("leave")(lambda: sio_lib.disconnect(silent=True))
    serve(app, socketio).websocket().emit("leave")
    assert reasons.next() == "server disconnect"


def test_a_room_is_emptied_by_disconnecting_everybody_in_it(sio_lib, app, socketio, serve, seen, eventually):
    socketio.on("join")(sio_lib.join_room)
    socketio.on("disconnect")(lambda reason: seen.put((flask.request.sid, reason)))

    @socketio.on("clear")
    def clear():
        for sid, _ in list(socketio.server.manager.get_participants("/", "r")):
            sio_lib.disconnect(sid)

    live = serve(app, socketio)
    clients = [live.websocket(), live.polling(), live.websocket(), live.polling()]
    for client in clients:
        client.ask("join", "r")
    clients[0].emit("clear")
    for client in clients:
        assert client.next() == "41"
    left = [seen.next() for _ in clients]
    assert sorted(left) == sorted((client.sid, "server disconnect") for client in clients)
    eventually(lambda: "r" not in socketio.server.manager.rooms.get("/", {}))
    assert seen.all() == []


def test_the_request_of_the_disconnect_handler_is_that_of_the_handshake(app, socketio, serve, seen):
    @socketio.on("disconnect")
    def gone(reason):
        seen.put((flask.request.args["name"], flask.request.sid, flask.request.event["message"],
                  tuple(flask.request.event["args"])))

    client = serve(app, socketio).websocket(query="&name=me")
    client.drop()
    assert seen.next() == ("me", client.sid, "disconnect", ("transport close",))


def test_a_broadcast_from_the_disconnect_handler_reaches_the_others(sio_lib, app, socketio, serve):
    @socketio.on("disconnect")
    def gone(reason):
        sio_lib.emit("left", flask.request.sid, broadcast=True)

    live = serve(app, socketio)
    one, two = live.websocket(), live.websocket()
    one.drop()
    assert two.next() == f'42["left","{one.sid}"]'


@pytest.mark.only("erlen")
def test_an_error_in_the_disconnect_handler_still_removes_the_client(app, socketio, serve, eventually, seen):
    @socketio.on("disconnect")
    def gone(reason):
        seen.put(reason)
        raise ValueError("in the disconnect handler")

    client = serve(app, socketio).websocket()
    client.drop()
    assert seen.next() == "transport close"
    eventually(lambda: not list(socketio.server.manager.get_participants("/", None)))


def test_the_server_leaves_a_client_from_outside_of_events(app, socketio, serve, reasons):
    client = serve(app, socketio).websocket()
    socketio.server.disconnect(client.sid)
    assert client.next() == "41"
    assert reasons.next() == "server disconnect"


def test_a_page_disconnects_a_client(sio_lib, app, socketio, serve, reasons):
    @app.route("/kick/<sid>")
    def kick(sid):
        sio_lib.disconnect(sid, namespace="/")
        return "kicked"

    live = serve(app, socketio)
    client = live.websocket()
    assert requests.get(f"{live.url}/kick/{client.sid}", timeout=10).text == "kicked"
    assert client.next() == "41"
    assert reasons.next() == "server disconnect"


@pytest.mark.only("erlen")
def test_a_room_may_be_emptied_while_it_is_walked_and_its_clients_emit(sio_lib, app, socketio, serve, seen):
    socketio.on("join")(sio_lib.join_room)
    socketio.on("noise")(lambda *args: None)
    socketio.on("disconnect")(lambda reason: seen.put((flask.request.sid, reason)))

    @socketio.on("clear")
    def clear():
        for sid, _ in socketio.server.manager.get_participants("/", "r"):
            sio_lib.disconnect(sid)

    live = serve(app, socketio)
    clients = [live.websocket() for _ in range(4)]
    for client in clients:
        client.ask("join", "r")
    for client in clients:
        for number in range(20):
            client.emit("noise", number)
    clients[0].emit("clear")
    for client in clients:
        assert client.next() == "41"
    left = [seen.next() for _ in clients]
    assert sorted(left) == sorted((client.sid, "server disconnect") for client in clients)


@pytest.mark.only("erlen")
@pytest.mark.parametrize("packet", ["42{", "42", "4x", "9", "42[]", '451-["e",{"_placeholder":true,"num":0}]'])
def test_a_packet_that_cannot_be_parsed_is_a_transport_error(app, socketio, serve, reasons, packet):
    client = serve(app, socketio).websocket()
    client.send(packet)
    if packet.startswith("451"):
        client.send("42[\"text in the place of an attachment\"]")
    assert reasons.next() == "transport error"


@pytest.mark.only("erlen")
def test_the_log_says_what_was_too_big_and_which_option_limits_it(sio_lib, app, serve, seen, output):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=1000)
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    serve(app, socketio).websocket().emit("e", "x" * 2000)
    assert seen.next() == "transport close"
    output.until("1000", "max_http_buffer_size")


@pytest.mark.only("erlen")
def test_nothing_is_left_of_clients_that_came_and_went(sio_lib, app, socketio, serve, eventually):
    socketio.on("e")(lambda: sio_lib.emit("q", callback=print))

    @socketio.on("connect")
    def connect():
        sio_lib.join_room("r")
        flask.session["a"] = 1

    @socketio.on("disconnect")
    def gone(reason):
        raise ValueError("in the disconnect handler")

    live = serve(app, socketio)
    live.websocket().drop()
    server = socketio.server
    eventually(lambda: not list(server.manager.get_participants("/", None)))
    before = threading.active_count()
    for number in range(40):
        client = live.client("polling" if number % 4 == 0 else "websocket")
        client.emit("e")
        client.next()
        client.close()
    eventually(lambda: not list(server.manager.get_participants("/", None)))
    eventually(lambda: len(server.environ) == 0 and len(server.eio.sockets) == 0)
    assert list(server.manager.get_participants("/", "r")) == []
    eventually(lambda: threading.active_count() <= before + 2)


def test_every_connect_that_was_granted_has_its_disconnect(app, socketio, serve, seen):
    socketio.on("connect")(lambda: seen.put("connect"))
    socketio.on("disconnect")(lambda reason: seen.put(reason))
    client = serve(app, socketio).websocket(namespace=None)
    for _ in range(200):
        client.send("40")
        assert client.next().startswith("40")
        client.send("41")
    calls = [seen.next() for _ in range(400)]
    assert (calls.count("connect"), calls.count("client disconnect")) == (200, 200)


def test_a_client_that_goes_while_its_connect_handler_runs_has_its_disconnect(engine, app, socketio, serve, seen,
                                                                               eventually):
    release = threading.Event()

    @socketio.on("connect")
    def connect():
        seen.put("connect")
        release.wait(10)

    socketio.on("disconnect")(lambda reason: seen.put(reason))
    client = serve(app, socketio).websocket(namespace=None)
    client.send("40")
    assert seen.next() == "connect"
    client.drop()
    if engine.is_erlen:
        # The reference reads nothing while the handler runs.
        eventually(lambda: len(socketio.server.eio.sockets) == 0)
    release.set()
    assert seen.next() == "transport close"


def test_a_client_that_goes_while_it_is_refused_has_no_disconnect(engine, app, socketio, serve, seen, eventually):
    release = threading.Event()

    @socketio.on("connect")
    def connect():
        seen.put("connect")
        release.wait(10)
        return False

    socketio.on("disconnect")(lambda reason: seen.put(reason))
    live = serve(app, socketio)
    client = live.websocket(namespace=None)
    client.send("40")
    assert seen.next() == "connect"
    client.drop()
    if engine.is_erlen:
        eventually(lambda: len(socketio.server.eio.sockets) == 0)
    release.set()
    socketio.on("connect")(lambda: None)
    live.websocket().send("41")
    assert seen.next() == "client disconnect"
    assert seen.all() == []
