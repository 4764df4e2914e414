"""The threads and descriptors of this process as the system knows them: the engine's threads are none of Python's until they run some."""
from __future__ import annotations

import contextlib
import pathlib
import sys

import pytest

TASKS = pathlib.Path("/proc/self/task")
DESCRIPTORS = pathlib.Path("/proc/self/fd")
counted = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")


def of_erlen():
    """The names of the engine's threads."""
    return [name for name in map(_name, TASKS.iterdir()) if name.startswith("erlen")]


def _name(task):
    # It may end while it is looked at.
    with contextlib.suppress(OSError):
        return (task / "comm").read_text().strip()
    return ""


def descriptors():
    """How many there are."""
    return len(list(DESCRIPTORS.iterdir()))
