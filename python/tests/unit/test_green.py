"""Applications that gevent or eventlet has monkey-patched: handlers and pages are greenlets of the one hub.

Each test is a program of its own, since patching is for the life of a process. Skipped where the library is not installed: it is not
in requirements.txt, because Flask-SocketIO would choose it for its mode.
"""
from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import textwrap

import pytest

from certificate import certified

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
CURRENT = {
    "gevent": "import gevent; current = lambda: gevent.getcurrent()",
    "eventlet": "import greenlet; current = lambda: greenlet.getcurrent()",
}

PROGRAM = """
{patch}
{current}
import json, threading, time
import flask
import requests
import websocket
from erlen import SocketIO, emit

app = flask.Flask("green")
socketio = SocketIO(app)
out = []

@socketio.on("who")
def who():
    return current().parent is not None

@socketio.on("wait")
def wait():
    released.wait(10)
    return "released"

@socketio.on("release")
def release():
    released.set()

@socketio.on("ask")
def ask():
    return socketio.call("question", to=flask.request.sid, timeout=10)

@socketio.on("fail")
def fail():
    raise ValueError("the text of the error")

@app.route("/page")
def page():
    time.sleep(0.01)
    return "greenlet" if current().parent is not None else "thread"

@app.route("/up", methods=["POST"])
def up():
    return str(len(flask.request.get_data()))

@app.route("/stream")
def stream():
    def parts():
        for number in range(3):
            time.sleep(0.001)
            yield str(number)
    return flask.Response(parts())

released = threading.Event()

def client():
    try:
        while getattr(socketio.wsgi_server, "port", None) is None:
            time.sleep(0.002)
        port = socketio.wsgi_server.port
        ws = websocket.create_connection(
            f"ws://127.0.0.1:{{port}}/socket.io/?EIO=4&transport=websocket", timeout=20)
        ws.recv(); ws.send("40"); ws.recv()
        ws.send('421["who"]'); out.append(ws.recv())
        ws.send('422["wait"]'); ws.send('42["release"]'); out.append(ws.recv())
        ws.send('423["ask"]'); out.append(ws.recv()); ws.send('430["answer"]' if out[-1].startswith("420") else '431["answer"]')
        out.append(ws.recv())
        ws.send('42["fail"]')
        socketio.start_background_task(lambda: (socketio.sleep(0.001), socketio.emit("from a task")))
        out.append(ws.recv())
        base = f"http://127.0.0.1:{{port}}"
        out.append(requests.get(base + "/page", timeout=20).text)
        out.append(requests.post(base + "/up", data=b"x" * 100_000, timeout=20).text)
        out.append(requests.get(base + "/stream", timeout=20).text)
        ws.close()
    except BaseException as error:
        out.append(repr(error))
    finally:
        socketio.stop()

threading.Thread(target=client).start()
socketio.run(app, host="127.0.0.1", port=0)
print(json.dumps([socketio.async_mode, *out]))
"""


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_handlers_pages_and_tasks_are_greenlets_of_one_hub(library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed here")
    program = textwrap.dedent(PROGRAM).format(patch=PATCH[library], current=CURRENT[library])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    mode, who, released, question, answer, task, page, up, stream = json.loads(done.stdout)
    assert mode == library
    assert who == "431[true]"
    assert released == '432["released"]'
    assert question.endswith('["question"]')
    assert answer == '433["answer"]'
    assert task == '42["from a task"]'
    assert (page, up, stream) == ("greenlet", "100000", "012")
    assert f"{library} has monkey-patched" in done.stderr
    assert "ValueError: the text of the error" in done.stderr


SECURE = """
{patch}
import json, ssl, threading
import flask
import requests
import websocket
from erlen import SocketIO

app = flask.Flask("green")
socketio = SocketIO(app)
socketio.on("e")(lambda: flask.request.scheme)
app.add_url_rule("/", "page", lambda: flask.request.environ["SSL_CLIENT_CERT"])
app.add_url_rule("/large", "large", lambda: b"x" * 5_000_000)
cert, key = {files}
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(cert)
out = []

def client():
    try:
        while getattr(socketio.wsgi_server, "port", None) is None:
            socketio.sleep(0.002)
        host = f"127.0.0.1:{{socketio.wsgi_server.port}}"
        clients = {{"cert_reqs": ssl.CERT_NONE, "certfile": cert, "keyfile": key}}
        ws = websocket.create_connection(f"wss://{{host}}/socket.io/?EIO=4&transport=websocket", timeout=20, sslopt=clients)
        ws.recv(); ws.send("40"); ws.recv()
        ws.send('421["e"]'); out.append(ws.recv())
        options = {{"cert": (cert, key), "verify": False, "timeout": 20}}
        out.append(requests.get(f"https://{{host}}/", **options).text == open(cert).read())
        out.append(len(requests.get(f"https://{{host}}/large", **options).content))
        try:
            requests.get(f"https://{{host}}/", verify=False, timeout=20)
        except requests.ConnectionError:
            out.append("refused")
        ws.close()
    except BaseException as error:
        out.append(repr(error))
    finally:
        socketio.stop()

threading.Thread(target=client).start()
socketio.run(app, host="127.0.0.1", port=0, ssl_context=context)
print(json.dumps(out))
"""


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_ready_context_ends_tls_in_greenlets(library, tmp_path):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed here")
    program = textwrap.dedent(SECURE).format(patch=PATCH[library], files=certified(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ['431["https"]', True, 5_000_000, "refused"], done.stderr
