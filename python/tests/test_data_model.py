"""Values on the wire, both ways: what JSON text an emit gives, and what a handler gets (contract 2.4)."""
from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid

import flask
import pytest


@pytest.fixture
def live(app, socketio, serve):
    return serve(app, socketio)


class Number(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):
    WORD = "word"


class Text(str):
    pass


class Int(int):
    def __str__(self):
        return "not this"

    __repr__ = __str__


class Float(float):
    def __repr__(self):
        return "not this"


class Mapping(dict):
    pass


class Items(list):
    pass


Point = collections.namedtuple("Point", "x y")

VALUES = [
    (None, "null"), (True, "true"), (False, "false"),
    (0, "0"), (-1, "-1"), (2 ** 53 + 1, "9007199254740993"), (2 ** 64, "18446744073709551616"),
    (-(2 ** 200), str(-(2 ** 200))), (10 ** 99, "1" + "0" * 99),
    (0.1, "0.1"), (1.0, "1.0"), (-0.0, "-0.0"), (1e16, "1e+16"), (1e-7, "1e-07"), (1.5e300, "1.5e+300"),
    (123456789.123456789, "123456789.12345679"), (5e-324, "5e-324"), (1e22, "1e+22"), (1e15, "1000000000000000.0"),
    ("", '""'), ("text", '"text"'), ('"\\/', '"\\"\\\\/"'), ("\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'),
    ("\x00\x1f\x7f", '"\\u0000\\u001f\\u007f"'), ("üï", '"\\u00fc\\u00ef"'), ("😀", '"\\ud83d\\ude00"'),
    ("\u2028", '"\\u2028"'), ("\ud800", '"\\ud800"'), ("<&>'", "\"<&>'\""),
    ([], "[]"), ([1, [2, [3]]], "[1,[2,[3]]]"), ((), "[]"), ((1, (2,)), "[1,[2]]"),
    ({}, "{}"), ({"a": {"b": []}}, '{"a":{"b":[]}}'), ({"z": 1, "a": 2}, '{"z":1,"a":2}'),
    ({1: 2}, '{"1":2}'), ({None: 1, True: 2, False: 3}, '{"null":1,"true":2,"false":3}'),
    ({1.5: 1, 2 ** 70: 2}, '{"1.5":1,"1180591620717411303424":2}'), ({"ü": 1}, '{"\\u00fc":1}'),
    ({1: "int", "1": "str"}, '{"1":"int","1":"str"}'),
    (Number.ONE, "1"), ({Number.ONE: 1}, '{"1":1}'), (Word.WORD, '"word"'), (Text("t"), '"t"'), ({Text("k"): 1}, '{"k":1}'),
    (Int(5), "5"), (Float(1.5), "1.5"), (Mapping(a=1), '{"a":1}'), (Items([1]), "[1]"), (Point(1, 2), "[1,2]"),
    (collections.OrderedDict([("b", 1), ("a", 2)]), '{"b":1,"a":2}'), (collections.defaultdict(int, a=1), '{"a":1}'),
    (collections.Counter("aab"), '{"a":2,"b":1}'),
]


@pytest.mark.parametrize("value, text", VALUES, ids=[repr(value)[:30] for value, _ in VALUES])
def test_a_value_inside_of_a_payload_has_the_text_that_json_gives_it(socketio, live, value, text):
    client = live.websocket()
    socketio.emit("e", [value])
    assert client.next() == f'42["e",[{text}]]'


def test_the_text_is_that_of_the_standard_library(socketio, live):
    client = live.websocket()
    data = {"values": [value for value, _ in VALUES]}
    socketio.emit("e", data)
    text = json.dumps(data, separators=(",", ":"))
    assert client.next() == f'42["e",{text}]'


@pytest.mark.parametrize("value", [
    {1, 2}, frozenset(), datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 1), decimal.Decimal("1.5"), uuid.UUID(int=1),
    object(), 1j, memoryview(b"x"), range(3), collections.deque([1]), type, ValueError("x"),
], ids=lambda value: type(value).__name__)
def test_what_json_cannot_hold_is_a_type_error(engine, socketio, live, value):
    client = live.websocket()
    with pytest.raises(TypeError) as raised:
        socketio.emit("e", {"rows": [{}, {"v": value}]})
    if engine.is_erlen:
        assert "$.rows[1].v" in str(raised.value)
        assert type(value).__name__ in str(raised.value)
    assert live.before_fence(client) == []


