"""The ring of the last seconds."""

from __future__ import annotations

import numpy as np

from dashboard.history import History


def filled(capacity: int, seconds: range) -> History:
    history = History(capacity)
    for second in seconds:
        history.append(second, {("m", "a"): float(second)})
    return history


def test_an_empty_history_has_no_newest_second_and_no_rows() -> None:
    history = History(5)
    assert history.newest() is None
    assert history.sources("m") == []
    assert history.frame("m", 0).empty


def test_a_full_history_keeps_the_newest_rows_in_order_however_often_it_went_round() -> None:
    for newest in range(100, 130):
        frame = filled(5, range(100, newest + 1)).frame("m", 0)
        expected = list(range(max(100, newest - 4), newest + 1))
        assert list(frame.index) == expected
        assert list(frame["a"]) == expected


def test_a_frame_begins_at_the_second_that_was_asked_for() -> None:
    assert list(filled(10, range(100, 107)).frame("m", 104).index) == [104, 105, 106]


def test_a_second_that_is_not_newer_is_left_out() -> None:
    history = filled(5, range(100, 103))
    history.append(102, {("m", "a"): 7.0})
    history.append(50, {("m", "a"): 7.0})
    assert list(history.frame("m", 0)["a"]) == [100, 101, 102]


def test_a_source_that_appears_or_goes_is_unknown_in_the_other_rows() -> None:
    history = History(3)
    history.append(1, {("m", "a"): 1.0})
    history.append(2, {("m", "a"): 2.0, ("m", "b"): 20.0, ("other", "c"): 5.0})
    for second in range(3, 9):
        history.append(second, {("m", "b"): 10.0 * second})
    frame = history.frame("m", 0)
    assert list(frame.columns) == ["a", "b"]
    assert np.isnan(frame["a"]).all()
    assert list(frame["b"]) == [60, 70, 80]


def test_sources_stand_in_the_order_in_which_they_were_measured() -> None:
    history = History(3)
    history.append(1, {("m", name): 0.0 for name in "qazwsx"})
    assert history.sources("m") == list("qazwsx")


def test_what_a_frame_shows_does_not_change_when_rows_are_added() -> None:
    history = filled(3, range(1, 4))
    frame = history.frame("m", 0)
    for second in range(4, 20):
        history.append(second, {("m", "a"): -1.0})
    assert list(frame["a"]) == [1, 2, 3]
