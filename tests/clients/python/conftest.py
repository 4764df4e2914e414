"""Servers on free ports, and clients that are closed behind each test.

The binaries are found in ERLEN_BIN_DIR, or in the workspace's target/debug.
"""

import os
import queue
import subprocess
from pathlib import Path

import engineio
import pytest
import socketio

WORKSPACE = Path(__file__).resolve().parents[3]
DEADLINE = 10


class Server:
    """A conformance server in a process of its own."""

    def __init__(self, name, port=0):
        binaries = Path(os.environ.get("ERLEN_BIN_DIR", WORKSPACE / "target" / "debug"))
        self.process = subprocess.Popen([binaries / name, str(port)], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"{name} said {line!r}"
        self.address = line.split()[-1]
        self.url = f"http://{self.address}"
        self.port = int(self.address.rsplit(":", 1)[1])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class InOrder(engineio.Client):
    """Takes one message after the other. As it is delivered it starts a thread for each, so that an attachment may overtake its event."""

    def _trigger_event(self, *args, run_async=False, **options):
        return super()._trigger_event(*args, run_async=False, **options)


class Client(socketio.Client):
    """A client that keeps what it gets until a test asks for it."""

    def _engineio_client_class(self):
        return InOrder

    def __init__(self, *events, namespaces=("/",), **options):
        super().__init__(reconnection_delay=0.05, reconnection_delay_max=0.1, **options)
        self.seen = {}
        for namespace in namespaces:
            for event in ("connect", "connect_error", "disconnect", *events):
                self.keep(event, namespace)

    def keep(self, event, namespace="/"):
        seen = self.seen[event, namespace] = queue.Queue()
        self.on(event, lambda *args: seen.put(args), namespace=namespace)

    def next(self, event, namespace="/"):
        """The arguments of the next event of that name."""
        return self.seen[event, namespace].get(timeout=DEADLINE)

    def ask(self, event, *args, namespace="/"):
        """The ack of an event."""
        return self.call(event, args, namespace=namespace, timeout=DEADLINE)


@pytest.fixture(scope="session")
def server():
    server = Server("clients")
    yield server
    server.stop()


@pytest.fixture
def start():
    """Starts servers that one test has for itself."""
    servers = []

    def start(name, port=0):
        servers.append(Server(name, port))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect(server, start):
    """Connects clients; each is closed when the test is over, before its server is: a client that is just beginning to come back does not hear
    that it should not."""
    clients = []

    def connect(*events, to=server, namespaces=("/",), transports=None, auth=None, headers=None, **options):
        client = Client(*events, namespaces=namespaces, **options)
        clients.append(client)
        client.connect(
            to.url,
            namespaces=list(namespaces),
            transports=transports,
            auth=auth,
            headers=headers or {},
            wait_timeout=DEADLINE,
        )
        for namespace in namespaces:
            client.next("connect", namespace)
        return client

    yield connect
    for client in clients:
        client.shutdown()
