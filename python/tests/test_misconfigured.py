"""An option that cannot be meant, or is not built yet, ends every command that starts an application, by one line."""
from __future__ import annotations

import importlib.util
import sys

import pytest

from starting import script, started

pytestmark = [
    pytest.mark.only("erlen"),
    pytest.mark.skipif(importlib.util.find_spec("erlen") is None, reason="erlen is not installed here"),
]

APP = """
import flask
from erlen import SocketIO

app = flask.Flask(__name__)
socketio = SocketIO(app, OPTIONS)

if __name__ == "__main__":
    socketio.run(app, port=0)
"""

OF_GUNICORN = ("-k", "erlen.gunicorn.Worker", "-b", "127.0.0.1:0")

WAYS = {
    "erlen run": (lambda: (script("erlen"), "run", "shop:app", "--port", "0"), 2),
    "flask run": (lambda: (script("flask"), "--app", "shop", "run", "--port", "0"), 1),
    "gunicorn": (lambda: (script("gunicorn"), *OF_GUNICORN, "shop:app"), 4),
}

AT_THE_START = {
    "message_queue": 'message_queue="redis://"',
    "client_manager": "client_manager=object()",
    "cookie": 'cookie={"name": "io", "nonsense": 5}',
    "cookie must be": "cookie=5",
    "ping_timeout": "ping_timeout=-1",
    "max_http_buffer_size": 'max_http_buffer_size="much"',
    "cors_allowed_origins": "cors_allowed_origins=5",
}

WHILE_LOADING = {
    "serializer": 'serializer="msgpack"',
    "transports": 'transports=["pigeon"]',
    "async_mode": 'async_mode="nonsense"',
    "max_rooms": 'max_rooms="some"',
    "ping_interval": 'ping_interval="often"',
    "a pair": "ping_interval=(1, 2, 3)",
}


def ended(folder, command):
    """The exit code, and what was said, but for the banner of `flask run` and what gunicorn says of itself."""
    with started(*command, folder=folder) as program:
        code, said = program.end()
    lines = said.splitlines()
    return code, [line for line in lines if "[INFO]" not in line and not line.startswith(" * ")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", AT_THE_START)
def test_what_the_start_finds_wrong_is_one_line_and_the_end(tmp_path, way, name, engine):
    (tmp_path / "shop.py").write_text(APP.replace("OPTIONS", AT_THE_START[name]))
    command, expected = WAYS[way]
    code, said = ended(tmp_path, command())
    assert code == expected and name in said[0], said
    # gunicorn says besides that a worker has ended, that it ends itself, and why.
    assert len(said) == (4 if way == "gunicorn" else 1), said


@pytest.mark.parametrize("way", ["erlen run", "gunicorn"])
@pytest.mark.parametrize("name", WHILE_LOADING)
def test_what_loading_finds_wrong_is_one_line_that_names_the_applications(tmp_path, way, name, engine):
    (tmp_path / "shop.py").write_text(APP.replace("OPTIONS", WHILE_LOADING[name]))
    command, expected = WAYS[way]
    code, said = ended(tmp_path, command())
    assert code == expected and "shop.py:6: " in said[0] and name in said[0], said
    assert not any("Traceback" in line for line in said), said


@pytest.mark.parametrize("name", AT_THE_START)
def test_from_python_it_is_the_exception_with_the_line_that_runs(tmp_path, name, engine):
    (tmp_path / "shop.py").write_text(APP.replace("OPTIONS", AT_THE_START[name]))
    code, said = ended(tmp_path, (sys.executable, "shop.py"))
    assert code == 1 and name in said[-1], said
    # From 3.13 on lines of `^` and `~` point into the others.
    assert "shop.py" in said[1] and sum(any(map(str.isalnum, line)) for line in said) < 10, said


@pytest.mark.parametrize(("bound", "application", "words"), [
    ("unix:erlen.sock", "shop:app", ["erlen.sock", "-b 127.0.0.1:5000"]),
    ("127.0.0.1:0", "plain:app", ["Flask applications", "function app"]),
])
def test_what_gunicorns_worker_cannot_serve_is_a_sentence_and_the_end(tmp_path, bound, application, words, engine):
    (tmp_path / "shop.py").write_text(APP.replace("OPTIONS", ""))
    (tmp_path / "plain.py").write_text("def app(environ, start_response):\n    return []\n")
    command = (script("gunicorn"), "-k", "erlen.gunicorn.Worker", "-b", bound, application)
    code, said = ended(tmp_path, command)
    assert code in (3, 4) and all(word in said[0] for word in words), said


def test_a_certificate_that_is_missing_ends_gunicorn_too(tmp_path, engine):
    (tmp_path / "shop.py").write_text(APP.replace("OPTIONS", ""))
    (tmp_path / "bad.pem").write_text("no PEM")
    command = (script("gunicorn"), *OF_GUNICORN, "--certfile", "bad.pem", "--keyfile", "bad.pem", "shop:app")
    code, said = ended(tmp_path, command)
    assert code == 3 and any("bad.pem" in line for line in said), said


def test_any_other_error_of_an_application_keeps_its_traceback(tmp_path, engine):
    (tmp_path / "shop.py").write_text("raise ValueError('of the application')\n")
    for way in ("erlen run", "gunicorn"):
        code, said = ended(tmp_path, WAYS[way][0]())
        assert code != 0 and any("Traceback" in line for line in said), said


OTHERS = """
import sys
import flask
app = flask.Flask(__name__)
app.add_url_rule("/", view_func=lambda: str("erlen" in sys.modules))
"""


def test_flask_run_of_other_applications_is_werkzeugs(tmp_path, engine):
    (tmp_path / "plain.py").write_text(OTHERS)
    (tmp_path / "unbound.py").write_text("import erlen\nsocketio = erlen.SocketIO()\n" + OTHERS)
    for name, imported in [("plain", "False"), ("unbound", "True")]:
        with started(script("flask"), "--app", name, "run", "--port", "0", folder=tmp_path) as program:
            page = program.until_page(imported)
            assert page.headers["Server"].startswith("Werkzeug"), page.headers


HELP = """
import sys
from flask.cli import main
sys.argv = ["flask", "--help"]
try:
    main()
finally:
    print("imported:", "erlen" in sys.modules)
"""


def test_flask_imports_nothing_of_erlen_by_itself(tmp_path, engine):
    (tmp_path / "help.py").write_text(HELP)
    with started(sys.executable, "help.py", folder=tmp_path) as program:
        code, said = program.end()
    assert code == 0 and "Usage" in said and said.endswith("imported: False\n"), said


def test_an_application_that_runs_itself_while_flask_loads_it_is_served_by_flask_run(tmp_path, engine):
    (tmp_path / "shop.py").write_text(OTHERS + "from erlen import SocketIO\nSocketIO(app).run(app, port=0)\n")
    with started(script("flask"), "--app", "shop", "run", "--port", "0", folder=tmp_path) as program:
        program.until("Ignoring.*__main__")
        program.until_page("True")
