"""Row 7 of the app shapes: pyxtermjs, a fork inside a connect handler."""
from __future__ import annotations

import contextlib
import os
import signal

import pytest
import requests


@pytest.fixture
def shape(load):
    shape = load("terminal")
    yield shape
    if child := shape.app.config["child"]:
        shape.stopping.set()
        shape.app.config["reader"].join()
        if not ended(child):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        os.close(shape.app.config["fd"])  # the shell is hung up


@pytest.fixture
def live(shape, serve):
    return serve(shape.app, shape.socketio)


def ended(child):
    """Whether the child is gone for good. A child that has ended stays to be waited for."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def type_in(client, text):
    client.emit("pty-input", {"input": text}, namespace="/pty")


def read_until(client, text):
    output = ""
    while text not in output:
        name, data = client.received()
        assert name == "pty-output"
        output += data["output"]
    return output


def test_the_shell_answers_what_is_typed(live, transport):
    client = live.client(transport, "/pty")
    type_in(client, "echo $((6 * 7))-from-the-shell\n")
    read_until(client, "42-from-the-shell")


def resize(client, rows, columns):
    client.emit("resize", {"rows": rows, "cols": columns}, namespace="/pty", ack=1)
    while (packet := client.next()) != "43/pty,1[true]":
        assert packet.startswith('42/pty,["pty-output"'), packet


def test_the_size_of_the_window_reaches_the_shell(live):
    client = live.websocket("/pty")
    type_in(client, "stty size; echo do''ne\n")
    assert "50 50" in read_until(client, "done\r\n")
    resize(client, 12, 34)
    type_in(client, "stty size; echo do''ne\n")
    assert "12 34" in read_until(client, "done\r\n")


def test_a_second_page_gets_the_same_shell(shape, live):
    first = live.websocket("/pty")
    child = shape.app.config["child"]
    second = live.websocket("/pty")
    assert shape.app.config["child"] == child
    type_in(second, "echo $((6 * 7))\n")
    read_until(second, "42")
    read_until(first, "42")


def test_pages_and_other_connections_go_on_while_the_copy_of_the_server_lives(live, transport):
    live.websocket("/pty")
    other = live.client(transport, "/pty")
    assert requests.get(live.url, timeout=10).text == "the page with the terminal"
    resize(other, 10, 10)


@pytest.mark.only("erlen")
def test_the_child_that_returns_from_the_handler_ends_and_says_nothing_on_the_servers_connections(shape, live, eventually):
    client, other = live.websocket("/pty"), live.websocket("/pty")
    type_in(client, "exit\n")
    eventually(lambda: ended(shape.app.config["child"]))
    for each in (client, other):
        packets = live.before_fence(each, "/pty")
        assert all(packet.startswith('42/pty,["pty-output"') for packet in packets), packets
    assert requests.get(live.url, timeout=10).ok
