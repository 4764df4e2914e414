"""The events by the engine's own test client, without a browser. `ENGINE` in the environment says on which engine."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

os.environ["DASHBOARD_ENGINE"] = os.environ.get("ENGINE", "flask-socketio")

from dashboard import create_app, socketio, updates  # noqa: E402
from dashboard.state import State  # noqa: E402


@pytest.fixture
def app() -> Any:
    app = create_app({"COLLECT": False})
    history = app.extensions["dashboard"].service.history
    for second in range(1000, 1100):
        history.append(second, {("cpu.core", "core 0"): 10.0, ("cpu.core", "core 1"): 30.0})
    return app


def ask(client: Any, event: str, data: Any = None) -> dict[str, Any]:
    answer: dict[str, Any] = client.emit(event, data, callback=True)
    return answer


def received(client: Any, event: str) -> list[dict[str, Any]]:
    return [packet["args"][0] for packet in client.get_received() if packet["name"] == event]


def kpi(update: dict[str, Any], name: str) -> dict[str, Any]:
    return next(kpi for kpi in update["kpis"] if kpi["id"] == name)


def test_joining_answers_with_the_room_the_choice_and_the_first_update(app: Any) -> None:
    client = socketio.test_client(app)
    answer = ask(client, "join_dashboard", {"dashboard": "processor"})
    assert answer["ok"] is True
    assert answer["room"] == answer["update"]["room"]
    assert answer["selection"]["settings"] == {"window_s": 300, "refresh_s": 1}
    assert kpi(answer["update"], "cpu")["value"] == 20
    assert [trace["name"] for trace in answer["update"]["panels"]["cores"]["data"]] == ["core 0", "core 1"]
    json.dumps(answer, allow_nan=False)


def test_a_filter_changes_figure_and_number(app: Any) -> None:
    client = socketio.test_client(app)
    ask(client, "join_dashboard", {"dashboard": "processor"})
    update = ask(client, "apply_filters", {"sources": ["core 1"]})["update"]
    assert (kpi(update, "cpu")["value"], kpi(update, "cpu")["note"]) == (30, "1 of 2 cores")
    assert [trace["meta"]["slot"] for trace in update["panels"]["cores"]["data"]] == [1]


def test_a_wrong_choice_is_answered_by_a_sentence_and_changes_nothing(app: Any) -> None:
    client = socketio.test_client(app)
    assert ask(client, "apply_filters", {}) == {"ok": False, "message": "Join a dashboard first."}
    assert ask(client, "join_dashboard", {"dashboard": "x"}) == {"ok": False, "message": "There is no such dashboard."}
    room = ask(client, "join_dashboard", {"dashboard": "memory"})["room"]
    assert ask(client, "update_settings", {"window_s": 7})["ok"] is False
    assert ask(client, "refresh_data")["room"] == room


def test_an_update_reaches_those_who_chose_it_and_nobody_else(app: Any) -> None:
    state: State = app.extensions["dashboard"]
    one, same, other, slow = (socketio.test_client(app) for _ in range(4))
    for client, board in ((one, "processor"), (same, "processor"), (other, "memory"), (slow, "processor")):
        ask(client, "join_dashboard", {"dashboard": board})
    ask(slow, "update_settings", {"refresh_s": 2})
    for client in (one, same, other, slow):
        client.get_received()
    updates.publish(state, 1001)
    rooms = [[update["room"] for update in received(client, "update_dashboard")] for client in (one, same, other, slow)]
    assert rooms[0] == rooms[1] and len(rooms[0]) == 1
    assert len(rooms[2]) == 1 and rooms[2] != rooms[0]
    assert rooms[3] == []
    updates.publish(state, 1002)
    assert len(received(slow, "update_dashboard")) == 1


def test_paused_is_silent_and_refresh_data_answers_it_alone(app: Any) -> None:
    one, other = socketio.test_client(app), socketio.test_client(app)
    for client in (one, other):
        ask(client, "join_dashboard", {"dashboard": "processor", "settings": {"refresh_s": 0}})
        client.get_received()
    updates.publish(app.extensions["dashboard"], 1000)
    assert received(one, "update_dashboard") == []
    assert ask(one, "refresh_data")["ok"] is True
    assert len(received(one, "update_dashboard")) == 1
    assert received(other, "update_dashboard") == []


def test_presence_counts_those_who_look_at_the_same_dashboard(app: Any) -> None:
    one, other = socketio.test_client(app), socketio.test_client(app)
    ask(one, "join_dashboard", {"dashboard": "disks"})
    ask(other, "join_dashboard", {"dashboard": "disks", "settings": {"window_s": 60}})
    assert [told["viewers"] for told in received(one, "presence")] == [1, 2]
    ask(other, "join_dashboard", {"dashboard": "memory"})
    assert received(one, "presence") == [{"dashboard": "disks", "viewers": 1}]
    ask(other, "join_dashboard", {"dashboard": "disks"})
    other.disconnect()
    assert [told["viewers"] for told in received(one, "presence")] == [2, 1]


def test_what_somebody_looked_at_is_forgotten_when_he_goes(app: Any) -> None:
    client = socketio.test_client(app)
    ask(client, "join_dashboard", {"dashboard": "disks"})
    audience = app.extensions["dashboard"].audience
    assert len(audience.watched()) == 1
    client.disconnect()
    assert audience.watched() == []


def test_a_panel_that_fails_says_so_and_leaves_the_others(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = socketio.test_client(app)
    draw = updates.figure

    def failing(panel: Any, *rest: Any) -> Any:
        if panel.id == "load":
            raise RuntimeError("this panel is broken")
        return draw(panel, *rest)

    monkeypatch.setattr(updates, "figure", failing)
    panels = ask(client, "join_dashboard", {"dashboard": "processor"})["update"]["panels"]
    assert "error" in panels["load"]
    assert "data" in panels["cores"]


def test_the_page_names_every_panel_and_card(app: Any) -> None:
    web = app.test_client()
    assert web.get("/").location == "/dashboards/overview"
    page = web.get("/dashboards/network").text
    for name in ("received", "sent", "packets_received", "packets_sent"):
        assert f'data-panel="{name}"' in page and f'data-kpi="{name}"' in page
    assert web.get("/dashboards/nowhere").status_code == 404
    assert web.get("/libraries/other.js").status_code == 404
    library = web.get("/libraries/plotly.min.js")
    assert library.status_code == 200 and "javascript" in library.content_type
    assert "script-src" not in library.headers["Content-Security-Policy"]
