"""`SocketIO(...)` and `init_app`: factories, several apps, several objects, paths and keywords (contract 1.1)."""
from __future__ import annotations

import builtins
import importlib
import subprocess
import sys

import flask
import pytest
import requests


def fresh_app(name="other"):
    app = flask.Flask(name)
    app.config["SECRET_KEY"] = "secret"
    return app


def test_the_object_stands_in_the_extensions_of_the_app(sio_lib, app):
    socketio = sio_lib.SocketIO(app)
    assert app.extensions["socketio"] is socketio


def test_unknown_keywords_are_accepted(sio_lib, app):
    socketio = sio_lib.SocketIO(app, no_such_option=True)
    assert socketio.test_client(app).is_connected()


def test_before_init_app_there_is_no_server(sio_lib):
    socketio = sio_lib.SocketIO(manage_session=False, path="ws")
    assert socketio.server is None
    assert socketio.wsgi_server is None


def test_the_constructor_makes_the_server_when_it_gets_the_app(sio_lib, app):
    socketio = sio_lib.SocketIO(app)
    assert socketio.server is not None
    assert socketio.server.async_mode == socketio.async_mode


def test_a_message_queue_of_none_initialises_without_an_app(sio_lib):
    socketio = sio_lib.SocketIO(message_queue=None)
    assert socketio.server is not None


def test_handlers_registered_before_init_app_work_after_it(sio_lib, app):
    socketio = sio_lib.SocketIO()
    got = []
    socketio.on("e")(got.append)
    socketio.init_app(app)
    socketio.test_client(app).emit("e", 1)
    assert got == [1]


def test_handlers_registered_after_init_app_work_too(sio_lib, app):
    socketio = sio_lib.SocketIO(app)
    client = socketio.test_client(app)
    got = []
    socketio.on("e")(got.append)
    client.emit("e", 1)
    assert got == [1]


