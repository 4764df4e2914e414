"""What is registered for events: functions, class namespaces, and which of them an event is for.

Signatures are looked at when a handler is registered, not by catching a TypeError when it runs.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .namespace import Namespace

__all__ = ["RESERVED", "Handler", "Registry", "takes_argument"]

RESERVED = frozenset({"connect", "disconnect"})
"""The events of a connection, which `'*'` does not catch and a client cannot send."""


class Handler(NamedTuple):
    """A function that is registered for an event."""

    call: Callable[..., Any]
    message: str
    """The event, or '*': what `request.event['message']` says."""
    namespace: str
    """The namespace, or '*'."""
    takes_argument: bool
    """Whether it takes the argument that handlers of `connect` and `disconnect` may leave out."""
    raw: bool
    """It was registered at `socketio.server`: it gets the sid first, and runs without Flask's contexts."""


class Registry:
    """All handlers of one SocketIO."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, Handler]] = {}
        self.classes: dict[str, Namespace] = {}

    def add(self, namespace: str, event: str, function: Callable[..., Any], raw: bool = False) -> None:
        """Registers a function in place of an earlier one."""
        before = {"connect": ("sid", "environ"), "disconnect": ("sid",)}.get(event, ()) if raw else ()
        takes = event in RESERVED and takes_argument(function, *before)
        self.functions.setdefault(namespace, {})[event] = Handler(function, event, namespace, takes, raw)

    def add_class(self, namespace: Namespace) -> None:
        """Registers a class namespace in place of an earlier one."""
        self.classes[namespace.namespace] = namespace

    def find(self, namespace: str, event: str) -> Optional[Handler]:
        """The function for an event: that of the namespace before that of any, that of the event before a catch-all."""
        for name in (namespace, "*"):
            events = self.functions.get(name)
            if events is None:
                continue
            handler = events.get(event)
            if handler is not None:
                return handler
            if event not in RESERVED:
                handler = events.get("*")
                if handler is not None:
                    return handler
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


_known: weakref.WeakKeyDictionary[Any, dict[tuple[bool, int], bool]] = weakref.WeakKeyDictionary()
"""What is known of functions: methods are looked at by the function that they bind."""


def takes_argument(function: Callable[..., Any], *before: Any) -> bool:
    """Whether a connect or disconnect handler takes its argument.

    :param before: what it is given in front of it.
    """
    bound = hasattr(function, "__func__")
    try:
        known = _known.setdefault(getattr(function, "__func__", function), {})
    except TypeError:  # It can be referred to by no weak reference, or has no hash.
        return _takes_argument(function, before)
    key = (bound, len(before))
    if key not in known:
        known[key] = _takes_argument(function, before)
    return known[key]


def _takes_argument(function: Callable[..., Any], before: tuple[Any, ...]) -> bool:
    # A decorator passes on what it gets: the innermost signature counts. One that adds arguments makes that one unfit, and its
    # own counts then. What has no signature is taken to take it.
    for follow in (True, False):
        try:
            signature = inspect.signature(function, follow_wrapped=follow)
        except (TypeError, ValueError):
            return True
        for argument in ((None,), ()):
            try:
                signature.bind(*before, *argument)
            except TypeError:
                continue
            return bool(argument)
    return True
