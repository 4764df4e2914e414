"""python-socketio's client, as the tests use it. Not `wire`, whose clients know nothing of events."""
from __future__ import annotations

import engineio
import socketio

from engines import DEADLINE


class Client(socketio.Client):
    """Takes one message after the other, and does not come back by itself.

    As it is delivered it starts a thread for each, so that an attachment may overtake its event, and one event another.
    """

    def __init__(self, **options):
        super().__init__(reconnection=False, **options)

    def _engineio_client_class(self):
        return InOrder

    def connect(self, url, **options):
        super().connect(url, wait_timeout=DEADLINE, **options)

    def call(self, event, data=None, **options):
        return super().call(event, data, timeout=DEADLINE, **options)


class InOrder(engineio.Client):
    def _trigger_event(self, *args, run_async=False, **options):
        return super()._trigger_event(*args, run_async=False, **options)
