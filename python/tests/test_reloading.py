"""Starting anew when a file changes: `run(use_reloader=True)`, `flask run --debug`, `erlen run --reload`, gunicorn.

Source: Flask-SocketIO's `run`, Werkzeug's `run_with_reloader`, Flask's `run_command`. When a change is seen is the
reloader's matter: a test waits for what the page says.
"""
from __future__ import annotations

import importlib.util
import os
import socket
import sys

import pytest
import requests

from engines import DEADLINE
from python_client import Client
from starting import script, started

pytestmark = pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here")

APP = """
import os
import flask
from MODULE import SocketIO

app = flask.Flask(__name__)
socketio = SocketIO(app)
socketio.on("echo")(lambda x: x)
reloaded = os.environ.get("WERKZEUG_RUN_MAIN")
told = open("told.cfg").read() if os.path.exists("told.cfg") else ""
app.add_url_rule("/", view_func=lambda: f"the page, {reloaded}, {told}")

if __name__ == "__main__":
    socketio.run(app, port=0, allow_unsafe_werkzeug=True, use_reloader=True, KEYWORDS)
"""

SYNTAX_ERROR = "import flask\nthis is no Python\n"


@pytest.fixture
def write(tmp_path, engine):
    """Writes the application, and gives its folder."""
    def write(text=APP, keywords=""):
        # Its length differs each time: Python tells what it has compiled by that and by the second.
        text += "#" * (write.times + 1)
        write.times += 1
        (tmp_path / "shop.py").write_text(text.replace("MODULE", engine.lib.__name__).replace("KEYWORDS", keywords))
        return tmp_path

    write.times = 0
    return write


def of_flask(*options):
    return (script("flask"), "--app", "shop", "run", "--port", "0", *options)


def of_erlen(*options):
    return (script("erlen"), "run", "shop:app", "--port", "0", *options)


def test_flask_run_starts_anew_when_a_file_changes(write, engine):
    with started(*of_flask("--debug"), folder=write()) as program:
        assert "the page, true" in program.until_page("the page").text
        write(APP.replace("the page", "another page"))
        program.until_page("another page")


def test_flask_run_outlives_a_syntax_error_and_serves_again_after_its_mend(write, engine):
    with started(*of_flask("--debug"), folder=write()) as program:
        program.until_page("the page")
        write(SYNTAX_ERROR)
        failed = program.until_page("this is no Python")
        assert failed.status_code == 500
        write(APP.replace("the page", "the mended page"))
        program.until_page("the mended page")
        client = Client()
        client.connect(program.url(), transports=["websocket"])
        assert client.call("echo", 1) == 1
        client.disconnect()


def test_flask_run_ends_by_an_application_that_was_wrong_from_the_start(write, engine):
    with started(*of_flask("--debug"), folder=write(SYNTAX_ERROR)) as program:
        code, said = program.end()
    assert code != 0 and "SyntaxError" in said


@pytest.mark.only("erlen")
@pytest.mark.parametrize("options", [["--reload"], ["--debug"]])
def test_erlen_run_outlives_a_syntax_error_and_serves_again_after_its_mend(write, options, engine):
    with started(*of_erlen(*options), folder=write()) as program:
        program.until_page("the page, true")
        write(SYNTAX_ERROR)
        program.until("SyntaxError")
        program.until("waiting for a change")
        assert program.until_page("Error").status_code == 500
        refused = requests.get(f"{program.url()}/socket.io/?EIO=4&transport=polling", timeout=DEADLINE)
        assert refused.status_code == 500, "no client is let in where nobody handles its events"
        write(APP.replace("the page", "the mended page"))
        program.until_page("the mended page")


@pytest.mark.only("erlen")
@pytest.mark.parametrize(("text", "said"), [
    ("app = 5\n", "valid Flask application"),
    (APP.replace('if __name__ == "__main__":', "if reloaded:"), "__main__"),
    ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
    (APP.replace("SocketIO(app)", 'SocketIO(app, serializer="msgpack")'), "shop.py:[0-9]+: serializer"),
    (APP.replace("SocketIO(app)", 'SocketIO(app, message_queue="redis://")'), "message_queue"),
    (APP.replace("SocketIO(app)", 'SocketIO(app, cookie={"name": "io", "nonsense": 5})'), "cookie"),
])
def test_erlen_run_outlives_whatever_is_wrong_with_a_change(write, text, said, engine):
    with started(*of_erlen("--reload"), folder=write()) as program:
        program.until_page("the page")
        program.lines.clear()
        write(text)
        program.until(said)
        program.until("waiting for a change")
        write(APP.replace("the page", "the mended page"))
        program.until_page("the mended page")


