"""Every way of starting an application: `python app.py`, `erlen run`, `flask run`, gunicorn; and of ending it.

Source: Flask-SocketIO's `SocketIO.run`; field reports B02, B21, B40, B41, B43.
"""
from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import sys

import pytest
import requests

from certificate import certified

from engines import DEADLINE
from python_client import Client
from starting import APP, script, started

pytestmark = pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here")

FIREFOX = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nSec-WebSocket-Version: 13\r\n"
    "Origin: http://{host}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "own.py").write_text(APP.replace("from flask_socketio", "from erlen"))
    (tmp_path / "unguarded.py").write_text(APP.replace('if __name__ == "__main__":\n    socketio', "socketio"))
    (tmp_path / "plain.py").write_text("import flask\napp = flask.Flask(__name__)\napp.add_url_rule('/', view_func=lambda: 'plain')\n")
    return tmp_path


WAYS = {
    "python": lambda: (sys.executable, "own.py"),
    "erlen run": lambda: (script("erlen"), "run", "shop:app", "--port", "0"),
    "flask run": lambda: (script("flask"), "--app", "own", "run", "--port", "0"),
    "gunicorn": lambda: (script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", "own:app"),
}


@pytest.fixture(params=WAYS)
def program(request, folder):
    with started(*WAYS[request.param](), folder=folder) as program:
        yield program


def test_every_way_serves_the_page_and_events_on_both_transports(program):
    url = program.url()
    assert requests.get(url, timeout=DEADLINE).text == "the page"
    for transport in ("polling", "websocket"):
        client = Client()
        client.connect(url, transports=[transport])
        assert client.call("echo", {"a": 1}) == {"a": 1}
        assert client.call("echo", "x" * 700_000) == "x" * 700_000
        client.disconnect()


def test_every_way_takes_the_handshake_of_firefox(program):
    host = program.url().partition("//")[2]
    name, _, port = host.rpartition(":")
    with socket.create_connection((name, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(FIREFOX.format(host=host).encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_way_ends_by_a_signal_while_clients_are_connected(program, number):
    url = program.url()
    with contextlib.ExitStack() as stack:
        for transport in ("polling", "websocket"):
            for _ in range(5):
                client = Client()
                client.connect(url, transports=[transport])
                stack.callback(client.disconnect)
        download = stack.enter_context(requests.get(f"{url}/stream", stream=True, timeout=DEADLINE))
        next(download.iter_content(1024))
        code, said = program.end(number)
        assert code == 0, said


MOUNTED = """
import flask
from erlen import SocketIO

app = flask.Flask(__name__)
socketio = SocketIO(app)
app.add_url_rule("/page", "page", lambda: flask.url_for("page"))
socketio.on("where")(lambda: flask.url_for("page"))

if __name__ == "__main__":
    socketio.run(app, port=0)
"""


@pytest.mark.parametrize("way", WAYS)
def test_every_way_serves_below_the_path_that_the_environment_says(folder, way):
    for name in ("own.py", "shop.py"):
        (folder / name).write_text(MOUNTED)
    with started(*WAYS[way](), folder=folder, SCRIPT_NAME="/tool") as program:
        assert requests.get(f"{program.url()}/tool/page", timeout=DEADLINE).text == "/tool/page"
        client = Client()
        client.connect(program.url(), transports=["polling"], socketio_path="/tool/socket.io")
        assert client.call("where") == "/tool/page"
        client.disconnect()


BELOW = """
import flask
from erlen import SocketIO
from werkzeug.middleware.dispatcher import DispatcherMiddleware

def made(name, path):
    app = flask.Flask(name)
    socketio = SocketIO(app, path=path)
    app.add_url_rule("/", "page", lambda: flask.url_for("page"))
    socketio.on("where")(lambda: [flask.current_app.name, flask.url_for("page")])
    return app

root = flask.Flask("root")
root.add_url_rule("/", "page", lambda: "the root")
mounted = DispatcherMiddleware(root.wsgi_app, {f"/{name}": made(name, path) for name, path in PATHS})
root.wsgi_app = mounted

def function(environ, start_response):
    return mounted(environ, start_response)

def labelled(environ, start_response):
    return mounted(environ, start_response)

labelled.app = mounted
"""

BY = {
    "erlen run": lambda name: (script("erlen"), "run", f"below:{name}", "--port", "0"),
    "flask run": lambda name: (script("flask"), "--app", f"below:{name}", "run", "--port", "0"),
    "gunicorn": lambda name: (
        script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", f"below:{name}"),
}


def below(folder, **paths):
    """Applications by their names, each with the path that its SocketIO is told, below another one."""
    text = BELOW.replace("PATHS", repr(list(paths.items())))
    (folder / "below.py").write_text(text)


@pytest.mark.parametrize(("way", "name"), [
    ("erlen run", "root"), ("erlen run", "mounted"), ("erlen run", "function"),
    ("gunicorn", "root"), ("gunicorn", "mounted"), ("gunicorn", "function"), ("flask run", "root"),
])
def test_every_way_finds_the_socketio_of_an_application_below(folder, way, name):
    below(folder, tool="/tool/socket.io")
    with started(*BY[way](name), folder=folder) as program:
        assert requests.get(program.url(), timeout=DEADLINE).text == "the root"
        assert requests.get(f"{program.url()}/tool/", timeout=DEADLINE).text == "/tool/"
        client = Client()
        client.connect(program.url(), transports=["websocket"], socketio_path="/tool/socket.io")
        assert client.call("where") == ["tool", "/tool/"]
        client.disconnect()


@pytest.mark.parametrize("way", BY)
def test_every_way_serves_all_that_are_below_at_paths_of_their_own(folder, way):
    below(folder, one="/one/socket.io", two="/two/socket.io")
    with started(*BY[way]("root"), folder=folder) as program:
        for name in ("one", "two"):
            client = Client()
            client.connect(program.url(), transports=["polling"], socketio_path=f"/{name}/socket.io")
            assert client.call("where") == [name, f"/{name}/"]
            client.disconnect()


@pytest.mark.parametrize(("way", "code"), [("erlen run", 2), ("flask run", 1), ("gunicorn", 4)])
def test_applications_below_that_have_one_path_are_one_line_with_the_mend(folder, way, code):
    below(folder, one="socket.io", two="socket.io")
    with started(*BY[way]("root"), folder=folder) as program:
        ended, said = program.end()
    assert ended == code and "path='/below/socket.io'" in said and "Traceback" not in said, said


def test_a_function_around_several_of_them_may_say_where_they_are(folder):
    below(folder, one="/one/socket.io", two="/two/socket.io")
    with started(*BY["erlen run"]("function"), folder=folder) as program:
        code, said = program.end()
    assert (code, len(said.splitlines())) == (2, 1) and "attribute `app`" in said, said
    with started(*BY["erlen run"]("labelled"), folder=folder) as program:
        client = Client()
        client.connect(program.url(), transports=["websocket"], socketio_path="/two/socket.io")
        assert client.call("where") == ["two", "/two/"]
        client.disconnect()


def test_the_banner_says_how_many_files_may_be_open_now(folder):
    command = ("sh", "-c", 'ulimit -Sn 256; ulimit -Hn 4096; exec "$0" "$@"', *WAYS["python"]())
    with started(*command, folder=folder) as program:
        program.until("4096 open files")


def test_a_factory_and_a_plain_application_are_found(folder):
    for name, page in [("shop:create_app()", "the page"), ("shop:create_app", "the page"), ("plain", "plain")]:
        with started(script("erlen"), "run", name, "--port", "0", folder=folder) as program:
            assert requests.get(program.url(), timeout=DEADLINE).text == page


def test_the_environment_says_what_the_options_do(folder):
    with started(script("erlen"), "run", folder=folder, ERLEN_APP="shop:app", ERLEN_RUN_PORT="0") as program:
        assert requests.get(program.url(), timeout=DEADLINE).text == "the page"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["no module 'nowhere'"]),
        (["shop:nothing"], ["shop:nothing", "nothing"]),
        (["unguarded:app"], ["unguarded.py:", "__main__"]),
        (["shop:app", "--certfile", "missing.pem"], ["missing.pem"]),
    ],
)
def test_what_is_not_found_is_one_line_with_the_mend(folder, arguments, words):
    with started(script("erlen"), "run", *arguments, "--port", "0", folder=folder) as program:
        code, said = program.end()
    assert code == 2
    assert all(word in said for word in words) and len(said.splitlines()) == 1, said


def test_a_port_that_is_taken_is_one_line_with_the_mend(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with started(script("erlen"), "run", "shop:app", "--port", port, folder=folder) as program:
            code, said = program.end()
    assert (code, len(said.splitlines())) == (1, 1) and port in said and "in use" in said, said


def test_gunicorn_is_told_that_one_worker_is_all_it_takes(folder):
    command = (script("gunicorn"), "-w", "2", "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", "own:app")
    with started(*command, folder=folder) as program:
        code, said = program.end()
    assert code != 0 and "-w 1" in said


STOPS_WHILE_IT_STARTS = """
def stop_once_the_application_is_handed_over(handed=socketio._serving.hosted):
    def hosted(application):
        socketio.stop()
        return handed(application)
    socketio._serving.hosted = hosted

stop_once_the_application_is_handed_over()
"""


def test_a_stop_in_the_moment_of_the_start_ends_the_worker_of_gunicorn(folder):
    (folder / "own.py").write_text(APP.replace("from flask_socketio", "from erlen") + STOPS_WHILE_IT_STARTS)
    with started(*WAYS["gunicorn"](), folder=folder) as program:
        program.until("Booting worker")
        program.lines.clear()
        program.until("Booting worker")


def test_gunicorn_stops_at_an_application_that_runs_itself(folder):
    command = (script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", "unguarded:app")
    with started(*command, folder=folder) as program:
        code, said = program.end()
    assert code != 0 and "unguarded.py:" in said and "__main__" in said, said


def test_under_another_wsgi_server_pages_work_and_events_are_told_where_to_go(folder):
    command = (script("gunicorn"), "-b", "127.0.0.1:0", "own:app")
    with started(*command, folder=folder) as program:
        url = program.url()
        assert requests.get(url, timeout=DEADLINE).text == "the page"
        answer = requests.get(f"{url}/socket.io/?EIO=4&transport=polling", timeout=DEADLINE)
        assert answer.status_code == 503 and "erlen run" in answer.text
        program.until("erlen run")


def test_the_reloader_starts_anew_when_a_file_changes(folder):
    with started(script("erlen"), "run", "shop:app", "--reload", "--port", "0", folder=folder) as program:
        assert requests.get(program.url(), timeout=DEADLINE).text == "the page"
        (folder / "shop.py").write_text(APP.replace("the page", "another page"))
        program.until("Detected change")
        program.lines.clear()
        assert requests.get(program.url(), timeout=DEADLINE).text == "another page"


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate and its key, for 127.0.0.1."""
    from cryptography.hazmat.primitives import serialization
    from werkzeug.serving import generate_adhoc_ssl_pair

    certificate, key = generate_adhoc_ssl_pair("localhost")
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for name, encryption in [
        ("key.pem", serialization.NoEncryption()),
        ("secret.pem", serialization.BestAvailableEncryption(b"word")),
    ]:
        (tmp_path / name).write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
    return tmp_path


READY = """
import ssl

def ready():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    return context

"""


@pytest.mark.parametrize(
    "arguments",
    [
        "ssl_context='adhoc'",
        "ssl_context=('cert.pem', 'key.pem')",
        "certfile='cert.pem', keyfile='key.pem'",
        "certfile='cert.pem', keyfile='secret.pem', keyfile_password='word'",
        "ssl_context=ready()",
    ],
)
def test_tls_is_asked_for_in_every_dialect(folder, certificate, arguments):
    (folder / "secure.py").write_text(
        READY + APP.replace("flask_socketio", "erlen").replace("port=0", f"port=0, {arguments}"))
    with started(sys.executable, "secure.py", folder=folder) as program:
        url = program.url()
        assert url.startswith("https://")
        assert requests.get(url, verify=False, timeout=DEADLINE).text == "the page"
        client = Client(ssl_verify=False)
        client.connect(url, transports=["websocket"])
        assert client.call("echo", 1) == 1
        client.disconnect()
        with pytest.raises(requests.ConnectionError):
            requests.get(url.replace("https", "http"), timeout=DEADLINE)
        program.until("TLS handshake failed")
        assert requests.get(url, verify=False, timeout=DEADLINE).text == "the page", "the others are unharmed"
        assert not any("Traceback" in line for line in program.lines)


def test_gunicorn_asks_for_the_clients_certificate_where_it_is_told_to(folder):
    files = certified(folder)
    (folder / "own.py").write_text(APP.replace("from flask_socketio", "from erlen").replace(
        'return "the page"', 'return flask.request.environ["SSL_CLIENT_CERT"]'))
    asks = ("--certfile", files[0], "--keyfile", files[1], "--ca-certs", files[0], "--cert-reqs", "2")
    with started(*WAYS["gunicorn"](), *asks, folder=folder) as program:
        url = program.url()
        with open(files[0]) as file:
            assert requests.get(url, verify=False, cert=files, timeout=DEADLINE).text == file.read()
        with pytest.raises(requests.ConnectionError):
            requests.get(url, verify=False, timeout=DEADLINE)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("certfile='cert.pem', keyfile='secret.pem'", "password"),
        ("certfile='none.pem', keyfile='key.pem'", "none.pem"),
        ("certfile='secure.py', keyfile='key.pem'", "PEM"),
        ("certfile='cert.pem'", "no private key in cert.pem; give its file too"),
        ("certfile='key.pem', keyfile='cert.pem'", "no certificate in key.pem"),
        ("keyfile='key.pem'", "certfile"),
    ],
)
def test_a_wrong_certificate_is_a_sentence_that_names_the_file(folder, certificate, arguments, word):
    (folder / "secure.py").write_text(APP.replace("flask_socketio", "erlen").replace("port=0", f"port=0, {arguments}"))
    with started(sys.executable, "secure.py", folder=folder) as program:
        code, said = program.end()
    assert code == 1 and word in said.splitlines()[-1], said


def test_a_client_that_asks_for_the_path_without_the_mount_is_told_of_the_right_one_in_the_log(folder):
    (folder / "own.py").write_text(MOUNTED)
    with started(*WAYS["erlen run"](), folder=folder, SCRIPT_NAME="/tool") as program:
        answer = requests.get(f"{program.url()}/socket.io/?EIO=4&transport=polling", timeout=DEADLINE)
        assert answer.status_code == 503
        program.until("Socket.IO is at /tool/socket.io/ here")
