"""The defaults of the application. Any of them is set by `DASHBOARD_NAME=value` in the environment."""

from __future__ import annotations


class Config:
    """What the application is configured with."""

    HISTORY_SECONDS = 3600
    """How much of the past is kept; the longest time window."""

    COLLECT = True
    """Whether the background task runs. Tests that need no live data turn it off."""

    LOG_LEVEL = "INFO"
