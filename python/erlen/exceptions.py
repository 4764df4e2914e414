"""What Erlen raises. The names are python-socketio's (`socketio.exceptions`).

Where python-socketio is installed and was imported, `erlen.install` makes these classes pass for its own.
"""

from __future__ import annotations

import builtins
from typing import Any, Optional

__all__ = [
    "BadNamespaceError",
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "SocketIOError",
    "TimeoutError",
]


class SocketIOError(Exception):
    """The base of all of them."""


class ConnectionError(SocketIOError):  # noqa: A001 - the name is the API's
    """A connection could not be made, or is not there."""


class ConnectionRefusedError(ConnectionError):  # noqa: A001
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


class TimeoutError(SocketIOError):  # noqa: A001
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
