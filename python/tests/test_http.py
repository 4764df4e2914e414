"""The Engine.IO endpoint as far as apps and their proxies see it: options, cookie, statuses (contract 2.2)."""
from __future__ import annotations

import base64
import json
import socket
import time

import flask
import pytest
import requests

from engines import DEADLINE

POLL = "?EIO=4&transport=polling"


@pytest.fixture
def start(sio_lib, app, serve):
    return lambda **options: serve(app, sio_lib.SocketIO(app, **options))


def get(live, query=POLL, **options):
    return requests.request(options.pop("method", "GET"), live.url + "/socket.io/" + query, timeout=10, **options)


def test_the_handshake_of_the_defaults(start, transport):
    handshake = start().client(transport).handshake
    assert len(handshake.pop("sid")) == 20
    upgrades = handshake.pop("upgrades")
    assert upgrades == (["websocket"] if transport == "polling" else [])
    assert handshake == {"pingTimeout": 20000, "pingInterval": 25000, "maxPayload": 1000000}


def attributes(cookie):
    """The parts of a Set-Cookie, the names of attributes in lower case."""
    first, *rest = cookie.split("; ")
    return [first, *(name.lower() + sign + value for name, sign, value in (part.partition("=") for part in rest))]


@pytest.mark.parametrize("options, field, value", [
    ({"ping_interval": 10}, "pingInterval", 10000),
    ({"ping_interval": (10, 5)}, "pingInterval", 15000),
    ({"ping_timeout": 0.5}, "pingTimeout", 500),
    ({"ping_timeout": 1.2349}, "pingTimeout", 1234),
    ({"max_http_buffer_size": 5000}, "maxPayload", 5000),
    ({"allow_upgrades": False}, "upgrades", []),
])
def test_options_show_in_the_handshake(start, options, field, value):
    assert start(**options).polling().handshake[field] == value


def test_the_part_of_a_second_in_ping_interval(engine, start):
    # The reference pings every 1.9 s and tells the client a whole second.
    assert start(ping_interval=1.9).polling().handshake["pingInterval"] == engine.either(upstream=1000, erlen=1900)


def test_clients_are_pinged_at_the_interval_and_told_the_grace_beyond_it(engine, start):
    client = start(ping_interval=(0.2, 60)).websocket()
    assert client.handshake["pingInterval"] == engine.either(upstream=60000, erlen=60200)
    assert client._packet(time.monotonic() + DEADLINE) == "2"


def test_a_transport_that_is_left_out(engine, start):
    assert get(start(), "?EIO=4").status_code == engine.either(upstream=200, erlen=400)


@pytest.mark.parametrize("query", ["?EIO=3&transport=polling", "?transport=polling", "?EIO=4&transport=pigeon",
                                   "?EIO=4&transport=websocket", "?EIO=4&transport=polling&sid=unknown"])
def test_requests_that_cannot_be_are_answered_by_400(start, query):
    answer = get(start(), query)
    assert answer.status_code == 400
    assert answer.text
    assert "Traceback" not in answer.text


def test_a_post_without_a_session_is_answered_by_400(start):
    assert get(start(), method="POST", data="40").status_code == 400
    assert get(start(), POLL + "&sid=unknown", method="POST", data="40").status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(engine, start, method):
    assert get(start(), method=method).status_code == engine.either(upstream=405, erlen=400)


def test_a_transport_that_is_not_allowed_is_refused(start):
    live = start(transports=["websocket"])
    assert get(live).status_code == 400
    assert live.websocket().handshake["upgrades"] == []


def test_a_cookie_of_a_name_carries_the_session(start):
    client = start(cookie="io").polling()
    assert attributes(client.cookie) == [f"io={client.handshake['sid']}", "path=/", "samesite=Lax"]


def test_a_cookie_of_a_dict_carries_its_attributes(start):
    client = start(cookie={"name": "mine", "path": "/x", "Secure": True, "HttpOnly": True, "SameSite": lambda: "None"}
                   ).polling()
    first, *rest = attributes(client.cookie)
    assert first == f"mine={client.handshake['sid']}"
    assert sorted(rest) == ["httponly", "path=/x", "samesite=None", "secure"]


WHOLE = {"name": "mine", "path": "/", "SameSite": "None", "Domain": "example.com", "Max-Age": "3600", "Secure": True,
         "Expires": "Wed, 21 Oct 2026 07:28:00 GMT", "Partitioned": True}


def test_a_cookie_has_every_attribute_of_the_standard(start):
    live = start(cookie=WHOLE)
    for _ in range(2):
        client = live.polling()
        first, *rest = attributes(client.cookie)
        assert first == f"mine={client.handshake['sid']}"
        assert sorted(rest) == ["domain=example.com", "expires=Wed, 21 Oct 2026 07:28:00 GMT", "max-age=3600",
                                "partitioned", "path=/", "samesite=None", "secure"]
    assert "Set-Cookie" not in get(live, f"{POLL}&sid=unknown").headers


