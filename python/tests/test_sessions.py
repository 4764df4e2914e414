"""`flask.session` in handlers: managed by the door, and left to Flask (contract 1.3, field reports B25)."""
from __future__ import annotations

import flask
import pytest
import requests
from flask.sessions import SessionInterface, SessionMixin


@pytest.fixture
def logged_in(app):
    """Pages that write to the session of the browser."""
    @app.route("/login/<name>")
    def login(name):
        flask.session["user"] = name
        return name

    @app.route("/whoami")
    def whoami():
        return flask.session.get("user", "nobody")

    return app


def cookie_of(live, path, headers=None):
    answer = requests.get(live.url + path, headers=headers, timeout=10)
    return answer.headers["Set-Cookie"].split(";")[0]


def test_the_session_of_the_browser_is_there_at_connect(logged_in, socketio, serve, seen, transport):
    socketio.on("connect")(lambda: seen.put(flask.session["user"]))
    live = serve(logged_in, socketio)
    live.client(transport, headers={"Cookie": cookie_of(live, "/login/ann")})
    assert seen.next() == "ann"


def test_a_managed_session_lasts_as_long_as_the_connection(app, socketio, serve, transport):
    @socketio.on("count")
    def count():
        flask.session["n"] = flask.session.get("n", 0) + 1
        return flask.session["n"]

    client = serve(app, socketio).client(transport)
    assert [client.ask("count") for _ in range(3)] == ["[1]", "[2]", "[3]"]


def test_two_connections_of_one_browser_have_two_sessions(logged_in, socketio, serve):
    @socketio.on("set")
    def set_user(name):
        flask.session["user"] = name

    socketio.on("get")(lambda: flask.session.get("user"))
    live = serve(logged_in, socketio)
    headers = {"Cookie": cookie_of(live, "/login/ann")}
    one, two = live.websocket(headers=headers), live.websocket(headers=headers)
    one.ask("set", "bob")
    assert one.ask("get") == '["bob"]'
    assert two.ask("get") == '["ann"]'


def test_pages_do_not_see_what_events_write(logged_in, socketio, serve):
    @socketio.on("set")
    def set_user(name):
        flask.session["user"] = name

    live = serve(logged_in, socketio)
    headers = {"Cookie": cookie_of(live, "/login/ann")}
    client = live.websocket(headers=headers)
    client.ask("set", "bob")
    assert requests.get(live.url + "/whoami", headers=headers, timeout=10).text == "ann"


def test_a_login_by_a_page_shows_after_the_next_connect(logged_in, socketio, serve):
    socketio.on("whoami")(lambda: flask.session.get("user", "nobody"))
    live = serve(logged_in, socketio)
    first = cookie_of(live, "/login/ann")
    client = live.websocket(headers={"Cookie": first})
    second = cookie_of(live, "/login/bob", headers={"Cookie": first})
    assert client.ask("whoami") == '["ann"]'
    assert live.websocket(headers={"Cookie": second}).ask("whoami") == '["bob"]'


def test_the_managed_session_is_one_object_for_all_events_and_namespaces(app, socketio, serve, seen):
    for namespace in ("/", "/n"):
        socketio.on("look", namespace=namespace)(
            lambda: seen.put(flask.session._get_current_object()))
    client = serve(app, socketio).websocket().join("/n")
    client.emit("look")
    first = seen.next()
    client.emit("look")
    assert seen.next() is first
    client.emit("look", namespace="/n")
    assert seen.next() is first


def test_the_managed_session_survives_a_reconnect_of_the_namespace(app, socketio, serve):
    @socketio.on("count")
    def count():
        flask.session["n"] = flask.session.get("n", 0) + 1
        return flask.session["n"]

    client = serve(app, socketio).websocket()
    assert client.ask("count") == "[1]"
    client.send("41")
    client.join()
    assert client.ask("count") == "[2]"


def test_the_managed_session_holds_any_object_and_attributes(app, socketio, serve):
    thing = object()

    @socketio.on("store")
    def store():
        flask.session["thing"] = thing
        flask.session.auth_id = 17

    socketio.on("check")(lambda: [flask.session["thing"] is thing, flask.session.auth_id])
    client = serve(app, socketio).websocket()
    client.ask("store")
    assert client.ask("check") == "[[true,17]]"


def test_the_managed_session_is_still_there_in_the_disconnect_handler(app, socketio, serve, seen):
    @socketio.on("set")
    def set_name(name):
        flask.session["name"] = name

    socketio.on("disconnect")(lambda reason: seen.put(flask.session["name"]))
    client = serve(app, socketio).websocket()
    client.ask("set", "ann")
    client.drop()
    assert seen.next() == "ann"


