"""Logs as one JSON object a line."""

from __future__ import annotations

import json
import logging

from dashboard.logs import JsonFormatter


def written(**record: object) -> dict[str, object]:
    made = logging.makeLogRecord({"name": "dashboard", "levelname": "INFO", "levelno": 20, **record})
    text = JsonFormatter().format(made)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_line_has_the_message_and_what_came_with_it() -> None:
    line = written(msg="took %s", args=(5,), room="dashboard:memory", other={1})
    assert line["message"] == "took 5"
    assert (line["level"], line["logger"], line["room"]) == ("info", "dashboard", "dashboard:memory")
    assert str(line["time"]).endswith("+00:00")


def test_an_exception_is_part_of_its_line() -> None:
    try:
        raise ValueError("broken\nin two lines")
    except ValueError as error:
        line = written(msg="failed", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: broken\nin two lines" in str(line["traceback"])
