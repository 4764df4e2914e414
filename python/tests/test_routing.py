"""What a handler sees of the URL of its handshake: what it matches, and what connections must not share of that."""
from __future__ import annotations

import gc
import traceback
import weakref

import flask
import pytest
import requests
import werkzeug.routing
import werkzeug.utils
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import NotFound

from engines import DEADLINE


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


@pytest.mark.parametrize(("rule", "args"), [("/<path:path>", '{"path":"socket.io/"}'), ("/socket.io/", "{}")])
def test_what_the_url_has_for_the_view_is_each_connections_own(app, socketio, serve, rule, args):
    app.add_url_rule(rule, "everything", lambda **args: "")

    @socketio.on("e")
    def handle():
        before = dict(flask.request.view_args)
        flask.request.view_args["path"] = flask.request.view_args["user"] = "mine"
        return before

    clients = three(serve(app, socketio))
    assert [client.ask("e") for client in clients] == [f"[{args}]"] * 3


def test_a_rule_of_websockets_is_that_of_who_comes_by_one(app, socketio, serve, transport):
    for kind in ("websocket", "page"):
        rule = werkzeug.routing.Rule(f"/{kind}/socket.io/", endpoint=kind, websocket=kind == "websocket")
        app.url_map.add(rule)
    app.url_map.add(werkzeug.routing.Rule("/socket.io/", endpoint="ours", websocket=True))
    socketio.on("e")(lambda: [flask.request.endpoint, flask.url_for("page", _external=True).partition(":")[0],
                              flask.url_for("websocket").partition(":")[0]])
    live = serve(app, socketio)
    clients = [live.client(transport) for _ in range(3)]
    expected = {"websocket": '[["ours","http","ws"]]', "polling": '[[null,"http","ws"]]'}[transport]
    # The first event of a connection, the others, and those of who came later.
    assert [client.ask("e") for client in clients * 2] == [expected] * 6


def test_what_a_handler_changes_on_its_url_adapter_is_its_connections_own(app, socketio, serve):
    @socketio.on("e")
    def handle():
        adapter = flask.globals.request_ctx.url_adapter
        before = adapter.server_name
        adapter.server_name = "mine"
        return before

    live = serve(app, socketio)
    assert [client.ask("e") for client in three(live)] == [f'["127.0.0.1:{live.port}"]'] * 3


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


@pytest.fixture
def by_host(sio_lib, serve):
    """Serves an application with a route for each of two hosts; who asks for which, `change(app)` may decide."""
    def by_host(change=lambda app: None):
        app = flask.Flask("hosts", host_matching=True, static_host="static")
        for host in "ab":
            app.add_url_rule("/<path:path>", host, lambda path: path, host=f"{host}.test")
        change(app)
        socketio = sio_lib.SocketIO(app)
        socketio.on("endpoint")(lambda: flask.request.endpoint)
        return serve(app, socketio)

    return by_host


def test_every_host_has_its_own_routes(by_host):
    live = by_host()
    clients = [live.client("polling", headers={"Host": f"{host}.test"}) for host in "abcabc"]
    assert [client.ask("endpoint") for client in clients] == ['["a"]', '["b"]', "[]"] * 2


def with_own_requests(app):
    class ByTenant(flask.Request):
        def __init__(self, environ, *args, **options):
            environ["HTTP_HOST"] = environ["HTTP_X_TENANT"] + ".test"
            super().__init__(environ, *args, **options)

    app.request_class = ByTenant


def with_own_binding(app):
    bind = app.url_map.bind_to_environ

    def bind_by_tenant(environ, *args, **options):
        environ = getattr(environ, "environ", environ)
        return bind({**environ, "HTTP_HOST": environ["HTTP_X_TENANT"] + ".test"}, *args, **options)

    app.url_map.bind_to_environ = bind_by_tenant


@pytest.mark.parametrize("change", [with_own_requests, with_own_binding])
def test_an_application_with_tenants_of_its_own_decides_for_every_connection(by_host, change):
    live = by_host(change)
    clients = [live.client("polling", headers={"X-Tenant": tenant}) for tenant in "abab"]
    assert [client.ask("endpoint") for client in clients] == ['["a"]', '["b"]'] * 2


class HostOfTenant(flask.Request):
    @werkzeug.utils.cached_property
    def host(self):
        return self.headers["X-Tenant"]


class HostAsGiven(flask.Request):
    given = "nobody's"

    @property
    def host(self):
        return f"{self.given} of {self.headers['X-Tenant']}"

    @host.setter
    def host(self, value):
        self.given = value


