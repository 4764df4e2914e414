"""The keywords of the servers behind Flask-SocketIO's `run`: none of them is a `TypeError`.

Source: `werkzeug.serving.run_simple`, `eventlet.wsgi.server` and `eventlet.wrap_ssl`, `gevent.pywsgi.WSGIServer`.
"""
from __future__ import annotations

import importlib
import importlib.util
import inspect
import socket
import ssl
import sys

import flask
import pytest
import requests

from certificate import certified

from engines import DEADLINE, Running, held_port
from starting import started

pytestmark = pytest.mark.only("erlen")

WERKZEUG = {"use_evalex": True, "reloader_interval": 1, "reloader_type": "stat", "exclude_patterns": ["*.txt"],
            "extra_files": [], "threaded": True, "processes": 1, "request_handler": None,
            "passthrough_errors": False, "load_dotenv": False}
EVENTLET = {"log": None, "max_size": 100, "max_http_version": "HTTP/1.1", "protocol": None, "server_event": None,
            "minimum_chunk_size": None, "log_x_forwarded_for": True, "custom_pool": None, "keepalive": True,
            "log_output": False, "log_format": "%s", "url_length_limit": 8192, "socket_timeout": None,
            "capitalize_response_headers": True, "server_side": True, "do_handshake_on_connect": False,
            "suppress_ragged_eofs": True}
GEVENT = {"backlog": 100, "spawn": "default", "error_log": "default", "handler_class": None}


@pytest.mark.parametrize("keywords", [WERKZEUG, EVENTLET, GEVENT], ids=["werkzeug", "eventlet", "gevent"])
def test_what_another_server_takes_is_no_error(app, socketio, engine, keywords):
    run = Running(app, socketio, **keywords)
    assert requests.get(f"http://127.0.0.1:{run.port()}/none", timeout=DEADLINE).status_code == 404
    run.stop()
    assert run.error is None


@pytest.mark.parametrize(
    ("module", "name"),
    [("werkzeug.serving", "run_simple"), ("eventlet.wsgi", "server"), ("gevent.pywsgi", "WSGIServer")],
)
def test_every_keyword_of_the_other_servers_is_known(module, name, engine):
    import erlen.run

    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed here")
    theirs = set(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
    ours = set(inspect.signature(erlen.run.run).parameters) | erlen.run.IGNORED
    # What Flask-SocketIO gives itself.
    assert theirs - ours <= {"hostname", "application", "sock", "site", "listener", "ssl_args"}


def test_a_keyword_that_no_server_knows_is_an_error(app, socketio, engine):
    with pytest.raises(TypeError, match="nonsense"):
        socketio.run(app, port=0, nonsense=True)


def test_static_files_are_served_from_their_folder(app, socketio, tmp_path, engine):
    (tmp_path / "a.txt").write_text("of the folder")
    run = Running(app, socketio, static_files={"/files": str(tmp_path)})
    url = f"http://127.0.0.1:{run.port()}"
    assert requests.get(f"{url}/files/a.txt", timeout=DEADLINE).text == "of the folder"
    assert requests.get(f"{url}/files/b.txt", timeout=DEADLINE).status_code == 404
    run.stop()


def test_the_environ_of_each_request_has_what_environ_gives(app, socketio, engine):
    def page():
        return flask.request.environ["of.the.keyword"] + flask.request.environ["PATH_INFO"]

    app.add_url_rule("/", view_func=page)
    run = Running(app, socketio, environ={"of.the.keyword": "given", "PATH_INFO": "/none"})
    assert requests.get(f"http://127.0.0.1:{run.port()}/", timeout=DEADLINE).text == "given/"
    run.stop()


@pytest.fixture
def files(tmp_path):
    return certified(tmp_path)


@pytest.fixture
def secured(app, socketio, files):
    """Serves a page by TLS of the files, with more keywords; gives its URL."""
    runs = []
    app.add_url_rule("/", view_func=lambda: "the page")

    def secured(**keywords):
        runs.append(Running(app, socketio, certfile=files[0], keyfile=files[1], **keywords))
        return f"https://127.0.0.1:{runs[-1].port()}"

    yield secured
    for run in runs:
        run.stop()


def test_a_certificate_that_is_asked_for_is_not_done_without(secured, files, engine):
    url = secured(cert_reqs=ssl.CERT_REQUIRED, ca_certs=files[0])
    assert requests.get(url, verify=False, cert=files, timeout=DEADLINE).text == "the page"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, verify=False, timeout=DEADLINE)


@pytest.mark.parametrize("keywords", [
    {"ssl_version": ssl.PROTOCOL_TLS_SERVER}, {"cert_reqs": ssl.CERT_NONE}, {"ca_certs": None, "ciphers": None}])
def test_what_the_files_say_already_stays_with_the_engine(secured, keywords, output, engine):
    assert requests.get(secured(**keywords), verify=False, timeout=DEADLINE).text == "the page"
    assert "SSLContext" not in output.text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("keywords, said", [
    ({"ssl_version": ssl.PROTOCOL_TLSv1_2}, "TLSv1.2"), ({"ciphers": "ECDHE-RSA-AES256-GCM-SHA384"}, "TLSv1.3")])
def test_a_version_and_ciphers_are_what_is_spoken(secured, keywords, said, engine):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = secured(**keywords).partition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), DEADLINE) as plain, context.wrap_socket(plain) as secure:
        assert secure.version() == said


@pytest.mark.parametrize("keywords, word", [
    ({"ciphers": "NONE-OF-THIS"}, "NONE-OF-THIS"),
    ({"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": "nowhere.pem"}, "nowhere.pem"),
    ({"ssl_version": ssl.PROTOCOL_TLS_CLIENT}, "ssl_version"),
])
def test_what_tls_cannot_be_is_a_sentence_that_names_it(app, socketio, files, keywords, word, engine):
    with pytest.raises(ValueError, match=word):
        socketio.run(app, host="127.0.0.1", port=0, certfile=files[0], keyfile=files[1], **keywords)


def test_a_certificate_of_the_moment_cannot_ask_for_more(app, socketio, engine):
    with pytest.raises(ValueError, match="adhoc"):
        socketio.run(app, host="127.0.0.1", port=0, ssl_context="adhoc", cert_reqs=ssl.CERT_REQUIRED)


PORT_OF_ITS_NAME = """
import flask
from erlen import SocketIO

app = flask.Flask(__name__)
app.config["SERVER_NAME"] = "WHERE"
SocketIO(app)
app.add_url_rule("/", view_func=lambda: "the page")

if __name__ == "__main__":
    app.extensions["socketio"].run(app)
"""


def test_the_port_is_that_of_the_server_name(tmp_path, engine):
    with held_port() as port:
        (tmp_path / "shop.py").write_text(PORT_OF_ITS_NAME.replace("WHERE", f"127.0.0.1:{port}"))
        with started(sys.executable, "shop.py", folder=tmp_path) as program:
            assert program.port() == port
            assert requests.get(program.url(), timeout=DEADLINE).text == "the page"