def test_the_managed_session_is_a_session_of_flask(app, socketio, serve, seen):
    @socketio.on("look")
    def look():
        session = flask.session._get_current_object()
        seen.put((isinstance(session, dict), isinstance(session, SessionMixin), session.modified, session.new))

    serve(app, socketio).websocket().emit("look")
    assert seen.next()[:3] == (True, True, True)


def test_flash_works_in_a_handler(app, socketio, serve):
    @socketio.on("flash")
    def flash():
        flask.flash("hello")
        return flask.get_flashed_messages()

    assert serve(app, socketio).websocket().ask("flash") == '[["hello"]]'


class ServerSide(SessionInterface):
    """Sessions in the server's memory, by a cookie: what Flask-Session does, in a few lines."""

    class Session(dict, SessionMixin):
        modified = False

        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            self.modified = True

    def __init__(self):
        self.store = {"abc": {}}
        self.saved = 0

    def open_session(self, app, request):
        return self.Session(self.store[request.cookies.get("id", "abc")])

    def save_session(self, app, session, response):
        self.saved += 1
        self.store["abc"] = dict(session)


@pytest.fixture
def server_side(app):
    app.session_interface = ServerSide()
    return app.session_interface


@pytest.fixture
def unmanaged(sio_lib, app):
    return sio_lib.SocketIO(app, manage_session=False)


def test_an_unmanaged_session_of_a_cookie_is_frozen_at_the_handshake(logged_in, sio_lib, serve):
    socketio = sio_lib.SocketIO(logged_in, manage_session=False)

    @socketio.on("set")
    def set_user(name):
        flask.session["user"] = name

    socketio.on("get")(lambda: flask.session.get("user"))
    live = serve(logged_in, socketio)
    client = live.websocket(headers={"Cookie": cookie_of(live, "/login/ann")})
    client.ask("set", "bob")
    assert client.ask("get") == '["ann"]'


def test_an_unmanaged_session_of_the_server_goes_both_ways(logged_in, unmanaged, server_side, serve):
    @unmanaged.on("set")
    def set_user(name):
        flask.session["user"] = name

    unmanaged.on("get")(lambda: flask.session.get("user"))
    live = serve(logged_in, unmanaged)
    client = live.websocket()
    client.ask("set", "bob")
    assert requests.get(live.url + "/whoami", timeout=10).text == "bob"
    requests.get(live.url + "/login/cleo", timeout=10)
    assert client.ask("get") == '["cleo"]'


def test_an_unmanaged_session_is_saved_only_when_it_was_changed(app, unmanaged, server_side, serve):
    @unmanaged.on("set")
    def set_user(name):
        flask.session["user"] = name

    unmanaged.on("get")(lambda: flask.session.get("user"))
    client = serve(app, unmanaged).websocket()
    client.ask("get")
    assert server_side.saved == 0
    client.ask("set", "ann")
    assert server_side.saved == 1


def test_an_unmanaged_session_is_not_saved_when_the_handler_raised(app, unmanaged, server_side, serve):
    @unmanaged.on("set")
    def set_user(name):
        flask.session["user"] = name
        raise ValueError

    unmanaged.on_error_default(lambda error: "handled")
    client = serve(app, unmanaged).websocket()
    assert client.ask("set", "ann") == '["handled"]'
    assert server_side.saved == 0


def test_a_session_without_a_modified_attribute_is_saved_always(app, unmanaged, serve):
    class Plain(dict):
        pass

    class Interface(SessionInterface):
        saved = 0

        def open_session(self, app, request):
            return Plain()

        def save_session(self, app, session, response):
            Interface.saved += 1

    app.session_interface = Interface()
    unmanaged.on("e")(lambda: None)
    serve(app, unmanaged).websocket().ask("e")
    assert Interface.saved >= 1


def test_manage_session_may_be_switched_while_the_app_runs(app, socketio, server_side, serve):
    @socketio.on("set")
    def set_user(name):
        flask.session["user"] = name

    client = serve(app, socketio).websocket()
    client.ask("set", "managed")
    assert server_side.saved == 0
    socketio.manage_session = False
    client.ask("set", "by flask")
    assert server_side.store["abc"] == {"user": "by flask"}


def test_the_session_of_the_server_object_belongs_to_a_namespace(app, socketio, serve, eventually):
    socketio.on("x", namespace="/n")(lambda: None)
    client = serve(app, socketio).websocket().join("/n")
    sid, other = client.sid, client.sids["/n"]
    server = socketio.server
    eventually(lambda: server.manager.is_connected(other, "/n"))
    server.save_session(sid, {"a": 1})
    assert server.get_session(sid) == {"a": 1}
    assert server.get_session(other, namespace="/n") == {}
    with server.session(sid) as session:
        session["b"] = 2
    assert server.get_session(sid) == {"a": 1, "b": 2}
