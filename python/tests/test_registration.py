"""How handlers are registered: `on`, `on_event`, `event`, `on_namespace`, `on_error*` (contract 1.1)."""
from __future__ import annotations

import functools

import flask
import pytest


def test_on_returns_the_function_itself_so_that_it_stacks(app, socketio):
    got = []

    def handler(value):
        got.append(value)

    assert socketio.on("a")(socketio.on("b")(handler)) is handler
    client = socketio.test_client(app)
    client.emit("a", 1)
    client.emit("b", 2)
    assert got == [1, 2]


def test_the_last_registration_of_an_event_wins(app, socketio):
    got = []
    socketio.on("e")(lambda: got.append("first"))
    socketio.on("e")(lambda: got.append("second"))
    socketio.test_client(app).emit("e")
    assert got == ["second"]


@pytest.mark.parametrize("namespace", [None, "", "/"])
def test_a_falsy_namespace_is_the_root(app, socketio, namespace):
    got = []
    socketio.on("e", namespace=namespace)(lambda: got.append(flask.request.namespace))
    socketio.test_client(app).emit("e")
    assert got == ["/"]


def test_a_namespace_has_its_own_handlers(app, socketio):
    got = []
    socketio.on("e")(lambda: got.append("root"))
    socketio.on("e", namespace="/n")(lambda: got.append("n"))
    client = socketio.test_client(app, namespace="/n")
    client.emit("e", namespace="/n")
    assert got == ["n"]


def test_on_event_takes_bound_methods(app, socketio):
    class Counter:
        total = 0

        def add(self, number):
            self.total += number

    counter = Counter()
    socketio.on_event("add", counter.add)
    socketio.test_client(app).emit("add", 3)
    assert counter.total == 3


def test_on_event_takes_a_namespace(app, socketio):
    got = []
    socketio.on_event("e", got.append, namespace="/n")
    socketio.test_client(app, namespace="/n").emit("e", 1, namespace="/n")
    assert got == [1]


def test_event_uses_the_name_of_the_function(app, socketio):
    got = []

    @socketio.event
    def my_event(value):
        got.append(("root", value))

    @socketio.event(namespace="/n")
    def other_event(value):
        got.append(("n", value))

    @socketio.event("/m")
    def third_event(value):
        got.append(("m", value))

    client = socketio.test_client(app)
    client.connect("/n")
    client.connect("/m")
    client.emit("my_event", 1)
    client.emit("other_event", 2, namespace="/n")
    client.emit("third_event", 3, namespace="/m")
    assert got == [("root", 1), ("n", 2), ("m", 3)]


def test_event_returns_the_function_itself(socketio):
    def named():
        return 1

    assert socketio.event(named) is named
    assert socketio.event(namespace="/n")(named) is named


def test_event_names_may_hold_spaces_hyphens_and_any_letters(app, socketio):
    got = []
    for name in ("my event", "a-b", "событие", "e.f:g"):
        socketio.on(name)(lambda name=name: got.append(name))
    client = socketio.test_client(app)
    for name in ("my event", "a-b", "событие", "e.f:g"):
        client.emit(name)
    assert got == ["my event", "a-b", "событие", "e.f:g"]


def test_an_error_handler_must_be_callable(socketio):
    with pytest.raises(ValueError, match="exception_handler must be callable"):
        socketio.on_error()("not callable")
    with pytest.raises(ValueError, match="exception_handler must be callable"):
        socketio.on_error_default("not callable")


def test_a_namespace_must_be_an_instance_of_the_class(sio_lib, socketio):
    for wrong in (sio_lib.Namespace, object(), "/n", dict):
        with pytest.raises(ValueError, match="Not a namespace instance"):
            socketio.on_namespace(wrong)


def test_the_error_handler_of_the_namespace_comes_before_the_default_one(app, socketio):
    got = []

    def fail():
        raise ValueError("of the handler")

    socketio.on("e")(fail)
    socketio.on("e", namespace="/n")(fail)
    socketio.on("e", namespace="/m")(fail)
    socketio.on_error()(lambda error: got.append(("root", str(error))))
    socketio.on_error("/n")(lambda error: got.append(("n", str(error))))
    socketio.on_error_default(lambda error: got.append(("default", str(error))))
    client = socketio.test_client(app)
    for namespace in ("/n", "/m"):
        client.connect(namespace)
    for namespace in ("/", "/n", "/m"):
        client.emit("e", namespace=namespace)
    assert got == [("root", "of the handler"), ("n", "of the handler"), ("default", "of the handler")]


