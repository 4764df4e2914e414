"""The `flask.session` that event handlers see.

Managed (the default): one live object for a connection, a copy of the session that the handshake's cookie brought. It is shared
by all namespaces of the connection and may hold what no cookie could. Not managed: the application's own session interface
opens it anew for every event and saves it after a handler that succeeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask.sessions import SessionMixin

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["SAVED", "ManagedSession", "managed_session", "save"]

SAVED = "saved_session"
"""The key of a connection's environ under which its managed session is, as tests of applications know it."""


class ManagedSession(dict[str, Any], SessionMixin):
    """A session that lives as long as its connection."""


def managed_session(environ: dict[str, Any], opened: Any) -> ManagedSession:
    """The managed session of a connection: a copy of the one that Flask has opened, where there is none yet."""
    saved: ManagedSession = environ.setdefault(SAVED, ManagedSession(opened))
    return saved


def save(app: Flask, session: Any) -> None:
    """Saves a session by the application's interface, if it has changed. A cookie would go nowhere: there is no answer."""
    if getattr(session, "modified", True):
        app.session_interface.save_session(app, session, app.response_class())