def test_a_dataclass_is_a_type_error(socketio, live):
    @dataclasses.dataclass
    class Row:
        a: int

    live.websocket()
    with pytest.raises(TypeError):
        socketio.emit("e", Row(1))


def test_a_key_that_json_cannot_hold_is_a_type_error(socketio, live):
    live.websocket()
    for key in ((1, 2), b"k", frozenset()):
        with pytest.raises(TypeError):
            socketio.emit("e", {"a": {key: 1}})


def test_a_value_that_holds_itself_is_an_error(socketio, live):
    live.websocket()
    data = []
    data.append(data)
    with pytest.raises((ValueError, RecursionError)):
        socketio.emit("e", data)


def test_deep_values_pass(socketio, live, seen):
    depth = 400
    data = 0
    for _ in range(depth):
        data = [data]
    client = live.websocket()
    socketio.on("e")(lambda value: seen.put(value))
    socketio.emit("e", data)
    assert client.next() == '42["e",' + "[" * depth + "0" + "]" * depth + "]"
    client.emit("e", data)
    assert seen.next() == data


@pytest.mark.parametrize("value, bareword", [
    (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (Float("nan"), "NaN")])
def test_numbers_that_json_has_not(engine, socketio, live, value, bareword):
    client = live.websocket()
    socketio.emit("e", {"rows": [1, value]})
    word = engine.either(upstream=bareword, erlen="null")
    assert client.next() == f'42["e",{{"rows":[1,{word}]}}]'


@pytest.mark.only("erlen")
def test_a_nan_is_warned_of_once_for_each_event_with_its_path(socketio, live, output):
    client = live.websocket()
    for _ in range(3):
        socketio.emit("series", {"rows": [{"v": 1}, {"v": math.nan}]})
    socketio.emit("other", [math.nan])
    text = output.until("$.rows[1].v", "series", "other")
    assert text.count("$.rows[1].v") == 1
    assert [client.next() for _ in range(4)] == ['42["series",{"rows":[{"v":1},{"v":null}]}]'] * 3 + ['42["other",[null]]']


@pytest.mark.only("erlen")
def test_allow_nan_brings_the_bareword_back(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, allow_nan=True)
    client = serve(app, socketio).websocket()
    socketio.emit("e", [math.nan, math.inf, -math.inf])
    assert client.next() == '42["e",[NaN,Infinity,-Infinity]]'


@pytest.mark.only("erlen")
def test_a_nan_in_an_ack_is_null_too(socketio, live):
    socketio.on("e")(lambda: math.nan)
    assert live.websocket().ask("e") == "[null]"


@pytest.mark.parametrize("text, value", [
    ("1", 1), ("-0", 0), ("1.0", 1.0), ("1e3", 1000.0), ("9007199254740993", 2 ** 53 + 1),
    ("18446744073709551616", 2 ** 64), ("1" + "0" * 99, 10 ** 99), ("1e400", math.inf),
    ("Infinity", math.inf), ("-Infinity", -math.inf),
    ('"\\u00fc\\ud83d\\ude00"', "ü😀"), ('"ü😀"', "ü😀"), ('"\\ud800"', "\ud800"), ('"\\/"', "/"),
    ('{"a":1,"a":2}', {"a": 2}), ("[ 1 , 2 ]", [1, 2]), ("null", None), ("true", True),
    ('{"__proto__":1}', {"__proto__": 1}), ("0.1", 0.1), ("1E2", 100.0),
])
def test_a_handler_gets_the_value_that_json_reads(socketio, live, seen, text, value):
    socketio.on("e")(lambda got: seen.put(got))
    live.websocket().send(f'42["e",{text}]')
    got = seen.next()
    assert got == value
    assert type(got) is type(value)


def test_a_nan_from_a_client_is_accepted(socketio, live, seen):
    socketio.on("e")(lambda got: seen.put(got))
    live.websocket().send('42["e",NaN]')
    assert math.isnan(seen.next())


@pytest.mark.parametrize("payload, text, parts", [
    (b"\x01\x02", '["e",{"_placeholder":true,"num":0}]', [b"\x01\x02"]),
    (b"", '["e",{"_placeholder":true,"num":0}]', [b""]),
    ({"a": b"1", "b": [b"2", {"c": b"3"}]},
     '["e",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1},{"c":{"_placeholder":true,"num":2}}]}]',
     [b"1", b"2", b"3"]),
    ((1, b"x"), '["e",1,{"_placeholder":true,"num":0}]', [b"x"]),
    ([b"same", b"same"], '["e",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]', [b"same", b"same"]),
])
def test_bytes_become_attachments_depth_first(socketio, live, transport, payload, text, parts):
    client = live.client(transport)
    socketio.emit("e", payload)
    assert client.next() == f"45{len(parts)}-{text}"
    assert [client.next() for _ in parts] == parts


def test_a_bytearray_is_an_attachment(engine, socketio, live):
    client = live.websocket()
    socketio.emit("e", bytearray(b"\x01"))
    assert client.next() == '451-["e",{"_placeholder":true,"num":0}]'
    assert client.next() == engine.either(upstream="bytearray(b'\\x01')", erlen=b"\x01")


def test_bytes_in_a_nested_tuple(engine, socketio, live):
    client = live.websocket()
    if engine.is_erlen:
        socketio.emit("e", {"a": (b"x",)})
        assert client.next() == '451-["e",{"a":[{"_placeholder":true,"num":0}]}]'
    else:
        with pytest.raises(TypeError):
            socketio.emit("e", {"a": (b"x",)})


def test_a_binary_event_in_a_namespace_with_an_ack(socketio, live):
    socketio.on("x", namespace="/n")(lambda: None)
    client = live.websocket("/n")
    socketio.emit("e", b"x", namespace="/n", to=client.sids["/n"], callback=print)
    assert client.asked() == '451-/n,["e",{"_placeholder":true,"num":0}]'
    assert client.next() == b"x"


def test_a_handler_gets_bytes(socketio, live, seen, transport):
    socketio.on("e")(lambda *args: seen.put(args))
    client = live.client(transport)
    client.send('452-["e",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]')
    client.send(b"zero")
    client.send(b"one")
    args = seen.next()
    assert args == ({"a": b"one"}, b"zero")
    assert type(args[1]) is bytes


def test_a_large_payload_passes_both_ways(sio_lib, app, serve, transport):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=10_000_000)
    socketio.on("up")(lambda data: len(data))
    socketio.on("down")(lambda: "x" * 8_000_000)
    client = serve(app, socketio).client(transport)
    assert client.ask("up", "x" * 2_700_000) == "[2700000]"
    assert len(client.ask("down")) == 8_000_004


