"""What is registered for events: functions, class namespaces, and which of them an event is for.

Signatures are looked at when a handler is registered, not by catching a TypeError when it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .namespace import Namespace

__all__ = ["Handler", "Match", "Registry"]

RESERVED = frozenset({"connect", "disconnect"})
"""The events of a connection, which `'*'` does not catch and a client cannot send."""


class Handler:
    """A function, and whether it takes the argument that handlers of `connect` and `disconnect` may leave out."""

    __slots__ = ("call", "is_async", "takes_argument")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.call = function
        self.takes_argument = _takes_one(function)
        self.is_async = inspect.iscoroutinefunction(function)


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether it may be called with one positional argument. What has no signature is taken to be."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


class Match(NamedTuple):
    """The handler of an event."""

    handler: Handler
    message: str
    """What `request.event['message']` says: the event's name, or '*'."""
    with_name: bool
    """The event's name is the first argument."""


class Registry:
    """All handlers of one SocketIO."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, Handler]] = {}
        self.classes: dict[str, Namespace] = {}

    def add(self, namespace: str, event: str, function: Callable[..., Any]) -> None:
        """Registers a function in place of an earlier one."""
        self.functions.setdefault(namespace, {})[event] = Handler(function)

    def add_class(self, namespace: Namespace) -> None:
        """Registers a class namespace in place of an earlier one."""
        self.classes[namespace.namespace] = namespace

    def find(self, namespace: str, event: str) -> Optional[Match]:
        """The function for an event: that of the namespace before that of any, that of the event before a catch-all."""
        for name in (namespace, "*"):
            events = self.functions.get(name)
            if events is None:
                continue
            handler = events.get(event)
            if handler is not None:
                return Match(handler, event, False)
            if event not in RESERVED:
                handler = events.get("*")
                if handler is not None:
                    return Match(handler, "*", True)
        return None

    def find_class(self, namespace: str) -> Optional[Namespace]:
        """The class for a namespace: its own, or that of any."""
        return self.classes.get(namespace) or self.classes.get("*")

    def wants(self, namespace: str, event: str) -> bool:
        """Whether `connect` or `disconnect` of a namespace has a handler."""
        if self.find(namespace, event) is not None:
            return True
        instance = self.find_class(namespace)
        return instance is not None and instance.wants(event)

    def events(self, namespace: str) -> list[str]:
        """The events of a namespace that have a handler of their name."""
        names: set[str] = set()
        for name in (namespace, "*"):
            names.update(self.functions.get(name, ()))
        instance = self.find_class(namespace)
        if instance is not None:
            names.update(name[len("on_") :] for name in dir(instance) if name.startswith("on_"))
        return sorted(names - RESERVED - {"*"})

    def namespaces(self) -> set[str]:
        """The namespaces that something is registered for; '*' is none."""
        return (set(self.functions) | set(self.classes)) - {"*"}
