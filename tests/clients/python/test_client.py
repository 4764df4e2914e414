"""python-socketio's client against the conformance server `clients`."""

import pytest
import socketio

from conftest import DEADLINE, Client

TRANSPORTS = pytest.mark.parametrize(
    "transports", [["polling"], ["websocket"], None], ids=["polling", "websocket", "upgrade"]
)
BYTES = bytes([0, 1, 2, 0xFE, 0xFF])


@TRANSPORTS
def test_the_server_sees_the_transport_that_the_client_has(connect, transports):
    client = connect(transports=transports)
    assert client.transport() == (transports or ["websocket"])[0]
    assert client.ask("transport") == client.transport()


@TRANSPORTS
def test_arguments_come_back_as_they_were(connect, transports):
    client = connect("echo_event", transports=transports)
    args = (1, "zwei — てすと 🙂", {"b": [True, None], "a": 1.5}, [[]], "")
    client.emit("echo_event", args)
    assert client.next("echo_event") == args


@TRANSPORTS
def test_binary_comes_back_wherever_it_stands(connect, transports):
    client = connect("echo_event", transports=transports)
    args = (BYTES, {"deep": [BYTES, {"er": b""}]}, "text")
    client.emit("echo_event", args)
    assert client.next("echo_event") == args


@TRANSPORTS
def test_acks_go_both_ways_with_binary(connect, transports):
    client = connect(transports=transports)
    assert client.ask("echo", "x") == "x"
    assert client.ask("echo", {"bytes": BYTES}) == {"bytes": BYTES}
    client.on("question", lambda question: {"to": question})
    assert client.ask("ask_me", "who?") == {"to": "who?"}


@TRANSPORTS
def test_events_stay_in_order(connect, transports):
    # No more at once: a polling client of python-engineio reads at most 16 packets of one answer, and ends at more.
    client = connect("echo_event", transports=transports)
    for i in range(10):
        client.emit("echo_event", (i, BYTES if i % 5 == 0 else "text"))
    assert [client.next("echo_event")[0] for _ in range(10)] == list(range(10))


@TRANSPORTS
def test_a_client_comes_back_to_a_server_that_was_started_again(connect, start, transports):
    own = start("clients")
    client = connect(to=own, transports=transports)
    first = client.get_sid()
    own.stop()
    client.next("disconnect")
    start("clients", own.port)
    client.next("connect")
    assert client.get_sid() != first
    assert client.ask("echo", "back") == "back"


def test_a_room_gets_what_is_sent_to_it(connect):
    inside, also, outside = (connect("news") for _ in range(3))
    inside.ask("join", "garden")
    also.ask("join", "garden")
    outside.emit("to_room", ("garden", "hello"))
    assert inside.next("news") == ("hello",)
    assert also.next("news") == ("hello",)
    outside.ask("echo", "nothing before this")
    assert outside.seen["news", "/"].empty()


def test_a_broadcast_reaches_everyone_else(connect):
    sender, other = connect("news"), connect("news", transports=["polling"])
    sender.emit("to_others", ("x", BYTES))
    assert other.next("news") == ("x", BYTES)
    sender.ask("echo", "nothing before this")
    assert sender.seen["news", "/"].empty()


def test_namespaces_share_one_connection(connect):
    client = connect(namespaces=["/", "/project/7"])
    assert client.ask("whereami", namespace="/project/7") == "/project/7"
    assert client.ask("echo", 1) == 1
    assert client.get_sid("/") != client.get_sid("/project/7")


def test_auth_opens_a_namespace(connect):
    auth = {"token": "open sesame", "user": "Ada"}
    client = connect(namespaces=["/secret"], auth=auth)
    assert client.ask("user", namespace="/secret") == "Ada"


def test_a_refusal_brings_its_message_and_its_data(server):
    client = Client(namespaces=["/secret"])
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url, namespaces=["/secret"], auth={"token": "wrong"}, wait_timeout=DEADLINE)
    (refusal,) = client.next("connect_error", "/secret")
    assert refusal == {"message": "not authorized", "data": {"code": 401, "missing": "token"}}


def test_an_unknown_namespace_is_refused(server):
    client = Client(namespaces=["/nowhere"])
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url, namespaces=["/nowhere"], wait_timeout=DEADLINE)
    assert client.next("connect_error", "/nowhere") == ({"message": "Invalid namespace"},)


def test_a_handler_reads_the_headers_of_the_handshake(connect):
    client = connect(headers={"X-Token": "t1"})
    assert client.ask("header", "x-token") == "t1"


def test_a_disconnect_by_the_server_reaches_the_client(connect):
    client = connect()
    client.emit("disconnect_me")
    assert client.next("disconnect") == (client.reason.SERVER_DISCONNECT,)


def test_the_server_knows_why_a_client_left(connect):
    # Polling: on a WebSocket this client may close the connection before it has told that it leaves.
    observer, client = connect("left"), connect(transports=["polling"])
    observer.ask("observe")
    sid = client.get_sid()
    client.disconnect()
    # Clients of earlier tests may be leaving still.
    left = next(left for (left,) in iter(lambda: observer.next("left"), None) if left["id"] == sid)
    assert left["reason"] == "client namespace disconnect"
