"""The twins that the options of `erlen run` have in the environment, and the threads of its pages."""
from __future__ import annotations

import concurrent.futures
import importlib.util
import signal

import pytest
import requests

from certificate import certified

from engines import DEADLINE
from starting import script, started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here"),
]

APP = """
import os
import threading
import time
import flask
from flask_socketio import SocketIO

app = flask.Flask(__name__)
SocketIO(app)
lock = threading.Lock()
inside = most = 0

@app.route("/")
def page():
    return f"debug {app.debug}, reloaded {os.environ.get('WERKZEUG_RUN_MAIN')}"

@app.route("/together")
def together():
    global inside, most
    with lock:
        inside += 1
        most = max(most, inside)
    time.sleep(0.02)
    with lock:
        inside -= 1
    return str(most)

@app.route("/meet")
def meet():
    return str(meeting.wait(60) is not None)

meeting = threading.Barrier(2)
"""


@pytest.fixture
def run(tmp_path, engine):
    """`erlen run` with this environment."""
    (tmp_path / "shop.py").write_text(APP)

    def run(*arguments, **environment):
        command = (script("erlen"), "run", *arguments)
        return started(*command, folder=tmp_path, **{"ERLEN_APP": "shop:app", "ERLEN_RUN_PORT": "0", **environment})

    return run


def page(program, path="/"):
    return requests.get(program.url() + path, verify=False, timeout=4 * DEADLINE).text


def test_host(run):
    with run(ERLEN_RUN_HOST="localhost") as program:
        assert page(program) == "debug False, reloaded None"
        assert program.url().startswith(("http://127.0.0.1:", "http://[::1]:"))


def test_an_option_counts_more_than_its_twin(run):
    with run("--host", "127.0.0.1", "--no-debug", ERLEN_RUN_HOST="nowhere.invalid", ERLEN_RUN_DEBUG="1") as program:
        assert page(program) == "debug False, reloaded None"


def test_debug_and_reload(run):
    for environment, said in [
        ({"ERLEN_RUN_DEBUG": "1"}, "debug True, reloaded true"),
        ({"ERLEN_RUN_DEBUG": "1", "ERLEN_RUN_RELOAD": "0"}, "debug True, reloaded None"),
        ({"ERLEN_RUN_RELOAD": "1"}, "debug False, reloaded true"),
        ({"FLASK_DEBUG": "1", "ERLEN_RUN_RELOAD": "0"}, "debug True, reloaded None"),
    ]:
        with run(**environment) as program:
            assert page(program) == said, environment


def test_the_folder_of_the_application(run, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "other.py").write_text(APP)
    with run(ERLEN_APP="other:app", ERLEN_RUN_APP_DIR="below") as program:
        assert page(program) == "debug False, reloaded None"


def test_the_name_of_the_application_is_also_flasks(run):
    with run(ERLEN_APP="", FLASK_APP="shop:app") as program:
        assert page(program) == "debug False, reloaded None"


def test_certificate_and_key(run, tmp_path):
    certificate, key = certified(tmp_path)
    with run(ERLEN_RUN_CERTFILE=str(certificate), ERLEN_RUN_KEYFILE=str(key)) as program:
        assert program.url().startswith("https://") and page(program) == "debug False, reloaded None"


@pytest.mark.parametrize("said", [{"arguments": ["--threads", "1"]}, {"ERLEN_RUN_THREADS": "1"}])
def test_one_thread_handles_pages_one_after_another(run, said):
    with run(*said.pop("arguments", []), **said) as program, concurrent.futures.ThreadPoolExecutor(8) as clients:
        program.url()
        assert set(clients.map(lambda _: page(program, "/together"), range(16))) == {"1"}


def test_two_threads_handle_two_pages_at_one_time(run):
    with run(ERLEN_RUN_THREADS="2") as program, concurrent.futures.ThreadPoolExecutor(2) as clients:
        program.url()
        assert set(clients.map(lambda _: page(program, "/meet"), range(2))) == {"True"}


@pytest.mark.parametrize("name, meant", [
    ("ERLEN_MAX_SESIONS", "; did you mean 'ERLEN_MAX_SESSIONS'?"),
    ("ERLEN_RUN_PROT", "; did you mean 'ERLEN_RUN_PORT'?"),
    ("ERLEN_PING_INTERVAL", ": ping_interval is a keyword of SocketIO() alone"),
    ("ERLEN_OF_SOMEBODY_ELSE", "")])
def test_a_variable_that_nothing_reads_is_told_in_one_line(run, name, meant):
    with run(ERLEN_RUN_THREADS="1", ERLEN_MAX_ROOMS="5", **{name: "1"}) as program:
        page(program)
        _, said = program.end(signal.SIGTERM)
    assert [line for line in said.splitlines() if "ERLEN_" in line] == [f"nothing reads {name} of the environment{meant}"]


def test_the_environment_does_not_ask_for_the_version(run):
    with run(ERLEN_VERSION="1.2.3") as program:
        program.until("nothing reads ERLEN_VERSION of the environment")
        assert page(program) == "debug False, reloaded None"
