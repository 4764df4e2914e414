"""Lets everything be late now and then: `cd python/tests && python -m pytest -p shaken`.

Each thread starts after a pause, and the steps of both servers have pauses around them, so that a test that relies on an order
which nobody promises fails here, and not once a month on a busy machine. ERLEN_TEST_SHAKE is the longest pause in seconds.
"""
from __future__ import annotations

import functools
import os
import random
import sys
import threading
import time

LONGEST = float(os.environ.get("ERLEN_TEST_SHAKE", "0.03"))

STEPS = {
    "Server": ("_handle_connect", "_handle_event_internal", "_handle_ack", "_handle_disconnect", "_handle_eio_disconnect",
               "_trigger_event", "_send_packet"),
    "Manager": ("enter_room", "leave_room", "trigger_callback", "pre_disconnect", "disconnect"),
    "Dispatcher": ("handshake", "connect", "event", "disconnect", "invoke", "run"),
}


def pytest_configure():
    sys.setswitchinterval(1e-5)
    threading.Thread.run = shaken(threading.Thread.run)
    for owner in owners():
        for name in STEPS[owner.__name__]:
            setattr(owner, name, shaken(getattr(owner, name)))


def owners():
    import socketio

    yield from (socketio.Server, socketio.Manager)
    try:
        from erlen.dispatch import Dispatcher
    except ImportError:
        return
    yield Dispatcher


def shaken(step):
    @functools.wraps(step)
    def late(*args, **options):
        pause()
        try:
            return step(*args, **options)
        finally:
            pause()

    return late


def pause():
    """None, mostly; else a short one, or one that lets all others go first."""
    chance = random.random()
    if chance > 0.4:
        time.sleep(random.random() * (LONGEST if chance > 0.8 else LONGEST / 10))
