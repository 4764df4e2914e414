"""Handlers of connect and disconnect without a parameter below decorators that do not say so: the argument is left out, and nothing
of a handler runs twice (contract 8-9).
"""
from __future__ import annotations

import functools

import flask
import pytest


def plain(function):
    def wrapper(*args, **options):
        return function(*args, **options)

    return wrapper


def twice(function):
    return plain(plain(function))


def around_a_wrapped_one(function):
    return plain(functools.wraps(function)(lambda *args, **options: function(*args, **options)))


def adding(function):
    """Gives the handler a user in front of what it gets."""
    def takes_a_user(user, *args):
        return function(*args)

    takes_a_user.__name__ = takes_a_user.__qualname__ = "takes_a_user"
    return lambda *args: takes_a_user("user", *args)


class Object:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **options):
        return self.function(*args, **options)


DECORATORS = [plain, twice, around_a_wrapped_one, adding, Object]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_a_handler_of_connect_without_parameter(app, socketio, serve, seen, decorator):
    socketio.on("connect")(decorator(lambda: seen.put(flask.request.event["message"])))
    live = serve(app, socketio)
    for auth in (None, {"token": "x"}):
        live.websocket(auth=auth)
        assert seen.next() == "connect"
    assert seen.all() == []


@pytest.mark.parametrize("decorator", DECORATORS)
def test_a_handler_of_disconnect_without_parameter(app, socketio, serve, seen, decorator, transport):
    socketio.on("disconnect")(decorator(lambda: seen.put(flask.request.event["message"])))
    serve(app, socketio).client(transport).send("41")
    assert seen.next() == "disconnect"
    assert seen.all() == []


@pytest.mark.parametrize("decorator", DECORATORS)
def test_handlers_with_their_parameter_get_it(app, socketio, serve, seen, decorator):
    socketio.on("connect")(decorator(lambda auth: seen.put(auth)))
    socketio.on("disconnect")(decorator(lambda reason: seen.put(reason)))
    client = serve(app, socketio).websocket(auth={"token": "x"})
    client.send("41")
    assert [seen.next(), seen.next()] == [{"token": "x"}, "client disconnect"]
    assert seen.all() == []


@pytest.mark.parametrize("decorator", [plain, twice])
def test_methods_of_a_class_namespace_without_parameter(sio_lib, app, socketio, serve, seen, decorator):
    class Methods(sio_lib.Namespace):
        @decorator
        def on_connect(self):
            seen.put("connect")

        @decorator
        def on_disconnect(self):
            seen.put("disconnect")

    socketio.on_namespace(Methods("/n"))
    serve(app, socketio).websocket("/n").send("41/n,")
    assert [seen.next(), seen.next()] == ["connect", "disconnect"]
    assert seen.all() == []


def test_functions_of_the_server_object_without_parameter(app, socketio, serve, seen):
    socketio.server.on("connect")(plain(lambda sid, environ: seen.put("connect")))
    socketio.server.on("disconnect")(plain(lambda sid: seen.put("disconnect")))
    serve(app, socketio).websocket().send("41")
    assert [seen.next(), seen.next()] == ["connect", "disconnect"]
    assert seen.all() == []


@pytest.mark.only("erlen")
def test_coroutines_without_parameter(app, socketio, serve, seen):
    def decorator(function):
        async def wrapper(*args):
            return await function(*args)

        return wrapper

    @socketio.on("connect")
    @decorator
    async def connect():
        seen.put("connect")

    @socketio.on("disconnect")
    @decorator
    async def gone():
        seen.put("disconnect")

    serve(app, socketio).websocket().send("41")
    assert [seen.next(), seen.next()] == ["connect", "disconnect"]
    assert seen.all() == []


def raises():
    raise TypeError("inside() takes 0 positional arguments but 1 was given")


def calls_in_vain():
    raises("argument")


def calls_a_global_in_vain(*args):
    raises(*args, "argument")


@pytest.mark.only("erlen")
@pytest.mark.parametrize("decorator", [plain, twice, around_a_wrapped_one, lambda function: function])
@pytest.mark.parametrize("fails", [raises, calls_in_vain, calls_a_global_in_vain])
@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_a_body_that_raises_a_type_error_runs_once(app, socketio, serve, seen, output, decorator, fails, event):
    @socketio.on(event)
    @decorator
    def body(*args):
        seen.put(len(args))
        fails()

    client = serve(app, socketio).websocket(namespace=None)
    answer = client.connect()
    if event == "connect":
        assert answer == '44{"message":"Connection rejected by server"}'
    else:
        client.send("41")
    output.until("TypeError", "positional argument")
    assert seen.all() == [1]


@pytest.mark.only("erlen")
def test_an_error_of_what_a_body_calls_by_its_argument_is_its_own(app, socketio, serve, seen, output):
    def body(*args):
        seen.put(args)
        # A global, and so nothing that this decorates.
        raises(*args)

    socketio.on("connect")(plain(body))
    assert serve(app, socketio).websocket(namespace=None).connect().startswith("44")
    output.until("TypeError")
    assert seen.all() == [(None,)]
