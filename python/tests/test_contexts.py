"""What a handler sees of Flask: `request`, `g`, teardowns, signals, `url_for` (contract 1.3)."""
from __future__ import annotations

import contextvars
import threading

import flask
import pytest
import requests


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


def test_the_request_is_that_of_the_handshake(app, socketio, serve, seen, transport):
    @socketio.on("look")
    def look():
        request = flask.request
        seen.put({
            "args": request.args.get("room"), "header": request.headers["X-Mine"], "cookie": request.cookies["c"],
            "address": request.remote_addr, "path": request.path, "method": request.method,
            "endpoint": request.endpoint, "scheme": request.scheme, "agent": request.user_agent.string,
        })

    live = serve(app, socketio)
    client = live.client(transport, query="&room=a%20b",
                         headers={"X-Mine": "yes", "Cookie": "c=1", "User-Agent": "tester"})
    client.emit("look")
    assert seen.next() == {
        "args": "a b", "header": "yes", "cookie": "1", "address": "127.0.0.1", "path": "/socket.io/",
        "method": "GET", "endpoint": None, "scheme": "http", "agent": "tester",
    }


def test_the_host_and_url_of_the_request(socketio, live, seen):
    socketio.on("look")(lambda: seen.put((flask.request.host, flask.request.base_url)))
    live.websocket().emit("look")
    assert seen.next() == (f"127.0.0.1:{live.port}", f"{live.url}/socket.io/")


def test_the_request_is_a_real_request_of_the_app(app, socketio, serve, seen):
    class Own(flask.Request):
        def hello(self):
            return self.args["name"]

    app.request_class = Own
    socketio.on("look")(lambda: seen.put((type(flask.request._get_current_object()) is Own, flask.request.hello())))
    serve(app, socketio).websocket(query="&name=me").emit("look")
    assert seen.next() == (True, "me")


def test_the_attributes_that_the_door_adds(socketio, live, seen):
    socketio.on("look", namespace="/n")(lambda *args: seen.put(
        (flask.request.sid, flask.request.namespace, flask.request.event["message"],
         tuple(flask.request.event["args"]))))
    client = live.websocket("/n")
    client.emit("look", 1, [2], namespace="/n")
    assert seen.next() == (client.sids["/n"], "/n", "look", (1, [2]))


def test_the_environ_of_a_connection_is_one_dict(app, socketio, live, seen):
    @socketio.on("look")
    def look():
        first = flask.request.environ.setdefault("mine", "first time")
        flask.request.environ["mine"] = "kept"
        seen.put((first, flask.request.environ["flask.app"] is app, id(flask.request.environ)))

    client = live.websocket()
    client.emit("look")
    one = seen.next()
    client.emit("look")
    two = seen.next()
    assert (one[0], two[0]) == ("first time", "kept")
    assert one[1] is True
    assert one[2] == two[2]


def test_the_environ_is_that_of_the_server_object(socketio, live, seen):
    socketio.on("look")(lambda: seen.put(
        socketio.server.get_environ(flask.request.sid) is flask.request.environ))
    live.websocket().emit("look")
    assert seen.next() is True


def test_g_is_new_for_each_event(socketio, live):
    @socketio.on("look")
    def look():
        before = "mine" in flask.g
        flask.g.mine = True
        return before

    client = live.websocket()
    assert [client.ask("look"), client.ask("look")] == ["[false]", "[false]"]


def test_the_app_is_the_current_one_and_its_config_is_there(app, socketio, live):
    app.config["MINE"] = "value"
    socketio.on("look")(lambda: [flask.current_app.name, flask.current_app.config["MINE"],
                                 flask.current_app._get_current_object() is app])
    assert live.websocket().ask("look") == '[["contract","value",true]]'


def test_before_request_and_after_request_do_not_run(app, socketio, serve, seen):
    app.before_request(lambda: seen.put("before"))

    @app.after_request
    def after(response):
        seen.put("after")
        return response

    socketio.on("e")(lambda: seen.put("event"))
    client = serve(app, socketio).websocket()
    client.ask("e")
    assert seen.all() == ["event"]


def test_teardowns_run_after_every_event(app, socketio, serve, seen):
    app.teardown_request(lambda error: seen.put(("request", error)))
    app.teardown_appcontext(lambda error: seen.put(("app", error)))
    socketio.on("connect")(lambda: seen.put("connect"))
    socketio.on("e")(lambda: seen.put("event"))
    socketio.on("disconnect")(lambda reason: seen.put("disconnect"))
    client = serve(app, socketio).websocket()
    teardowns = [("request", None), ("app", None)]
    assert [seen.next() for _ in range(3)] == ["connect", *teardowns]
    client.emit("e")
    assert [seen.next() for _ in range(3)] == ["event", *teardowns]
    client.send("41")
    assert [seen.next() for _ in range(3)] == ["disconnect", *teardowns]


