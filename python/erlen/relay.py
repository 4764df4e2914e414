"""TLS by a ready `ssl.SSLContext`, which gives out no key for the engine's own.

A thread ends TLS, by asyncio, and hands the bytes on through a pair of sockets for each connection: the engine has accepted it, knows
its peer, and reads and writes the other end of the pair. Pings, too, pass the interpreter here; with the files of a certificate nothing does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading

__all__ = ["Relay"]

_log = logging.getLogger("erlen")

HANDSHAKE = 30.0
"""Seconds that a client has for its handshake."""
FAREWELL = 1.0
"""Seconds that connections have to end, when the server has ended."""
PIECE = 64 * 1024


class Relay:
    """Takes connections until it is stopped.

    :param context: of a server, with its certificate loaded.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="erlen-tls", daemon=True)
        self._thread.start()
        _log.warning(
            "TLS by a ready SSLContext goes through Python: ssl_context=('cert.pem', 'key.pem') is faster"
        )

    def __call__(self, outer: int, inner: int) -> None:
        """Takes over a connection and the end of a pair of sockets, by their descriptors."""
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
                _log.info("TLS handshake failed: %s", error)
                plain[1].close()
                return
            ways = [_pump(plain[0], secure[1]), _pump(secure[0], plain[1])]
            # Whichever side ends, that is the end; what is under way to the other still goes out.
            _, late = await asyncio.wait(
                map(self._loop.create_task, ways), return_when=asyncio.FIRST_COMPLETED
            )
            for way in late:
                way.cancel()
            for _, writer in (plain, secure):
                writer.close()
            for _, writer in (plain, secure):
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _secure(self, outer: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
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
