"""TLS by a ready `ssl.SSLContext` in an application that gevent or eventlet has monkey-patched: two greenlets a connection.

`socket`, `ssl` and `threading` are the patched ones here, so that what reads as blocking code on threads is greenlets of the hub.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from typing import Any

from .green import Hub
from .relay import FAREWELL, HANDSHAKE, PIECE, Relay

__all__ = ["GreenRelay"]


class GreenRelay(Relay):
    """By greenlets of a hub.

    :param context: of a server, with its certificate loaded.
    """

    def __init__(self, context: ssl.SSLContext, hub: Hub) -> None:
        super().__init__(context)
        self._hub = hub
        self._ways: set[threading.Thread] = set()

    def __call__(self, outer: int, inner: int) -> None:
        """Takes over a connection, as :class:`Relay` says."""
        try:
            self._hub.start(self._serve, outer, inner)
        except RuntimeError:
            # It has ended.
            for descriptor in (outer, inner):
                os.close(descriptor)

    def stop(self) -> None:
        """Waits for what is on its way, a moment at most."""
        for way in list(self._ways):
            way.join(FAREWELL)

    def _serve(self, outer: int, inner: int) -> None:
        """The life of one connection."""
        with _taken(outer) as connection, _taken(inner) as plain:
            try:
                connection.settimeout(HANDSHAKE)
                secure = self._context.wrap_socket(connection, server_side=True)
                secure.settimeout(None)
            except OSError as error:
                self._tell(error)
                return
            with secure, self._known(secure.getpeercert(binary_form=True), secure.getpeername()):
                inwards = threading.Thread(target=_pump, args=(secure, plain), daemon=True)
                self._ways.add(inwards)
                inwards.start()
                _pump(plain, secure)
                inwards.join()
                self._ways.discard(inwards)


def _taken(descriptor: int) -> socket.socket:
    """A socket by its descriptor, of whichever family."""
    return socket.socket(-1, -1, -1, fileno=descriptor)


def _pump(source: Any, sink: Any) -> None:
    """Copies one way until it ends, and says so to the other side."""
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR if isinstance(sink, ssl.SSLSocket) else socket.SHUT_WR)
