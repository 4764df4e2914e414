"""What Erlen raises. The names are python-socketio's (`socketio.exceptions`).

An application that has python-socketio may catch either: where that is imported, each of these is one of its classes too, from the moment
on in which the first of them is made. It is not imported for that: it takes longer to import than all of Erlen.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "BadNamespaceError",
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "SocketIOError",
    "TimeoutError",
]


class _Root(Exception):
    """Stands between, since a class right below a built-in one cannot be given another base."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # An `except` clause looks at the real bases, and not at hooks of the class: they are what they are to be before it is raised.
        derive_from_upstream()
        return super().__new__(cls, *args, **kwargs)


class SocketIOError(_Root):
    """The base of all of them."""


class ConnectionError(SocketIOError):  # noqa: A001 - the name is the API's
    """A connection could not be made, or is not there."""


class ConnectionRefusedError(ConnectionError):
    """Raised by a connect handler to refuse a client.

    The first argument is the message that the client gets; further ones are its `data`, one as itself, several as a list.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        message: Any = args[0] if args else "Connection rejected by server"
        self.error_args: dict[str, Any] = {"message": str(message)}
        if len(args) == 2:
            self.error_args["data"] = args[1]
        elif len(args) > 2:
            self.error_args["data"] = list(args[1:])


class TimeoutError(SocketIOError):
    """An acknowledgement did not come in time."""


class BadNamespaceError(SocketIOError):
    """A namespace that the client is not connected to."""


class DisconnectedError(SocketIOError):
    """The client has gone."""


def refusal(error: Optional[BaseException]) -> dict[str, Any]:
    """The payload of the CONNECT_ERROR for what a connect handler raised, or for its `return False` (None).

    :param error: the exception; its own text goes to the client only where it is one of `ConnectionRefusedError`.
    """
    arguments = getattr(error, "error_args", None)
    if isinstance(arguments, dict):
        return arguments
    if isinstance(error, builtins.ConnectionRefusedError):
        return {"message": "Connection refused by server"}
    return {"message": "Connection rejected by server"}


def refuses(error: BaseException) -> bool:
    """Whether it is raised to refuse a client: this package's exception, or python-socketio's."""
    if isinstance(error, ConnectionRefusedError):
        return True
    foreign = getattr(sys.modules.get("socketio.exceptions"), "ConnectionRefusedError", None)
    return foreign is not None and isinstance(error, foreign)


_OWN = (
    SocketIOError,
    ConnectionError,
    ConnectionRefusedError,
    TimeoutError,
    BadNamespaceError,
    DisconnectedError,
)

_deriving = threading.Lock()


def derive_from_upstream() -> None:
    """Makes python-socketio's classes bases of these, where it has been imported. Once is enough; before that it costs a look."""
    upstream = sys.modules.get("socketio.exceptions")
    if upstream is None:
        return
    with _deriving:
        for own in _OWN:
            base = getattr(upstream, own.__name__, None)
            if base is None or issubclass(own, base):
                continue
            # A class of the application that is below both may be at odds with it, in the order of its bases: it has both already.
            with contextlib.suppress(TypeError):
                own.__bases__ = (*own.__bases__, base)


derive_from_upstream()
