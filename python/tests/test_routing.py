"""What a handler sees of the URL of its handshake: what it matches, and what connections must not share of that."""
from __future__ import annotations

import flask
import pytest
import werkzeug.routing
from werkzeug.exceptions import NotFound


@pytest.fixture
def rule(socketio):
    """Has handlers answer the rule that their handshake matches."""
    socketio.on("rule")(lambda: str(flask.request.url_rule))


def three(live):
    """Connections of which each could have what those before it have found out."""
    return [live.client("polling") for _ in range(3)]


def test_every_connection_has_its_own_query_and_cookie(app, socketio, serve, transport):
    @socketio.on("e")
    def handle():
        of_urls = flask.globals.request_ctx.url_adapter.query_args
        return [flask.request.args["name"], flask.request.cookies["c"], of_urls.split("name=")[1][:3]]

    live = serve(app, socketio)
    for name in ("one", "two", "six"):
        client = live.client(transport, query=f"&name={name}", headers={"Cookie": f"c={name}"})
        assert client.ask("e") == f'[["{name}","{name}","{name}"]]'


def test_a_route_that_comes_later_is_matched_by_those_who_come_after_it(app, socketio, serve, rule):
    live = serve(app, socketio)
    assert live.client("polling").ask("rule") == '["None"]'
    app.url_map.add(werkzeug.routing.Rule("/<path:path>", endpoint="everything"))
    assert [client.ask("rule") for client in three(live)] == ['["/<path:path>"]'] * 3


def test_what_the_url_has_for_the_view_is_each_events_own(app, socketio, serve):
    app.add_url_rule("/<path:path>", "everything", lambda path: path)

    @socketio.on("e")
    def handle():
        before = dict(flask.request.view_args)
        flask.request.view_args["path"] = "mine"
        return before

    clients = three(serve(app, socketio))
    assert [client.ask("e") for client in clients] == ['[{"path":"socket.io/"}]'] * 3


def test_a_converter_that_looks_at_the_session_is_asked_for_every_connection(app, socketio, serve, rule):
    class OfUser(werkzeug.routing.PathConverter):
        def to_python(self, value):
            if flask.session.get("user") is None and flask.request.args["user"] != "me":
                raise werkzeug.routing.ValidationError
            return value

    app.url_map.converters["of_user"] = OfUser
    app.add_url_rule("/<of_user:path>", "everything", lambda path: path)
    live = serve(app, socketio)
    rules = [live.client("polling", query=f"&user={user}").ask("rule") for user in ("nobody", "me", "nobody", "me")]
    assert rules == ['["None"]', '["/<of_user:path>"]'] * 2


def test_every_host_has_its_own_routes(sio_lib, serve):
    app = flask.Flask("hosts", host_matching=True, static_host="static")
    app.add_url_rule("/<path:path>", "of a", lambda path: path, host="a.test")
    app.add_url_rule("/<path:path>", "of b", lambda path: path, host="b.test")
    socketio = sio_lib.SocketIO(app)
    socketio.on("endpoint")(lambda: flask.request.endpoint)
    live = serve(app, socketio)
    hosts = ("a.test", "b.test", "c.test") * 2
    clients = [live.client("polling", headers={"Host": host}) for host in hosts]
    assert [client.ask("endpoint") for client in clients] == ['["of a"]', '["of b"]', "[]"] * 2


def test_an_application_that_makes_its_own_adapter_does_so_for_every_connection(sio_lib, serve, seen):
    class Own(flask.Flask):
        def create_url_adapter(self, request):
            if request is not None:
                seen.put(request.args["name"])
            return super().create_url_adapter(request)

    app = Own("own")
    socketio = sio_lib.SocketIO(app)
    socketio.on("e")(lambda: None)
    live = serve(app, socketio)
    for name in ("one", "two", "three"):
        live.client("polling", query=f"&name={name}").ask("e")
        assert name in seen.all()


def test_the_exception_of_a_path_without_a_route_is_each_connections_own(app, socketio, serve, seen):
    @socketio.on("e")
    def handle():
        error = flask.request.routing_exception
        seen.put(error)
        assert type(error) is NotFound
        raise error

    socketio.on_error_default(lambda error: error.code)
    clients = three(serve(app, socketio))
    assert [client.ask("e") for client in clients] == ["[404]"] * 3
    assert len({id(error) for error in seen.all()}) == 3


@pytest.mark.skipif("TRUSTED_HOSTS" not in flask.Flask.default_config, reason="Flask has no such setting before 3.1")
def test_the_hosts_that_an_application_trusts_are_those_of_every_request(app, socketio, serve):
    app.config["TRUSTED_HOSTS"] = ["a.test"]
    socketio.on("e")(lambda: [flask.request.trusted_hosts, type(flask.request.routing_exception).__name__])
    live = serve(app, socketio)
    for host, exception in [("a.test", "NotFound"), ("b.test", "SecurityError")] * 2:
        client = live.client("polling", headers={"Host": host})
        assert [client.ask("e"), client.ask("e")] == [f'[[["a.test"],"{exception}"]]'] * 2


@pytest.mark.only("erlen")
def test_what_a_path_matches_is_found_out_once_for_all_that_ask_alike(app, socketio, serve, seen, monkeypatch):
    socketio.on("connect")(lambda: None)
    socketio.on("e")(lambda: None)
    live = serve(app, socketio)
    match = werkzeug.routing.MapAdapter.match
    monkeypatch.setattr(werkzeug.routing.MapAdapter, "match", lambda *a, **k: seen.put("matched") or match(*a, **k))
    for name in range(5):
        live.client("polling", query=f"&name={name}").ask("e")
    assert seen.all() == ["matched"]


@pytest.mark.only("erlen")
def test_clients_that_ask_for_ever_other_hosts_are_not_all_kept(app, socketio, serve):
    from erlen import routing

    socketio.on("e")(lambda: None)
    live = serve(app, socketio)
    for number in range(2 * routing.KEPT):
        live.client("polling", headers={"Host": f"h{number}.test"}).ask("e")
    assert 0 < len(routing._found[app]) <= routing.KEPT
