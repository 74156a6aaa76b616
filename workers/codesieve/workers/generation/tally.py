"""What an engine counts of itself: one thread counts, and any thread may ask.

Each change makes a new set of counts and puts it in the place of the last, so that who asks sees whole sets without a lock,
and never waits for an engine that is in the middle of a step. That costs some microseconds a step, none a token.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from codesieve.workers.types import EngineStats

_AT_REST = {"requests_running": 0, "requests_waiting": 0, "kv_cache_usage_ratio": 0.0}


class Tally:
    """One engine's counts, by the names of `EngineStats`. Begins busy: the engine has to get ready first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: tuple[dict[str, Any], float | None] = dataclasses.asdict(EngineStats()), None
        """The counts, and since when the engine has had nothing to do."""

    def add(self, **by: float) -> None:
        """Raises the named counts."""
        counts, idle_since = self._kept
        self._kept = counts | {name: counts[name] + more for name, more in by.items()}, idle_since

    def show(self, *, running: int, waiting: int = 0, kv_cache_usage_ratio: float = 0.0) -> None:
        """How the engine stands now."""
        counts, idle_since = self._kept
        stands = {
            "requests_running": running,
            "requests_waiting": waiting,
            "kv_cache_usage_ratio": kv_cache_usage_ratio,
        }
        self._kept = counts | stands, idle_since

    def idle(self) -> None:
        """There is nothing to do from now on, so nothing runs or waits either."""
        counts, idle_since = self._kept
        self._kept = counts | _AT_REST, self._clock() if idle_since is None else idle_since

    def busy(self) -> None:
        """There is something to do from now on."""
        counts, idle_since = self._kept
        if idle_since is not None:
            self._kept = counts | {"idle_seconds": counts["idle_seconds"] + self._clock() - idle_since}, None

    def stats(self) -> EngineStats:
        """The counts by now."""
        counts, idle_since = self._kept
        spell = 0.0 if idle_since is None else self._clock() - idle_since
        return EngineStats(**counts | {"idle_seconds": counts["idle_seconds"] + spell})
