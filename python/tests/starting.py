"""Programs that are started as a user would, in processes of their own. Used by the tests of starting."""
from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import requests

from engines import DEADLINE

APP = """
import flask
from flask_socketio import SocketIO, emit

app = flask.Flask(__name__)
socketio = SocketIO(app)

@app.route("/")
def index():
    return "the page"

@app.route("/stream")
def stream():
    def pieces():
        while True:
            yield b"x" * 1024
    return flask.Response(pieces())

@socketio.on("echo")
def echo(x):
    emit("echoed", x)
    return x

def create_app():
    return app

if __name__ == "__main__":
    socketio.run(app, port=0)
"""


class Program:
    """A process, its output line by line, and where it listens."""

    def __init__(self, *command, folder, stdin=False, **environment):
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1", **environment}
        for name in ("WERKZEUG_RUN_MAIN", "FLASK_APP", "FLASK_DEBUG", "ERLEN_TEST_ENGINE"):
            env.pop(name, None)
        env.update(environment)
        self.process = subprocess.Popen(
            # Where the tests run in the background, SIGINT is ignored, and a program would inherit that.
            ["env", "--default-signal=INT", *map(str, command)],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def until(self, pattern):
        """The match of a line that comes, or has come."""
        for line in self.lines:
            if re.search(pattern, line):
                return re.search(pattern, line)
        while True:
            line = self._queue.get(timeout=DEADLINE * 2)
            assert line is not None, f"{pattern!r} did not come: {''.join(self.lines)}"
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def url(self):
        """Where it listens, by its own word."""
        return self.until(r"https?://[\w.\[\]:]+:\d+").group(0)

    def port(self):
        return int(self.url().rpartition(":")[2])

    def until_page(self, text, meanwhile=lambda: None):
        """The page that holds this text, once it is served: a program that starts anew may serve another first."""
        url, found = self.url(), None
        deadline = time.monotonic() + 4 * DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                found = requests.get(url, timeout=DEADLINE)
                if text in found.text:
                    return found
            meanwhile()
            time.sleep(0.05)
        raise AssertionError(f"{text!r} was not served, but {found and found.text[:2000]!r}: {''.join(self.lines)}")

    def end(self, number=None):
        """Its exit code, after a signal if one is given, and all that it has said."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(DEADLINE * 2)
        while (line := self._queue.get(timeout=DEADLINE)) is not None:
            self.lines.append(line)
        return code, "".join(self.lines)


    def report(self):
        """Prints what it has said lately, and what the processes that it has forked do now."""
        with contextlib.suppress(queue.Empty):
            while (line := self._queue.get_nowait()) is not None:
                self.lines.append(line)
        print(*self.lines[-100:], sep="")
        for children in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for child in children.read_text().split():
                for task in pathlib.Path(f"/proc/{child}/task").glob("*"):
                    print("forked", child, (task / "comm").read_text(), (task / "syscall").read_text())


@contextlib.contextmanager
def started(*command, folder, stdin=False, **environment):
    """A program, which does not outlive the block, and neither does what it has started: workers, the reloader's child."""
    program = Program(*command, folder=folder, stdin=stdin, **environment)
    try:
        yield program
    except BaseException:
        with contextlib.suppress(OSError):
            program.report()
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)
        program.process.wait(DEADLINE)


def script(name):
    """A command of the environment that the tests run in."""
    return pathlib.Path(sys.executable).with_name(name)
