"""Werkzeug's debugger: where it is, where it is not, and whether it takes Python to run.

Source: Flask-SocketIO's `run`, which hands the keywords of `werkzeug.serving.run_simple` on; `flask run`.
"""
from __future__ import annotations

import importlib.util
import sys

import pytest
import requests

from engines import DEADLINE, Running
from starting import script, started

pytestmark = pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here")

APP = """
import flask
from MODULE import SocketIO

app = flask.Flask(__name__)
socketio = SocketIO(app)

@app.route("/broken")
def broken():
    raise RuntimeError("the fault of the page")

if __name__ == "__main__":
    socketio.run(app, port=0, allow_unsafe_werkzeug=True, use_reloader=False, KEYWORDS)
"""


def write(folder, engine, keywords=""):
    (folder / "shop.py").write_text(APP.replace("MODULE", engine.lib.__name__).replace("KEYWORDS", keywords))


def interactive(page):
    """Whether the page is the debugger's, and then whether it takes Python."""
    assert page.status_code == 500
    if "EVALEX" not in page.text:
        assert "the fault" not in page.text
        return None
    return "EVALEX = true" in page.text


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("debug=True", True),
        ("debug=True, use_debugger=True, use_evalex=True", True),
        ("debug=True, use_evalex=False", False),
        ("debug=True, use_debugger=False", None),
        ("use_debugger=True", None),
        ("", None),
    ],
)
def test_the_debugger_is_where_the_keywords_of_run_say(tmp_path, engine, keywords, expected):
    write(tmp_path, engine, keywords)
    with started(sys.executable, "shop.py", folder=tmp_path) as program:
        assert interactive(requests.get(f"{program.url()}/broken", timeout=DEADLINE)) is expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--debug"], True),
        (["--debug", "--no-debugger"], None),
        (["--no-debug"], None),
    ],
)
def test_the_debugger_is_where_the_options_of_flask_run_say(tmp_path, engine, options, expected):
    write(tmp_path, engine)
    command = (script("flask"), "--app", "shop", "run", "--port", "0", "--no-reload", *options)
    with started(*command, folder=tmp_path) as program:
        assert interactive(requests.get(f"{program.url()}/broken", timeout=DEADLINE)) is expected


@pytest.mark.only("erlen")
def test_the_banner_warns_of_the_debugger_where_it_takes_python(tmp_path, engine):
    for keywords, warned in [("debug=True", True), ("debug=True, use_debugger=False", False)]:
        write(tmp_path, engine, keywords)
        with started(sys.executable, "shop.py", folder=tmp_path) as program:
            program.until("Ctrl-C")
            assert any("debugger" in line for line in program.lines) is warned


@pytest.mark.only("erlen")
def test_a_run_without_the_debugger_takes_away_that_of_the_run_before(app, socketio, engine):
    @app.route("/broken")
    def broken():
        raise RuntimeError("the fault of the page")

    for use_debugger, expected in [(True, True), (False, None), (True, True)]:
        run = Running(app, socketio, debug=True, use_debugger=use_debugger, use_reloader=False)
        page = requests.get(f"http://127.0.0.1:{run.port()}/broken", timeout=DEADLINE)
        run.stop()
        assert interactive(page) is expected
