"""What an application keeps while it runs, found as `State.current()` by pages and events."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask, current_app

from .audience import Audience
from .history import History
from .sampler import Process
from .service import DataService


@dataclass
class State:
    """The data of one application and its audience."""

    service: DataService
    audience: Audience = field(default_factory=Audience)
    processes: list[Process] = field(default_factory=list)
    """Those of the last look; replaced as a whole."""

    @classmethod
    def of(cls, app: Flask) -> State:
        """A new one, put into the application's extensions."""
        state = cls(DataService(History(app.config["HISTORY_SECONDS"])))
        app.extensions["dashboard"] = state
        return state

    @classmethod
    def current(cls) -> State:
        """That of the application at hand."""
        state: State = current_app.extensions["dashboard"]
        return state
