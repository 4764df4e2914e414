"""Which origins may connect, and the headers of the answers (contract 2.2, the part on CORS; field report B12)."""
from __future__ import annotations

import pytest
import requests
import websocket

CREDENTIALS = "Access-Control-Allow-Credentials"
ORIGIN = "Access-Control-Allow-Origin"


@pytest.fixture
def start(sio_lib, app, serve):
    return lambda **options: serve(app, sio_lib.SocketIO(app, **options))


def ask(live, origin=None, method="GET", **headers):
    if origin is not None:
        headers["Origin"] = origin
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, live.url + "/socket.io/?EIO=4&transport=polling", headers=headers, timeout=10)


@pytest.fixture
def refused(engine):
    return engine.either(upstream=400, erlen=403)


def status_of_websocket(live, origin):
    try:
        websocket.create_connection(live.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket",
                                    origin=origin, timeout=10).close(timeout=0)
    except websocket.WebSocketBadStatusException as error:
        return error.status_code
    return 101


def test_without_an_origin_everybody_may_connect(start):
    for options in ({}, {"cors_allowed_origins": "http://other.example"}):
        assert ask(start(**options)).status_code == 200


def test_by_default_the_own_origin_is_the_only_one(engine, start, refused):
    live = start()
    answer = ask(live, live.url)
    # A page of the same origin needs no header.
    assert (answer.status_code, answer.headers.get(ORIGIN)) == (200, engine.either(upstream=live.url, erlen=None))
    for origin in ("http://other.example", "null", f"https://127.0.0.1:{live.port}", "http://127.0.0.1",
                   f"http://127.0.0.1:{live.port + 1}", live.url + "/", f"http://localhost:{live.port}"):
        answer = ask(live, origin)
        assert answer.status_code == refused, origin
        assert ORIGIN not in answer.headers


def test_a_refused_origin_is_refused_on_websocket_too(start, refused):
    live = start()
    assert status_of_websocket(live, live.url) == 101
    assert status_of_websocket(live, "http://other.example") == refused


def test_the_forwarded_origin_counts_as_the_own_one(start, refused):
    live = start()
    forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "pub.example"}
    assert ask(live, "https://pub.example", **forwarded).status_code == 200
    assert ask(live, live.url, **forwarded).status_code == 200
    assert ask(live, "http://pub.example", **forwarded).status_code == refused
    assert ask(live, "https://pub.example", X_Forwarded_Proto="https, http",
               X_Forwarded_Host="pub.example, inner").status_code == 200
    assert ask(live, f"https://127.0.0.1:{live.port}", X_Forwarded_Proto="https").status_code == 200


@pytest.mark.parametrize("allowed", ["*", ["*"], ["http://one.example", "*"]])
def test_a_star_allows_all_and_echoes_the_origin(start, allowed):
    answer = ask(start(cors_allowed_origins=allowed), "http://other.example")
    assert (answer.status_code, answer.headers[ORIGIN]) == (200, "http://other.example")


def test_a_list_or_a_text_is_compared_exactly_and_does_not_imply_the_own_origin(engine, start, refused):
    for allowed in (["http://one.example", "http://two.example"], "http://one.example"):
        live = start(cors_allowed_origins=allowed)
        assert ask(live, "http://one.example").headers[ORIGIN] == "http://one.example"
        for origin in (live.url, "http://one.example:80", "http://one.example.evil"):
            assert ask(live, origin).status_code == refused, origin
        # The names of hosts have no case; browsers send them in lower case.
        assert ask(live, "http://ONE.example").status_code == engine.either(upstream=refused, erlen=200)


def test_an_empty_list_means_no_check_and_no_headers(start):
    live = start(cors_allowed_origins=[])
    answer = ask(live, "http://other.example")
    assert answer.status_code == 200
    assert [name for name in answer.headers if name.lower().startswith("access-control")] == []
    assert status_of_websocket(live, "http://other.example") == 101


def test_a_function_decides(start, refused):
    live = start(cors_allowed_origins=lambda origin: origin.endswith(".example"))
    assert ask(live, "http://one.example").headers[ORIGIN] == "http://one.example"
    assert ask(live, "http://one.org").status_code == refused


def test_a_function_may_look_at_the_environ(start, refused):
    live = start(cors_allowed_origins=lambda origin, environ: environ.get("HTTP_X_KEY") == "yes")
    assert ask(live, "http://one.example", X_Key="yes").status_code == 200
    assert ask(live, "http://one.example").status_code == refused


def test_credentials_are_allowed_unless_told(start):
    live = start()
    assert ask(live, live.url).headers[CREDENTIALS] == "true"
    live = start(cors_credentials=False)
    assert CREDENTIALS not in ask(live, live.url).headers


def test_a_preflight_is_answered(start):
    live = start(cors_allowed_origins="*")
    answer = ask(live, "http://other.example", "OPTIONS", Access_Control_Request_Method="POST",
                 Access_Control_Request_Headers="X-Mine")
    assert answer.status_code in (200, 204)
    assert answer.headers[ORIGIN] == "http://other.example"
    allowed = {method.strip() for method in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert allowed >= {"GET", "POST"}
    assert answer.headers["Access-Control-Allow-Headers"] == "X-Mine"


@pytest.mark.only("erlen")
def test_the_schemes_of_websocket_are_those_of_http(start, refused):
    live = start()
    assert status_of_websocket(live, live.url.replace("http", "ws")) == 101
    assert status_of_websocket(live, live.url.replace("http", "wss")) == refused


def test_a_refused_origin_is_told_in_the_log(start, output):
    assert ask(start(), "http://other.example").status_code in (400, 403)
    output.until("http://other.example")
