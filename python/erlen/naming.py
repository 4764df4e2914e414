"""Rooms' names: Python's `str` and `int` to the engine's text, and back.

`5` and `'5'` are two rooms, as upstream. What is no `str` begins with a character that no sid and no sane name has. UUIDs are rooms
too, since applications use their keys as they come.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Optional, Union

__all__ = ["Room", "names", "room_of", "text_of"]

Room = Union[str, int]

_MARK = "\x1f"
_INT = _MARK + "int:"
_UUID = _MARK + "uuid:"
_TEXT = _MARK + "str:"


def text_of(room: Any, argument: str = "room") -> str:
    """The engine's text for a room.

    :raises TypeError: for what is no room: bytes, a set, a dict, None.
    """
    if isinstance(room, str):
        return _TEXT + room if room.startswith(_MARK) else str.__str__(room)
    if isinstance(room, int) or (isinstance(room, float) and room.is_integer()):
        return f"{_INT}{int(room)}"
    if isinstance(room, uuid.UUID):
        return f"{_UUID}{room.hex}"
    raise TypeError(f"{argument} must be a str or an int, or a list of them, not {type(room).__name__}")


def room_of(text: str) -> Any:
    """The room that the engine's text stands for."""
    if not text.startswith(_MARK):
        return text
    if text.startswith(_INT):
        return int(text[len(_INT) :])
    if text.startswith(_UUID):
        return uuid.UUID(text[len(_UUID) :])
    return text[len(_TEXT) :]


def names(rooms: Any, argument: str = "to") -> Optional[list[str]]:
    """One room or several as the engine's texts; None stays None.

    :raises TypeError: for bytes, a set, a dict.
    """
    if rooms is None:
        return None
    if isinstance(rooms, (str, int, float, uuid.UUID)):
        return [text_of(rooms, argument)]
    if isinstance(rooms, (list, tuple)):
        return [text_of(room, argument) for room in rooms if room is not None]
    if isinstance(rooms, Iterable) and not isinstance(rooms, (bytes, bytearray, set, frozenset, dict)):
        return [text_of(room, argument) for room in rooms]
    raise TypeError(f"{argument} must be a str or an int, or a list of them, not {type(rooms).__name__}")
