"""WSGI middleware around the app: the handshake passes through it, and handlers see what it did (contract 1.3)."""
from __future__ import annotations

import flask
import pytest
import requests
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

FORWARDED = {
    "X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "pub.example",
    "X-Forwarded-Prefix": "/pre",
}


def test_proxy_fix_reaches_the_handlers(app, socketio, serve, seen, transport):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    socketio.on("connect")(lambda: seen.put((flask.request.remote_addr, flask.request.host_url)))
    socketio.on("e")(lambda: [flask.request.remote_addr, flask.request.script_root])
    client = serve(app, socketio).client(transport, headers=FORWARDED)
    address, url = seen.next()
    assert address == "9.9.9.9"
    assert url == "https://pub.example/"
    assert client.ask("e") == '[["9.9.9.9","/pre"]]'


def test_url_for_carries_the_prefix_of_the_proxy(app, socketio, serve):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    app.add_url_rule("/page", "page", lambda: "")
    socketio.on("e")(lambda: [flask.url_for("page"), flask.url_for("page", _external=True)])
    client = serve(app, socketio).websocket(headers=FORWARDED)
    assert client.ask("e") == '[["/pre/page","https://pub.example/pre/page"]]'


def test_the_origin_behind_proxy_fix_is_the_public_one(app, socketio, serve):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
    live = serve(app, socketio)
    client = live.polling(headers={**FORWARDED, "Origin": "https://pub.example"})
    assert client.handshake["sid"]


def test_what_a_middleware_puts_into_the_environ_is_there(app, socketio, serve):
    inner = app.wsgi_app

    def middleware(environ, start_response):
        environ["my.user"] = "ann"
        return inner(environ, start_response)

    app.wsgi_app = middleware
    socketio.on("e")(lambda: flask.request.environ["my.user"])
    assert serve(app, socketio).websocket().ask("e") == '["ann"]'


def test_a_middleware_may_refuse_the_handshake(engine, app, socketio, serve, seen):
    inner = app.wsgi_app

    def middleware(environ, start_response):
        if environ.get("HTTP_X_KEY") == "yes":
            return inner(environ, start_response)
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("X-Why", "no key")])
        return [b"who are you"]

    app.wsgi_app = middleware
    socketio.on("connect")(lambda: seen.put("connected"))
    live = serve(app, socketio)
    answer = requests.get(live.url + "/socket.io/?EIO=4&transport=polling", timeout=10)
    assert answer.status_code == engine.either(upstream=401, erlen=403)
    assert answer.headers.get("X-Why") == engine.either(upstream="no key", erlen=None)
    assert seen.all() == []
    live.polling(headers={"X-Key": "yes"})
    assert seen.next() == "connected"


def test_a_middleware_inside_of_the_socketio_one_sees_only_pages(app, sio_lib, serve):
    paths = []
    inner = app.wsgi_app

    def middleware(environ, start_response):
        paths.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    app.wsgi_app = middleware
    socketio = sio_lib.SocketIO(app)
    live = serve(app, socketio)
    live.websocket()
    requests.get(live.url + "/page", timeout=10)
    assert paths == ["/page"]


def test_an_app_below_a_path_by_a_dispatcher(engine, app, sio_lib, serve):
    @app.route("/page")
    def page():
        return flask.url_for("page")

    # Erlen takes its requests before any dispatcher does, so it has to know the whole path.
    socketio = sio_lib.SocketIO(app, **engine.either(upstream={}, erlen={"path": "/tool/socket.io"}))
    socketio.on("e")(lambda: flask.url_for("page"))
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/tool": app.wsgi_app})
    live = serve(app, socketio)
    assert requests.get(live.url + "/tool/page", timeout=10).text == "/tool/page"
    assert live.websocket(path="/tool/socket.io/").ask("e") == '["/tool/page"]'


def test_an_app_below_a_path_of_another_app(engine, app, sio_lib, serve, transport):
    root = flask.Flask("root")
    root.add_url_rule("/page", "page", lambda: "of the root")
    app.add_url_rule("/page", "page", lambda: flask.url_for("page"))
    socketio = sio_lib.SocketIO(app, **engine.either(upstream={}, erlen={"path": "/tool/socket.io"}))
    socketio.on("e")(lambda: [flask.current_app.name, flask.request.script_root, flask.url_for("page")])
    root.wsgi_app = DispatcherMiddleware(root.wsgi_app, {"/tool": app})
    live = serve(root, socketio)
    assert requests.get(live.url + "/page", timeout=10).text == "of the root"
    assert requests.get(live.url + "/tool/page", timeout=10).text == "/tool/page"
    client = live.client(transport, path="/tool/socket.io/")
    assert client.ask("e") == '[["contract","/tool","/tool/page"]]'


@pytest.mark.parametrize("path", ["tool/socket.io", "/tool/socket.io"])
def test_an_app_below_a_path_that_the_proxy_does_not_strip(app, sio_lib, serve, path):
    socketio = sio_lib.SocketIO(app, path=path)
    socketio.on("e")(lambda: "here")
    assert serve(app, socketio).websocket(path="/tool/socket.io/").ask("e") == '["here"]'
