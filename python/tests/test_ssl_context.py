"""`run(ssl_context=…)` with a ready `ssl.SSLContext`: TLS is Python's, and everything behind it as ever (field report B44)."""
from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import random
import socket
import ssl

import flask
import pytest
import requests
import websocket

from certificate import certified

import threads
from engines import DEADLINE, Running

pytestmark = pytest.mark.only("erlen")


@pytest.fixture
def files(tmp_path):
    """A certificate that may be a server's and a client's, and its key."""
    return certified(tmp_path)


@pytest.fixture
def context(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.fixture
def serve_over(app, socketio):
    """Serves the app over a context; gives the URL."""
    with contextlib.ExitStack() as stack:
        def serve_over(context, socketio=socketio):
            run = Running(app, socketio, ssl_context=context)
            stack.callback(run.stop)
            return f"https://127.0.0.1:{run.port()}"

        yield serve_over


def get(url, **options):
    return requests.request(options.pop("method", "GET"), url, verify=False, timeout=DEADLINE, **options)


def open_websocket(url, sslopt=(), **options):
    client = websocket.create_connection(
        url.replace("https", "wss") + "/socket.io/?EIO=4&transport=websocket", timeout=DEADLINE,
        sslopt={"cert_reqs": ssl.CERT_NONE, **dict(sslopt)}, **options)
    assert client.recv().startswith("0{")
    client.send("40")
    assert client.recv().startswith("40")
    return client


def test_pages_know_their_peer_and_the_scheme(app, serve_over, context):
    app.add_url_rule("/", view_func=lambda: [flask.request.remote_addr, flask.request.scheme, flask.request.host_url])
    url = serve_over(context)
    assert get(url).json() == ["127.0.0.1", "https", url + "/"]


def test_events_pass_from_the_own_origin(socketio, serve_over, context):
    socketio.on("e")(lambda: (flask.request.remote_addr, flask.request.scheme))
    url = serve_over(context)
    client = open_websocket(url, origin=url)
    client.send('420["e"]')
    assert client.recv() == '430["127.0.0.1","https"]'
    client.close()


def test_large_bodies_pass_both_ways(app, serve_over, context):
    @app.route("/digest", methods=["POST"])
    def digest():
        return hashlib.sha256(flask.request.get_data()).hexdigest()

    body = bytes(range(256)) * 40_000
    app.add_url_rule("/body", view_func=lambda: flask.Response(body[start:start + 100_000] for start in
                                                              range(0, len(body), 100_000)))
    url = serve_over(context)
    assert get(url + "/digest", method="POST", data=body).text == hashlib.sha256(body).hexdigest()
    assert get(url + "/body").content == body


def test_large_events_pass_both_ways(sio_lib, app, serve_over, context):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=10_000_000)
    socketio.on("up")(lambda data: hashlib.sha256(data.encode()).hexdigest())
    socketio.on("down")(lambda: "x" * 8_000_000)
    text = random.Random(1).randbytes(1_350_000).hex()
    # The check of UTF-8 is in Python, and takes seconds.
    client = open_websocket(serve_over(context, socketio), skip_utf8_validation=True)
    client.send(f'421["up","{text}"]')
    assert client.recv() == f'431["{hashlib.sha256(text.encode()).hexdigest()}"]'
    client.send('422["down"]')
    assert client.recv() == '432["' + "x" * 8_000_000 + '"]'
    client.close()


def test_a_context_may_ask_for_the_clients_certificate(app, serve_over, context, files):
    app.add_url_rule("/", view_func=lambda: "let in")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files[0])
    url = serve_over(context)
    with pytest.raises(requests.ConnectionError):
        get(url)
    assert get(url, cert=files).text == "let in"


def test_pages_and_events_are_told_the_clients_certificate(app, socketio, serve_over, context, files):
    def told():
        return flask.request.environ.get("SSL_CLIENT_CERT")

    app.add_url_rule("/", view_func=lambda: [told()])
    socketio.on("e")(told)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(files[0])
    url = serve_over(context)
    with open(files[0]) as file:
        certificate = file.read()
    assert [get(url).json(), get(url, cert=files).json()] == [[None], [certificate]]
    for files_of_client, expected in [({}, []), ({"certfile": files[0], "keyfile": files[1]}, [certificate])]:
        client = open_websocket(url, sslopt=files_of_client)
        client.send('420["e"]')
        assert json.loads(client.recv()[3:]) == expected
        client.close()


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""])
def test_who_does_not_speak_tls_harms_nobody(app, serve_over, context, words):
    app.add_url_rule("/", view_func=lambda: "let in")
    url = serve_over(context)
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=DEADLINE) as connection:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(1000):
                pass
    assert get(url).text == "let in"


@threads.counted
def test_a_server_that_was_stopped_leaves_nothing(app, socketio, context, eventually, engine):
    def run_once():
        run = Running(app, socketio, ssl_context=context)
        url = f"https://127.0.0.1:{run.port()}"
        client = open_websocket(url)
        get(url)
        run.stop()
        client.close()

    run_once()
    gc.collect()
    before = len(threads.of_erlen()), threads.descriptors()
    for _ in range(3):
        run_once()
    gc.collect()
    eventually(lambda: len(threads.of_erlen()) <= before[0] and threads.descriptors() <= before[1])
