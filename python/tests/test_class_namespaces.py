"""Class-based namespaces: methods as handlers, their own emit and send, the `error` hook (contract 1.5)."""
from __future__ import annotations

import flask
import pytest


@pytest.fixture
def make(sio_lib, app, socketio, serve):
    """Registers a class and serves the app."""
    def make(cls, name="/n"):
        instance = cls(name)
        socketio.on_namespace(instance)
        return instance, serve(app, socketio)

    return make


def test_a_method_is_the_handler_of_its_event(sio_lib, make, transport):
    class Chat(sio_lib.Namespace):
        def on_e(self, a, b):
            return a + b

    _, live = make(Chat)
    assert live.client(transport, "/n").ask("e", 1, 2, namespace="/n") == "[3]"


def test_the_namespace_is_the_root_unless_told(sio_lib, make):
    assert sio_lib.Namespace().namespace == "/"
    assert sio_lib.Namespace("/n").namespace == "/n"


def test_the_attributes_of_a_registered_namespace(sio_lib, make, socketio):
    instance, _ = make(sio_lib.Namespace)
    assert instance.socketio is socketio
    assert instance.server is socketio.server
    assert instance.namespace == "/n"


def test_the_attributes_of_a_namespace_that_is_not_registered(sio_lib):
    instance = sio_lib.Namespace("/n")
    assert (instance.socketio, instance.server) == (None, None)


def test_a_namespace_registered_before_init_app(sio_lib, app):
    socketio = sio_lib.SocketIO()

    class Chat(sio_lib.Namespace):
        def on_e(self):
            return "here"

    instance = Chat("/n")
    socketio.on_namespace(instance)
    assert instance.socketio is socketio
    socketio.init_app(app)
    assert socketio.test_client(app, namespace="/n").emit("e", namespace="/n", callback=True) == "here"
    assert instance.server is socketio.server


def test_connect_and_disconnect_are_methods_too(sio_lib, make, seen):
    class Chat(sio_lib.Namespace):
        def on_connect(self, auth):
            seen.put(("connect", auth, flask.request.sid))

        def on_disconnect(self, reason):
            seen.put(("disconnect", reason, flask.request.sid))

    _, live = make(Chat)
    client = live.websocket("/n", auth={"a": 1})
    sid = client.sids["/n"]
    assert seen.next() == ("connect", {"a": 1}, sid)
    client.send("41/n,")
    assert seen.next() == ("disconnect", "client disconnect", sid)


def test_connect_and_disconnect_without_parameters(sio_lib, make, seen):
    class Chat(sio_lib.Namespace):
        def on_connect(self):
            seen.put("connect")

        def on_disconnect(self):
            seen.put("disconnect")

    _, live = make(Chat)
    client = live.websocket("/n", auth={"a": 1})
    client.drop()
    assert [seen.next(), seen.next()] == ["connect", "disconnect"]


def test_a_connect_method_rejects(sio_lib, make):
    class Closed(sio_lib.Namespace):
        def on_connect(self, auth):
            if not auth:
                return False
            raise sio_lib.ConnectionRefusedError("nope", auth)

    _, live = make(Closed)
    client = live.websocket()
    assert client.connect("/n") == '44/n,{"message":"Connection rejected by server"}'
    assert client.connect("/n", {"a": 1}) == '44/n,{"message":"nope","data":{"a":1}}'


def test_the_class_has_the_context_of_a_handler(sio_lib, make, app):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            flask.session["n"] = flask.session.get("n", 0) + 1
            return [flask.current_app.name, flask.request.namespace, flask.request.event["message"],
                    flask.session["n"]]

    _, live = make(Chat)
    client = live.websocket("/n")
    client.ask("e", namespace="/n")
    assert client.ask("e", namespace="/n") == '[["contract","/n","e",2]]'


