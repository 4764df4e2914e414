"""Measures this host by psutil and `/proc`. Counters become rates against the sample before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .history import Series


@dataclass(frozen=True)
class Process:
    """A process as it was measured last."""

    name: str
    cpu: float
    memory: int


class Sampler:
    """Takes samples; remembers the counters of the last one."""

    def __init__(self) -> None:
        self._counters: dict[Series, float] = {}
        self._taken = 0.0
        psutil.cpu_percent(percpu=True)
        psutil.cpu_times_percent()
        self.rates(_counters(), time.monotonic())

    def sample(self) -> dict[Series, float]:
        """The values of now."""
        return dict(_gauges()) | self.rates(_counters(), time.monotonic())

    def rates(self, counters: Iterator[tuple[Series, float]], now: float) -> dict[Series, float]:
        """How fast counters rise. A counter that is new or went back (a device was plugged in anew) has no rate yet."""
        before, self._counters = self._counters, dict(counters)
        passed, self._taken = now - self._taken, now
        risen = {series: value - before[series] for series, value in self._counters.items() if series in before}
        return {series: rise / passed for series, rise in risen.items() if rise >= 0 and passed > 0}


def processes() -> list[Process]:
    """All processes. The share of the processor is since the call before; the first time it is zero."""
    found = []
    for process in psutil.process_iter(["name", "cpu_percent", "memory_info"]):
        values = process.info
        if values["memory_info"] and values["memory_info"].rss:
            found.append(Process(values["name"] or "?", values["cpu_percent"] or 0.0, values["memory_info"].rss))
    return found


def _gauges() -> Iterator[tuple[Series, float]]:
    share = psutil.cpu_times_percent()
    yield ("cpu.time", "user"), share.user + share.nice
    yield ("cpu.time", "system"), share.system + share.irq + share.softirq
    yield ("cpu.time", "disk wait"), share.iowait
    yield ("cpu.time", "stolen"), share.steal
    for number, percent in enumerate(psutil.cpu_percent(percpu=True)):
        yield ("cpu.core", f"core {number}"), percent
    for minutes, load in zip((1, 5, 15), psutil.getloadavg(), strict=True):
        yield ("cpu.load", f"{minutes} min"), load
    memory = psutil.virtual_memory()
    yield ("memory.use", "used"), memory.total - memory.available
    yield ("memory.use", "cache"), max(0, memory.available - memory.free)
    yield ("memory.use", "free"), memory.free
    yield ("memory.swap", "used"), psutil.swap_memory().used


def _counters() -> Iterator[tuple[Series, float]]:
    stats = psutil.cpu_stats()
    yield ("cpu.events", "context switches"), stats.ctx_switches
    yield ("cpu.events", "interrupts"), stats.interrupts
    yield from _page_faults()
    for name, link in psutil.net_io_counters(pernic=True).items():
        if link.bytes_recv or link.bytes_sent:
            yield ("network.received", name), link.bytes_recv
            yield ("network.sent", name), link.bytes_sent
            yield ("network.packets_received", name), link.packets_recv
            yield ("network.packets_sent", name), link.packets_sent
    for name, disk in (psutil.disk_io_counters(perdisk=True) or {}).items():
        if not name.startswith(("loop", "ram")) and (disk.read_bytes or disk.write_bytes):
            yield ("disk.read", name), disk.read_bytes
            yield ("disk.written", name), disk.write_bytes
            yield ("disk.reads", name), disk.read_count
            yield ("disk.writes", name), disk.write_count


def _page_faults() -> Iterator[tuple[Series, float]]:
    statistics = Path("/proc/vmstat")
    if not statistics.exists():
        return
    counters = dict(line.split() for line in statistics.read_text().splitlines())
    yield ("memory.faults", "all"), float(counters.get("pgfault", 0))
    yield ("memory.faults", "from disk"), float(counters.get("pgmajfault", 0))
