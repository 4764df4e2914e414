"""The public surface beside Flask-SocketIO's own, by looking at both: names, keywords, defaults (contract 1, 2.3).

What upstream takes by `**kwargs` is in test_types.py, by hand.
"""
from __future__ import annotations

import inspect

import erlen
import flask
import pytest

reference = pytest.importorskip("flask_socketio")

FUNCTIONS = ["emit", "send", "call", "join_room", "leave_room", "close_room", "rooms", "disconnect"]
CLASSES = ["SocketIO", "Namespace", "SocketIOTestClient"]

LEAKED = {"DebuggedApplication", "SessionMixin", "flask", "flask_json", "gevent_socketio_found", "has_request_context",
          "os", "run_with_reloader", "socketio", "sys", "wraps"}
"""What upstream's module has from elsewhere."""

def of_both():
    for name in FUNCTIONS:
        yield name, getattr(reference, name), getattr(erlen, name)
    for name in CLASSES:
        theirs, ours = getattr(reference, name), getattr(erlen, name)
        for method, function in inspect.getmembers(theirs, callable):
            if not method.startswith("_") or method == "__init__":
                yield f"{name}.{method}", function, getattr(ours, method, None)


def made(lib):
    app = flask.Flask("surface")
    return lib.SocketIO(app)


def named(function):
    """The parameters that a caller can name, and whether there may be others. `self` may have any name."""
    parameters = list(inspect.signature(function).parameters.values())
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return ([p for p in parameters if p.kind not in kinds],
            any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters))


def test_every_public_name_is_there():
    theirs = {name for name in vars(reference) if not name.startswith("_")} - LEAKED
    assert theirs - {"namespace", "test_client"} <= set(erlen.__all__)
    assert theirs <= set(dir(erlen))


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_attribute_of_a_class_is_there(name):
    theirs = {attribute for attribute in dir(getattr(reference, name)) if not attribute.startswith("_")}
    assert theirs <= set(dir(getattr(erlen, name)))


@pytest.mark.parametrize("theirs, ours", [pytest.param(theirs, ours, id=name) for name, theirs, ours in of_both()])
def test_every_parameter_is_there_in_its_place_with_its_default(theirs, ours):
    if inspect.isclass(theirs):
        assert inspect.isclass(ours)
        return
    (wanted, open_to_others), (given, also_open) = named(theirs), named(ours)
    if wanted and wanted[0].name == "self":
        wanted, given = wanted[1:], given[1:]
    assert [p.name for p in given[:len(wanted)]] == [p.name for p in wanted]
    assert {p.name: p.default for p in wanted}.items() <= {p.name: p.default for p in given}.items()
    assert all(p.default is not inspect.Parameter.empty for p in given[len(wanted):])
    if open_to_others and not also_open:
        # Each that upstream passes on is listed, and another is an error on both: see test_types.py.
        assert len(given) > len(wanted)


@pytest.mark.parametrize("part", ["server", "server.manager", "server.eio"])
def test_the_attributes_of_the_server_are_there_but_for_those_that_make_it_work(part):
    theirs, ours = made(reference), made(erlen)
    for name in part.split("."):
        theirs, ours = getattr(theirs, name), getattr(ours, name)
    missing = {name for name in dir(theirs) if not name.startswith("_") and not hasattr(ours, name)}
    assert missing == INNER[part]


INNER = {
    "server": {"manager_initialized", "not_handled", "reserved_events"},
    "server.manager": {
        "basic_close_room", "basic_disconnect", "basic_enter_room", "basic_leave_room", "connect", "disconnect",
        "eio_to_sid", "initialize", "is_pre_connected", "json", "pending_connect", "pending_disconnect", "pre_connect",
        "pre_disconnect", "set_server", "trigger_callback"},
    "server.eio": {
        "async_modes", "compression_methods", "create_event", "create_queue", "event_names", "generate_id",
        "get_queue_empty_exception", "get_session", "handle_request", "handlers", "is_asyncio_based",
        "log_message_keys", "on", "reason", "save_session", "send", "send_packet", "sequence_number",
        "service_task_event", "service_task_handle", "session", "shutdown", "sleep", "start_background_task",
        "start_service_task", "valid_transports"},
}
"""By what upstream's objects do their work among themselves; Erlen's are views of the engine."""


@pytest.mark.parametrize("name", [name for name, function in inspect.getmembers(
    type(made(reference).server), inspect.isfunction) if not name.startswith("_")])
def test_the_methods_of_the_server_take_what_upstreams_take(name):
    theirs, ours = getattr(made(reference).server, name), getattr(made(erlen).server, name)
    wanted, _ = named(theirs)
    given, is_open = named(ours)
    if name == "instrument":
        assert is_open
        return
    assert [(p.name, p.default) for p in given[:len(wanted)]] == [(p.name, p.default) for p in wanted]
    assert all(p.default is not inspect.Parameter.empty for p in given[len(wanted):])


@pytest.mark.parametrize("name", ["get_namespaces", "get_participants", "is_connected", "eio_sid_from_sid",
                                  "sid_from_eio_sid", "get_rooms", "emit", "enter_room", "leave_room", "close_room",
                                  "is_sid_room", "can_disconnect"])
def test_the_methods_of_the_manager_take_what_upstreams_take(name):
    theirs, ours = (named(getattr(made(lib).server.manager, name))[0] for lib in (reference, erlen))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


def test_the_attributes_of_an_object_and_of_its_clients_are_there():
    theirs, ours = made(reference), made(erlen)
    assert {name for name in vars(theirs) if not name.startswith("_")} <= set(dir(ours))
    clients = [socketio.test_client(flask.Flask("x")) for socketio in (theirs, ours)]
    assert {name for name in vars(clients[0]) if not name.startswith("_")} <= set(dir(clients[1]))