def test_options_of_the_constructor_and_of_init_app_are_merged(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(path="one", ping_interval=7)
    socketio.init_app(app, path="two")
    client = serve(app, socketio).websocket(path="/two/")
    assert client.handshake["pingInterval"] == 7000


def test_manage_session_is_an_attribute_and_may_come_with_init_app(sio_lib, app):
    assert sio_lib.SocketIO().manage_session is True
    socketio = sio_lib.SocketIO()
    socketio.init_app(app, manage_session=False)
    assert socketio.manage_session is False


def test_several_apps_share_one_object_and_its_handlers(sio_lib, app):
    other = fresh_app()
    socketio = sio_lib.SocketIO()
    names = []
    socketio.on("who")(lambda: names.append(flask.current_app.name))
    socketio.init_app(app)
    first = socketio.server
    socketio.init_app(other)
    assert socketio.server is not first
    assert app.extensions["socketio"] is other.extensions["socketio"] is socketio
    socketio.test_client(other).emit("who")
    assert names == ["other"]


def test_a_factory_called_for_each_test_gives_the_same_each_time(sio_lib):
    socketio = sio_lib.SocketIO()

    @socketio.on("ping")
    def ping():
        sio_lib.emit("pong")

    class Chat(sio_lib.Namespace):
        def on_ping(self):
            sio_lib.emit("pong")

    def create_app():
        app = fresh_app("made")
        socketio.on_namespace(Chat("/chat"))
        socketio.init_app(app)
        return app

    for _ in range(3):
        app = create_app()
        client = socketio.test_client(app)
        client.emit("ping")
        assert [event["name"] for event in client.get_received()] == ["pong"]
        client.connect("/chat")
        client.emit("ping", namespace="/chat")
        assert [event["name"] for event in client.get_received("/chat")] == ["pong"]
        client.disconnect()


def test_two_objects_on_one_app_have_their_own_paths_clients_and_handlers(sio_lib, app, serve):
    one = sio_lib.SocketIO(app, path="one")
    two = sio_lib.SocketIO(app, path="two")

    class Answers(sio_lib.Namespace):
        def on_ask(self):
            self.emit("answer", self.socketio is one)

    one.on_namespace(Answers("/n"))
    two.on_namespace(Answers("/n"))
    assert app.extensions["socketio"] is two
    live = serve(app, two)
    first = live.of(one).websocket("/n", path="/one/")
    second = live.websocket("/n", path="/two/")
    first.emit("ask", namespace="/n")
    assert first.next() == '42/n,["answer",true]'
    second.emit("ask", namespace="/n")
    assert second.next() == '42/n,["answer",false]'
    one.emit("from one", namespace="/n")
    two.emit("from two", namespace="/n")
    assert first.next() == '42/n,["from one"]'
    assert second.next() == '42/n,["from two"]'


@pytest.mark.only("erlen")
def test_the_function_emit_answers_through_the_object_that_received_the_event(sio_lib, app, serve):
    one = sio_lib.SocketIO(app, path="one")
    two = sio_lib.SocketIO(app, path="two")
    for socketio in (one, two):
        socketio.on("ask")(lambda: sio_lib.emit("answer"))
    client = serve(app, two).websocket(path="/one/")
    client.emit("ask")
    assert client.next() == '42["answer"]'


@pytest.mark.parametrize("options, path", [
    ({}, "/socket.io/"),
    ({"path": "ws"}, "/ws/"),
    ({"path": "/ws"}, "/ws/"),
    ({"resource": "ws"}, "/ws/"),
    ({"path": "a/b"}, "/a/b/"),
    ({"path": "ws", "resource": "other"}, "/ws/"),
])
def test_the_path_is_that_of_path_or_resource(sio_lib, app, serve, options, path):
    socketio = sio_lib.SocketIO(app, **options)
    live = serve(app, socketio)
    assert live.polling(path=path).handshake["upgrades"] == ["websocket"]


def test_the_path_matches_with_its_slash_and_what_follows_it(sio_lib, app, serve):
    live = serve(app, sio_lib.SocketIO(app))
    query = "?EIO=4&transport=polling"
    assert requests.get(live.url + "/socket.io" + query, timeout=10).status_code == 404
    assert requests.get(live.url + "/socket.io/any/thing" + query, timeout=10).status_code == 200


def test_other_paths_are_the_pages_of_the_app(app, socketio, serve):
    app.add_url_rule("/page", view_func=lambda: "the page")
    live = serve(app, socketio)
    assert requests.get(live.url + "/page", timeout=10).text == "the page"
    assert requests.get(live.url + "/none", timeout=10).status_code == 404


def test_users_put_attributes_on_the_object(sio_lib, app):
    class Mine(sio_lib.SocketIO):
        def hello(self):
            return "hello"

    socketio = Mine(app)
    socketio.sm = "attribute"
    assert (socketio.sm, socketio.hello()) == ("attribute", "hello")


def test_a_subclass_of_flask_is_an_app(sio_lib):
    class Own(flask.Flask):
        pass

    app = Own("own")
    app.config["SECRET_KEY"] = "secret"
    socketio = sio_lib.SocketIO(app)
    socketio.on("type")(lambda: type(flask.current_app._get_current_object()).__name__)
    assert socketio.test_client(app).emit("type", callback=True) == "Own"


def test_the_reasons_are_five_constants(sio_lib):
    reason = sio_lib.SocketIO.reason
    assert [reason.SERVER_DISCONNECT, reason.CLIENT_DISCONNECT, reason.PING_TIMEOUT, reason.TRANSPORT_CLOSE,
            reason.TRANSPORT_ERROR] == [
        "server disconnect", "client disconnect", "ping timeout", "transport close", "transport error"]


def test_the_mode_is_threading_where_nothing_else_is_asked_for(sio_lib, app):
    assert sio_lib.SocketIO(app).async_mode == "threading"
    assert sio_lib.SocketIO(fresh_app(), async_mode="threading").async_mode == "threading"


@pytest.mark.only("erlen")
@pytest.mark.parametrize("mode", ["eventlet", "gevent", "gevent_uwsgi", "threading"])
def test_every_mode_of_upstream_is_accepted(sio_lib, app, mode):
    socketio = sio_lib.SocketIO(app, async_mode=mode)
    assert socketio.test_client(app).is_connected()


def test_an_unknown_mode_is_refused(sio_lib, app):
    with pytest.raises(ValueError, match="Invalid async_mode"):
        sio_lib.SocketIO(app, async_mode="no such mode")


def test_under_flask_run_the_mode_is_threading(sio_lib, app, monkeypatch):
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    assert sio_lib.SocketIO(app).async_mode == "threading"


def test_no_valid_transport_is_an_error(sio_lib, app):
    with pytest.raises(ValueError, match="[Nn]o valid transports"):
        sio_lib.SocketIO(app, transports=["carrier pigeon"])


def test_the_refusal_of_the_package_is_not_the_builtin_one(sio_lib):
    assert issubclass(sio_lib.ConnectionRefusedError, Exception)
    assert not issubclass(sio_lib.ConnectionRefusedError, builtins.ConnectionRefusedError)
    assert sio_lib.ConnectionRefusedError("no").error_args == {"message": "no"}


def test_the_names_that_apps_import_are_there(sio_lib):
    for name in ("SocketIO", "emit", "send", "call", "join_room", "leave_room", "close_room", "rooms", "disconnect",
                 "Namespace", "SocketIOTestClient", "ConnectionRefusedError"):
        assert callable(getattr(sio_lib, name)), name


def test_the_attributes_that_apps_look_at_are_there(sio_lib, app):
    socketio = sio_lib.SocketIO(app)
    for name in ("server", "server_options", "async_mode", "manage_session", "handlers", "namespace_handlers",
                 "exception_handlers", "default_exception_handler", "wsgi_server", "sockio_mw", "reason"):
        assert hasattr(socketio, name), name


def test_emit_before_init_app_is_an_error(sio_lib):
    with pytest.raises((AttributeError, RuntimeError)):
        sio_lib.SocketIO().emit("e")


def test_the_submodules_that_apps_import_are_there(sio_lib):
    namespace = importlib.import_module(sio_lib.__name__ + ".namespace")
    test_client = importlib.import_module(sio_lib.__name__ + ".test_client")
    assert namespace.Namespace is sio_lib.Namespace
    assert test_client.SocketIOTestClient is sio_lib.SocketIOTestClient


@pytest.mark.only("erlen")
def test_an_app_that_imports_flask_socketio_gets_erlen(engine):
    program = """if True:
        import erlen
        erlen.install_as_flask_socketio()
        import flask_socketio
        from flask_socketio import SocketIO, emit, Namespace, ConnectionRefusedError
        from flask_socketio.namespace import Namespace as again
        from flask_socketio.test_client import SocketIOTestClient
        from engineio.payload import Payload
        assert SocketIO is erlen.SocketIO and emit is erlen.emit and again is erlen.Namespace
        assert SocketIOTestClient is erlen.SocketIOTestClient
        Payload.max_decode_packets = 500
        from importlib.util import find_spec
        names = ("flask_socketio", "flask_socketio.namespace", "flask_socketio.test_client", "engineio.payload")
        assert all(find_spec(name) is not None for name in names)
        assert find_spec("flask_socketio.nothing") is None
        try:
            import socketio
        except ImportError:
            pass
        else:
            assert issubclass(ConnectionRefusedError, socketio.exceptions.ConnectionRefusedError)
            assert issubclass(erlen.exceptions.TimeoutError, socketio.exceptions.TimeoutError)
        print("all of it")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all of it\n", done.stderr


@pytest.mark.only("erlen")
def test_importing_does_nothing_that_can_be_seen(engine):
    program = """if True:
        import threading, sys
        import erlen
        assert threading.active_count() == 1, threading.enumerate()
        assert "flask_socketio" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
