"""The engine (Rust), as the package's Python sees it. Private to the package.

Threads: the engine's network threads never hold the interpreter. It calls the `Delegate` and the WSGI
application on worker threads of its own. Every method here may be called from any thread; none blocks unless
it says so.

Rooms are `str` here; what a room's name means in Python is the package's business. Arguments travel as the
text of a JSON array, `'["a", 1]'`, without an event's name, and `bytes` beside it, in the order of the
placeholders `{"_placeholder":true,"num":n}` in the text.
"""

from collections.abc import Callable, Sequence
from typing import Any, Optional, Protocol, Union, final

class Delegate(Protocol):
    """What the engine calls, one call an event. An exception that leaves a method is logged by the engine
    through `threading.excepthook` (a `TestClient` raises it to its caller instead)."""

    def handshake(self, environ: dict[str, Any]) -> Any:
        """Only with the option `ask_handshake`: a client asks for a session, with the WSGI environ of its handshake. What is returned becomes
        `Session.data`; `Refused(message)` refuses with 403 and that text."""

    def connect(self, socket: Socket, auth: Optional[str]) -> Optional[str]:
        """A client asks for a namespace, with the JSON text of its auth. None grants; a text refuses, and is
        the JSON payload of the CONNECT_ERROR."""

    def event(
        self, socket: Socket, event: str, args: str, attachments: Optional[list[bytes]], ack: Optional[Ack]
    ) -> None:
        """An event has arrived; `ack` if the client wants one."""

    def disconnect(self, socket: Socket, reason: str) -> None:
        """A socket that had connected has left; `socket.rooms()` still tells its rooms. Reasons are Flask-SocketIO's
        five; `socket.disconnect_detail` says the finer cause."""

class Refused(Exception):
    """Refuses a handshake."""

def out_of_date(certificates: bytes) -> Optional[tuple[bool, int]]:
    """Of PEM, the first certificate, where it is not valid now: whether it has expired, and when; or from when on it will be, in seconds of
    Unix time. None too where that cannot be read."""

def encode(args: Sequence[Any]) -> Optional[tuple[str, list[bytes]]]:
    """The text that the standard `json` gives for the array of `args`, and its attachments, for values of plain types alone; None for others."""

@final
class Session:
    """An Engine.IO session: one connection of a client, with a socket in each namespace that it joined."""

    sid: str  # a secret
    data: Any  # the package's own; set by `Delegate.handshake`, or None. Must not refer to the Session or a Socket: nobody would end that cycle
    def environ(self) -> dict[str, Any]: ...  # a WSGI environ of its handshake, made anew
    connected: bool
    closed: bool
    upgraded: bool  # its packets go over a WebSocket
    def transport(self) -> str: ...  # 'polling' | 'websocket'
    def close(self) -> None: ...

@final
class Socket:
    """A client in a namespace."""

    sid: str
    namespace: str
    session: Session
    data: Any  # the package's own
    connected: bool  # its CONNECT was granted, and it has not left
    disconnect_detail: Optional[str]
    def join(self, room: str) -> None: ...
    def leave(self, room: str) -> None: ...
    def rooms(self) -> list[str]: ...  # its own first, then in the order of joining
    def disconnect(self) -> bool:
        """Sends the DISCONNECT and takes the socket out of its rooms' tables. The caller runs the application's handler
        itself, now: `Delegate.disconnect` is not called for it. False if it had left already. `rooms()` goes on telling
        the rooms until `disconnected()`."""
    def disconnected(self) -> None: ...  # after `disconnect()`: the handler has run

@final
class Ack:
    """The acknowledgement that a client waits for."""

    def send(self, args: str, attachments: Sequence[bytes] = ()) -> None: ...
    def send_plain(self, args: Sequence[Any]) -> bool:
        """Sends what `encode` knows, and tells; where it does not know it, nothing has happened."""

@final
class Listener:
    """A bound listener."""

    host: str
    port: int
    def wait(self, timeout: Optional[float] = None) -> bool:
        """Blocks until it has ended (True) or the time is over. Runs Python's signal handlers meanwhile, when
        called on the main thread."""
    def stop(self, spread: float = 0.0, grace: float = 5.0) -> None:
        """Stops listening at once, closes sessions over `spread` seconds, cuts the rest after `grace`. Does not block. A second call
        without grace ends the waits for it, whatever is left."""

