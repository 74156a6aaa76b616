"""When a call is tried again, as pure functions of what went wrong.

Exponential backoff with full jitter, bounded by the time since the last progress. A server that says when to come back
(RetryInfo) is obeyed: never sooner, and not at all where that lies beyond the bound. INVALID_ARGUMENT and its like are
never tried again. Every call of the SDK is safe to repeat: CreateJob carries an id, WatchJob a sequence number, Judge
re-sends only what has no answer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from codesieve.client.errors import CodesieveError, Overloaded, Unavailable

if TYPE_CHECKING:
    import random


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """How long and how often to try again."""

    give_up_after_seconds: float = 60.0
    """Since the call began, or since a stream last made progress. 0 never tries again."""
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0


class Backoff:
    """The waiting of one call. `clock` is monotonic, in seconds."""

    def __init__(self, retry: Retry, now: float, rng: random.Random) -> None:
        self._retry = retry
        self._rng = rng
        self.progress(now)

    def progress(self, now: float) -> None:
        """The stream moved on: what went wrong before is forgotten."""
        self._since = now
        self._failures = 0

    def delay(self, error: CodesieveError, now: float) -> float:
        """Seconds to wait before the next attempt; raises `error` where there is to be none."""
        if not isinstance(error, Unavailable | Overloaded):
            raise error
        asked = error.retry_after if isinstance(error, Overloaded) else None
        # The exponent is capped so that 2.0 ** n can't overflow in a long outage.
        ceiling = min(
            self._retry.first_delay_seconds * 2.0 ** min(self._failures, 30), self._retry.longest_delay_seconds
        )
        self._failures += 1
        jitter = self._rng.uniform(ceiling / 2, ceiling) if asked is None else self._rng.uniform(0, ceiling)
        delay = (asked or 0.0) + jitter
        if now + delay - self._since > self._retry.give_up_after_seconds:
            raise error
        return delay
