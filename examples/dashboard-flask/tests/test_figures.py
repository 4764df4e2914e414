"""Figures as the browser gets them."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest

from dashboard.catalogue import Panel
from dashboard.figures import figure, ticks

LINES = Panel("received", "Received", ("network.received",))
STACK = Panel("memory", "Memory", ("memory.use",), is_stacked=True)


def values(trace: dict) -> list[float]:
    y = trace["y"]
    return np.frombuffer(base64.b64decode(y["bdata"]), dtype=y["dtype"]).tolist()


def test_a_trace_has_the_values_its_slot_and_the_newest_known_value() -> None:
    lines = pd.DataFrame({"eth0": [1.0, 2.0, np.nan]}, index=[600, 612, 624])
    made = figure(LINES, lines, {"lo": 0, "eth0": 1}, (600, 635))
    (trace,) = made["data"]
    assert values(trace)[:2] == [1.0, 2.0] and np.isnan(values(trace)[2])
    assert trace["dx"] == 12_000
    assert trace["meta"] == {"slot": 1, "latest": 2.0}
    assert made["layout"]["yaxis"]["range"] == [0, pytest.approx(4, rel=0.05)]
    assert made["layout"]["xaxis"]["range"][1] - made["layout"]["xaxis"]["range"][0] == 35_000


def test_a_stack_begins_with_its_first_value_and_its_axis_holds_the_sum() -> None:
    lines = pd.DataFrame({"used": [np.nan, 3.0, 4.0], "free": [np.nan, 2.0, 1.9]}, index=[0, 1, 2])
    made = figure(STACK, lines, {"used": 0, "free": 1}, (0, 2))
    assert values(made["data"][0]) == [3.0, 4.0]
    assert made["data"][0]["x0"] - made["layout"]["xaxis"]["range"][0] == 1000
    assert made["layout"]["yaxis"]["range"] == [0, pytest.approx(6, rel=0.05)]


@pytest.mark.parametrize("panel", [LINES, STACK])
@pytest.mark.parametrize("lines", [pd.DataFrame(index=range(3)), pd.DataFrame({"a": [np.nan] * 3})])
def test_a_figure_without_values_is_valid_json_all_the_same(panel: Panel, lines: pd.DataFrame) -> None:
    made = figure(panel, lines, {"a": 0}, (0, 2))
    json.dumps(made, allow_nan=False)
    assert [trace["meta"]["latest"] for trace in made["data"]] == [None] * lines.shape[1]


@pytest.mark.parametrize(
    ("highest", "unit", "end", "step"),
    [
        (0, "%", 10, 2.5),
        (99, "%", 100, 25),
        (100, "%", 100, 25),
        (0.3, "", 1, 0.25),
        (5.8, "", 6, 2),
        (0, "B/s", 4, 1),
        (1.2e9, "B", 2e9, 5e8),
        (8.5e3, "/s", 1e4, 2.5e3),
    ],
)
def test_an_axis_ends_at_a_round_number_with_a_few_ticks_to_it(highest: float, unit: str, end: float, step: float) -> None:
    assert ticks(highest, unit) == (pytest.approx(end), pytest.approx(step))
