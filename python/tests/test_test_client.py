"""`SocketIOTestClient`, with which apps test themselves (contract 1.6)."""
from __future__ import annotations

import gc
import weakref

import flask
import pytest

import threads


def test_a_client_is_connected_by_its_constructor(sio_lib, app, socketio):
    client = socketio.test_client(app)
    assert isinstance(client, sio_lib.SocketIOTestClient)
    assert client.is_connected()
    assert client.is_connected("/")
    assert not client.is_connected("/other")


def test_the_class_itself_takes_the_app_and_the_object(sio_lib, app, socketio):
    socketio.on("x", namespace="/n")(lambda: None)
    client = sio_lib.SocketIOTestClient(app, socketio, namespace="/n")
    assert client.is_connected("/n")
    assert not client.is_connected()


def test_the_attributes_of_a_client(sio_lib, app, socketio):
    client = socketio.test_client(app)
    assert client.app is app
    assert client.socketio is socketio
    assert client.flask_test_client is None
    assert client.connected == {"/": True}
    assert sio_lib.SocketIOTestClient.clients[client.eio_sid] is client


def test_an_event_runs_its_handler_before_emit_returns(app, socketio):
    got = []
    socketio.on("e")(lambda *args: got.append(args))
    client = socketio.test_client(app)
    client.emit("e")
    client.emit("e", 1, {"a": [2]})
    assert got == [(), (1, {"a": [2]})]


@pytest.mark.parametrize("value, answer", [
    (None, []), ((), []), (5, 5), ("text", "text"), ([1, 2], [1, 2]), ((1, 2), [1, 2]), ({"a": 1}, {"a": 1}),
    (b"\x01", b"\x01"),
])
def test_emit_with_callback_returns_the_ack(app, socketio, value, answer):
    socketio.on("e")(lambda: value)
    assert socketio.test_client(app).emit("e", callback=True) == answer


def test_emit_without_callback_returns_nothing(app, socketio):
    socketio.on("e")(lambda: 5)
    assert socketio.test_client(app).emit("e") is None


def test_an_exception_of_the_handler_reaches_the_test(app, socketio):
    @socketio.on("e")
    def fail():
        raise ValueError("from the handler")

    with pytest.raises(ValueError, match="from the handler"):
        socketio.test_client(app).emit("e")


def test_an_exception_that_the_error_handler_takes_does_not(app, socketio):
    @socketio.on("e")
    def fail():
        raise ValueError("x")

    socketio.on_error_default(lambda error: str(error))
    assert socketio.test_client(app).emit("e", callback=True) == "x"


def test_what_was_received_is_a_list_of_events_that_is_drained(sio_lib, app, socketio):
    @socketio.on("e")
    def handle():
        sio_lib.emit("none")
        sio_lib.emit("one", {"a": 1})
        sio_lib.emit("two", (1, "b"))

    client = socketio.test_client(app)
    client.emit("e")
    assert client.get_received() == [
        {"name": "none", "args": [], "namespace": "/"},
        {"name": "one", "args": [{"a": 1}], "namespace": "/"},
        {"name": "two", "args": [1, "b"], "namespace": "/"},
    ]
    assert client.get_received() == []


def test_messages_and_json_are_received_as_their_bare_payload(sio_lib, app, socketio):
    @socketio.on("e")
    def handle():
        sio_lib.send("text")
        sio_lib.send({"a": 1}, json=True)

    client = socketio.test_client(app)
    client.emit("e")
    assert client.get_received() == [
        {"name": "message", "args": "text", "namespace": "/"},
        {"name": "json", "args": {"a": 1}, "namespace": "/"},
    ]


def test_send_is_the_event_message_or_json(app, socketio):
    got = []
    socketio.on("message")(lambda data: got.append(("message", data)) or "ack")
    socketio.on("json")(lambda data: got.append(("json", data)))
    client = socketio.test_client(app)
    assert client.send("text", callback=True) == "ack"
    client.send({"a": 1}, json=True)
    assert got == [("message", "text"), ("json", {"a": 1})]


def test_each_client_receives_its_own(sio_lib, app, socketio):
    socketio.on("all")(lambda: sio_lib.emit("e", broadcast=True))
    socketio.on("me")(lambda: sio_lib.emit("mine"))
    socketio.on("others")(lambda: sio_lib.emit("theirs", broadcast=True, include_self=False))
    one, two = socketio.test_client(app), socketio.test_client(app)
    for event in ("all", "me", "others"):
        one.emit(event)
    assert [event["name"] for event in one.get_received()] == ["e", "mine"]
    assert [event["name"] for event in two.get_received()] == ["e", "theirs"]


def test_namespaces_are_received_apart(sio_lib, app, socketio):
    for namespace in ("/", "/n"):
        socketio.on("e", namespace=namespace)(lambda: sio_lib.emit("answer"))
    client = socketio.test_client(app)
    client.connect("/n")
    client.emit("e", namespace="/n")
    assert client.get_received() == []
    assert client.get_received("/n") == [{"name": "answer", "args": [], "namespace": "/n"}]