@pytest.mark.only("erlen")
def test_erlen_run_ends_by_an_application_that_was_wrong_from_the_start(write, engine):
    with started(*of_erlen("--reload"), folder=write(SYNTAX_ERROR)) as program:
        code, said = program.end()
    assert code != 0 and "SyntaxError" in said


@pytest.mark.only("erlen")
def test_gunicorn_tells_of_a_syntax_error_and_serves_again_after_its_mend(write, tmp_path, engine):
    command = (script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0", "--reload", "shop:app")
    with started(*command, folder=write(SYNTAX_ERROR)) as program:
        assert program.until_page("this is no Python").status_code == 500
        write()
        # gunicorn may look at the files for the first time when it serves already, and does not see earlier changes.
        program.until_page("the page", meanwhile=lambda: os.utime(tmp_path / "shop.py"))


@pytest.mark.parametrize("keywords", [
    "extra_files=['told.cfg']",
    "reloader_options={'extra_files': ['told.cfg'], 'reloader_type': 'stat'}",
    "extra_files=['told.cfg'], reloader_interval=0.5, reloader_type='stat'",
])
def test_run_watches_the_files_that_it_is_told_of(write, keywords, engine):
    folder = write(keywords=keywords)
    (folder / "told.cfg").write_text("first")
    with started(sys.executable, "shop.py", folder=folder) as program:
        program.until_page("the page, true, first")
        (folder / "told.cfg").write_text("second")
        program.until_page("the page, true, second")


@pytest.mark.only("erlen")
def test_the_options_of_the_reloader_may_have_the_names_of_its_own_function(write, engine):
    with started(sys.executable, "shop.py", folder=write(keywords="reloader_options={'interval': 0.5}")) as program:
        program.until_page("the page, true")
        write(APP.replace("the page", "another page"))
        program.until_page("another page")


@pytest.mark.parametrize("excluded", [
    "exclude_patterns=['*told.py']", "reloader_options={'exclude_patterns': ['*told.py']}"])
def test_files_of_the_patterns_are_not_watched(write, excluded, engine):
    folder = write(APP.replace("told = ", "import told as _\ntold = "), excluded)
    (folder / "told.py").write_text("")
    with started(sys.executable, "shop.py", folder=folder) as program:
        program.until_page("the page")
        (folder / "told.py").write_text("changed = True")
        write(APP.replace("the page", "another page"))
        program.until_page("another page")
        assert not any("told.py" in line for line in program.lines), program.lines
        program.until("shop.py'")


@pytest.mark.only("erlen")
def test_the_port_stays_where_any_that_is_free_was_asked_for(write, engine):
    with started(*of_erlen("--reload"), folder=write()) as program:
        port = program.port()
        program.until_page("the page")
        write(APP.replace("the page", "another page"))
        program.until_page("another page")
        assert program.port() == port


@pytest.mark.only("erlen")
def test_a_port_that_is_taken_is_one_line_under_the_reloader_too(write, engine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with started(*of_erlen("--reload", "--port", port), folder=write()) as program:
            code, said = program.end()
    assert (code, len(said.splitlines())) == (1, 1) and port in said and "in use" in said, said


@pytest.mark.only("erlen")
def test_a_stop_ends_the_reloader_too(write, engine):
    folder = write(APP.replace('if __name__', 'socketio.on("stop")(lambda: socketio.stop())\n\nif __name__')
                   + '    print("run has returned", flush=True)\n')
    with started(sys.executable, "shop.py", folder=folder) as program:
        program.until_page("the page")
        client = Client()
        client.connect(program.url(), transports=["websocket"])
        client.emit("stop")
        code, said = program.end()
        client.disconnect()
    assert code == 0 and "run has returned" in said, said