def test_a_cookie_without_a_name_is_called_io(start):
    client = start(cookie={"path": "/", "SameSite": "Lax", "Max-Age": lambda: "60"}).polling()
    assert attributes(client.cookie)[0] == f"io={client.handshake['sid']}"
    assert "max-age=60" in attributes(client.cookie)


@pytest.mark.only("erlen")
def test_numbers_are_values_of_a_cookie_and_nothing_is_none(start):
    client = start(cookie={"name": "io", "Max-Age": 0, "Domain": None, "Partitioned": False, "Secure": False}).polling()
    assert sorted(attributes(client.cookie)[1:]) == ["max-age=0", "path=/", "samesite=Lax"]


@pytest.mark.only("erlen")
@pytest.mark.parametrize("attribute, value", [
    ("Priority", "High"), ("Domain", "a; HttpOnly"), ("Domain", "a\r\nX-Other: b"), ("Expires", "\u00fc")])
def test_a_cookie_that_cannot_be_is_refused_at_the_start(sio_lib, app, attribute, value):
    socketio = sio_lib.SocketIO(app, cookie={"name": "io", attribute: value})
    with pytest.raises(ValueError, match=f"(?i){attribute}"):
        socketio.test_client(app)


def test_without_the_option_there_is_no_cookie(start):
    assert start().polling().cookie is None


def test_a_post_is_answered_by_ok(start):
    client = start().polling(namespace=None)
    answer = client.session.post(client.address, data="40", timeout=10)
    assert (answer.status_code, answer.text.lower()) == (200, "ok")


def test_several_packets_go_in_one_post(app, socketio, serve, seen):
    socketio.on("e")(lambda number: seen.put(number))
    client = serve(app, socketio).polling()
    client.send("\x1e".join(f'42["e",{number}]' for number in range(10)))
    assert sorted(seen.next() for _ in range(10)) == list(range(10))


@pytest.mark.only("erlen")
def test_many_packets_in_one_post_are_no_error(app, socketio, serve, seen):
    socketio.on("e")(lambda number: seen.put(number))
    client = serve(app, socketio).polling()
    client.send("\x1e".join(f'42["e",{number}]' for number in range(500)))
    assert sorted(seen.next() for _ in range(500)) == list(range(500))


def test_a_client_upgrades_from_polling_to_websocket(app, socketio, serve, seen):
    socketio.on("e")(lambda: seen.put(socketio.server.transport(flask.request.sid)) or "answer")
    live = serve(app, socketio)
    client = live.polling()
    assert client.ask("e") == '["answer"]'
    upgraded = live.upgrade(client)
    assert upgraded.ask("e") == '["answer"]'
    assert [seen.next(), seen.next()] == ["polling", "websocket"]
    socketio.emit("f")
    assert upgraded.next() == '42["f"]'


def test_the_request_of_handlers_stays_that_of_the_handshake_after_an_upgrade(app, socketio, serve, seen):
    socketio.on("e")(lambda: seen.put((flask.request.args["transport"], flask.request.headers.get("X-Mine"))))
    live = serve(app, socketio)
    client = live.polling(headers={"X-Mine": "handshake"})
    live.upgrade(client, headers={"X-Mine": "upgrade"}).emit("e")
    assert seen.next() == ("polling", "handshake")


@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade", "upgrade"])
def test_a_list_in_the_connection_header_is_an_upgrade_all_the_same(start, connection):
    live = start()
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as raw:
        raw.sendall((f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n"
                     f"Connection: {connection}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     f"Sec-WebSocket-Extensions: permessage-deflate\r\n"
                     f"Sec-WebSocket-Key: {base64.b64encode(b'0' * 16).decode()}\r\n\r\n").encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 101")


def test_the_pages_of_the_app_beside_the_endpoint(app, socketio, serve):
    @app.route("/echo", methods=["POST"])
    def echo():
        return flask.jsonify(body=flask.request.get_data(as_text=True), form=flask.request.args.to_dict())

    live = serve(app, socketio)
    answer = requests.post(live.url + "/echo?a=b", data="x" * 100_000, timeout=10)
    assert answer.json() == {"body": "x" * 100_000, "form": {"a": "b"}}


def test_a_streamed_page(app, socketio, serve):
    app.add_url_rule("/stream", view_func=lambda: flask.Response(str(n) for n in range(1000)))
    answer = requests.get(serve(app, socketio).url + "/stream", timeout=10)
    assert answer.text == "".join(map(str, range(1000)))


def test_the_body_of_a_handshake_error_is_json_text_or_an_object(start):
    answer = get(start(), "?EIO=3&transport=polling")
    assert json.loads(answer.text)


def test_a_session_that_has_upgraded_is_not_polled(start):
    live = start()
    client = live.polling()
    upgraded = live.upgrade(client)
    live.socketio.emit("e")
    assert upgraded.next() == '42["e"]'
    assert client.session.get(client.address, timeout=10).status_code == 400


def test_a_client_that_answers_pings_stays(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, ping_interval=0.1, ping_timeout=10)
    socketio.on("e")(lambda: "alive")
    client = serve(app, socketio).websocket()
    for _ in range(4):
        assert client.socket.recv() == "2"
        client.send("3")
    assert client.ask("e") == '["alive"]'