def test_the_query_the_headers_and_the_auth_of_connect(app, socketio, seen):
    @socketio.on("connect")
    def connect(auth):
        seen.put((flask.request.args.get("a"), flask.request.headers.get("X-Mine"), auth))

    socketio.test_client(app, query_string="?a=b", headers={"X-Mine": "yes"}, auth={"token": 1})
    assert seen.next() == ("b", "yes", {"token": 1})
    socketio.test_client(app, query_string="a=c")
    assert seen.next() == ("c", None, None)


def test_the_path_and_method_are_those_of_a_handshake(app, socketio, seen):
    socketio.on("connect")(lambda: seen.put((flask.request.path.rstrip("/"), flask.request.method)))
    socketio.test_client(app)
    assert seen.next() == ("/socket.io", "GET")


def test_the_cookies_of_the_flask_client_are_sent(app, socketio):
    @app.route("/login")
    def login():
        flask.session["user"] = "ann"
        return ""

    socketio.on("whoami")(lambda: flask.session.get("user", "nobody"))
    http = app.test_client()
    http.get("/login")
    assert socketio.test_client(app, flask_test_client=http).emit("whoami", callback=True) == "ann"
    assert socketio.test_client(app).emit("whoami", callback=True) == "nobody"


def test_the_environ_base_of_the_flask_client_is_used(app, socketio):
    socketio.on("where")(lambda: flask.request.remote_addr)
    http = app.test_client()
    http.environ_base["REMOTE_ADDR"] = "9.9.9.9"
    assert socketio.test_client(app, flask_test_client=http).emit("where", callback=True) == "9.9.9.9"


def test_the_environ_of_the_client_is_at_the_server(app, socketio):
    @socketio.on("e")
    def handle():
        flask.session["a"] = 1

    client = socketio.test_client(app)
    client.emit("e")
    assert socketio.server.environ[client.eio_sid]["saved_session"] == {"a": 1}


def test_a_refused_client_is_not_connected(sio_lib, app, socketio):
    @socketio.on("connect")
    def connect(auth):
        if auth is None:
            return False
        raise sio_lib.ConnectionRefusedError("nope")

    assert not socketio.test_client(app).is_connected()
    assert not socketio.test_client(app, auth={"a": 1}).is_connected()


def test_disconnect_runs_the_handler_and_may_be_done_once(app, socketio):
    got = []
    socketio.on("disconnect")(lambda reason: got.append(reason))
    client = socketio.test_client(app)
    client.disconnect()
    assert got == ["client disconnect"]
    assert not client.is_connected()
    with pytest.raises(RuntimeError, match="not connected"):
        client.disconnect()


def test_what_needs_a_connection_says_so(app, socketio):
    client = socketio.test_client(app)
    client.disconnect()
    for action in (lambda: client.emit("e"), lambda: client.send("e"), lambda: client.get_received()):
        with pytest.raises(RuntimeError, match="not connected"):
            action()


def test_a_client_may_connect_again(app, socketio):
    socketio.on("e")(lambda: "again")
    client = socketio.test_client(app)
    client.disconnect()
    client.connect()
    assert client.is_connected()
    assert client.emit("e", callback=True) == "again"


def test_a_client_that_the_server_disconnects_is_not_connected(sio_lib, app, socketio):
    socketio.on("leave")(lambda: sio_lib.disconnect())
    client = socketio.test_client(app)
    client.emit("leave")
    assert not client.is_connected()


def test_a_namespace_is_left_by_name(app, socketio):
    socketio.on("x", namespace="/n")(lambda: None)
    client = socketio.test_client(app)
    client.connect("/n")
    client.disconnect("/n")
    assert client.is_connected()
    assert not client.is_connected("/n")


def test_rooms_work_between_clients(sio_lib, app, socketio):
    socketio.on("join")(sio_lib.join_room)
    one, two = socketio.test_client(app), socketio.test_client(app)
    one.emit("join", "r")
    socketio.emit("e", to="r")
    assert [event["name"] for event in one.get_received()] == ["e"]
    assert two.get_received() == []


def test_an_emit_from_outside_is_received(app, socketio):
    client = socketio.test_client(app)
    socketio.emit("e", {"a": 1})
    assert client.get_received() == [{"name": "e", "args": [{"a": 1}], "namespace": "/"}]


def test_an_emit_from_a_page_is_received(app, socketio):
    @app.route("/tell")
    def tell():
        socketio.emit("e")
        return ""

    http = app.test_client()
    client = socketio.test_client(app, flask_test_client=http)
    http.get("/tell")
    assert [event["name"] for event in client.get_received()] == ["e"]


def test_events_of_the_connect_handler_are_received(sio_lib, app, socketio):
    socketio.on("connect")(lambda: sio_lib.emit("welcome"))
    client = socketio.test_client(app)
    assert [event["name"] for event in client.get_received()] == ["welcome"]


