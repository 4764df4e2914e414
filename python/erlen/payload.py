"""Arguments of events and acks: Python values to the text of a JSON array with attachments, and back.

A tuple is several arguments, None is none, anything else is one. `bytes` and `bytearray` leave the JSON as attachments,
depth-first. The text is what `json.dumps` gives; only what JSON does not know is different:

- NaN and Infinity become null, with one warning for each event, unless `allow_nan=True`;
- what cannot be encoded is a TypeError that names the place, `$.items[3].at`, and the type.

The common way is one call of the engine's encoder, which gives that text for plain values and knows when it meets anything else: that is
for Python's.
Spec: Socket.IO protocol, "Packet encoding".
"""

from __future__ import annotations

import json as stdlib_json
import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional, Protocol

from . import _erlen

__all__ = ["Codec", "Json", "OwnCodec", "arguments"]

_log = logging.getLogger("erlen")

_scan = stdlib_json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_SEPARATORS = (",", ":")
_BYTES = (bytes, bytearray)
_BAREWORD = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN')
"""A string, or a number that JSON has not."""


class Json(Protocol):
    """What `SocketIO(json=…)` takes: a module or object like the standard `json`."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """The text of a value."""

    def loads(self, s: str, **kwargs: Any) -> Any:
        """The value of a text."""


def arguments(data: Any) -> list[Any]:
    """The list of arguments that a payload stands for."""
    if data is None:
        return []
    return list(data) if isinstance(data, tuple) else [data]


class Codec:
    """The encoder and decoder of one SocketIO, by the standard `json`.

    :param allow_nan: sends NaN and Infinity as barewords, as Python does, which JavaScript cannot read.
    """

    is_standard = True
    """The engine may encode plain values without asking."""

    def __init__(self, allow_nan: bool = False) -> None:
        self._allow_nan = allow_nan
        self._warned: set[str] = set()

    def encode(self, args: Sequence[Any], name: str = "") -> tuple[str, list[bytes]]:
        """The text of the array of `args`, and the attachments.

        :param name: the event's, for messages.
        :raises TypeError: what cannot be encoded, with its place.
        """
        return _erlen.encode(args) or self._encode_uncommon(args, name)

    def _encode_uncommon(self, args: Sequence[Any], name: str) -> tuple[str, list[bytes]]:
        """What is not plain, and what cannot be encoded."""
        attachments: list[bytes] = []
        try:
            text = stdlib_json.dumps(args, separators=_SEPARATORS, default=_placeholders(attachments))
        except TypeError as error:
            raise _with_place(error, args) from None
        if not self._allow_nan:
            text = self._without_barewords(text, args, name)
        return text, attachments

    def _without_barewords(self, text: str, args: Sequence[Any], name: str) -> str:
        mended = _BAREWORD.sub(lambda found: found[0] if found[0][0] == '"' else "null", text)
        if mended != text and name not in self._warned:
            self._warned.add(name)
            place = next(
                (p for p, value in _walk(args) if isinstance(value, float) and not math.isfinite(value)), "$"
            )
            _log.warning(
                "event %r: %s is NaN or Infinity, which JSON does not know, and is sent as null; SocketIO(allow_nan=True) sends it as "
                "it is, which JavaScript cannot read",
                name,
                place,
            )
        return mended

    def decode(self, text: str, attachments: Optional[Sequence[bytes]]) -> list[Any]:
        """The arguments of a text that the engine has taken.

        :raises ValueError: Python cannot read it, as a number of very many digits.
        :raises RecursionError: Python cannot read it, for its depth.
        """
        values: list[Any] = self.loads(text)
        if attachments:
            return [_without_placeholders(value, attachments) for value in values]
        return values

    def loads(self, text: str) -> Any:
        """A JSON text that the engine has taken, as a value."""
        # `json.loads` would look again for what stands behind the value.
        try:
            return _scan(text.lstrip(), 0)[0]
        except StopIteration:
            raise ValueError("no JSON text") from None

    def dumps(self, value: Any) -> str:
        """A value as JSON text, without attachments.

        :raises TypeError: what cannot be encoded, bytes too.
        """
        text, attachments = self.encode([value])
        if attachments:
            raise TypeError("bytes cannot be sent here")
        return text[1:-1]


class OwnCodec(Codec):
    """By the application's own `json`, whose text is sent as it is."""

    is_standard = False

    def __init__(self, json: Json) -> None:
        super().__init__(allow_nan=True)
        self._json = json

    def encode(self, args: Sequence[Any], name: str = "") -> tuple[str, list[bytes]]:
        """As :meth:`Codec.encode`, but what cannot be encoded is for the application's `json` to say."""
        attachments: list[bytes] = []
        parts = [_with_placeholders(value, attachments) for value in args]
        # The name is encoded together with the arguments, as upstream: what stands between them is the application's too.
        text = self._json.dumps([name, *parts], separators=_SEPARATORS)
        head = "[" + self._json.dumps(name, separators=_SEPARATORS)
        if not parts or not text.startswith(head):
            return self._json.dumps(parts, separators=_SEPARATORS), attachments
        return "[" + text[len(head) :].lstrip()[1:], attachments

    def loads(self, text: str) -> Any:
        """The value of a text."""
        return self._json.loads(text)

    def dumps(self, value: Any) -> str:
        """The text of a value."""
        return self._json.dumps(value, separators=_SEPARATORS)


def _placeholders(attachments: list[bytes]) -> Callable[[Any], Any]:
    """The encoder's `default`: it meets bytes in their order."""

    def default(value: Any) -> Any:
        if not isinstance(value, _BYTES):
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}

    return default


def _with_placeholders(value: Any, attachments: list[bytes]) -> Any:
    """The value with placeholders for bytes; itself where there are none."""
    if isinstance(value, _BYTES):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    before = len(attachments)
    parts: Any
    if isinstance(value, dict):
        parts = {key: _with_placeholders(item, attachments) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        parts = [_with_placeholders(item, attachments) for item in value]
    else:
        return value
    return value if len(attachments) == before else parts


def _without_placeholders(value: Any, attachments: Sequence[bytes]) -> Any:
    """The value with its attachments in their places. The engine has checked that each is there."""
    if isinstance(value, list):
        return [_without_placeholders(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    number = value.get("num")
    if value.get("_placeholder") is True and isinstance(number, int) and 0 <= number < len(attachments):
        return attachments[number]
    return {key: _without_placeholders(item, attachments) for key, item in value.items()}


def _walk(args: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Every value with its place, in the encoder's order. A payload that is the only argument is `$` itself."""
    pending: list[tuple[str, Any]] = [("$", args[0] if len(args) == 1 else list(args))]
    while pending:
        place, value = pending.pop()
        yield place, value
        if isinstance(value, dict):
            inner = [(f"{place}.{key}", item) for key, item in value.items()]
        elif isinstance(value, (list, tuple)):
            inner = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
        else:
            continue
        pending.extend(reversed(inner))


def _with_place(error: TypeError, args: Sequence[Any]) -> TypeError:
    """The encoder's error with the place that it is about."""
    for place, value in _walk(args):
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, (str, int, float, type(None))):
                    return TypeError(
                        f"{place}: keys must be str, int, float, bool or None, not {type(key).__name__}"
                    )
        elif not isinstance(value, (str, int, float, list, tuple, type(None), *_BYTES)):
            return TypeError(f"{place}: Object of type {type(value).__name__} is not JSON serializable")
    return error
