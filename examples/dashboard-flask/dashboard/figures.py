"""Plotly figures from lines, as JSON for `Plotly.react` in the browser.

Shapes and data only. Colours are the browser's, because it knows the theme; a trace carries its number in `meta.slot`,
which stays with a source whatever the filter shows, and its newest value for the legend in `meta.latest`.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from .catalogue import METRICS, Panel

FORMATS = {"%": ".1f", "B": ".3s", "B/s": ".3s", "/s": ".3s", "": ".2f"}
"""How d3 writes a value of a unit."""

LEAST = {"%": 10, "B": 4, "B/s": 4, "/s": 4, "": 1}
"""An axis shows at least that much, so that a host at rest looks like one."""

ENDS = ((1, 0.25), (2, 0.5), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (10, 2.5))
"""Where axes end, in powers of ten, and the step of their ticks."""


def figure(panel: Panel, lines: pd.DataFrame, slots: dict[str, int], span: tuple[int, int]) -> dict[str, Any]:
    """The figure of a panel over `span`, which is the window's first and last second."""
    unit = METRICS[panel.metrics[0]].unit
    hover = f"%{{y:{FORMATS[unit]}}}{unit}"
    drawn = go.Figure(
        data=[_trace(name, lines[name], panel, slots[name], hover) for name in lines.columns],
        layout=_layout(unit, _highest(lines, panel), span),
    )
    answer: dict[str, Any] = json.loads(drawn.to_json(validate=False))
    answer["layout"].pop("template", None)
    return answer


def ticks(highest: float, unit: str) -> tuple[float, float]:
    """The round number at which an axis ends that has to show a value, and the step to it.

    Axes that end at round numbers stand still while the values move.
    """
    value = max(highest, LEAST[unit])
    power = 10.0 ** math.floor(math.log10(value))
    factor, step = next(((end, step) for end, step in ENDS if value <= end * power * 1.000001), ENDS[-1])
    return factor * power, step * power


def _trace(name: str, line: pd.Series[float], panel: Panel, slot: int, hover: str) -> go.Scatter:
    if panel.is_stacked:
        # A stack cannot have gaps: it begins with its first value, and a missed second in it is passed over.
        line = line.loc[line.first_valid_index() :]
    times = line.index
    return go.Scatter(
        name=name,
        mode="lines",
        x0=_shown(int(times[0])) if len(times) else None,
        dx=int(times[1] - times[0]) * 1000 if len(times) > 1 else 1000,
        y=line.to_numpy(dtype="float32"),
        stackgroup="all" if panel.is_stacked else None,
        stackgaps="interpolate" if panel.is_stacked else None,
        hovertemplate=f"{hover}<extra>{name}</extra>",
        meta={"slot": slot, "latest": _latest(line)},
    )


def _latest(line: pd.Series[float]) -> float | None:
    known = line.dropna()
    return round(float(known.iloc[-1]), 3) if len(known) else None


def _layout(unit: str, highest: float, span: tuple[int, int]) -> dict[str, Any]:
    first, last = span
    end, step = ticks(highest, unit)
    return {
        "xaxis": {
            "type": "date",
            "range": [_shown(first), _shown(last)],
            "tickformat": "%H:%M:%S" if last - first < 600 else "%H:%M",
            "hoverformat": "%H:%M:%S",
            "nticks": 5,
        },
        "yaxis": {
            # A line at the very top keeps its whole width.
            "range": [0, end * 1.03],
            "dtick": step,
            "ticksuffix": unit,
            "tickformat": "~s" if unit in ("B", "B/s", "/s") else "~g",
        },
        "hovermode": "x",
        "showlegend": False,
    }


def _highest(lines: pd.DataFrame, panel: Panel) -> float:
    heights = lines.sum(axis=1) if panel.is_stacked else lines.max(axis=1)
    return float(heights.fillna(0).max())


def _shown(second: int) -> int:
    """A time for Plotly, whose dates have no zone: the milliseconds of this host's clock on the wall."""
    return (second + time.localtime(second).tm_gmtoff) * 1000