@final
class TestClient:
    """A client in this process. What it sends is handled in the calling thread: the delegate's methods run inside
    `connect`, `emit`, … and their exceptions come out of them."""

    session: Session
    def connect(self, namespace: str, auth: Optional[str]) -> Optional[str]:
        """None when granted, or where it is in the namespace already; else the JSON payload of the refusal, '' where the session has ended."""
    def emit(
        self, namespace: str, event: str, args: str, attachments: Sequence[bytes], ack_id: Optional[int]
    ) -> None: ...
    def disconnect(self, namespace: str) -> None: ...
    def receive(self) -> list[tuple[str, str, Any, Any, Any]]:
        """What has been sent to it since the last call, without waiting:
        ('event', namespace, (name, args), attachments, ack_id), ('ack', namespace, args, attachments, ack_id),
        ('disconnect', namespace, None, None, None)."""
    def close(self) -> None: ...

@final
class Engine:
    def __init__(self, delegate: Delegate, **options: Any) -> None:
        """Options, all by keyword, each with a default:
        path='/socket.io/', transports=('polling', 'websocket'), allow_upgrades=True, ping_interval=25.0,
        ping_grace=0.0 (what clients are told beyond that), ping_timeout=20.0, max_payload=1_000_000,
        and the other bounds of the Rust builder that are numbers: those of `options.BOUNDS`,
        cors: None (own origin, X-Forwarded-Proto and -Host respected) | '*' | list[str] | 'ask' (every origin passes the engine, the
        delegate's `handshake` decides) | 'off' (no check, no headers), cors_credentials=True,
        cookie: None | list[tuple[str, Any]] (the first is the name, whose value is the sid),
        ask_handshake=False, always_connect=False, max_event_threads=1000 (the most worker threads), event_idle=10.0 (seconds without work until a surplus one ends),
        ordered=False (events of one client one after another).
        An option of another name is a TypeError."""
    def namespace(self, name: str, connect: bool, disconnect: bool, events: Sequence[str] = ()) -> None:
        """Clients may join `name`; `connect` and `disconnect`: whether the delegate wants those calls for it.
        Called again, it changes them. `events`: those that have a handler of their name, which are counted each."""
    def any_namespace(self, allowed: bool) -> None:
        """Whether clients may join namespaces of any name; the delegate is then asked about each."""
    def emit(
        self,
        namespace: str,
        event: str,
        args: str,
        attachments: Sequence[bytes] = (),
        to: Optional[Sequence[str]] = None,
        skip: Optional[Sequence[str]] = None,
    ) -> None:
        """To everyone, or to rooms, each socket once; not to those in `skip`. Reserved names are a ValueError."""
    def emit_plain(self, namespace: str, event: Any, args: Sequence[Any], to: Any, skip: Any) -> bool:
        """The same of what `encode` knows, to rooms that are text, and tells; where it does not know them, nothing has happened."""
    def emit_with_ack(
        self,
        namespace: str,
        event: str,
        args: str,
        attachments: Sequence[bytes],
        to: Optional[Sequence[str]],
        skip: Optional[Sequence[str]],
        callback: Callable[[str, str, Optional[list[bytes]]], None],
    ) -> int:
        """The same, and each client's answer calls `callback(sid, args, attachments)` on a worker thread. How many it reached."""
    def socket(self, namespace: str, sid: str) -> Optional[Socket]: ...  # while it connects, too
    def sockets(self, namespace: str, room: Optional[str] = None) -> list[Socket]: ...
    def room_sizes(self, namespace: str) -> dict[str, int]: ...
    def namespaces(self) -> list[str]: ...
    def sessions(self) -> list[Session]: ...
    def metrics(self) -> str: ...  # OpenMetrics text
    def listen(
        self,
        host: str,
        port: int,
        wsgi: Optional[Callable[..., Any]],
        *,
        threads: int = 100,
        tls: Optional[Union[tuple[bytes, bytes], Callable[[int, int], None]]] = None,
        multiprocess: bool = False,
        fd: Optional[int] = None,
        also: Sequence[Engine] = (),
        patience: float = 60.0,
    ) -> Listener:
        """Binds (`OSError` says why not) and serves: the engine, and the WSGI application for all else. `tls`: PEM of the certificates and of the key, or
        who is handed each connection and a socket to the engine, as descriptors that become its own.
        `fd`: a listening socket that is there already. `also`: engines of other paths behind the same address, where there is `wsgi`. `patience`: seconds that a
        client may hold a thread of `wsgi` and neither send anything of its body nor take anything of its answer."""
    def test_client(self, target: str, headers: Sequence[tuple[str, str]], data: Any) -> TestClient: ...
    def submit(self, function: Callable[[], None]) -> None:
        """Runs a function on a worker thread of the events."""
    def load(self) -> tuple[int, int]: ...  # worker threads of the events, and jobs that wait for them
    def shutdown(self, patience: float) -> bool:
        """Ends all sessions, and the worker threads, each after its job. Waits for these for so many seconds; whether they have ended.
        To be called until they have, or with 0, after which they are waited for nowhere else."""