def test_teardowns_run_after_the_callback_of_an_ack(sio_lib, app, socketio, serve, seen):
    socketio.on("e")(lambda: sio_lib.emit("q", callback=lambda: seen.put("callback")))
    app.teardown_request(lambda error: seen.put("request"))
    client = serve(app, socketio).websocket()
    client.emit("e")
    client.asked()
    assert seen.next() == "request"
    client.answer("[]")
    assert [seen.next(), seen.next()] == ["callback", "request"]


def test_teardowns_get_the_exception_that_escaped(app, socketio, serve, seen):
    app.teardown_request(lambda error: seen.put(("request", str(error))))
    app.teardown_appcontext(lambda error: seen.put(("app", str(error))))

    @socketio.on("e")
    def fail():
        raise ValueError("escaped")

    serve(app, socketio).websocket().emit("e")
    assert [seen.next(), seen.next()] == [("request", "escaped"), ("app", "escaped")]


def test_teardowns_get_no_exception_when_an_error_handler_took_it(app, socketio, serve, seen):
    app.teardown_request(lambda error: seen.put(error))

    @socketio.on("e")
    def fail():
        raise ValueError("taken")

    socketio.on_error_default(lambda error: None)
    serve(app, socketio).websocket().ask("e")
    assert seen.next() is None


def test_after_this_request_and_blueprint_hooks_do_not_break_an_event(app, socketio, serve):
    blueprint = flask.Blueprint("b", "b")
    blueprint.before_app_request(lambda: flask.abort(403))
    app.register_blueprint(blueprint)
    socketio.on("e")(lambda: "fine")
    assert serve(app, socketio).websocket().ask("e") == '["fine"]'


def test_the_signals_of_the_app_context_fire(app, socketio, serve, seen):
    def pushed(sender, **_):
        seen.put(("pushed", sender is app))

    def popped(sender, **_):
        seen.put(("popped", sender is app))

    socketio.on("e")(lambda: seen.put("event"))
    with flask.appcontext_pushed.connected_to(pushed, app), flask.appcontext_popped.connected_to(popped, app):
        serve(app, socketio).websocket().emit("e")
        assert [seen.next() for _ in range(3)] == [("pushed", True), "event", ("popped", True)]


def test_the_teardown_signals_fire(app, socketio, serve, seen):
    def request_down(sender, **_):
        seen.put("request")

    def app_down(sender, **_):
        seen.put("app")

    socketio.on("e")(lambda: seen.put("event"))
    with flask.request_tearing_down.connected_to(request_down, app), \
            flask.appcontext_tearing_down.connected_to(app_down, app):
        serve(app, socketio).websocket().emit("e")
        assert [seen.next() for _ in range(3)] == ["event", "request", "app"]


def test_url_for_and_render_template_string_work(app, socketio, serve):
    @app.route("/page/<name>")
    def page(name):
        return name

    @app.context_processor
    def processor():
        return {"from_processor": "x"}

    socketio.on("e")(lambda: [flask.url_for("page", name="me"),
                              flask.render_template_string("{{ from_processor }}-{{ request.args.a }}")])
    live = serve(app, socketio)
    assert live.websocket(query="&a=b").ask("e") == '[["/page/me","x-b"]]'
    socketio.on("external")(lambda: flask.url_for("page", name="me", _external=True))
    assert live.websocket().ask("external") == f'["{live.url}/page/me"]'


def test_copy_current_request_context_takes_the_context_to_a_thread(sio_lib, socketio, live):
    @socketio.on("e")
    def handle():
        @flask.copy_current_request_context
        def later(args):
            sio_lib.emit("later", [flask.request.args["a"], args])

        threading.Thread(target=later, args=(1,)).start()

    client = live.websocket(query="&a=b")
    client.emit("e")
    assert client.next() == '42["later",["b",1]]'


def test_nothing_of_one_event_is_left_for_the_next_or_for_pages(app, socketio, serve):
    @app.route("/page")
    def page():
        return str(("mine" in flask.g, hasattr(flask.request, "sid")))

    @socketio.on("e")
    def handle():
        flask.g.mine = True

    live = serve(app, socketio)
    live.websocket().ask("e")
    assert requests.get(live.url + "/page", timeout=10).text == "(False, False)"


