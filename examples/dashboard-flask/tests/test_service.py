"""The data service: filters, aggregation, downsampling, the numbers on the cards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.catalogue import DASHBOARDS, Kpi, Panel
from dashboard.history import History
from dashboard.sampler import Process
from dashboard.selection import STATISTICS, WINDOWS, Selection
from dashboard.service import POINTS, DataService, busiest, combined, downsampled, step

START = 1_700_000_000
RECEIVED = Panel("received", "Received", ("network.received",))
BOTH = Panel("network", "Network", ("network.received", "network.sent"))
CARD = Kpi("received", "Received", "network.received")


@pytest.fixture
def service() -> DataService:
    """Ten minutes of two interfaces: eth0 rises by one a second, lo is always 5 and sends nothing."""
    history = History(3600)
    for second in range(600):
        received = {("network.received", "eth0"): float(second), ("network.received", "lo"): 5.0}
        sent = {("network.sent", "eth0"): 100.0, ("network.sent", "lo"): 0.0}
        history.append(START + second, received | sent)
    return DataService(history)


def network(window_s: int = 60, dashboard: str = "network", **filters: Any) -> Selection:
    return Selection.parse({"dashboard": dashboard, "filters": filters, "settings": {"window_s": window_s}})


def test_a_line_for_each_source_over_the_window_that_ends_now(service: DataService) -> None:
    lines = service.lines(RECEIVED, network())
    assert list(lines.columns) == ["eth0", "lo"]
    assert list(lines.index) == list(range(START + 540, START + 600))
    assert list(lines["eth0"]) == list(range(540, 600))


def test_the_filter_leaves_the_chosen_sources(service: DataService) -> None:
    assert list(service.lines(RECEIVED, network(sources=["lo"])).columns) == ["lo"]
    assert list(service.lines(RECEIVED, network(sources=["gone"])).columns) == []
    assert list(service.lines(RECEIVED, network(sources=[])).columns) == []


def test_the_filter_of_one_dashboard_leaves_the_metrics_of_another_alone(service: DataService) -> None:
    assert list(service.lines(RECEIVED, network(dashboard="overview", sources=["lo"])).columns) == ["eth0", "lo"]


def test_together_is_one_line_of_the_chosen_sources(service: DataService) -> None:
    lines = service.lines(RECEIVED, network(split="together"))
    assert list(lines.columns) == ["together"]
    assert list(lines["together"])[-1] == 599 + 5
    assert list(service.lines(RECEIVED, network(split="together", sources=["lo"]))["together"])[-1] == 5


def test_a_panel_of_several_metrics_has_a_line_for_each(service: DataService) -> None:
    lines = service.lines(BOTH, network(dashboard="overview"))
    assert list(lines.columns) == ["Received", "Sent"]
    assert list(lines.iloc[-1]) == [604, 100]


@pytest.mark.parametrize(("statistic", "value"), [("mean", 1.0), ("max", 2.0), ("min", 0.0), ("p95", 1.9)])
def test_a_point_of_several_seconds_is_their_statistic(service: DataService, statistic: str, value: float) -> None:
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0]}, index=[900, 901, 902])
    assert downsampled(rows, 900, 902, statistic, points=1)["a"].tolist() == [pytest.approx(value)]


@pytest.mark.parametrize("window_s", WINDOWS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_no_line_has_more_points_than_is_good_for_it(service: DataService, window_s: int, statistic: str) -> None:
    lines = service.lines(RECEIVED, network(window_s, statistic=statistic))
    assert min(window_s, POINTS) <= len(lines) <= POINTS + 1


def test_points_keep_their_seconds_while_the_window_moves_on(service: DataService) -> None:
    before = service.lines(RECEIVED, network(900))
    service.history.append(START + 600, {("network.received", "eth0"): 600.0})
    after = service.lines(RECEIVED, network(900))
    whole = before.index.intersection(after.index)[1:-1]
    assert len(whole) > 290
    pd.testing.assert_frame_equal(before.loc[whole], after.loc[whole])


def test_seconds_that_were_missed_are_a_gap() -> None:
    rows = pd.DataFrame({"a": [1.0, 4.0]}, index=[100, 103])
    line = downsampled(rows, 100, 104, "mean")["a"].tolist()
    assert [None if np.isnan(value) else value for value in line] == [1.0, None, None, 4.0, None]


def test_the_step_is_the_shortest_that_keeps_the_points_few() -> None:
    assert [step(window) for window in WINDOWS] == [1, 1, 3, 12]


def test_sources_combine_as_their_metric_says_and_stay_unknown_where_all_are() -> None:
    rows = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [3.0, 5.0, np.nan]})
    assert combined(rows, "cpu.core").tolist()[:2] == [2.0, 5.0]
    assert combined(rows, "network.sent").tolist()[:2] == [4.0, 5.0]
    assert (
        combined(rows, "cpu.core").isna().tolist() == combined(rows, "network.sent").isna().tolist() == [False, False, True]
    )


def test_a_card_has_the_newest_value_the_average_and_a_short_line(service: DataService) -> None:
    card = service.kpi(CARD, network())
    assert card.value == 604
    assert card.average == pytest.approx(569.5 + 5)
    assert card.line[-1] == pytest.approx(603.5)
    assert len(card.line) <= 41
    assert card.note == "2 of 2 interfaces"


def test_a_card_follows_the_filter(service: DataService) -> None:
    card = service.kpi(CARD, network(sources=["lo"]))
    assert (card.value, card.note) == (5, "1 of 2 interfaces")
    nothing = service.kpi(CARD, network(sources=[]))
    assert (nothing.value, nothing.average, nothing.note) == (None, None, "0 of 2 interfaces")
    assert set(nothing.line) == {None}


def test_a_card_of_one_source_does_not_follow_the_filter(service: DataService) -> None:
    lo = Kpi("lo", "Loopback", "network.received", "lo")
    assert service.kpi(lo, network(sources=["eth0"])).value == 5
    assert service.kpi(Kpi("x", "x", "network.received", "absent"), network()).value is None


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_every_dashboard_answers_before_there_is_any_data(board: Any) -> None:
    service = DataService(History(60))
    selection = Selection(board, statistic="p95", split="together")
    assert all(service.kpi(kpi, selection).value is None for kpi in board.kpis)
    assert all(service.lines(panel, selection).isna().all(axis=None) for panel in board.panels)


def test_processes_of_one_name_are_one_program_and_the_busiest_come_first() -> None:
    found = [
        Process("python", 20.0, 100),
        Process("bash", 30.0, 5),
        Process("python", 15.0, 50),
        Process("Python-x", 0.0, 900),
    ]
    by_cpu = busiest(found, "cpu")
    assert [row["name"] for row in by_cpu] == ["python", "bash", "Python-x"]
    assert by_cpu[0] == {"name": "python", "count": 2, "cpu": 35.0, "memory": 150}
    assert [row["name"] for row in busiest(found, "memory")] == ["Python-x", "python", "bash"]


def test_programs_are_found_by_a_part_of_the_name_which_is_no_pattern() -> None:
    found = [Process("Python-x", 0.0, 1), Process("bash", 0.0, 1)]
    assert [row["name"] for row in busiest(found, "cpu", "python")] == ["Python-x"]
    assert busiest(found, "cpu", ".*") == []
    assert busiest([], "cpu", "a") == []
