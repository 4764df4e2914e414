"""What Erlen raises. The names are python-socketio's (`socketio.exceptions`).

Where python-socketio is installed, each of these is one of its classes too, so that an application may catch either.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any, Optional

try:
    from socketio import exceptions as _upstream
except ImportError:
    _upstream = None

__all__ = [
    "BadNamespaceError",
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "SocketIOError",
    "TimeoutError",
]


def _also(name: str) -> tuple[type[Exception], ...]:
    """python-socketio's class of that name, if it is installed."""
    found = getattr(_upstream, name, None)
    return () if found is None else (found,)


class SocketIOError(*(_also("SocketIOError") or (Exception,))):  # type: ignore[misc]
    """The base of all of them."""


class ConnectionError(SocketIOError, *_also("ConnectionError")):  # type: ignore[misc]
    """A connection could not be made, or is not there."""


class ConnectionRefusedError(ConnectionError, *_also("ConnectionRefusedError")):  # type: ignore[misc]
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


class TimeoutError(SocketIOError, *_also("TimeoutError")):  # type: ignore[misc]
    """An acknowledgement did not come in time."""


class BadNamespaceError(SocketIOError, *_also("BadNamespaceError")):  # type: ignore[misc]
    """A namespace that the client is not connected to."""


class DisconnectedError(SocketIOError, *_also("DisconnectedError")):  # type: ignore[misc]
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
