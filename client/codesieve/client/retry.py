"""When a call is tried again, as pure functions of what went wrong.

Exponential backoff with full jitter, bounded by how long the outage has lasted. A server that says when to come back
(RetryInfo) is obeyed: never sooner, and not at all where that lies beyond the bound; one that is overloaded and doesn't say
when is not asked again. INVALID_ARGUMENT and its like are never tried again. Every call of the SDK is safe to repeat:
CreateJob and its like carry an id, WatchJob a sequence number, Judge re-sends only what has no answer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from codesieve.client.errors import CodesieveError, Overloaded, TryLater

if TYPE_CHECKING:
    import random


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """How long and how often to try again."""

    give_up_after_seconds: float = 60.0
    """Since a call first failed, or a stream first broke after it last made progress. 0 never tries again."""
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0


class Backoff:
    """The waiting of one call. `clock` is monotonic, in seconds."""

    def __init__(self, retry: Retry, rng: random.Random) -> None:
        self._retry = retry
        self._rng = rng
        self.progress()

    def progress(self) -> None:
        """The call moved on: what went wrong before is forgotten."""
        self._since: float | None = None
        self._failures = 0

    def delay(self, error: CodesieveError, now: float) -> float:
        """Seconds to wait before the next attempt; raises `error` where there is to be none."""
        if not isinstance(error, TryLater) or (isinstance(error, Overloaded) and error.retry_after is None):
            raise error
        if self._since is None:
            # Not when the stream last moved: a quiet one may have stood for hours before it broke.
            self._since = now
        asked = error.retry_after
        # The exponent is capped so that 2.0 ** n can't overflow in a long outage.
        ceiling = min(
            self._retry.first_delay_seconds * 2.0 ** min(self._failures, 30), self._retry.longest_delay_seconds
        )
        self._failures += 1
        jitter = self._rng.uniform(ceiling / 2, ceiling) if asked is None else self._rng.uniform(0, ceiling)
        delay = (asked or 0.0) + jitter
        if now + delay - self._since > self._retry.give_up_after_seconds:
            if asked is None:
                raise error
            when = f"{error.message}; the server says to come back in {for_people(asked)}"
            raise type(error)(when, reason=error.reason, retry_after=asked) from error
        return delay


def for_people(seconds: float) -> str:
    """A span of time, rounded up to what matters: "40 s", "5 min", "3 h"."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{-(-int(seconds) // length)} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
