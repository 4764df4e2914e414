"""The data service: from the history to what one selection asks for. pandas, and nothing of Flask or Plotly.

Filter the sources, aggregate over time so that a figure has few points, combine the sources when they are wanted
together. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import pandas as pd

from .catalogue import METRICS, Kpi, Panel
from .history import History
from .sampler import Process
from .selection import Selection

POINTS = 300
"""The most points that a line has, whatever the window."""

MOST_PROCESSES = 8


@dataclass(frozen=True)
class KpiValue:
    """The number on a card, what it is compared with, and its line."""

    value: float | None
    average: float | None
    line: list[float | None]
    note: str


class DataService:
    """Answers for selections. Keeps nothing but the history that it was given."""

    def __init__(self, history: History) -> None:
        self.history = history

    def span(self, selection: Selection) -> tuple[int, int]:
        """The first and the last second of the window that ends with the newest row."""
        newest = self.history.newest() or 0
        return newest - selection.window_s + 1, newest

    def lines(self, panel: Panel, selection: Selection) -> pd.DataFrame:
        """The lines of a panel, a column each, at the times of :func:`downsampled`."""
        first, last = self.span(selection)
        if len(panel.metrics) == 1:
            (metric,) = panel.metrics
            rows = self._rows(metric, selection, first)
            if metric in selection.dashboard.filtered and selection.split == "together":
                rows = combined(rows, metric).to_frame("together")
        else:
            rows = pd.DataFrame({METRICS[m].label: combined(self._rows(m, selection, first), m) for m in panel.metrics})
        return downsampled(rows, first, last, selection.statistic)

    def kpi(self, kpi: Kpi, selection: Selection) -> KpiValue:
        """The newest value of a card, the average of its window, and a line of at most 40 points."""
        first, last = self.span(selection)
        rows = self._rows(kpi.metric, selection, first) if kpi.source is None else self.history.frame(kpi.metric, first)
        chosen = rows.columns if kpi.source is None else rows.columns.intersection([kpi.source])
        total = combined(rows[chosen], kpi.metric)
        known = total.dropna()
        line = downsampled(total.to_frame(), first, last, "mean", points=40).iloc[:, 0]
        return KpiValue(
            value=float(known.iloc[-1]) if len(known) else None,
            average=float(known.mean()) if len(known) else None,
            line=[None if pd.isna(value) else round(float(value), 4) for value in line],
            note=self._note(kpi, selection, len(chosen)),
        )

    def sources(self, selection: Selection) -> list[str]:
        """What the filter of sources offers."""
        return self.history.sources(selection.dashboard.filtered[0]) if selection.dashboard.filtered else []

    def _rows(self, metric: str, selection: Selection, since: int) -> pd.DataFrame:
        rows = self.history.frame(metric, since)
        if selection.sources is None or metric not in selection.dashboard.filtered:
            return rows
        return rows[[source for source in rows.columns if source in selection.sources]]

    def _note(self, kpi: Kpi, selection: Selection, chosen: int) -> str:
        if kpi.source is not None or kpi.metric not in selection.dashboard.filtered:
            return ""
        known = len(self.history.sources(kpi.metric))
        return f"{chosen} of {known} {selection.dashboard.sources.lower()}"


def combined(rows: pd.DataFrame, metric: str) -> pd.Series[float]:
    """The sources of a metric as one series; unknown where all of them are."""
    if METRICS[metric].combine == "mean":
        return rows.mean(axis=1)
    return rows.sum(axis=1, min_count=1)


def step(window_s: int, points: int = POINTS) -> int:
    """The seconds that one point stands for, so that a window has no more than that many points."""
    return -(-window_s // points)


def downsampled(rows: pd.DataFrame, first: int, last: int, statistic: str, points: int = POINTS) -> pd.DataFrame:
    """Aggregates rows over equal steps of time; a step without values is a gap.

    Steps begin at multiples of their length, so that a point keeps its rows while the window moves on.
    """
    length = step(last - first + 1, points)
    groups = rows.groupby(rows.index // length * length)
    few = groups.quantile(0.95) if statistic == "p95" else groups.agg(statistic)
    return few.reindex(range(first // length * length, last + 1, length))


def busiest(found: Iterable[Process], by: Literal["cpu", "memory"], name: str = "") -> list[dict[str, Any]]:
    """The programs that use most, their processes taken together, of those whose name has that part."""
    table = pd.DataFrame([asdict(process) for process in found], columns=["name", "cpu", "memory"])
    table = table[table["name"].str.lower().str.contains(name, regex=False)]
    programs = table.groupby("name").agg(count=("cpu", "size"), cpu=("cpu", "sum"), memory=("memory", "sum"))
    programs = programs.sort_values([by, "memory"], ascending=False).head(MOST_PROCESSES).reset_index()
    return cast("list[dict[str, Any]]", programs.to_dict(orient="records"))
