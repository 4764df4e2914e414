"""A connection of HTTP/1.1, byte for byte: it sends what it is told, and reads one answer after another.

Not a client: it knows of no redirects and makes no headers of its own but Host. Used by the tests of the WSGI host.
"""
from __future__ import annotations

import http.client
import socket

from engines import DEADLINE


class Connection:
    """One connection to a server on this machine."""

    def __init__(self, port, receive_buffer=None):
        self.port = port
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_request(self, line, *fields, body=b""):
        """`send_request("GET /x", "A: b")`: the head, and the body as it is."""
        head = line if " HTTP/" in line else line + " HTTP/1.1"
        self.send("\r\n".join([head, "Host: here", *fields, "", ""]).encode("latin-1") + body)

    def answer(self, method="GET"):
        """The head of the next answer; `read()` gives its body."""
        answer = http.client.HTTPResponse(self, method=method)
        answer.begin()
        return answer

    def ask(self, line, *fields, body=b""):
        """Send a request: the status and the body of its answer."""
        self.send_request(line, *fields, body=body)
        answer = self.answer(line.partition(" ")[0])
        return answer.status, answer.read()

    def rest(self):
        """Everything that comes before the server closes."""
        return self.file.read()

    def makefile(self, mode):
        """What `HTTPResponse` asks of a socket: it closes its file behind each answer."""
        return _Kept(self.file)

    def close(self):
        self.file.close()
        self.socket.close()


class _Kept:
    """A file that stays open when it is closed."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def close(self):
        pass


def chunked(*pieces):
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
