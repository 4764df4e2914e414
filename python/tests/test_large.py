"""Large events and bodies, by every way of starting, with and without TLS: no limit below the one that was set (field report B21).

That both engines take them is in test_data_model.py.
"""
from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib.util
import json
import random
import re
import ssl
import struct
import sys

import pytest
import requests
import websocket
from websocket import ABNF

from certificate import certified

from engines import DEADLINE
from python_client import Client
from starting import script, started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here"),
]

LIMIT = 10_000_000
UP, DOWN = 2_700_000, 8_000_000

APP = f"""
import hashlib
import random
import sys
import flask
from erlen import SocketIO, emit

app = flask.Flask(__name__)
socketio = SocketIO(app, max_http_buffer_size={LIMIT})

def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()

def text(size):
    return random.Random(size).randbytes(size // 2).hex()

socketio.on("up")(digest)
socketio.on("down")(text)

@socketio.on("both")
def both(data):
    emit("told", data)
    return data

app.add_url_rule("/up", "up", lambda: digest(flask.request.get_data()), methods=["POST"])
app.add_url_rule("/down", "down", lambda: text({DOWN}))

if __name__ == "__main__":
    socketio.run(app, port=0, **dict(zip(("certfile", "keyfile"), sys.argv[1:])))
"""

WAYS = {
    "python": ((sys.executable, "own.py"), ("", "")),
    "erlen run": ((script("erlen"), "run", "own:app", "--port", "0"), ("--certfile", "--keyfile")),
    "flask run": ((script("flask"), "--app", "own", "run", "--port", "0"), ("--cert", "--key")),
    "gunicorn": ((script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", "own:app"), ("--certfile", "--keyfile")),
}


def text(size):
    return random.Random(size).randbytes(size // 2).hex()


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


@pytest.fixture(params=["plain", "TLS"])
def secured(request, tmp_path):
    """The files of a certificate and its key, if there is to be one."""
    return certified(tmp_path) if request.param == "TLS" else ()


@pytest.fixture(params=WAYS)
def program(request, tmp_path, secured, engine):
    (tmp_path / "own.py").write_text(APP)
    command, flags = WAYS[request.param]
    options = [word for pair in zip(flags, secured) for word in pair if word]
    with started(*command, *options, folder=tmp_path) as program:
        assert program.url().startswith("https://" if secured else "http://")
        yield program


def test_large_events_and_bodies_pass_both_ways(program):
    url = program.url()
    for transport in ("polling", "websocket"):
        client = unbelieving()
        told = []
        client.on("told", told.append)
        client.connect(url, transports=[transport])
        assert client.call("up", text(UP)) == digest(text(UP))
        assert client.call("up", text(UP).encode()) == digest(text(UP))
        assert client.call("down", DOWN) == text(DOWN)
        assert client.call("both", text(UP)) == text(UP)
        assert told == [text(UP)]
        client.disconnect()
    for size in (UP, DOWN):
        body = text(size)
        assert requests.post(url + "/up", data=body, verify=False, timeout=DEADLINE).text == digest(body)
    assert requests.get(url + "/down", verify=False, timeout=DEADLINE).text == text(DOWN)


def told(line):
    """Whether a line of the log says how much it was, and how much it may be."""
    return {str(LIMIT), str(LIMIT + 1)} <= set(re.findall(r"\d+", line))


def test_what_is_over_the_limit_is_refused_and_the_log_names_both_and_the_option(program):
    """At its first bytes, which say how long it is."""
    url = program.url() + "/socket.io/?EIO=4&transport="
    with requests.get(url + "polling", verify=False, timeout=DEADLINE) as opened:
        sid = json.loads(opened.text[1:])["sid"]
    with contextlib.closing(connection(program.url())) as post:
        post.putrequest("POST", f"/socket.io/?EIO=4&transport=polling&sid={sid}")
        post.putheader("Content-Length", str(LIMIT + 1))
        post.endheaders()
        assert post.getresponse().status == 413
    assert told(program.until("POST body over the limit.*max_http_buffer_size").string)
    client = websocket.create_connection(
        url.replace("http", "ws", 1) + "websocket", timeout=DEADLINE, sslopt={"cert_reqs": ssl.CERT_NONE})
    with contextlib.closing(client):
        assert client.recv().startswith("0{")
        client.sock.sendall(struct.pack(">BBQ4x", 0x81, 0xFF, LIMIT + 1))
        closed = client.recv_frame()
        assert (closed.opcode, closed.data[:2]) == (ABNF.OPCODE_CLOSE, struct.pack(">H", 1009))
    assert told(program.until("WebSocket closed.*max_http_buffer_size").string)


def unbelieving():
    """A client that takes any certificate."""
    session = requests.Session()
    session.verify = session.trust_env = False
    # The check of UTF-8 is in Python, and takes seconds.
    return Client(http_session=session, ssl_verify=False, websocket_extra_options={"skip_utf8_validation": True})


def connection(url):
    """HTTP without a body that is sent with it."""
    host = url.partition("//")[2]
    if url.startswith("https"):
        return http.client.HTTPSConnection(host, timeout=DEADLINE, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(host, timeout=DEADLINE)
