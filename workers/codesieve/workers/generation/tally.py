"""What an engine counts of itself: one thread counts, and any thread may ask.

Each change makes a new frozen `EngineStats` and puts it in the place of the last, so that who asks sees whole values without
a lock, and never waits for an engine that is in the middle of a step. That costs some microseconds a step, none a token.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from codesieve.workers.types import EngineStats


class Tally:
    """One engine's counts. Begins busy: it has to get ready first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: tuple[EngineStats, float | None] = EngineStats(), None
        """The counts, and since when the engine has had nothing to do."""

    def add(self, **by: float) -> None:
        """Raises the named counts."""
        stats, idle_since = self._kept
        changed: dict[str, Any] = {name: getattr(stats, name) + more for name, more in by.items()}
        self._kept = dataclasses.replace(stats, **changed), idle_since

    def show(self, *, running: int, waiting: int = 0, kv_cache_usage_ratio: float = 0.0) -> None:
        """How the engine stands now."""
        stats, idle_since = self._kept
        now = dataclasses.replace(
            stats, requests_running=running, requests_waiting=waiting, kv_cache_usage_ratio=kv_cache_usage_ratio
        )
        self._kept = now, idle_since

    def idle(self) -> None:
        """There is nothing to do from now on, so nothing runs or waits either."""
        self.show(running=0)
        stats, idle_since = self._kept
        if idle_since is None:
            self._kept = stats, self._clock()

    def busy(self) -> None:
        """There is something to do from now on."""
        stats, idle_since = self._kept
        if idle_since is not None:
            spell = self._clock() - idle_since
            self._kept = dataclasses.replace(stats, idle_seconds=stats.idle_seconds + spell), None

    def stats(self) -> EngineStats:
        """The counts by now."""
        stats, idle_since = self._kept
        if idle_since is None:
            return stats
        return dataclasses.replace(stats, idle_seconds=stats.idle_seconds + self._clock() - idle_since)
