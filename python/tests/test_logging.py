"""What is logged, and when: the lines that users read to find out what happens (contract 2.1, 8-25)."""
from __future__ import annotations

import logging

import pytest
import requests

from raw_http import Connection


@pytest.fixture
def log():
    class Records(logging.Handler):
        def __init__(self):
            super().__init__()
            self.lines = []

        def emit(self, record):
            self.lines.append((record.levelname, record.getMessage()))

        def text(self):
            return "\n".join(message for _, message in self.lines)

    logger = logging.getLogger("contract.log")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = Records()
    logger.handlers = [handler]
    handler.logger = logger
    return handler


def test_a_logger_of_the_app_gets_the_lines_of_events(sio_lib, app, serve, log, eventually):
    socketio = sio_lib.SocketIO(app, logger=log.logger)
    socketio.on("my event")(lambda *args: sio_lib.emit("my answer"))
    client = serve(app, socketio).websocket()
    client.emit("my event", 1)
    assert client.next() == '42["my answer"]'
    socketio.emit("news")
    assert client.next() == '42["news"]'
    eventually(lambda: 'received event "my event" from' in log.text())
    assert f'emitting event "my answer" to {client.sid} [/]' in log.text()
    assert 'emitting event "news" to all [/]' in log.text()


def test_logger_true_writes_to_stderr(sio_lib, app, serve, output):
    socketio = sio_lib.SocketIO(app, logger=True)
    client = serve(app, socketio).websocket()
    socketio.emit("news")
    assert client.next() == '42["news"]'
    output.until('emitting event "news" to all [/]')


def test_rooms_are_told_in_the_log(sio_lib, app, serve, log, eventually):
    socketio = sio_lib.SocketIO(app, logger=log.logger)
    socketio.on("join")(sio_lib.join_room)
    client = serve(app, socketio).websocket()
    client.ask("join", "my room")
    eventually(lambda: f"{client.sid} is entering room my room [/]" in log.text())


def test_by_default_events_are_not_logged(app, socketio, serve, output):
    client = serve(app, socketio).websocket()
    socketio.emit("news of the default")
    assert client.next() == '42["news of the default"]'
    assert "news of the default" not in output.text()


def test_the_error_of_a_handler_is_printed_with_its_traceback_even_when_logging_is_off(app, socketio, serve, output):
    @socketio.on("e")
    def the_failing_handler():
        raise ValueError("the text of the error")

    serve(app, socketio).websocket().emit("e")
    output.until("Traceback", "the_failing_handler", "ValueError: the text of the error")


@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_the_error_of_a_connect_or_disconnect_handler_is_printed(app, socketio, serve, output, event):
    @socketio.on(event)
    def the_failing_handler():
        raise ValueError("the text of the error")

    client = serve(app, socketio).websocket(namespace=None)
    client.send("40")
    client.send("41")
    output.until("Traceback", "the_failing_handler", "ValueError: the text of the error")


@pytest.mark.only("erlen")
def test_a_namespace_that_does_not_exist_is_told_with_those_that_do(app, socketio, serve, output):
    client = serve(app, socketio).websocket()
    client.connect("/tool")
    text = output.until("/tool", "path")
    assert "namespace" in text


@pytest.mark.only("erlen")
def test_a_request_without_the_final_slash_is_told_once(app, socketio, serve, output):
    live = serve(app, socketio)
    for _ in range(3):
        assert requests.get(live.url + "/socket.io?EIO=4&transport=polling", timeout=10).status_code == 404
    text = output.until("without the final slash")
    assert text.count("without the final slash") == 1


def test_the_loggers_may_be_objects_or_flags(sio_lib, app, serve, log):
    socketio = sio_lib.SocketIO(app, logger=log.logger, engineio_logger=log.logger)
    client = serve(app, socketio).websocket()
    socketio.emit("e")
    assert client.next() == '42["e"]'
    assert log.lines


@pytest.mark.only("erlen")
def test_a_client_that_provokes_log_lines_gets_no_more_than_a_hundred_a_second(app, socketio, serve, output, eventually):
    live = serve(app, socketio)
    asked = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: here\r\nOrigin: http://%d.example\r\n\r\n"

    def told_after(*numbers):
        """Whether it is told that lines were left out, after these were asked: in one write, so that it takes no second."""
        connection.send(b"".join(asked % number for number in numbers))
        for _ in numbers:
            answer = connection.answer()
            assert (answer.status, bool(answer.read())) == (403, True)
        return "like it were left out" in output.text()

    with Connection(live.port) as connection:
        told_after(*range(400))
        # What was left out is counted on the first line of a later second.
        eventually(lambda: told_after(400))
    assert output.text().count("handshake from another origin refused") < 400