def test_no_context_is_left_on_a_thread_after_an_event(socketio, live, seen):
    socketio.on("e")(lambda: None)
    client = live.websocket()
    for _ in range(8):
        client.ask("e")
        socketio.emit("q", to=client.sid, callback=lambda: seen.put(flask.has_app_context()))
        assert client.asked() == '42["q"]'
        client.answer("[]")
        assert seen.next() is False


def test_an_app_context_pushed_in_a_handler_is_its_own(app, socketio, live):
    @socketio.on("e")
    def handle():
        flask.g.mine = "outer"
        with app.app_context():
            inner = flask.g.get("mine")
        with app.test_request_context("/x?a=1"):
            path = flask.request.path
        return [inner, path, flask.g.mine, flask.request.path]

    assert live.websocket().ask("e") == '[[null,"/x","outer","/socket.io/"]]'


@pytest.mark.parametrize("with_a_route_for_everything", [False, True])
def test_a_request_context_pushed_by_hand_sees_the_same(app, socketio, serve, seen, transport,
                                                              with_a_route_for_everything):
    if with_a_route_for_everything:
        app.add_url_rule("/<path:path>", "everything", lambda path: path)

    def look():
        request = flask.request
        return (request.args.to_dict(), dict(request.headers), request.cookies.to_dict(), request.url,
                str(request.url_rule), request.view_args, request.endpoint, str(request.routing_exception),
                request.remote_addr, flask.session.get("user"), request.is_secure, request.script_root,
                request.full_path, request.query_string, request.access_route[:], request.blueprint,
                request.get_data(), request.form.to_dict(), request.get_json(silent=True), request.root_url)

    @socketio.on("e")
    def handle():
        inside = look()
        environ = flask.request.environ
        with app.request_context(environ):
            seen.put((inside, look()))

    client = serve(app, socketio).client(transport, query="&a=b&c=%C3%BC", headers={"Cookie": "x=y"})
    client.emit("e")
    inside, by_hand = seen.next()
    assert inside == by_hand
    # Werkzeug takes a request with `Upgrade: websocket` for none of a page.
    has_route = with_a_route_for_everything and transport == "polling"
    assert inside[6] == ("everything" if has_route else None)


def test_teardowns_still_see_the_request_and_g_of_the_event(app, socketio, serve, seen):
    @app.teardown_request
    def of_request(error):
        seen.put((flask.request.sid, flask.request.event["message"], flask.g.mine, flask.session["n"]))

    @app.teardown_appcontext
    def of_app(error):
        seen.put(flask.g.mine)

    @socketio.on("e")
    def handle():
        flask.g.mine = "of the event"
        flask.session["n"] = 1

    client = serve(app, socketio).websocket(namespace=None)
    socketio.on("connect")(lambda: handle())
    client.join()
    seen.next(), seen.next()
    client.emit("e")
    assert seen.next() == (client.sid, "e", "of the event", 1)
    assert seen.next() == "of the event"


def test_an_error_handler_sees_the_g_of_the_handler(app, socketio, serve):
    @socketio.on("e")
    def fail():
        flask.g.mine = "kept"
        raise ValueError

    socketio.on_error_default(lambda error: flask.g.mine)
    assert serve(app, socketio).websocket().ask("e") == '["kept"]'


def test_after_this_request_is_taken_and_does_not_run(app, socketio, serve, seen):
    @socketio.on("e")
    def handle():
        flask.after_this_request(lambda response: seen.put("ran") or response)
        return "fine"

    assert serve(app, socketio).websocket().ask("e") == '["fine"]'
    assert seen.all() == []


def test_two_handlers_at_once_have_contexts_of_their_own(app, socketio, serve):
    both = threading.Barrier(2, timeout=10)

    @socketio.on("e")
    def handle(value):
        flask.g.value = value
        both.wait()
        return [flask.g.value, flask.request.args["name"], flask.request.event["args"][0]]

    live = serve(app, socketio)
    one, two = live.websocket(query="&name=one"), live.websocket(query="&name=two")
    one.emit("e", 1, ack=1)
    two.emit("e", 2, ack=1)
    assert one.next() == '431[[1,"one",1]]'
    assert two.next() == '431[[2,"two",2]]'


def test_two_handlers_of_one_client_at_once_have_contexts_of_their_own(app, socketio, serve):
    both = threading.Barrier(2, timeout=10)

    @socketio.on("e")
    def handle(value):
        flask.g.value = value
        both.wait()
        return [flask.g.value, flask.request.event["args"][0]]

    client = serve(app, socketio).websocket()
    client.emit("e", 1, ack=1)
    client.emit("e", 2, ack=2)
    assert sorted([client.next(), client.next()]) == ["431[[1,1]]", "432[[2,2]]"]