@pytest.mark.parametrize("kind", [HostOfTenant, HostAsGiven])
def test_requests_with_a_host_of_their_own_have_that_of_a_page_in_every_event(app, socketio, serve, kind):
    # Flask 3.1 gives each request the host that it has looked at; before, it is what the class says.
    app.request_class = kind
    app.add_url_rule("/host", "host", lambda: flask.request.host)
    socketio.on("host")(lambda: flask.request.host)
    live = serve(app, socketio)
    for headers in ({"X-Tenant": "a"}, {"X-Tenant": "b"}):
        of_page = requests.get(live.url + "/host", headers=headers, timeout=DEADLINE).text
        client = live.client("polling", headers=headers)
        assert [client.ask("host") for _ in range(3)] == [f'["{of_page}"]'] * 3


def test_rules_with_converters_of_their_own_are_asked_for_every_connection(app, socketio, serve, rule):
    class Mine(werkzeug.routing.PathConverter):
        def to_python(self, value):
            if flask.request.args["user"] != "me":
                raise werkzeug.routing.ValidationError
            return value

    class Own(werkzeug.routing.Rule):
        def get_converter(self, *args):
            return Mine(self.map)

    app.url_rule_class = Own
    app.add_url_rule("/<path:path>", "everything", lambda path: path)
    live = serve(app, socketio)
    rules = [live.client("polling", query=f"&user={user}").ask("rule") for user in ("me", "you", "me")]
    assert rules == ['["/<path:path>"]', '["None"]', '["/<path:path>"]']


@pytest.mark.parametrize("managed", [True, False])
def test_who_opens_a_session_sees_a_request_that_is_not_matched_yet(app, sio_lib, serve, seen, managed):
    class Own(SecureCookieSessionInterface):
        def open_session(self, app, request):
            seen.put((request.url_rule, request.routing_exception, hasattr(request, "sid"), hasattr(request, "event")))
            return super().open_session(app, request)

    app.session_interface = Own()
    app.add_url_rule("/<path:path>", "everything", lambda path: path)
    socketio = sio_lib.SocketIO(app, manage_session=managed)
    socketio.on("e")(lambda: [flask.request.endpoint, flask.session.get("n"), bool(flask.request.sid)])
    clients = three(serve(app, socketio)) * 2
    assert [client.ask("e") for client in clients] == ['[["everything",null,true]]'] * 6
    assert set(seen.all()) == {(None, None, False, False)}


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
    matcher = werkzeug.routing.map.StateMachineMatcher
    match = matcher.match
    monkeypatch.setattr(matcher, "match", lambda *args, **options: seen.put("matched") or match(*args, **options))
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
    assert 0 < len(app.extensions[routing.EXTENSION]) <= routing.KEPT


@pytest.mark.only("erlen")
def test_what_a_client_has_asked_for_is_not_kept_when_it_has_gone(app, socketio, serve):
    from erlen import routing

    socketio.on("e")(lambda: None)
    live = serve(app, socketio)
    for _ in range(2):
        live.client("polling", query="&token=secret").ask("e")
    assert [matched.adapter.query_args for matched in app.extensions[routing.EXTENSION].values()] == [None]


@pytest.mark.only("erlen")
def test_an_application_whose_routes_refer_to_it_goes_all_the_same(sio_lib, socketio, eventually):
    def used():
        app = flask.Flask("gone", static_folder=None)
        redirect = werkzeug.routing.Rule("/old", endpoint="old", redirect_to=lambda adapter: app.name)
        app.url_map.add(redirect)
        own = sio_lib.SocketIO(app)
        own.on("e")(lambda: None)
        client = own.test_client(app)
        client.emit("e")
        client.disconnect()
        return weakref.ref(app)

    another, app = socketio._serving.engine(), used()

    def has_gone():
        # What goes without the interpreter is let go of by whoever has it next.
        another.load()
        gc.collect()
        return app() is None

    eventually(has_gone)


def test_an_error_that_handlers_raise_again_has_only_their_own_frames(app, socketio, serve):
    @socketio.on("e")
    def handle():
        raise flask.request.routing_exception

    @socketio.on_error_default
    def depth(error):
        return len(traceback.extract_tb(error.__traceback__))

    client = serve(app, socketio).client("polling")
    # Of the first event it may have those of Flask too, which has looked for the route.
    depths = [client.ask("e") for _ in range(4)]
    assert len(set(depths[1:])) == 1
