"""What Erlen does not do yet says so, by its name, and is never silent (contract 0, the table of decisions)."""
from __future__ import annotations

import pytest

pytestmark = pytest.mark.only("erlen")


@pytest.mark.parametrize("option, value", [
    ("serializer", "msgpack"), ("http_compression", True), ("allow_eio3", True)])
def test_an_option_that_comes_later_names_itself(sio_lib, app, option, value):
    with pytest.raises(NotImplementedError, match=option):
        sio_lib.SocketIO(app, **{option: value})


def test_instrument_names_itself(socketio):
    with pytest.raises(NotImplementedError, match="instrument"):
        socketio.server.instrument(auth=False)


def test_a_message_queue_is_constructed_and_the_first_emit_names_it(sio_lib):
    socketio = sio_lib.SocketIO(message_queue="redis://")
    assert socketio.server.manager.write_only is True
    with pytest.raises(NotImplementedError, match="message_queue"):
        socketio.emit("e")


def test_a_server_with_a_message_queue_does_not_start(sio_lib, app):
    socketio = sio_lib.SocketIO(app, message_queue="redis://")
    assert socketio.server.manager.write_only is False
    with pytest.raises(NotImplementedError, match="message_queue"):
        socketio.run(app, host="127.0.0.1", port=0)


def test_a_client_manager_is_constructed_and_the_first_emit_names_it(sio_lib, app):
    socketio = sio_lib.SocketIO(app, client_manager=object())
    with pytest.raises(NotImplementedError, match="client_manager"):
        socketio.emit("e")


def test_a_server_with_a_client_manager_does_not_start(sio_lib, app):
    socketio = sio_lib.SocketIO(app, client_manager=object())
    with pytest.raises(NotImplementedError, match="client_manager"):
        socketio.run(app, host="127.0.0.1", port=0)
    assert socketio.wsgi_server is None


def test_the_test_client_refuses_a_client_manager(sio_lib, app):
    with pytest.raises(RuntimeError, match="Test client cannot be used"):
        sio_lib.SocketIO(app, client_manager=object()).test_client(app)


def test_the_test_client_refuses_a_message_queue(sio_lib, app):
    socketio = sio_lib.SocketIO(app, message_queue="redis://")
    with pytest.raises(RuntimeError, match="Test client cannot be used with a message queue"):
        socketio.test_client(app)
