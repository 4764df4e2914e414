"""`SocketIOTestClient`: a client for tests, in this process and without a network.

Its events are handled in the thread of the test, so that what a handler raises comes out of `emit`. Everything is encoded and
decoded as for a real client.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Optional
from weakref import WeakValueDictionary

from flask.testing import EnvironBuilder

from . import _erlen, spelling
from .context import Connection, inline

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from .socketio import SocketIO

__all__ = ["SocketIOTestClient"]


class SocketIOTestClient:
    """A client of a SocketIO in the same process; connected when it is made.

    :param app: the Flask application.
    :param socketio: the SocketIO.
    :param namespace: the namespace that is joined; None is `/`.
    :param query_string: of the handshake, with or without its `?`.
    :param headers: of the handshake: a dict, or pairs.
    :param auth: what a client sends as auth.
    :param flask_test_client: its cookies and environ are those of the handshake.
    """

    clients: ClassVar[WeakValueDictionary[str, SocketIOTestClient]] = WeakValueDictionary()
    """Those that a test still holds. One that it has let go of has left without a word: no handler is told."""

    def __init__(
        self,
        app: Flask,
        socketio: SocketIO,
        namespace: Optional[str] = None,
        query_string: Optional[str] = None,
        headers: Any = None,
        auth: Optional[dict[str, Any]] = None,
        flask_test_client: Optional[FlaskClient] = None,
    ) -> None:
        if socketio._queue:
            raise RuntimeError(
                "Test client cannot be used with a message queue. Disable the queue on your test configuration."
            )
        self.app = app
        self.socketio = socketio
        self.flask_test_client = flask_test_client
        self.connected: dict[str, bool] = {}
        self.queue: list[dict[str, Any]] = []
        self.acks: Optional[list[Any]] = None
        self.callback_counter = 0
        self.eio_sid = ""
        self._client: Optional[_erlen.TestClient] = None
        self._lock = threading.Lock()
        # Events are handled in the test's thread, which would wait for the answer that it has to give itself.
        socketio._require_server().async_handlers = False
        self.connect(namespace=namespace, query_string=query_string, headers=headers, auth=auth)

    def is_connected(self, namespace: Optional[str] = None) -> bool:
        """Whether the client is in the namespace."""
        self._receive()
        return self.connected.get(namespace or "/", False)

    def connect(
        self,
        namespace: Optional[str] = None,
        query_string: Optional[str] = None,
        headers: Any = None,
        auth: Optional[dict[str, Any]] = None,
    ) -> None:
        """Joins a namespace; by a new session where there is none. Nothing happens if the client is in it."""
        name = namespace or "/"
        if self._client is None or self._client.session.closed:
            self._open(query_string, headers)
        elif query_string or headers:
            # As upstream, the handlers of this namespace on see the request of the new handshake.
            self._require().session.data = self._connection(query_string, headers)
        client = self._require()
        codec = self.socketio.codec
        refusal = inline(client.connect, name, codec.dumps(auth) if auth else None)
        self.connected[name] = refusal is None
        self._receive()

    def _open(self, query_string: Optional[str], headers: Any) -> None:
        connection = self._connection(query_string, headers)
        target = f"/socket.io/?{connection.environ['QUERY_STRING']}"
        self._client = self.socketio._serving.engine().test_client(target, [], connection)
        self.eio_sid = connection.sid = self._client.session.sid
        self.clients[self.eio_sid] = self

    def _connection(self, query_string: Optional[str], headers: Any) -> Connection:
        connection = self.socketio._serving.latest.connection(self._environ(query_string, headers))
        connection.sid = self.eio_sid
        return connection

    def _environ(self, query_string: Optional[str], headers: Any) -> dict[str, Any]:
        """The environ of the handshake, by Flask's builder."""
        query = (query_string or "").lstrip("?")
        given: dict[str, Any] = {"query_string": query, "headers": headers}
        client = self.flask_test_client
        if client is not None:
            given["environ_base"] = dict(client.environ_base)
        builder = EnvironBuilder(self.app, path="/socket.io/", **given)
        try:
            environ: dict[str, Any] = builder.get_environ()
        finally:
            builder.close()
        if client is not None:
            client._add_cookies_to_wsgi(environ)
        environ["flask.app"] = self.app
        return environ

    def disconnect(self, namespace: Optional[str] = None) -> None:
        """Leaves a namespace.

        :raises RuntimeError: the client is not in it.
        """
        name = namespace or "/"
        if not self.is_connected(name):
            raise RuntimeError("not connected")
        inline(self._require().disconnect, name)
        self.connected.pop(name, None)

    def emit(
        self,
        event: str,
        *args: Any,
        callback: bool = False,
        namespace: Optional[str] = None,
        **ignored: Any,
    ) -> Any:
        """Emits an event, which is handled before this returns.

        :param args: its arguments.
        :param callback: whether to return the acknowledgement.
        :param namespace: `/` unless given.
        :returns: with `callback`: `[]`, the one argument, or a list of them; None where no acknowledgement came.
        """
        if ignored:
            spelling.tell_ignored(SocketIOTestClient.emit, ignored)
        name = namespace or "/"
        if not self.is_connected(name):
            raise RuntimeError("not connected")
        ack_id = None
        if callback:
            self.callback_counter += 1
            ack_id = self.callback_counter
        self.acks = None
        text, attachments = self.socketio.codec.encode(args, event)
        inline(self._require().emit, name, event, text, attachments, ack_id)
        self._receive(ack_id)
        if not callback or self.acks is None:
            return None
        return self.acks[0] if len(self.acks) == 1 else self.acks

    def send(
        self, data: Any, json: bool = False, callback: bool = False, namespace: Optional[str] = None
    ) -> Any:
        """Emits the event `message`, or `json`."""
        return self.emit("json" if json else "message", data, callback=callback, namespace=namespace)

    def get_received(self, namespace: Optional[str] = None) -> list[dict[str, Any]]:
        """What the server has emitted to the client in a namespace since the last call.

        :returns: a dict each: `name`, `args` (the bare payload for `message` and `json`, else a list), `namespace`.
        :raises RuntimeError: the client is not in the namespace.
        """
        name = namespace or "/"
        if not self.is_connected(name):
            raise RuntimeError("not connected")
        with self._lock:
            received = [event for event in self.queue if event["namespace"] == name]
            self.queue = [event for event in self.queue if event["namespace"] != name]
        return received

    # For the client itself.

    def _require(self) -> _erlen.TestClient:
        if self._client is None:
            raise RuntimeError("not connected")
        return self._client

    def _receive(self, ack_id: Optional[int] = None) -> None:
        """Takes what has been sent to the client: events into the queue, the answer to `ack_id` into `acks`."""
        if self._client is None:
            return
        codec = self.socketio.codec
        with self._lock:
            for kind, namespace, body, attachments, packet_id in self._client.receive():
                if kind == "event":
                    event, text = body
                    args: Any = codec.decode(text, attachments)
                    if event in ("message", "json"):
                        args = args[0] if args else None
                    self.queue.append({"name": event, "args": args, "namespace": namespace})
                elif kind == "ack" and packet_id == ack_id:
                    self.acks = codec.decode(body, attachments)
                elif kind == "disconnect":
                    self.connected[namespace] = False
            if self._client.session.closed:
                self.connected = dict.fromkeys(self.connected, False)
