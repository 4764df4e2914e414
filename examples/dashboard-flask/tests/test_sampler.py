"""Measuring: rates from counters, and a sample of the host that runs the test."""

from __future__ import annotations

import math

from dashboard.catalogue import METRICS
from dashboard.sampler import Sampler, processes


def test_a_rate_is_the_rise_over_the_time_between() -> None:
    sampler = Sampler()
    sampler.rates(iter([(("m", "a"), 100.0)]), now=10.0)
    assert sampler.rates(iter([(("m", "a"), 140.0), (("m", "b"), 9.0)]), now=12.0) == {("m", "a"): 20.0}


def test_a_counter_that_went_back_has_no_rate_until_it_rises() -> None:
    sampler = Sampler()
    sampler.rates(iter([(("m", "a"), 100.0)]), now=10.0)
    assert sampler.rates(iter([(("m", "a"), 3.0)]), now=11.0) == {}
    assert sampler.rates(iter([(("m", "a"), 4.0)]), now=12.0) == {("m", "a"): 1.0}


def test_a_sample_of_this_host_has_finite_values_of_known_metrics() -> None:
    sample = Sampler().sample()
    assert {metric for metric, _ in sample} <= METRICS.keys()
    assert {"cpu.time", "cpu.core", "cpu.load", "memory.use"} <= {metric for metric, _ in sample}
    assert all(math.isfinite(value) and value >= 0 for value in sample.values())


def test_this_very_process_is_among_the_processes() -> None:
    assert any("py" in process.name and process.memory > 1_000_000 for process in processes())