def test_large_binary_passes_both_ways(sio_lib, app, serve, transport):
    socketio = sio_lib.SocketIO(app, max_http_buffer_size=10_000_000)
    socketio.on("up")(lambda data: data)
    client = serve(app, socketio).client(transport)
    client.send('451-1["up",{"_placeholder":true,"num":0}]')
    client.send(bytes(range(256)) * 4000)
    assert client.next() == '461-1[{"_placeholder":true,"num":0}]'
    assert client.next() == bytes(range(256)) * 4000


class Codec:
    """A `json=` module that knows dates, decimals and UUIDs, and marks what it wrote."""

    @staticmethod
    def dumps(value, **options):
        return json.dumps(value, default=str, **options)

    @staticmethod
    def loads(text, **options):
        return json.loads(text, parse_float=decimal.Decimal, **options)


DATA = {"at": datetime.date(2020, 1, 2), "price": decimal.Decimal("1.10"), "id": uuid.UUID(int=1)}
TEXT = '{"at":"2020-01-02","price":"1.10","id":"00000000-0000-0000-0000-000000000001"}'


@pytest.fixture
def coded(sio_lib, app):
    return sio_lib.SocketIO(app, json=Codec)


def test_a_codec_of_the_app_is_used_for_emit_send_and_ack(sio_lib, app, coded, serve):
    @coded.on("e")
    def handle():
        sio_lib.emit("answer", DATA)
        sio_lib.send(DATA, json=True)
        return DATA

    client = serve(app, coded).websocket()
    client.emit("e", ack=1)
    assert [client.next() for _ in range(3)] == [f'42["answer",{TEXT}]', f'42["json",{TEXT}]', f"431[{TEXT}]"]