def test_the_decorators_of_error_handlers_return_the_function(socketio):
    def handler(error):
        pass

    assert socketio.on_error("/n")(handler) is handler
    assert socketio.on_error_default(handler) is handler


def test_an_error_handler_sees_the_request_and_the_event(app, socketio):
    got = []

    @socketio.on("e")
    def fail(*args):
        raise ValueError

    @socketio.on_error_default
    def look(error):
        got.append((flask.request.event["message"], tuple(flask.request.event["args"]), flask.request.namespace))

    socketio.test_client(app).emit("e", 1, {"a": 2})
    assert got == [("e", (1, {"a": 2}), "/")]


def test_an_error_handler_sees_the_traceback(app, socketio):
    import sys
    import traceback

    got = []

    @socketio.on("e")
    def the_one_that_fails():
        raise ValueError

    @socketio.on_error_default
    def look(error):
        got.append(traceback.format_exc())
        got.append(sys.exc_info()[1] is error)

    socketio.test_client(app).emit("e")
    assert "the_one_that_fails" in got[0]
    assert got[1] is True


def test_an_error_in_the_disconnect_handler_reaches_the_error_handler(app, socketio):
    got = []

    @socketio.on("disconnect")
    def fail(reason):
        raise ValueError(reason)

    socketio.on_error_default(lambda error: got.append(str(error)))
    socketio.test_client(app).disconnect()
    assert got == ["client disconnect"]


def test_handlers_may_be_registered_while_clients_are_connected(app, socketio, serve):
    client = serve(app, socketio).websocket()
    socketio.on("late")(lambda: "here")
    assert client.ask("late") == '["here"]'


def test_a_decorated_handler_keeps_its_name_and_can_be_called(socketio):
    @socketio.on("e")
    def handler(a, b=2):
        """What it does."""
        return a + b

    assert handler(1) == 3
    assert (handler.__name__, handler.__doc__) == ("handler", "What it does.")


def test_any_callable_is_a_handler(app, socketio):
    class Callable:
        def __call__(self, value):
            return ["instance", value]

        @classmethod
        def of_class(cls, value):
            return ["class", value]

        @staticmethod
        def static(value):
            return ["static", value]

    socketio.on_event("partial", functools.partial(lambda a, b: [a, b], "partial"))
    socketio.on_event("instance", Callable())
    socketio.on_event("class", Callable.of_class)
    socketio.on_event("static", Callable.static)
    client = socketio.test_client(app)
    for name in ("partial", "instance", "class", "static"):
        assert client.emit(name, 1, callback=True) == [name, 1]


def test_a_handler_below_decorators_of_the_app(app, socketio):
    def authenticated_only(function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            if not flask.request.args.get("user"):
                return "who are you"
            return function(*args, **kwargs)

        return wrapped

    @socketio.on("e")
    @authenticated_only
    def handler(value):
        return value

    assert socketio.test_client(app).emit("e", 1, callback=True) == "who are you"
    assert socketio.test_client(app, query_string="?user=ann").emit("e", 1, callback=True) == 1


def test_a_decorated_connect_handler_gets_what_its_inner_function_takes(app, socketio):
    got = []

    def logged(function):
        @functools.wraps(function)
        def wrapped(*args):
            return function(*args)

        return wrapped

    @socketio.on("connect")
    @logged
    def connect(auth):
        got.append(("connect", auth))

    @socketio.on("disconnect")
    @logged
    def gone():
        got.append("disconnect")

    socketio.test_client(app, auth={"a": 1}).disconnect()
    assert got == [("connect", {"a": 1}), "disconnect"]


@pytest.mark.parametrize("register", [
    lambda socketio, handler: socketio.on("e")(handler),
    lambda socketio, handler: socketio.on_event("e", handler),
    lambda socketio, handler: socketio.event(handler),
    lambda socketio, handler: socketio.event(namespace="/")(handler),
])
def test_a_subclass_is_asked_by_its_on_whichever_way_a_handler_is_registered(sio_lib, app, register):
    class Noting(sio_lib.SocketIO):
        def on(self, message, namespace=None):
            asked.append((message, namespace or "/"))
            return super().on(message, namespace)

    def e():
        return "answer"

    asked = []
    socketio = Noting(app)
    register(socketio, e)
    assert asked == [("e", "/")]
    assert socketio.test_client(app).emit("e", callback=True) == "answer"
