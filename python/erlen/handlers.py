"""What is registered for events: functions, class namespaces, and which of them an event is for.

Signatures are looked at when a handler is registered, not by catching a TypeError when it runs. Where one says nothing, as that of
a decorator's `*args` does, the TypeError is looked at: only that of the decorator's own call of the handler counts.
"""

from __future__ import annotations

import inspect
import re
import traceback
import weakref
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from .namespace import Namespace

__all__ = ["RESERVED", "Handler", "Registry", "is_passed_on_in_vain", "takes_argument"]

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


_TOO_MANY = re.compile(r"(.+)\(\) takes .*positional arguments? but \d+ (?:was|were) given")
_BETWEEN = ("asyncio", "concurrent", "erlen")
"""Packages that stand between the call of a handler and the handler."""


def is_passed_on_in_vain(error: TypeError, argument: Any) -> bool:
    """Whether a decorator has got an argument in its `*args`, and the function that it passes them on to does not take it. Nothing
    of that function has run then.
    """
    named = _TOO_MANY.match(str(error))
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    while frames and frames[0].f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        del frames[0]
    if named is None or not frames:
        return False
    return all(_passes_on(frame, argument) for frame in frames) and named[1] in _held(frames[-1])


def _passes_on(frame: FrameType, argument: Any) -> bool:
    """Whether the argument is in what a function takes as `*args`: by that it could not say whether it wants it."""
    code = frame.f_code
    if not code.co_flags & inspect.CO_VARARGS:
        return False
    rest = frame.f_locals.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return any(given is argument for given in rest)


def _held(frame: FrameType) -> set[str]:
    """The names of the functions that a decorator may call: those of its closure, of its variables, of the attributes of its `self`."""
    values = list(frame.f_locals.values())
    for name in frame.f_code.co_varnames[:1]:
        values += getattr(frame.f_locals.get(name), "__dict__", {}).values()
    names: set[str] = set()
    for value in values:
        function = getattr(value, "__func__", getattr(value, "func", value))
        names.update(str(getattr(function, name, "")) for name in ("__qualname__", "__name__"))
    return names