def test_bytes_go_both_ways(sio_lib, app, socketio):
    @socketio.on("e")
    def handle(data):
        sio_lib.emit("back", {"data": data["data"] + b"\x02"})
        return [data["data"]]

    client = socketio.test_client(app)
    assert client.emit("e", {"data": b"\x01"}, callback=True) == [b"\x01"]
    assert client.get_received()[0]["args"] == [{"data": b"\x01\x02"}]


def test_tuples_and_keys_come_out_as_json_has_them(sio_lib, app, socketio):
    socketio.on("e")(lambda data: sio_lib.emit("back", {"pair": (1, 2), 3: data}))
    client = socketio.test_client(app)
    client.emit("e", {4: (5,)})
    assert client.get_received()[0]["args"] == [{"pair": [1, 2], "3": {"4": [5]}}]


def test_a_later_change_of_the_payload_does_not_show(app, socketio):
    client = socketio.test_client(app)
    data = {"a": 1}
    socketio.emit("e", data)
    data["a"] = 2
    assert client.get_received()[0]["args"] == [{"a": 1}]


def test_what_json_cannot_hold_is_an_error_in_the_test_too(sio_lib, app, socketio):
    socketio.on("e")(lambda: sio_lib.emit("back", {"at": object()}))
    with pytest.raises(TypeError):
        socketio.test_client(app).emit("e")


def test_unknown_keywords_of_emit_are_ignored(app, socketio):
    socketio.on("e")(lambda: "fine")
    assert socketio.test_client(app).emit("e", callback=True, anything=True) == "fine"


def test_class_namespaces_work_with_the_client(sio_lib, app, socketio):
    class Chat(sio_lib.Namespace):
        def on_connect(self):
            sio_lib.emit("welcome")

        def on_e(self, value):
            self.emit("told", value)
            return value

    socketio.on_namespace(Chat("/n"))
    client = socketio.test_client(app, namespace="/n")
    assert client.emit("e", 5, namespace="/n", callback=True) == 5
    assert [event["name"] for event in client.get_received("/n")] == ["welcome", "told"]


def test_an_ack_that_the_server_asks_for_is_not_answered_by_the_client(sio_lib, app, socketio):
    socketio.on("e")(lambda: sio_lib.emit("q", callback=lambda: None))
    client = socketio.test_client(app)
    client.emit("e")
    assert [event["name"] for event in client.get_received()] == ["q"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_object_for_many_tests_gives_each_the_same(sio_lib, number):
    app = flask.Flask("each")
    app.config["SECRET_KEY"] = "secret"
    GLOBAL.setdefault(sio_lib, sio_lib.SocketIO())
    socketio = GLOBAL[sio_lib]
    socketio.on("e")(lambda: sio_lib.emit("answer", number))
    socketio.init_app(app)
    client = socketio.test_client(app)
    client.emit("e")
    received = client.get_received()
    assert len(received) == 1
    client.disconnect()


GLOBAL: dict = {}


@pytest.mark.only("erlen")
def test_a_client_that_is_dropped_has_no_handler_run(app, socketio, seen, eventually, engine):
    socketio.on("disconnect")(lambda: seen.put("a handler"))
    client = socketio.test_client(app)
    assert len(socketio.server.environ) == 1
    del client
    eventually(lambda: not socketio.server.environ)
    socketio.test_client(app).disconnect()
    assert seen.next() == "a handler" and seen.all() == []


@threads.counted
@pytest.mark.only("erlen")
@pytest.mark.parametrize("leave", [lambda client: None, lambda client: client.disconnect()], ids=["drop", "disconnect"])
def test_an_app_is_gone_when_its_tests_are_over_with_its_threads(sio_lib, socketio, eventually, engine, leave):
    def use():
        app = flask.Flask("dropped")
        app.secret_key = "secret"
        socketio = sio_lib.SocketIO(app)
        socketio.on("connect")(lambda: flask.session.update(kept=True))
        socketio.on("e")(lambda: sio_lib.emit("answer"))
        client = socketio.test_client(app)
        client.emit("e")
        assert len(client.get_received()) == 1
        leave(client)
        return weakref.ref(app), weakref.ref(socketio), weakref.ref(client)

    another = socketio._serving.engine()

    def gone():
        # What a thread without the interpreter has let go of is freed by the next call into any engine.
        another.load()
        gc.collect()
        return not any(reference() for reference in references)

    before = len(threads.of_erlen())
    references = [reference for _ in range(10) for reference in use()]
    eventually(gone)
    eventually(lambda: len(threads.of_erlen()) <= before)


def test_a_keyword_that_is_none_is_ignored_and_the_log_says_so(engine, app, socketio, output):
    socketio.on("e")(lambda: "answer")
    assert socketio.test_client(app).emit("e", callback=True, namspace="/n") == "answer"
    said = "SocketIOTestClient.emit() has no keyword 'namspace' and ignores it; did you mean 'namespace'?"
    assert (said in output.text()) is engine.is_erlen
