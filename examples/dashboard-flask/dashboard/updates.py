"""The background task: measures once a second, and sends each watched selection what it is due.

`build` makes an update; the events use it too, for the first one and for `refresh_data`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from .catalogue import METRICS, Panel
from .engine import socketio
from .figures import figure
from .sampler import Sampler, processes
from .selection import Selection
from .service import busiest
from .state import State

log = logging.getLogger(__name__)


def run(state: State) -> None:
    """Never returns. What goes wrong in one second is logged and does not stop the next."""
    sampler = Sampler()
    while True:
        socketio.sleep(1 - time.time() % 1)
        second = round(time.time())
        try:
            state.service.history.append(second, sampler.sample())
            if second % 2 == 0:
                state.processes = processes()
            publish(state, second)
        except Exception:
            log.exception("a second was lost", extra={"second": second})


def publish(state: State, second: int) -> None:
    """Sends what is due in this second: one update for each selection, whoever and however many look at it."""
    for selection in state.audience.watched():
        if selection.refresh_s and second % selection.refresh_s == 0:
            socketio.emit("update_dashboard", build(state, selection), to=selection.room)


def build(state: State, selection: Selection) -> dict[str, Any]:
    """Everything that a page shows of a selection."""
    started = time.perf_counter()
    update: dict[str, Any] = {
        "room": selection.room,
        "second": state.service.history.newest(),
        "sources": state.service.sources(selection),
        "kpis": [
            {"id": kpi.id, "unit": METRICS[kpi.metric].unit, **asdict(state.service.kpi(kpi, selection))}
            for kpi in selection.dashboard.kpis
        ],
        "panels": {panel.id: _panel(state, panel, selection) for panel in selection.dashboard.panels},
    }
    if selection.dashboard.processes_by:
        update["processes"] = busiest(state.processes, selection.dashboard.processes_by, selection.process)
    update["took_ms"] = round((time.perf_counter() - started) * 1000, 1)
    return update


def _panel(state: State, panel: Panel, selection: Selection) -> dict[str, Any]:
    """A panel's figure, or that it failed: the other panels are shown all the same."""
    try:
        lines = state.service.lines(panel, selection)
        known = state.service.history.sources(panel.metrics[0]) if len(panel.metrics) == 1 else list(lines.columns)
        slots = {name: slot for slot, name in enumerate(known)} | {"together": 0}
        return {"unit": METRICS[panel.metrics[0]].unit, **figure(panel, lines, slots, state.service.span(selection))}
    except Exception:
        log.exception("a panel failed", extra={"panel": panel.id, "room": selection.room})
        return {"error": "This panel could not be drawn; the server's log says why."}
