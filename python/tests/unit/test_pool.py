"""The threads of handlers: as many as block, and few again when that is over."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

erlen = pytest.importorskip("erlen")

DEADLINE = 10
KEPT = 2
"""Threads that wait for work for as long as the engine lives."""


@pytest.fixture
def pool():
    engine = erlen._erlen.Engine(object(), event_idle=0.2)
    yield engine
    engine.shutdown(10.0)


def threads(pool):
    return pool.load()[0]


def do(pool):
    """Has a job done."""
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(DEADLINE)


def occupy(pool, number):
    """As many jobs that block; what lets them go."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def block():
        begun.release()
        go.wait(DEADLINE)

    for _ in range(number):
        pool.submit(block)
    for _ in range(number):
        assert begun.acquire(timeout=DEADLINE)
    return go


def test_jobs_that_block_get_a_thread_each(pool):
    go = occupy(pool, 20)
    assert threads(pool) >= 20
    do(pool)
    go.set()


@pytest.mark.parametrize("meanwhile", [lambda pool: None, do], ids=["nothing to do", "a light load"])
def test_surplus_threads_end(pool, meanwhile):
    occupy(pool, 20).set()
    deadline = time.monotonic() + DEADLINE
    while threads(pool) > KEPT:
        assert time.monotonic() < deadline, f"{threads(pool)} threads are still there"
        meanwhile(pool)
        time.sleep(0.001)
    do(pool)


def test_no_more_threads_than_the_limit():
    engine = erlen._erlen.Engine(object(), max_event_threads=3)
    go = occupy(engine, 3)
    late = threading.Event()
    engine.submit(late.set)
    assert threads(engine) == 3 and not late.is_set()
    go.set()
    assert late.wait(DEADLINE)
    engine.shutdown(10.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_the_child_of_a_fork_collects_engines_that_are_not_its_own():
    """Neither is their end waited for there, nor do they end the child."""
    program = """
import gc, os, signal, sys, flask, erlen

def use():
    app = flask.Flask("dropped")
    app.secret_key = "secret"
    socketio = erlen.SocketIO(app)
    socketio.on("e")(lambda: "handled")
    assert socketio.test_client(app).emit("e", callback=True) == "handled"

gc.disable()
for _ in range(3):
    use()
child = os.fork()
if not child:
    signal.alarm(20)
    gc.collect()
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=3 * DEADLINE, check=False)
    assert ended.returncode == 7
