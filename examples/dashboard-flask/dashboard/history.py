"""The last hour of every series, one value a second, in memory.

A ring of columns: not a database and not thread-safe beyond its own lock. `sampler` feeds it, `service` reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

Series = tuple[str, str]
"""The metric and the source that a value is of: `("network.sent", "eth0")`."""


class History:
    """The newest `capacity` rows; a row is a second and the values of some series.

    Columns are twice as long as what they keep, so that the newest rows are always one slice: when the end is reached,
    the newer half moves to the front.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._times: npt.NDArray[np.int64] = np.zeros(2 * capacity, np.int64)
        self._columns: dict[Series, npt.NDArray[np.float64]] = {}
        self._end = 0

    def append(self, second: int, values: Mapping[Series, float]) -> None:
        """Adds a row. A second that is not newer than the last one is left out."""
        with self._lock:
            if self._end and second <= self._times[self._end - 1]:
                return
            if self._end == 2 * self.capacity:
                self._move_to_front()
            self._times[self._end] = second
            for series in values:
                if series not in self._columns:
                    self._columns[series] = np.full(2 * self.capacity, np.nan)
            for series, column in self._columns.items():
                column[self._end] = values.get(series, np.nan)
            self._end += 1

    def newest(self) -> int | None:
        """The second of the newest row."""
        with self._lock:
            return int(self._times[self._end - 1]) if self._end else None

    def sources(self, metric: str) -> list[str]:
        """What a metric is measured of, in the order of appearance."""
        with self._lock:
            return [source for name, source in self._columns if name == metric]

    def frame(self, metric: str, since: int) -> pd.DataFrame:
        """A metric from a second on: a row a second, a column a source."""
        with self._lock:
            start = max(0, self._end - self.capacity)
            first = start + int(np.searchsorted(self._times[start : self._end], since))
            rows = slice(first, self._end)
            columns = {source: column[rows].copy() for (name, source), column in self._columns.items() if name == metric}
            return pd.DataFrame(columns, index=self._times[rows].copy())

    def _move_to_front(self) -> None:
        kept = self.capacity
        for column in (self._times, *self._columns.values()):
            column[:kept] = column[kept:]
        for column in self._columns.values():
            column[kept:] = np.nan
        self._end = kept
