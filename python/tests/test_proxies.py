"""Behind real proxies, by the very configurations that docs/deployment.md prints, with other ports.

Skipped, with a reason, where nginx or Caddy is not installed.
"""
from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import time

import flask
import pytest
import requests
from werkzeug.middleware.proxy_fix import ProxyFix

from engines import DEADLINE, held_port
from python_client import Client

pytestmark = pytest.mark.only("erlen")

DEPLOYMENT = pathlib.Path(__file__).parents[2] / "docs/deployment.md"


def configuration(language):
    """The block of the page in that language."""
    return re.search(rf"^```{language}\n(.*?)^```", DEPLOYMENT.read_text(), re.DOTALL | re.MULTILINE).group(1)


@contextlib.contextmanager
def running(command, port):
    """A proxy, from when it listens until the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + DEADLINE
        while True:
            assert process.poll() is None, process.stdout.read().decode()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def nginx(folder, port, upstream):
    server = configuration("nginx").replace("127.0.0.1:5000", f"127.0.0.1:{upstream}")
    server = server.replace("listen 80;", f"listen 127.0.0.1:{port};")
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; user root; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off;"
        f" client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;"
        f" uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{server}\n}}"
    )
    return running(["nginx", "-c", str(file), "-p", str(folder)], port)


def caddy(folder, port, upstream):
    site = configuration("caddy").replace("127.0.0.1:5000", f"127.0.0.1:{upstream}")
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site.replace(":80 {", f"http://127.0.0.1:{port} {{"))
    return running(["caddy", "run", "--config", str(file), "--adapter", "caddyfile"], port)


@pytest.fixture(params=[nginx, caddy])
def proxied(request, engine, sio_lib, app, serve, tmp_path):
    """The address of an app behind a proxy."""
    if shutil.which(request.param.__name__) is None:
        pytest.skip(f"{request.param.__name__} is not installed here")
    socketio = sio_lib.SocketIO(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

    @app.route("/page")
    def page():
        return flask.url_for("page", _external=True)

    @app.route("/upload", methods=["POST"])
    def upload():
        return str(len(flask.request.get_data()))

    @socketio.on("where")
    def where():
        return flask.url_for("page", _external=True), flask.request.remote_addr

    @socketio.on("echo")
    def echo(data):
        return data

    with held_port() as port, request.param(tmp_path, port, serve(app, socketio).port):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("prefix", ["", "/tool"])
@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_pages_and_events_pass_a_proxy_also_below_a_path(proxied, prefix, transports):
    assert requests.get(f"{proxied}{prefix}/page", timeout=DEADLINE).text == f"{proxied}{prefix}/page"
    client = Client()
    # On a WebSocket this client sends an Origin by itself.
    headers = {"Origin": proxied} if transports == ["polling"] else {}
    client.connect(proxied, transports=transports, socketio_path=f"{prefix}/socket.io", headers=headers)
    try:
        assert list(client.call("where")) == [f"{proxied}{prefix}/page", "127.0.0.1"]
        assert client.call("echo", b"x" * 100_000) == b"x" * 100_000
    finally:
        client.disconnect()


def test_an_upload_passes_a_proxy(proxied):
    answer = requests.post(f"{proxied}/upload", data=b"x" * 900_000, timeout=DEADLINE)
    assert answer.text == "900000"


def test_a_page_of_another_origin_is_refused_behind_a_proxy(proxied):
    answer = requests.get(
        f"{proxied}/socket.io/?EIO=4&transport=polling", headers={"Origin": "http://evil.example"}, timeout=DEADLINE
    )
    assert answer.status_code == 403
