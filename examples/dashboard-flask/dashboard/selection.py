"""What a viewer chose to see: dashboard, filters, time window, refresh rate.

Parsed once from what the browser sent; a `Selection` that exists is a valid one. Equal selections share a room, so
that a figure is made once for all who look at the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .catalogue import DASHBOARDS, Dashboard

WINDOWS = {60: "1 min", 300: "5 min", 900: "15 min", 3600: "1 h"}
"""Time windows in seconds."""

REFRESHES = {1: "1 s", 2: "2 s", 5: "5 s", 10: "10 s", 0: "Paused"}
"""Seconds between two updates; 0 is only when it is asked for."""

STATISTICS = {"mean": "Mean", "max": "Maximum", "min": "Minimum", "p95": "95th percentile"}
"""How the values of one point of a figure become one."""

SPLITS = {"each": "Each", "together": "Together"}
"""Whether sources are drawn one by one or as one."""

LONGEST_TEXT = 64
MOST_SOURCES = 128


class SelectionError(ValueError):
    """What was chosen does not exist; the message is for the viewer."""


@dataclass(frozen=True)
class Selection:
    """A valid choice."""

    dashboard: Dashboard
    sources: frozenset[str] | None = None
    """`None` is all of them, also those that appear later."""
    statistic: str = "mean"
    split: str = "each"
    process: str = ""
    """A part of the names of the processes to list."""
    window_s: int = 300
    refresh_s: int = 1

    @classmethod
    def parse(cls, data: Any) -> Selection:
        """From `{dashboard, filters?, settings?}`."""
        data = _mapping(data, "what is joined")
        board = DASHBOARDS.get(_text(data.get("dashboard", ""), "dashboard"))
        if board is None:
            raise SelectionError("There is no such dashboard.")
        return cls(board).filtered(data.get("filters") or {}).set(data.get("settings") or {})

    def filtered(self, data: Any) -> Selection:
        """With the filters of `{sources?, statistic?, split?, process?}`; what is absent goes back to its default."""
        data = _mapping(data, "filters")
        return replace(
            self,
            sources=_sources(data.get("sources")),
            statistic=_one_of(data.get("statistic", "mean"), STATISTICS, "statistic"),
            split=_one_of(data.get("split", "each"), SPLITS, "split"),
            process=_text(data.get("process", ""), "process").strip().lower(),
        )

    def set(self, data: Any) -> Selection:
        """With the settings of `{window_s?, refresh_s?}`; what is absent stays."""
        data = _mapping(data, "settings")
        return replace(
            self,
            window_s=_one_of(data.get("window_s", self.window_s), WINDOWS, "window_s"),
            refresh_s=_one_of(data.get("refresh_s", self.refresh_s), REFRESHES, "refresh_s"),
        )

    @property
    def room(self) -> str:
        """The room of all who made this very choice."""
        sources = "*" if self.sources is None else ",".join(sorted(self.sources))
        parts = (sources, self.statistic, self.split, self.process, f"{self.window_s}s", f"every {self.refresh_s}s")
        return f"{self.dashboard.room}|" + "|".join(parts)

    def to_json(self) -> dict[str, Any]:
        """As the browser says it."""
        return {
            "dashboard": self.dashboard.id,
            "filters": {
                "sources": None if self.sources is None else sorted(self.sources),
                "statistic": self.statistic,
                "split": self.split,
                "process": self.process,
            },
            "settings": {"window_s": self.window_s, "refresh_s": self.refresh_s},
        }


def _mapping(data: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise SelectionError(f"{name} has to be an object.")
    return data


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise SelectionError(f"{name} has to be a text of at most {LONGEST_TEXT} characters.")
    return value


def _one_of(value: Any, known: Mapping[Any, str], name: str) -> Any:
    # `True` is the integer 1 for Python and no number of seconds for anybody else.
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value not in known:
        raise SelectionError(f"{name} has to be one of {', '.join(map(str, known))}.")
    return value


def _sources(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) > MOST_SOURCES:
        raise SelectionError(f"sources has to be a list of at most {MOST_SOURCES} names.")
    return frozenset(_text(name, "a source") for name in value)
