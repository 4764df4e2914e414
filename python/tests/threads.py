"""The threads of this process as the system knows them: those of the engine are none of Python's until they run some."""
from __future__ import annotations

import contextlib
import pathlib
import sys

import pytest

TASKS = pathlib.Path("/proc/self/task")
counted = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")


def of_erlen():
    """The names of the engine's threads."""
    return [name for name in map(_name, TASKS.iterdir()) if name.startswith("erlen")]


def _name(task):
    # It may end while it is looked at.
    with contextlib.suppress(OSError):
        return (task / "comm").read_text().strip()
    return ""
