"""What the README shows is what runs."""
from __future__ import annotations

import pathlib
import re
import sys

import pytest

from python_client import Client
from starting import started

README = pathlib.Path(__file__).parents[2] / "README.md"


@pytest.mark.only("erlen")
def test_the_hello_world_in_python_has_twelve_lines_and_says_what_it_is_told(engine, tmp_path, seen):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 12
    (tmp_path / "hello.py").write_text(code.replace("port=5000", "port=0"))
    with started(sys.executable, "hello.py", folder=tmp_path) as program:
        one, two = Client(), Client()
        for client in (one, two):
            client.on("said", seen.put)
            client.connect(program.url())
        one.emit("say", "hi")
        assert [seen.next(), seen.next()] == ["hi", "hi"]
        for client in (one, two):
            client.disconnect()
