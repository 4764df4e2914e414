"""Which dashboards there are and what is on them. Data only: a new panel is a new line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """Something that is measured of one or more sources."""

    label: str
    unit: Literal["%", "B", "B/s", "/s", ""]
    combine: Literal["mean", "sum"] = "sum"
    """How the sources become one number."""


@dataclass(frozen=True)
class Panel:
    """A figure. With several metrics it shows one line for each; with one, a line for each of its sources."""

    id: str
    title: str
    metrics: tuple[str, ...]
    is_stacked: bool = False


@dataclass(frozen=True)
class Kpi:
    """A card with one number: a metric of the chosen sources, or of one named source."""

    id: str
    title: str
    metric: str
    source: str | None = None


@dataclass(frozen=True)
class Dashboard:
    """A page, and the room of those who look at it."""

    id: str
    title: str
    kpis: tuple[Kpi, ...]
    panels: tuple[Panel, ...]
    filtered: tuple[str, ...] = ()
    """The metrics that the filter of sources applies to; the first one says what the sources are."""
    sources: str = ""
    """What a source is called on this page, in the plural."""
    processes_by: Literal["cpu", "memory"] | None = None

    @property
    def room(self) -> str:
        """The room of everyone who looks at this dashboard."""
        return f"dashboard:{self.id}"


METRICS = {
    "cpu.time": Metric("Processor", "%"),
    "cpu.core": Metric("Cores", "%", "mean"),
    "cpu.load": Metric("Load", "", "mean"),
    "cpu.events": Metric("Events", "/s"),
    "memory.use": Metric("Memory", "B"),
    "memory.swap": Metric("Swap", "B"),
    "memory.faults": Metric("Page faults", "/s"),
    "network.received": Metric("Received", "B/s"),
    "network.sent": Metric("Sent", "B/s"),
    "network.packets_received": Metric("Packets received", "/s"),
    "network.packets_sent": Metric("Packets sent", "/s"),
    "disk.read": Metric("Read", "B/s"),
    "disk.written": Metric("Written", "B/s"),
    "disk.reads": Metric("Reads", "/s"),
    "disk.writes": Metric("Writes", "/s"),
}

_OVERVIEW = Dashboard(
    "overview",
    "Overview",
    kpis=(
        Kpi("cpu", "Processor", "cpu.core"),
        Kpi("load", "Load, 1 min", "cpu.load", "1 min"),
        Kpi("memory", "Memory used", "memory.use", "used"),
        Kpi("received", "Received", "network.received"),
        Kpi("sent", "Sent", "network.sent"),
        Kpi("written", "Written to disks", "disk.written"),
    ),
    panels=(
        Panel("cpu", "Processor", ("cpu.time",), is_stacked=True),
        Panel("memory", "Memory", ("memory.use",), is_stacked=True),
        Panel("network", "Network", ("network.received", "network.sent")),
        Panel("disks", "Disks", ("disk.read", "disk.written")),
    ),
    processes_by="cpu",
)

_PROCESSOR = Dashboard(
    "processor",
    "Processor",
    kpis=(
        Kpi("cpu", "Processor", "cpu.core"),
        Kpi("user", "User", "cpu.time", "user"),
        Kpi("system", "System", "cpu.time", "system"),
        Kpi("load", "Load, 1 min", "cpu.load", "1 min"),
        Kpi("switches", "Context switches", "cpu.events", "context switches"),
        Kpi("interrupts", "Interrupts", "cpu.events", "interrupts"),
    ),
    panels=(
        Panel("cores", "Cores", ("cpu.core",)),
        Panel("time", "Where the time goes", ("cpu.time",), is_stacked=True),
        Panel("load", "Load", ("cpu.load",)),
        Panel("events", "Context switches and interrupts", ("cpu.events",)),
    ),
    filtered=("cpu.core",),
    sources="Cores",
    processes_by="cpu",
)

_MEMORY = Dashboard(
    "memory",
    "Memory",
    kpis=(
        Kpi("chosen", "Memory", "memory.use"),
        Kpi("used", "Used", "memory.use", "used"),
        Kpi("cache", "Cache", "memory.use", "cache"),
        Kpi("free", "Free", "memory.use", "free"),
        Kpi("swap", "Swap used", "memory.swap"),
        Kpi("faults", "Page faults", "memory.faults", "all"),
    ),
    panels=(
        Panel("memory", "Memory", ("memory.use",), is_stacked=True),
        Panel("faults", "Page faults", ("memory.faults",)),
    ),
    filtered=("memory.use",),
    sources="Kinds",
    processes_by="memory",
)

_NETWORK = Dashboard(
    "network",
    "Network",
    kpis=(
        Kpi("received", "Received", "network.received"),
        Kpi("sent", "Sent", "network.sent"),
        Kpi("packets_received", "Packets received", "network.packets_received"),
        Kpi("packets_sent", "Packets sent", "network.packets_sent"),
    ),
    panels=(
        Panel("received", "Received", ("network.received",)),
        Panel("sent", "Sent", ("network.sent",)),
        Panel("packets_received", "Packets received", ("network.packets_received",)),
        Panel("packets_sent", "Packets sent", ("network.packets_sent",)),
    ),
    filtered=("network.received", "network.sent", "network.packets_received", "network.packets_sent"),
    sources="Interfaces",
)

_DISKS = Dashboard(
    "disks",
    "Disks",
    kpis=(
        Kpi("read", "Read", "disk.read"),
        Kpi("written", "Written", "disk.written"),
        Kpi("reads", "Reads", "disk.reads"),
        Kpi("writes", "Writes", "disk.writes"),
    ),
    panels=(
        Panel("read", "Read", ("disk.read",)),
        Panel("written", "Written", ("disk.written",)),
        Panel("reads", "Reads", ("disk.reads",)),
        Panel("writes", "Writes", ("disk.writes",)),
    ),
    filtered=("disk.read", "disk.written", "disk.reads", "disk.writes"),
    sources="Devices",
)

DASHBOARDS = {board.id: board for board in (_OVERVIEW, _PROCESSOR, _MEMORY, _NETWORK, _DISKS)}
