"""What the browser may choose, and what is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.selection import Selection, SelectionError


def test_a_choice_comes_back_as_it_was_said() -> None:
    said = {
        "dashboard": "network",
        "filters": {"sources": ["eth0", "lo"], "statistic": "p95", "split": "together", "process": "py"},
        "settings": {"window_s": 900, "refresh_s": 5},
    }
    assert Selection.parse(said).to_json() == said


def test_what_is_not_said_has_its_default() -> None:
    assert Selection.parse({"dashboard": "memory"}).to_json() == {
        "dashboard": "memory",
        "filters": {"sources": None, "statistic": "mean", "split": "each", "process": ""},
        "settings": {"window_s": 300, "refresh_s": 1},
    }


def test_equal_choices_share_a_room_and_others_do_not() -> None:
    one = Selection.parse({"dashboard": "network", "filters": {"sources": ["a", "b"]}})
    same = Selection.parse({"dashboard": "network", "filters": {"sources": ["b", "a"]}})
    others = [
        one.filtered({}),
        one.filtered({"sources": []}),
        one.set({"window_s": 60}),
        one.set({"refresh_s": 10}),
        one.filtered({"sources": ["a", "b"], "statistic": "max"}),
        one.filtered({"sources": ["a", "b"], "split": "together"}),
        one.filtered({"sources": ["a", "b"], "process": "x"}),
        Selection.parse({"dashboard": "disks", "filters": {"sources": ["a", "b"]}}),
    ]
    assert one == same and one.room == same.room
    assert len({choice.room for choice in [one, *others]}) == 1 + len(others)


def test_settings_leave_the_filters_and_filters_leave_the_settings() -> None:
    both = Selection.parse({"dashboard": "network"}).filtered({"split": "together"}).set({"window_s": 60})
    assert both.split == "together" and both.window_s == 60
    assert both.set({"refresh_s": 5}).window_s == 60
    assert both.filtered({}).split == "each"


@pytest.mark.parametrize(
    "data",
    [
        None,
        "network",
        {},
        {"dashboard": "nowhere"},
        {"dashboard": ["network"]},
        {"dashboard": "network", "filters": "all"},
        {"dashboard": "network", "filters": {"sources": "eth0"}},
        {"dashboard": "network", "filters": {"sources": [1]}},
        {"dashboard": "network", "filters": {"sources": ["x"] * 129}},
        {"dashboard": "network", "filters": {"statistic": "median"}},
        {"dashboard": "network", "filters": {"statistic": ["mean"]}},
        {"dashboard": "network", "filters": {"split": None}},
        {"dashboard": "network", "filters": {"process": "x" * 65}},
        {"dashboard": "network", "settings": {"window_s": 61}},
        {"dashboard": "network", "settings": {"window_s": "60"}},
        {"dashboard": "network", "settings": {"refresh_s": True}},
        {"dashboard": "network", "settings": {"refresh_s": {}}},
    ],
)
def test_what_does_not_exist_is_refused_with_a_sentence(data: Any) -> None:
    with pytest.raises(SelectionError, match=r"\.$"):
        Selection.parse(data)
