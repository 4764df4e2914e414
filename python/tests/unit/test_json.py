"""The fast encoder gives the text of the standard library, or leaves the value to it."""
from __future__ import annotations

import enum
import json
import math
import random
import struct

import pytest
from erlen import _erlen

SEED = 20261129
ALPHABET = 'aZ09 ~"\\/\b\f\n\r\t\0\x1f\x7fäß€\u2028\uffff😀'


def standard(args):
    return json.dumps(args, separators=(",", ":"))


def same(args):
    encoded = _erlen.encode(args)
    assert encoded == (standard(args), [])


def anything(chance, depth=5):
    kind = chance.randrange(8 if depth else 6)
    if kind == 0:
        return "".join(chance.choices(ALPHABET, k=chance.randrange(12)))
    if kind == 1:
        return chance.choice([None, True, False])
    if kind == 2:
        return chance.randrange(-(1 << 63), 1 << 63) >> chance.randrange(64)
    if kind < 6:
        return some_float(chance)
    items = [anything(chance, depth - 1) for _ in range(chance.randrange(5))]
    if kind == 6:
        return chance.choice([list, tuple])(items)
    return {"".join(chance.choices(ALPHABET, k=4)): item for item in items}


def some_float(chance):
    """Any bits of a double, or one of a few digits at some power of ten."""
    if chance.random() < 0.5:
        number = struct.unpack("<d", chance.randbytes(8))[0]
        return number if math.isfinite(number) else 0.5
    return float(f"{chance.choice('-+')}{chance.randrange(10 ** chance.randrange(1, 18))}e{chance.randrange(-30, 30)}")


def test_random_values_have_the_same_text():
    chance = random.Random(SEED)
    for _ in range(3_000):
        same([anything(chance)])


def test_floats_have_the_same_text_at_every_power_of_ten():
    for exponent in range(-324, 309):
        for digits in ("1", "9", "1.5", "9.999999999999999", "1.7976931348623157"):
            number = float(f"{digits}e{exponent}")
            if math.isfinite(number):
                same([number, -number])


@pytest.mark.parametrize("args", [
    [], (), [[]], [{}], ["\U0001f600"], [0.0, -0.0, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5, 5e-324],
    [2 ** 63 - 1, -(2 ** 63)], [{"": "", "\u2028": "\u2029"}], [{"a": (1, [2, (3,)])}]])
def test_the_edges(args):
    same(args)


def test_bytes_are_attachments_in_their_order():
    one, two = b"one", b""
    text, attachments = _erlen.encode([{"a": one, "b": [two]}, one])
    assert text == standard([{"a": {"_placeholder": True, "num": 0}, "b": [{"_placeholder": True, "num": 1}]},
                             {"_placeholder": True, "num": 2}])
    assert attachments == [one, two, one] and attachments[0] is one


class Text(str):
    """A subclass, whose text Python asks for in its own way."""


class Number(enum.IntEnum):
    ONE = 1


CYCLE: list = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize("value", [
    math.nan, math.inf, -math.inf, 2 ** 63, -(2 ** 63) - 1, 2 ** 200, "\ud800", Text("a"), Number.ONE, {1: 2}, {None: 1}, {"\udfff": 1},
    {Text("a"): 1}, bytearray(b"x"), memoryview(b"x"), object(), {1, 2}, CYCLE, type("D", (dict,), {})(), type("L", (list,), {})()],
    ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("around", [lambda value: [value], lambda value: [{"a": [value]}]])
def test_what_is_not_plain_is_left_to_python(value, around):
    assert _erlen.encode(around(value)) is None


def test_deep_nests_are_left_to_python():
    nest: list = []
    for _ in range(100_000):
        nest = [nest]
    assert _erlen.encode(nest) is None
    while nest:
        nest = nest.pop()
