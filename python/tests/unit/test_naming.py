"""Rooms' names to the engine's text and back."""
from __future__ import annotations

import enum
import uuid

import pytest
from erlen import naming


class Word(str, enum.Enum):
    WORD = "word"


class Number(enum.IntEnum):
    FIVE = 5


@pytest.mark.parametrize("room, back", [
    ("r", "r"), ("", ""), ("5", "5"), (5, 5), (-1, -1), (2 ** 70, 2 ** 70), (True, 1), (5.0, 5), (Word.WORD, "word"),
    (Number.FIVE, 5), (uuid.UUID(int=7), uuid.UUID(int=7)), ("\x1fint:5", "\x1fint:5"), ("\x1f", "\x1f"), ("ü,/*", "ü,/*"),
])
def test_a_room_comes_back_as_it_went(room, back):
    found = naming.room_of(naming.text_of(room))
    assert found == back
    assert type(found) is type(back)


def test_no_two_rooms_have_one_text():
    rooms = ["5", 5, "\x1fint:5", "\x1fstr:\x1fint:5", uuid.UUID(int=5), uuid.UUID(int=5).hex, "\x1fuuid:" + uuid.UUID(int=5).hex]
    assert len({naming.text_of(room) for room in rooms}) == len(rooms)


def test_the_text_of_a_str_is_itself_since_the_rooms_of_the_sids_must_be():
    assert naming.text_of("abcdefghij0123456789") == "abcdefghij0123456789"
    assert type(naming.text_of(Word.WORD)) is str


@pytest.mark.parametrize("room", [b"r", {"r"}, {"r": 1}, None, 1.5, object(), ("r",)])
def test_what_is_no_room_is_a_type_error(room):
    with pytest.raises(TypeError):
        naming.text_of(room)


def test_lists_and_tuples_are_several_rooms():
    assert naming.names(["a", 5]) == ["a", naming.text_of(5)]
    assert naming.names(("a",)) == ["a"]
    assert naming.names(None) is None
