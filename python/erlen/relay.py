"""TLS by a ready `ssl.SSLContext`, which gives out no key for the engine's own.

A thread ends TLS, by asyncio (in an application that is monkey-patched: greenlets, see :mod:`erlen.green_relay`), and hands the bytes on through a pair of sockets for each connection: the engine has accepted it, knows
its peer, and reads and writes the other end of the pair. Pings, too, pass the interpreter here; with the files of a certificate nothing does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional, Union

from . import tls

if TYPE_CHECKING:
    from .green import Hub

__all__ = ["Over", "Relay", "ThreadRelay", "handed", "through"]

_log = logging.getLogger("erlen")

HANDSHAKE = 30.0
"""Seconds that a client has for its handshake."""
FAREWELL = 1.0
"""Seconds that connections have to end, when the server has ended."""
PIECE = 64 * 1024

Application = Callable[..., Iterable[bytes]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Takes connections until it is stopped.

    :param context: of a server, with its certificate loaded.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._certificates: dict[tuple[str, str], str] = {}
        self._level = logging.WARNING
        _log.warning(
            "TLS by a ready SSLContext goes through Python: ssl_context=('cert.pem', 'key.pem') is faster"
        )

    def application(self, app: Application) -> Application:
        """A WSGI application that learns of its client's certificate as from Werkzeug, nginx and Apache: by `SSL_CLIENT_CERT`."""
        if self._context.verify_mode == ssl.CERT_NONE:
            return app

        def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            peer = environ.get("REMOTE_ADDR", ""), environ.get("REMOTE_PORT", "")
            if peer in self._certificates:
                environ["SSL_CLIENT_CERT"] = self._certificates[peer]
            return app(environ, start_response)

        return told

    def __call__(self, outer: int, inner: int) -> None:
        """Takes over a connection and the end of a pair of sockets, by their descriptors. From any thread."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends what is left."""
        raise NotImplementedError

    def _tell(self, error: Exception) -> None:
        """Says that a handshake has failed. The first one is seen where logging is not set up, as of the engine's lines."""
        level, self._level = self._level, logging.INFO
        _log.log(level, "TLS handshake failed: %s", str(error) or "it took too long")

    @contextlib.contextmanager
    def _known(self, certificate: Optional[bytes], address: tuple[Any, ...]) -> Iterator[None]:
        """A client's certificate is known while it is connected."""
        peer = address[0].removeprefix("::ffff:"), str(address[1])
        if certificate is not None:
            self._certificates[peer] = ssl.DER_cert_to_PEM_cert(certificate)
        try:
            yield
        finally:
            self._certificates.pop(peer, None)


class ThreadRelay(Relay):
    """On a thread of its own, by asyncio."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="erlen-tls", daemon=True)
        self._thread.start()

    def __call__(self, outer: int, inner: int) -> None:
        """Takes over a connection, as :class:`Relay` says."""
        ends = socket.socket(fileno=outer), socket.socket(fileno=inner)
        try:
            self._loop.call_soon_threadsafe(self._begin, *ends)
        except RuntimeError:
            # It has been stopped.
            for end in ends:
                end.close()

    def stop(self) -> None:
        """Ends what is left, and the thread."""
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._end()))
        self._thread.join()
        self._loop.close()

    def _begin(self, outer: socket.socket, inner: socket.socket) -> None:
        task = self._loop.create_task(self._serve(outer, inner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, outer: socket.socket, inner: socket.socket) -> None:
        """The life of one connection."""
        with outer, inner:
            plain = await asyncio.open_connection(sock=inner)
            try:
                secure = await self._secure(outer)
            except (OSError, asyncio.TimeoutError) as error:
                self._tell(error)
                plain[1].close()
                return
            certificate = secure[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
            with self._known(certificate, secure[1].get_extra_info("peername")):
                await self._carry(plain, secure)

    async def _carry(self, plain: Streams, secure: Streams) -> None:
        """Carries bytes both ways until one side ends; what is under way to the other still goes out."""
        ways = [_pump(plain[0], secure[1]), _pump(secure[0], plain[1])]
        _, late = await asyncio.wait(map(self._loop.create_task, ways), return_when=asyncio.FIRST_COMPLETED)
        for way in late:
            way.cancel()
        for _, writer in (plain, secure):
            writer.close()
        for _, writer in (plain, secure):
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _secure(self, outer: socket.socket) -> Streams:
        """The streams of a connection behind its handshake."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, outer, ssl=self._context, ssl_handshake_timeout=HANDSHAKE
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _end(self) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FAREWELL)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._loop.stop()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies one way until it ends; a reader that is slow holds up its writer."""
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()


Over = Union[None, tuple[bytes, bytes], Relay]
"""What the engine is handed for TLS: nothing, the PEM of certificates and key, or who takes each connection."""


@contextlib.contextmanager
def handed(secured: tls.Secured, hub: Optional[Hub]) -> Iterator[Over]:
    """What the engine is handed: a ready context works in a relay, which outlives the listener.

    :param hub: whose greenlets serve it, where the application is monkey-patched.
    """
    if not isinstance(secured, ssl.SSLContext):
        yield secured
        return
    relay = _relay(secured, hub)
    try:
        yield relay
    finally:
        relay.stop()


def through(over: Over, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """A WSGI application, which sees the certificates of a relay's clients."""
    return over.application(application) if isinstance(over, Relay) else application


def _relay(context: ssl.SSLContext, hub: Optional[Hub]) -> Relay:
    if hub is None:
        return ThreadRelay(context)
    from .green_relay import GreenRelay

    return GreenRelay(context, hub)