def test_the_emit_of_the_class_is_a_broadcast_in_its_namespace(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            self.emit("told", {"a": 1})
            self.send("text")

    _, live = make(Chat)
    one, two, root = live.websocket("/n"), live.websocket("/n"), live.websocket()
    one.emit("e", namespace="/n")
    for client in (one, two):
        assert [client.next(), client.next()] == ['42/n,["told",{"a":1}]', '42/n,["message","text"]']
    assert live.before_fence(root) == []


def test_the_emit_of_the_class_goes_to_a_room_and_leaves_out_the_sender(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_join(self):
            sio_lib.join_room("r")

        def on_e(self):
            self.emit("told", room="r", include_self=False)

        def on_close(self):
            self.close_room("r")

    _, live = make(Chat)
    one, two, three = (live.websocket("/n") for _ in range(3))
    one.ask("join", namespace="/n"), two.ask("join", namespace="/n")
    one.ask("e", namespace="/n")
    assert live.before_fence(one, "/n") == live.before_fence(three, "/n") == []
    assert live.before_fence(two, "/n") == ['42/n,["told"]']
    one.ask("close", namespace="/n")
    one.ask("e", namespace="/n")
    assert live.before_fence(two, "/n") == []


def test_the_emit_of_the_class_outside_of_events(sio_lib, make):
    instance, live = make(sio_lib.Namespace)
    client = live.websocket("/n")
    instance.emit("told", 1)
    instance.emit("none")
    assert [client.next(), client.next()] == ['42/n,["told",1]', '42/n,["none"]']


@pytest.mark.parametrize("keyword", ["to", "skip_sid", "broadcast"])
def test_the_emit_of_the_class_has_no_other_keywords(sio_lib, make, keyword):
    instance, _ = make(sio_lib.Namespace)
    with pytest.raises(TypeError, match=keyword):
        instance.emit("e", **{keyword: "x"})


def test_the_emit_of_the_class_takes_a_callback(sio_lib, make, seen):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            self.emit("q", room=flask.request.sid, callback=lambda value: seen.put((value, flask.request.sid)))

    _, live = make(Chat)
    client = live.websocket("/n")
    client.emit("e", namespace="/n")
    assert client.asked() == '42/n,["q"]'
    client.answer('["yes"]')
    assert seen.next() == ("yes", client.sids["/n"])


def test_the_functions_of_the_module_work_in_a_class(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            sio_lib.emit("only you")

    _, live = make(Chat)
    one, two = live.websocket("/n"), live.websocket("/n")
    one.emit("e", namespace="/n")
    assert one.next() == '42/n,["only you"]'
    assert live.before_fence(two, "/n") == []


def test_the_methods_that_come_from_the_server(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            sid = flask.request.sid
            self.enter_room(sid, "r")
            entered = self.rooms(sid)
            self.leave_room(sid, "r")
            self.save_session(sid, {"a": 1})
            with self.session(sid) as session:
                session["b"] = 2
            return [entered == [sid, "r"], self.rooms(sid) == [sid], self.get_session(sid)]

        def on_bye(self):
            self.disconnect(flask.request.sid)

    _, live = make(Chat)
    client = live.websocket("/n")
    assert client.ask("e", namespace="/n") == '[[true,true,{"a":1,"b":2}]]'
    client.emit("bye", namespace="/n")
    assert client.next() == "41/n,"


def test_the_call_of_the_class(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            return self.call("q", {"a": 1}, to=flask.request.sid, timeout=10)

    _, live = make(Chat)
    client = live.websocket("/n")
    client.emit("e", namespace="/n", ack=4)
    assert client.asked() == '42/n,["q",{"a":1}]'
    client.answer('["answer"]')
    assert client.next() == '43/n,4["answer"]'


def test_an_error_in_a_method_reaches_the_error_handler_of_the_namespace(sio_lib, socketio, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            raise ValueError("x")

    socketio.on_error("/n")(lambda error: f"handled {error}")
    _, live = make(Chat)
    assert live.websocket("/n").ask("e", namespace="/n") == '["handled x"]'


def test_the_error_method_takes_what_no_handler_took(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            raise ValueError("x")

        def error(self, exc):
            return f"error {exc}"

    _, live = make(Chat)
    assert live.websocket("/n").ask("e", namespace="/n") == '["error x"]'


def test_the_error_handler_comes_before_the_error_method(sio_lib, socketio, make, seen):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            raise ValueError("x")

        def on_f(self):
            raise ValueError("y")

        def error(self, exc):
            seen.put(str(exc))
            return "method"

    @socketio.on_error_default
    def handler(error):
        if str(error) == "y":
            raise RuntimeError("from the error handler")
        return "handler"

    _, live = make(Chat)
    client = live.websocket("/n")
    assert client.ask("e", namespace="/n") == '["handler"]'
    assert client.ask("f", namespace="/n") == '["method"]'
    assert seen.all() == ["from the error handler"]


def test_on_error_is_the_handler_of_an_event_of_that_name(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def on_error(self, value):
            return value

    _, live = make(Chat)
    assert live.websocket("/n").ask("error", 5, namespace="/n") == "[5]"


def test_trigger_event_may_be_overridden(sio_lib, make, seen):
    class Catch(sio_lib.Namespace):
        def trigger_event(self, event, *args):
            if event not in ("connect", "disconnect"):
                seen.put((event, args[1:]))
                return "caught"
            return super().trigger_event(event, *args)

    _, live = make(Catch)
    assert live.websocket("/n").ask("any-event at all", 1, namespace="/n") == '["caught"]'
    assert seen.next() == ("any-event at all", (1,))


def test_an_overridden_trigger_event_may_call_handle_event(sio_lib, make):
    class Catch(sio_lib.Namespace):
        def trigger_event(self, event, *args):
            name = "on_" + event.replace("-", "_")
            handler = getattr(self, name, None)
            if handler is None:
                return None
            return self.socketio._handle_event(handler, event, self.namespace, *args)

        def on_with_hyphen(self, value):
            return [value, flask.request.namespace]

    _, live = make(Catch)
    assert live.websocket("/n").ask("with-hyphen", 1, namespace="/n") == '[[1,"/n"]]'


def test_a_function_beats_the_method_of_a_class(sio_lib, socketio, make):
    class Chat(sio_lib.Namespace):
        def on_e(self):
            return "class"

        def on_f(self):
            return "class"

    socketio.on("e", namespace="/n")(lambda: "function")
    _, live = make(Chat)
    client = live.websocket("/n")
    assert client.ask("e", namespace="/n") == '["function"]'
    assert client.ask("f", namespace="/n") == '["class"]'


def test_a_method_of_a_base_class_and_a_mixin_is_a_handler(sio_lib, make):
    class Mixin:
        def on_e(self):
            return "mixin"

    class Chat(Mixin, sio_lib.Namespace):
        pass

    _, live = make(Chat)
    assert live.websocket("/n").ask("e", namespace="/n") == '["mixin"]'


def test_names_that_are_no_handlers_cannot_be_reached(sio_lib, make):
    class Chat(sio_lib.Namespace):
        def private(self):
            return "reached"

        def emit_secret(self):
            return "reached"

    _, live = make(Chat)
    client = live.websocket("/n")
    for name in ("private", "emit_secret", "emit", "", "__class__"):
        assert client.ask(name, namespace="/n") == "[]"


def swallow(self, event, *args):
    """A `trigger_event` that makes nothing of what is raised."""
    try:
        return super(type(self), self).trigger_event(event, *args)
    except ValueError:
        return True


def fail(self, event, *args):
    """A `trigger_event` that raises by itself."""
    if event == "connect":
        raise ValueError("not in")
    return super(type(self), self).trigger_event(event, *args)


def ask(self, event, *args):
    """A `trigger_event` that has the method called under a name of its own."""
    return self.socketio._handle_event(self.on_connect, "of its own", self.namespace, *args)


@pytest.mark.only("erlen")
@pytest.mark.parametrize("handler", [None, "namespace", "default"], ids=lambda handler: f"{handler} error handler")
@pytest.mark.parametrize("trigger", [None, swallow, fail, ask])
@pytest.mark.parametrize("error", [None, lambda self, error: True, lambda self, error: None])
def test_a_connect_that_raises_lets_nobody_in_whoever_takes_the_exception(sio_lib, socketio, make, seen, handler, trigger,
                                                                          error):
    class Methods(sio_lib.Namespace):
        def on_connect(self, *args):
            raise ValueError("not in")

        def on_disconnect(self, reason):
            seen.put(reason)

    if trigger is not None:
        Methods.trigger_event = trigger
    if error is not None:
        Methods.error = error
    if handler == "namespace":
        socketio.on_error("/n")(lambda error: True)
    elif handler == "default":
        socketio.on_error_default(lambda error: True)
    socketio.on("alive")(lambda: "alive")
    _, live = make(Methods)
    client = live.websocket()
    assert client.connect("/n") == '44/n,{"message":"Connection rejected by server"}'
    assert client.ask("alive") == '["alive"]'
    assert seen.all() == []


@pytest.mark.only("erlen")
def test_a_refusal_that_the_error_method_takes_keeps_its_words(sio_lib, make):
    class Methods(sio_lib.Namespace):
        def trigger_event(self, event, *args):
            raise sio_lib.ConnectionRefusedError("nope", 5)

        def error(self, error):
            return True

    _, live = make(Methods)
    assert live.websocket(namespace=None).connect("/n") == '44/n,{"message":"nope","data":5}'


@pytest.mark.only("erlen")
def test_what_another_client_s_disconnect_handler_raises_refuses_nobody(sio_lib, socketio, make, seen):
    class Methods(sio_lib.Namespace):
        def on_connect(self):
            for sid, _ in list(socketio.server.manager.get_participants("/n", None)):
                if sid != flask.request.sid:
                    self.disconnect(sid)

        def on_disconnect(self, reason):
            raise ValueError(reason)

        def error(self, error):
            seen.put(str(error))

    _, live = make(Methods)
    one, two = live.websocket("/n"), live.websocket("/n")
    assert seen.next() == "server disconnect"
    assert one.next() == "41/n,"
    assert live.before_fence(two, "/n") == []


@pytest.mark.only("erlen")
def test_a_session_that_cannot_be_saved_lets_nobody_in(sio_lib, app, serve):
    class Interface(flask.sessions.SecureCookieSessionInterface):
        def save_session(self, app, session, response):
            raise ValueError("not saved")

    class Methods(sio_lib.Namespace):
        def on_connect(self):
            flask.session["a"] = 1

        trigger_event = swallow

    app.session_interface = Interface()
    socketio = sio_lib.SocketIO(app, manage_session=False)
    socketio.on_namespace(Methods("/n"))
    assert serve(app, socketio).websocket(namespace=None).connect("/n").startswith("44/n,")
