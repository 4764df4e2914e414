"""Names that nobody knows: what was likely meant, for the log. Where upstream ignores them, so does Erlen, but not silently."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["is_new", "likely", "tell_ignored"]

_log = logging.getLogger("erlen")

_told: set[tuple[str, str]] = set()

MOST = 100
"""Names may come from a client, by `emit("x", **data)`: the first ones are told, and no more are kept."""

_OF_ANY_NAME = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def likely(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name: which of the known ones is near, if one is."""
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def is_new(where: str, name: str) -> bool:
    """Whether it is to be told: once in the life of the process."""
    if (where, name) in _told or len(_told) == MOST:
        return False
    _told.add((where, name))
    return True


def tell_ignored(function: Callable[..., Any], keywords: Iterable[str]) -> None:
    """Warns of keywords that a function takes and does nothing with."""
    where = function.__qualname__
    for name in keywords:
        if is_new(where, name):
            parameters = inspect.signature(function).parameters.values()
            known = [parameter.name for parameter in parameters if parameter.kind not in _OF_ANY_NAME]
            _log.warning("%s() has no keyword %r and ignores it%s", where, name, likely(name, known))
