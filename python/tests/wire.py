"""Raw Engine.IO clients, over `requests` and over `websocket-client`.

They know packets as text and bytes and nothing of events, so that a test can say what stands on the wire, byte for
byte. Pings are answered, noops are skipped; everything else comes out of `next()` in the order of arrival.
"""
from __future__ import annotations

import base64
import collections
import contextlib
import json
import re
import time

import requests
import websocket

DEADLINE = 10
SEPARATOR = "\x1e"
QUESTION = re.compile(r"(42|45\d+-)(/[^,]*,)?(\d+)(\[.*)", re.DOTALL)


class Closed(Exception):
    """The server closed the connection."""


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


class Client:
    """What both transports have in common."""

    patience = DEADLINE
    """How long it waits for a packet."""

    def __init__(self):
        self.pending = collections.deque()
        self.pings = []
        self.sids = {}
        self.early = []
        self.handshake = None
        self.question = None
        self.joined = lambda sid, namespace: None  # what else is to be waited for

    def next(self):
        """The next message packet: its text without the leading `4`'s meaning touched, or bytes."""
        deadline = time.monotonic() + self.patience
        while True:
            packet = self._packet(deadline)
            if packet == "2":
                self.pings.append(time.monotonic())
                self.send("3")
            elif packet == "1":
                raise Closed
            elif packet != "6":
                return packet

    def until(self, last):
        """All packets before the given one."""
        before = []
        while True:
            packet = self.next()
            if packet == last:
                return before
            before.append(packet)

    def connect(self, namespace="/", auth=None):
        """Send a CONNECT; the answer, and in `early` what came before it."""
        prefix = "" if namespace == "/" else namespace + ","
        self.send("40" + prefix + ("" if auth is None else dumps(auth)))
        self.early = []
        while True:
            packet = self.next()
            if isinstance(packet, str) and packet[:2] in ("40", "44"):
                return packet
            self.early.append(packet)

    def join(self, namespace="/", auth=None):
        """Connect to a namespace, which must accept."""
        answer = self.connect(namespace, auth)
        assert answer.startswith("40"), answer
        self.sids[namespace] = json.loads(answer[answer.index("{"):])["sid"]
        self.joined(self.sids[namespace], namespace)
        return self

    @property
    def sid(self):
        return self.sids["/"]

    def emit(self, event, *args, namespace="/", ack=""):
        prefix = "" if namespace == "/" else namespace + ","
        self.send(f"42{prefix}{ack}{dumps([event, *args])}")

    def ask(self, event, *args, namespace="/", ack=7):
        """Emit an event with an id; the text of the ack's arguments."""
        self.emit(event, *args, namespace=namespace, ack=ack)
        prefix = "43" + ("" if namespace == "/" else namespace + ",") + str(ack)
        answer = self.next()
        assert isinstance(answer, str) and answer.startswith(prefix), answer
        return answer[len(prefix):]

    def asked(self):
        """The next event, which must want an ack: its text without the id, which `answer` uses."""
        packet = self.next()
        match = QUESTION.fullmatch(packet)
        assert match, packet
        kind, namespace, number, rest = match.groups()
        self.question = (namespace or "") + number
        return kind + (namespace or "") + rest

    def answer(self, arguments, kind="43"):
        """Send the ack of the event that was asked last."""
        self.send(kind + self.question + arguments)

    def received(self):
        """The next event as the list of its name and arguments."""
        packet = self.next()
        assert isinstance(packet, str) and packet.startswith("42"), packet
        return json.loads(packet[packet.index("["):])


class WebSocket(Client):
    """A client that has only ever used WebSocket."""

    def __init__(self, url, headers=None, query="", handshake=True):
        super().__init__()
        address = url.replace("http", "ws", 1) + f"?EIO=4&transport=websocket{query}"
        fields = [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket = websocket.create_connection(address, timeout=DEADLINE, header=fields, suppress_origin=True)
        if handshake:
            self.handshake = json.loads(self.next()[1:])

    @classmethod
    def upgrade(cls, polling, headers=None):
        """The client of a session that has begun with polling, behind its probe."""
        client = cls(polling.url, headers, "&sid=" + polling.handshake["sid"], handshake=False)
        client.handshake, client.sids = polling.handshake, polling.sids
        client.send("2probe")
        assert client.next() == "3probe"
        client.send("5")
        return client

    def _packet(self, deadline):
        if self.pending:
            return self.pending.popleft()
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            packet = self.socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError) as error:
            raise Closed from error
        except websocket.WebSocketTimeoutException:
            raise AssertionError("no packet came in time") from None
        if packet == "":
            raise Closed
        return packet

    def send(self, packet):
        if isinstance(packet, bytes):
            self.socket.send_binary(packet)
        else:
            self.socket.send(packet)

    def drop(self):
        """Close as a browser does whose tab is closed."""
        with contextlib.suppress(Exception):
            self.socket.close(timeout=0)
        self.socket.shutdown()

    def close(self):
        self.drop()


class Polling(Client):
    """A client that stays on HTTP long-polling."""

    def __init__(self, url, headers=None, query=""):
        super().__init__()
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers or {})
        self.address = url + f"?EIO=4&transport=polling{query}"
        answer = self.session.get(self.address, timeout=DEADLINE)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        first, *rest = answer.text.split(SEPARATOR)
        self.handshake = json.loads(first[1:])
        self.cookie = answer.headers.get("Set-Cookie")
        self.address += "&sid=" + self.handshake["sid"]
        self.pending.extend(rest)

    def _packet(self, deadline):
        while not self.pending:
            self._poll(max(deadline - time.monotonic(), 0.001))
        packet = self.pending.popleft()
        return base64.b64decode(packet[1:]) if packet[:1] == "b" else packet

    def _poll(self, timeout):
        try:
            answer = self.session.get(self.address, timeout=timeout)
        except requests.Timeout:
            raise AssertionError("no packet came in time") from None
        if answer.status_code != 200:
            raise Closed
        answer.encoding = "utf-8"
        self.pending.extend(packet for packet in answer.text.split(SEPARATOR) if packet)

    def send(self, packet):
        if isinstance(packet, bytes):
            packet = "b" + base64.b64encode(packet).decode()
        answer = self.session.post(self.address, data=packet.encode(), timeout=DEADLINE)
        if answer.status_code != 200:
            raise Closed

    def close(self):
        with contextlib.suppress(Exception):
            self.session.post(self.address, data=b"1", timeout=1)
        self.session.close()


CLIENTS = {"websocket": WebSocket, "polling": Polling}
