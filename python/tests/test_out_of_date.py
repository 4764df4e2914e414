"""A certificate that is not valid now: who starts the server is told of the file, clients refuse it, and the log says that they did
(field report B44).
"""
from __future__ import annotations

import importlib.util
import signal
import ssl
import sys

import pytest
import requests
import websocket

from certificate import DAY, certified

from engines import DEADLINE
from starting import APP, script, started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here"),
]

FILES = ("--certfile", "cert.pem", "--keyfile", "key.pem")

WAYS = {
    "python": (sys.executable, "own.py", "certfile='cert.pem', keyfile='key.pem'"),
    "a tuple": (sys.executable, "own.py", "ssl_context=('cert.pem', 'key.pem')"),
    "erlen run": (script("erlen"), "run", "own:app", "--port", "0", *FILES),
    "flask run": (script("flask"), "--app", "own", "run", "--port", "0", "--cert", "cert.pem", "--key", "key.pem"),
    "gunicorn": (script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", *FILES, "own:app"),
}

READY = """
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
"""


@pytest.fixture
def start(tmp_path, engine):
    def start(way):
        *command, arguments = WAYS[way] if WAYS[way][0] == sys.executable else (*WAYS[way], "")
        (tmp_path / "own.py").write_text(APP.replace("flask_socketio", "erlen").replace("port=0", f"port=0, {arguments}"))
        return started(*command, folder=tmp_path)

    return start


def refused(url, file):
    """What a page's client and a WebSocket's say, who trust the certificate."""
    with pytest.raises(requests.exceptions.SSLError) as page:
        requests.get(url, verify=file, timeout=DEADLINE)
    with pytest.raises(ssl.SSLCertVerificationError) as opened:
        websocket.create_connection(url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket",
                                    timeout=DEADLINE, sslopt={"ca_certs": file})
    return f"{page.value} {opened.value}"


@pytest.mark.parametrize("way", WAYS)
def test_one_that_has_expired_is_told_at_the_start_and_when_a_client_refuses_it(start, tmp_path, way):
    file, _ = certified(tmp_path, begins=-90 * DAY, ends=-3 * DAY)
    with start(way) as program:
        url = program.url()
        program.until(r"the certificate in \S*cert.pem has expired, on \d{4}-\d\d-\d\d \d\d:\d\d UTC: clients refuse it")
        assert refused(url, file).count("certificate has expired") == 2
        program.until("TLS handshake failed.*CertificateExpired")
        assert requests.get(url, verify=False, timeout=DEADLINE).text == "the page", "those who do not look are served"


def test_one_that_is_not_valid_yet_is_told(start, tmp_path):
    file, _ = certified(tmp_path, begins=3 * DAY, ends=90 * DAY)
    with start("python") as program:
        program.until(r"the certificate in cert.pem is not valid before \d{4}-\d\d-\d\d \d\d:\d\d UTC: clients refuse it")
        assert refused(program.url(), file).count("certificate is not yet valid") == 2


def test_in_a_ready_context_it_is_told_when_a_client_refuses_it(tmp_path, engine):
    file, _ = certified(tmp_path, begins=-90 * DAY, ends=-3 * DAY)
    (tmp_path / "own.py").write_text(
        READY + APP.replace("flask_socketio", "erlen").replace("port=0", "port=0, ssl_context=context"))
    with started(sys.executable, "own.py", folder=tmp_path) as program:
        assert refused(program.url(), file).count("certificate has expired") == 2
        program.until("TLS handshake failed.*certificate expired")


def test_of_one_that_is_valid_nothing_is_said(start, tmp_path):
    file, _ = certified(tmp_path)
    with start("python") as program:
        assert requests.get(program.url(), verify=file, timeout=DEADLINE).text == "the page"
        _, said = program.end(signal.SIGTERM)
    assert "cert.pem" not in said and "TLS" not in said, said
