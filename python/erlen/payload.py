"""Arguments of events and acks: Python values to the text of a JSON array with attachments, and back.

A tuple is several arguments, None is none, anything else is one. `bytes` and `bytearray` leave the JSON as attachments,
wherever they stand. The text is what `json.dumps` gives; only what JSON does not know is different:

- NaN and Infinity become null, with one warning for each event, unless `allow_nan=True`;
- what cannot be encoded is a TypeError that names the place, `$.items[3].at`, and the type.

The common way is one call of the encoder, without a walk through the data: bytes are found by the encoder's own hook.
Spec: Socket.IO protocol, "Packet encoding".
"""

from __future__ import annotations

import json as stdlib_json
import logging
import math
from collections.abc import Sequence
from typing import Any, Optional, Protocol

__all__ = ["Codec", "Json", "arguments"]

_log = logging.getLogger("erlen")


class Json(Protocol):
    """What `SocketIO(json=…)` takes: a module or object like the standard `json`."""

    def dumps(self, obj: Any, **kwargs: Any) -> str: ...

    def loads(self, s: str, **kwargs: Any) -> Any: ...


class _Attachments:
    """Collects the bytes that an encoder meets, in the order in which it meets them."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[bytes] = []

    def take(self, value: Any) -> Any:
        """The encoder's `default`: the placeholder of bytes."""
        if isinstance(value, (bytes, bytearray)):
            self.found.append(bytes(value))
            return {"_placeholder": True, "num": len(self.found) - 1}
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def arguments(data: Any) -> list[Any]:
    """The list of arguments that a payload stands for."""
    if data is None:
        return []
    return list(data) if isinstance(data, tuple) else [data]


class Codec:
    """The encoder and decoder of one SocketIO.

    :param json: the application's own module; None is the standard one. Its text is sent as it is.
    :param allow_nan: sends NaN and Infinity as barewords, as Python does, which JavaScript cannot read.
    """

    def __init__(self, json: Optional[Json] = None, allow_nan: bool = False) -> None:
        self._json = json
        self._allow_nan = allow_nan
        self._warned: set[str] = set()
        self._strict = stdlib_json.JSONEncoder(separators=(",", ":"), allow_nan=False)

    def encode(self, args: Sequence[Any], name: str = "") -> tuple[str, list[bytes]]:
        """The text of the array of `args`, and the attachments.

        :param name: the event's, for messages.
        :raises TypeError: what cannot be encoded, with its place.
        """
        if self._json is not None:
            return self._encode_custom(args)
        try:
            return self._strict.encode(list(args)), []
        except (TypeError, ValueError):
            # Bytes, NaN, or what cannot be encoded: less common, and looked at again.
            pass
        return self._encode_slow(args, name)

    def _encode_slow(self, args: Sequence[Any], name: str) -> tuple[str, list[bytes]]:
        attachments = _Attachments()
        encoder = stdlib_json.JSONEncoder(
            separators=(",", ":"), allow_nan=self._allow_nan, default=attachments.take
        )
        value: Any = list(args)
        try:
            return encoder.encode(value), attachments.found
        except ValueError as error:
            if not self._allow_nan and "Circular" not in str(error):
                value = self._without_nan(value, "$", name)
                attachments.found.clear()
                return encoder.encode(value), attachments.found
            raise
        except TypeError:
            place = _unencodable(value, "$")
            if place is None:
                raise
            raise TypeError(f"{place} cannot be sent") from None

    def _encode_custom(self, args: Sequence[Any]) -> tuple[str, list[bytes]]:
        assert self._json is not None
        attachments = _Attachments()
        value = _with_placeholders(list(args), attachments)
        try:
            return self._json.dumps(value, separators=(",", ":")), attachments.found
        except TypeError:
            place = _unencodable(value, "$", self._json)
            if place is None:
                raise
            raise TypeError(f"{place} cannot be sent") from None

    def _without_nan(self, value: Any, place: str, name: str) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            if name not in self._warned:
                self._warned.add(name)
                _log.warning(
                    "event %r: %s is %r, which JSON does not know, and is sent as null; SocketIO(allow_nan=True) sends it as it is, "
                    "which JavaScript cannot read",
                    name,
                    _shown(place),
                    value,
                )
            return None
        if isinstance(value, dict):
            return {key: self._without_nan(item, f"{place}.{key}", name) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._without_nan(item, f"{place}[{index}]", name) for index, item in enumerate(value)]
        return value

    def decode(self, text: str, attachments: Optional[list[bytes]]) -> list[Any]:
        """The arguments of a text that the engine has taken."""
        values: list[Any] = (self._json or stdlib_json).loads(text)
        if attachments:
            return [_without_placeholders(value, attachments) for value in values]
        return values

    def loads(self, text: str) -> Any:
        """Any JSON text as a value."""
        return (self._json or stdlib_json).loads(text)

    def dumps(self, value: Any) -> str:
        """A value as JSON text, without attachments."""
        return self.encode([value])[0][1:-1]


def _shown(place: str) -> str:
    """The place in one payload: the first argument needs no index."""
    return "$" + place[len("$[0]") :] if place.startswith("$[0]") else place


def _unencodable(value: Any, place: str, json: Optional[Json] = None) -> Optional[str]:
    """The first place below `value` that cannot be encoded, and its type."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                return f"{_shown(place)}: a key of type {type(key).__name__}"
            found = _unencodable(item, f"{place}.{key}", json)
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _unencodable(item, f"{place}[{index}]", json)
            if found:
                return found
        return None
    if isinstance(value, (str, int, float, bool, bytes, bytearray, type(None))):
        return None
    if json is not None:
        try:
            json.dumps(value)
            return None
        except TypeError:
            pass
    return f"{_shown(place)} of type {type(value).__name__}"


def _with_placeholders(value: Any, attachments: _Attachments) -> Any:
    """The value with placeholders for bytes; itself where there are none."""
    if isinstance(value, (bytes, bytearray)):
        return attachments.take(value)
    if isinstance(value, dict):
        return {key: _with_placeholders(item, attachments) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_with_placeholders(item, attachments) for item in value]
    return value


def _without_placeholders(value: Any, attachments: list[bytes]) -> Any:
    """The value with its attachments in their places. The engine has checked that each is there."""
    if isinstance(value, dict):
        if value.get("_placeholder") is True and isinstance(value.get("num"), int):
            return attachments[value["num"]]
        return {key: _without_placeholders(item, attachments) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_placeholders(item, attachments) for item in value]
    return value