def test_a_codec_of_the_app_is_used_for_the_data_of_a_refusal(sio_lib, app, coded, serve):
    @coded.on("connect")
    def refuse():
        raise sio_lib.ConnectionRefusedError("nope", DATA)

    assert serve(app, coded).websocket(namespace=None).connect() == f'44{{"message":"nope","data":{TEXT}}}'


def test_a_codec_of_the_app_is_used_for_call_and_its_answer(app, coded, serve, seen):
    client = serve(app, coded).websocket()
    coded.start_background_task(lambda: seen.put(coded.call("q", DATA, to=client.sid, timeout=10)))
    assert client.asked() == f'42["q",{TEXT}]'
    client.answer("[1.50]")
    answer = seen.next()
    assert (type(answer), str(answer)) == (decimal.Decimal, "1.50")


def test_a_codec_of_the_app_reads_events_and_auth(app, coded, serve, seen):
    coded.on("connect")(lambda auth: seen.put(auth))
    coded.on("e")(lambda value: seen.put(value))
    client = serve(app, coded).websocket(namespace=None)
    client.send('40{"price":1.10}')
    assert str(seen.next()["price"]) == "1.10"
    client.next()
    client.send('42["e",2.50]')
    value = seen.next()
    assert (type(value), str(value)) == (decimal.Decimal, "2.50")


def test_a_codec_of_the_app_is_used_by_the_test_client(sio_lib, app, coded):
    coded.on("e")(lambda: DATA)
    assert coded.test_client(app).emit("e", callback=True) == json.loads(TEXT)


def test_bytes_beside_a_codec_of_the_app(app, coded, serve):
    coded.on("e")(lambda: {"at": datetime.date(2020, 1, 2), "data": b"x"})
    client = serve(app, coded).websocket()
    client.emit("e", ack=1)
    assert client.next() == '461-1[{"at":"2020-01-02","data":{"_placeholder":true,"num":0}}]'
    assert client.next() == b"x"


def test_the_text_of_a_codec_is_sent_as_it_is(sio_lib, app, serve):
    class Spaced:
        @staticmethod
        def dumps(value, **options):
            return json.dumps(value, ensure_ascii=False).replace("NaN", "null")

        loads = staticmethod(json.loads)

    socketio = sio_lib.SocketIO(app, json=Spaced)
    client = serve(app, socketio).websocket()
    socketio.emit("e", {"a": [1, "ü", math.nan]})
    head, text = client.next().split(",", 1)
    assert (head, text.strip()) == ('42["e"', '{"a": [1, "ü", null]}]')


def test_flask_json_works_in_and_outside_of_an_app_context(sio_lib, app, serve):
    socketio = sio_lib.SocketIO(app, json=flask.json)
    client = serve(app, socketio).websocket()
    socketio.emit("e", {"id": uuid.UUID(int=1), "price": decimal.Decimal("1.5")})
    assert client.received() == ["e", {"id": str(uuid.UUID(int=1)), "price": "1.5"}]
    with app.app_context():
        socketio.emit("e", {"id": uuid.UUID(int=2)})
    assert client.received() == ["e", {"id": str(uuid.UUID(int=2))}]


def test_flask_json_uses_the_provider_of_the_app(sio_lib, app, serve):
    from flask.json.provider import DefaultJSONProvider

    class Own(DefaultJSONProvider):
        @staticmethod
        def default(value):
            return "own"

    app.json = Own(app)
    socketio = sio_lib.SocketIO(app, json=flask.json)
    client = serve(app, socketio).websocket()
    socketio.emit("e", {"x": object()})
    assert client.received() == ["e", {"x": "own"}]


def test_what_json_cannot_hold_in_a_background_task_is_printed(socketio, live, output):
    client = live.websocket()
    socketio.start_background_task(lambda: socketio.emit("e", {"at": datetime.date(2020, 1, 1)})).join()
    output.until("Traceback", "TypeError", "date")
    assert live.before_fence(client) == []


def test_what_json_cannot_hold_in_an_ack_is_printed_and_the_connection_lives(socketio, live, output):
    socketio.on("e")(lambda: {"at": datetime.date(2020, 1, 1)})
    socketio.on("f")(lambda: "alive")
    client = live.websocket()
    client.emit("e", ack=1)
    output.until("TypeError", "date")
    assert client.ask("f") == '["alive"]'
