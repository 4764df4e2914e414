"""Row 15 of the app shapes: taipy, KoboldAI, openalgo, radiosonde_auto_rx, mxcubeweb."""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading

import pytest

SHAPES = pathlib.Path(__file__).parent / "shapes"


@pytest.fixture
def shape(load):
    import engineio.payload

    before = engineio.payload.Payload.max_decode_packets
    yield load("gui_builder")
    engineio.payload.Payload.max_decode_packets = before


@pytest.fixture
def gui(shape):
    return shape.new_gui()


@pytest.fixture
def live(gui, serve):
    return serve(gui, gui.socketio)


def test_the_app_may_be_of_a_class_of_its_own(gui, live, browser, transport):
    assert browser(live.url).get("/").text == "a title"
    assert live.client(transport).early == ['42["state",{"text":"","size":0}]']


def test_what_one_page_changes_all_pages_are_told(live, transport):
    one, two = live.client(transport), live.client(transport)
    one.emit("message", {"type": "U", "payload": "new"})
    assert one.received() == two.received() == ["state", {"text": "new", "size": 0}]


def test_a_large_state_reaches_all_of_many_pages_whole(live):
    size = 300_000
    clients = [live.client(transport) for transport in ("websocket", "polling") for _ in range(8)]
    received = []

    def read(client):
        received.append(client.received())

    threads = [threading.Thread(target=read, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    clients[0].emit("load", size)
    for thread in threads:
        thread.join(20)
    assert len(received) == len(clients)
    assert all(each == ["story", {"text": "é" * size, "size": size}] for each in received)


def test_a_large_message_of_a_client_is_taken_up_to_the_limit_that_was_set(live, transport):
    client = live.client(transport)
    assert client.handshake["maxPayload"] == 10_000_000
    assert client.handshake["pingTimeout"] == 10_000
    text = "x" * 2_000_000
    client.emit("message", {"type": "U", "payload": text})
    assert client.received() == ["state", {"text": text, "size": 0}]


def test_many_packets_in_one_request_are_all_taken(gui, live):
    client = live.polling()
    client.send("\x1e".join(f'42{number}["numbers",{number}]' for number in range(500)))
    counts = sorted(json.loads(client.next().partition("[")[2].rstrip("]")) for _ in range(500))
    assert counts == list(range(1, 501))
    assert gui.count == 500


@pytest.mark.parametrize("in_thread", [False, True])
def test_it_starts_beside_other_work_without_a_terminal(shape, run_main, in_thread):
    gui = shape.new_gui("in a notebook")
    assert not gui.debug
    url = run_main(gui.socketio, lambda host, port: gui.main(host, port, in_thread))
    assert run_main.get(url).text == "in a notebook"
    assert run_main.websocket(url).early == ['42["state",{"text":"","size":0}]']
    assert not gui.debug


def test_two_guis_live_in_one_process(shape, run_main):
    guis = [shape.new_gui(title) for title in ("one", "two")]
    urls = [run_main(gui.socketio, gui.main) for gui in guis]
    assert [run_main.get(url).text for url in urls] == ["one", "two"]
    one, two = (run_main.websocket(url) for url in urls)
    one.emit("message", {"type": "U", "payload": "for one"})
    assert one.received() == ["state", {"text": "for one", "size": 0}]
    guis[1].socketio.emit("for two")
    assert two.received() == ["for two"]


PROGRAM = """
import importlib.util, sys
erlen, path, port = sys.argv[1] == "erlen", sys.argv[2], int(sys.argv[3])
if erlen:
    import erlen
    erlen.install_as_flask_socketio()
spec = importlib.util.spec_from_file_location("gui_builder", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.new_gui("as a service").main("127.0.0.1", port)
"""


def test_it_starts_as_a_service_whose_input_is_nothing(engine, run_main):
    port = run_main.port()
    arguments = [sys.executable, "-c", PROGRAM, engine.name, str(SHAPES / "gui_builder.py"), str(port)]
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL) as service:
        try:
            run_main.until_up(port, lambda: service.poll() is not None)
            assert run_main.get(f"http://127.0.0.1:{port}").text == "as a service"
            assert run_main.websocket(f"http://127.0.0.1:{port}").early == ['42["state",{"text":"","size":0}]']
            assert service.poll() is None
        finally:
            service.kill()


# The program's own tests: Flask's test client logs in, and the test client of Socket.IO goes on with its cookies.

def test_unit_the_login_of_the_flask_client_is_known_to_the_events(gui):
    http = gui.test_client()
    http.get("/login/ann")
    client = gui.socketio.test_client(gui, flask_test_client=http)
    assert client.is_connected()
    assert client.send({"type": "WHO"}, callback=True) == "ann"
    assert client.get_received() == [{"name": "state", "args": [{"text": "", "size": 0}], "namespace": "/"}]
    gui.socketio.emit("only you", to="user-ann")
    assert [event["name"] for event in client.get_received()] == ["only you"]


def test_unit_without_it_the_client_is_nobody(gui):
    assert gui.socketio.test_client(gui).send({"type": "WHO"}, callback=True) == "anonymous"


def test_unit_a_large_state_comes_whole(gui):
    client = gui.socketio.test_client(gui)
    client.get_received()
    client.emit("load", 500_000)
    (story,) = client.get_received()
    assert len(story["args"][0]["text"]) == 500_000
