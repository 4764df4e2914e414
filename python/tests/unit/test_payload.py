"""The codec by itself: what becomes text, what becomes an attachment, and what is refused with its place."""
from __future__ import annotations

import json
import logging
import math

import pytest
from erlen.payload import Codec, OwnCodec, arguments


@pytest.mark.parametrize("data, args", [
    (None, []), ((), []), (1, [1]), ([1, 2], [[1, 2]]), ((1, 2), [1, 2]), ((None,), [None]), ("ab", ["ab"])])
def test_a_tuple_is_several_arguments_and_none_is_none(data, args):
    assert arguments(data) == args


@pytest.mark.parametrize("args", [
    [], [1], [None, True, "ü\ud800", 2 ** 70, {"a": [1.5, {}]}], [{2: 1, None: 3, True: 4, 1.5: 5}]])
def test_the_text_is_that_of_the_standard_library(args):
    assert Codec().encode(args) == (json.dumps(args, separators=(",", ":")), [])


def test_bytes_beside_barewords_are_attachments_and_nulls():
    text, attachments = Codec().encode([{"a": math.nan, "b": b"x", "c": [bytearray(b"y"), -math.inf]}], "e")
    assert json.loads(text) == [{"a": None, "b": {"_placeholder": True, "num": 0},
                                 "c": [{"_placeholder": True, "num": 1}, None]}]
    assert attachments == [b"x", b"y"]
    assert [type(part) for part in attachments] == [bytes, bytes]


def test_words_in_texts_and_keys_are_left_alone():
    value = {"NaN": "Infinity", "-Infinity": 'a "NaN" \\', math.nan: [math.nan]}
    text, _ = Codec().encode([value])
    assert json.loads(text) == [{"NaN": [None], "-Infinity": 'a "NaN" \\'}]
    assert text == '[{"NaN":"Infinity","-Infinity":"a \\"NaN\\" \\\\","NaN":[null]}]'


def test_the_place_of_a_number_that_json_has_not_is_told_once_an_event(caplog):
    codec = Codec()
    with caplog.at_level(logging.WARNING, "erlen"):
        for _ in range(3):
            codec.encode([{"rows": [1, {"v": math.nan}]}], "one")
        codec.encode([1, math.inf], "two")
    assert [record.args for record in caplog.records] == [("one", "$.rows[1].v"), ("two", "$[1]")]


@pytest.mark.parametrize("args, words", [
    ([{"a": [0, {"at": object()}]}], ["$.a[1].at", "object"]),
    ([1, {2}], ["$[1]", "set"]),
    ([{"a": {(1, 2): 1}}], ["$.a", "tuple"]),
    ([b"x", [memoryview(b"x")]], ["$[1][0]", "memoryview"]),
])
def test_what_cannot_be_encoded_is_named_with_its_place_and_type(args, words):
    with pytest.raises(TypeError) as raised:
        Codec().encode(args)
    assert all(word in str(raised.value) for word in words)


def test_a_value_that_holds_itself_is_an_error():
    data: list = [math.nan]
    data.append(data)
    with pytest.raises(ValueError, match="Circular"):
        Codec().encode([data])


def test_a_refusal_cannot_carry_bytes():
    with pytest.raises(TypeError, match="bytes"):
        Codec().dumps({"data": b"x"})


def test_attachments_come_back_to_their_places():
    codec = Codec()
    args = [{"a": b"1", "b": [b"2", {"c": b"3"}]}, b"4", "text"]
    assert codec.decode(*codec.encode(args)) == args


def test_a_placeholder_without_its_attachment_stays_what_it_is():
    assert Codec().decode('[{"_placeholder":true,"num":3}]', [b"x"]) == [{"_placeholder": True, "num": 3}]
    assert Codec().decode('[{"_placeholder":true,"num":-1}]', [b"x"]) == [{"_placeholder": True, "num": -1}]


class Module:
    """An application's own JSON that takes everything, bytes too, for text."""

    dumps = staticmethod(lambda obj, **options: json.dumps(obj, default=str, **options))
    loads = staticmethod(lambda text, **options: json.loads(text, **options))


def test_an_own_module_never_sees_bytes():
    text, attachments = OwnCodec(Module).encode([{"a": b"x", "b": {1, 2}}, [b"y"]], "e")
    assert json.loads(text) == [{"a": {"_placeholder": True, "num": 0}, "b": "{1, 2}"}, [{"_placeholder": True, "num": 1}]]
    assert attachments == [b"x", b"y"]


@pytest.mark.parametrize("args", [[], [1], ["a", {"b": None}]])
def test_an_own_module_that_makes_spaces_is_read_all_the_same(args):
    class Spaced(Module):
        dumps = staticmethod(lambda obj, **options: json.dumps(obj, indent=1))

    text, _ = OwnCodec(Spaced).encode(args, "the event")
    assert json.loads(text) == args
