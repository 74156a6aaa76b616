"""What an engine counts of itself, on a clock of the test's own."""

from __future__ import annotations

import types
from typing import Any

import pytest

from codesieve.workers.generation.tally import Tally
from codesieve.workers.types import EngineStats


def test_counts_add_up() -> None:
    tally = Tally()
    tally.add(steps=1, generation_tokens=5)
    tally.add(steps=1, queue_seconds=0.5)
    tally.show(running=3, waiting=2, kv_cache_usage_ratio=0.25)
    assert tally.stats() == EngineStats(
        steps=2,
        generation_tokens=5,
        queue_seconds=0.5,
        requests_running=3,
        requests_waiting=2,
        kv_cache_usage_ratio=0.25,
    )


def test_a_name_that_is_no_count_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Tally().add(generated_tokens=1)


def test_idle_time_is_that_between_idle_and_busy_and_goes_on() -> None:
    now = types.SimpleNamespace(seconds=100.0)
    tally = Tally(lambda: float(now.seconds))

    def after(seconds: float) -> Any:
        now.seconds += seconds
        return tally.stats()

    assert after(5).idle_seconds == 0  # it is getting ready
    tally.show(running=2, kv_cache_usage_ratio=0.5)
    tally.idle()
    assert after(2) == EngineStats(idle_seconds=2)
    tally.idle()
    assert after(1).idle_seconds == 3
    tally.busy()
    tally.busy()
    assert after(7).idle_seconds == 3
    tally.idle()
    assert after(1).idle_seconds == 4