def test_abort_in_a_handler_is_an_error_of_the_handler(app, socketio, serve, seen):
    socketio.on("e")(lambda: flask.abort(404))
    socketio.on_error_default(lambda error: [error.code, error.name])
    assert serve(app, socketio).websocket().ask("e") == '[[404,"Not Found"]]'


def test_a_context_variable_does_not_leak_between_events(socketio, live):
    variable = contextvars.ContextVar("variable", default="unset")

    @socketio.on("e")
    def handle():
        before = variable.get()
        variable.set("set")
        return before

    client = live.websocket()
    assert client.ask("e") == '["unset"]'
    assert client.ask("e") == '["unset"]'


def test_what_a_handler_changes_in_the_environ_is_seen_by_the_requests_after_it(socketio, live):
    @socketio.on("e")
    def handle(address):
        seen = [flask.request.remote_addr, flask.request.path, flask.request.headers.get("X-Mine")]
        flask.request.environ.update(REMOTE_ADDR=address, PATH_INFO="/elsewhere", HTTP_X_MINE=address)
        return seen

    client = live.websocket()
    for address in ("10.0.0.1", "10.0.0.2"):
        client.ask("e", address)
    assert client.ask("e", "10.0.0.3") == '[["10.0.0.2","/elsewhere","10.0.0.2"]]'


def test_every_request_is_an_object_of_its_own(socketio, live):
    @socketio.on("e")
    def handle():
        seen = getattr(flask.request, "mine", None)
        flask.request.mine = flask.request.query_string = "of this event"
        return [seen, flask.request.environ["werkzeug.request"] is flask.request._get_current_object()]

    client = live.websocket()
    for _ in range(3):
        assert client.ask("e") == "[[null,true]]"
    socketio.on("query")(lambda: flask.request.query_string.decode())
    assert "of this event" not in client.ask("query")


def test_a_request_class_is_called_and_closed_for_every_event(app, socketio, serve, seen):
    class Own(flask.Request):
        def __init__(self, environ, *args, **kwargs):
            super().__init__(environ, *args, **kwargs)
            self.own = []

        def close(self):
            seen.put(list(self.own))
            super().close()

    app.request_class = Own
    socketio.on("e")(lambda value: flask.request.own.append(value))
    client = serve(app, socketio).websocket()
    for value in range(3):
        client.emit("e", value)
        assert seen.next() == [value]


def test_an_application_that_ends_its_contexts_in_its_own_way_does_so_for_every_event(sio_lib, serve, seen):
    class Own(flask.Flask):
        def do_teardown_request(self, *error):
            seen.put("request")
            super().do_teardown_request(*error)

        def do_teardown_appcontext(self, *error):
            seen.put("app")
            super().do_teardown_appcontext(*error)

    app = Own("own")
    socketio = sio_lib.SocketIO(app)
    socketio.on("e")(lambda: seen.put("event"))
    client = serve(app, socketio).websocket()
    for _ in range(3):
        client.emit("e")
        assert [seen.next() for _ in range(3)] == ["event", "request", "app"]


def test_teardowns_and_signals_that_come_later_are_called_too(app, socketio, live, seen):
    socketio.on("e")(lambda: seen.put("event"))
    client = live.websocket()
    for _ in range(3):
        client.ask("e")
        assert seen.next() == "event"
    receivers = {name: lambda sender, _name=name, **_: seen.put(_name) for name in (
        "appcontext_pushed", "request_tearing_down", "appcontext_tearing_down", "appcontext_popped")}
    for name, receiver in receivers.items():
        getattr(flask, name).connect(receiver, app)
    client.emit("e")
    assert [seen.next() for _ in range(5)] == [
        "appcontext_pushed", "event", "request_tearing_down", "appcontext_tearing_down", "appcontext_popped"]
    for name, receiver in receivers.items():
        getattr(flask, name).disconnect(receiver, app)
    app.teardown_appcontext_funcs.append(lambda error: seen.put("app"))
    app.teardown_request_funcs.setdefault(None, []).append(lambda error: seen.put("request"))
    client.emit("e")
    assert [seen.next() for _ in range(3)] == ["event", "request", "app"]


def test_a_context_that_a_handler_leaves_behind_is_not_there_for_the_next_event(app, socketio, live):
    @socketio.on("leave")
    def leave():
        app.app_context().push()
        flask.g.mine = "left"

    socketio.on("e")(lambda: "mine" in flask.g)
    client = live.websocket()
    assert client.ask("e") == "[false]"
    client.emit("leave")
    assert client.ask("e") == "[false]"
