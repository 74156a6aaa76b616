"""When a call to an endpoint is made again, and when none is made at all.

A call that failed on the way is made again after a pause that doubles, up to `_TRIES` times. What an endpoint asks for with
Retry-After is obeyed to the second, and by all calls: while one has been told to wait, none is sent, so that a rate limit is
met once and not by everything in flight. Such waits use up no tries; an endpoint that only ever makes one wait is given up
after `_MOST_WAITED_SECONDS`.
"""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

_TRIES = 7
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 16.0
_MOST_WAITED_SECONDS = 1800.0
_LEAST_WAIT_SECONDS = 1.0
"""A shorter one counts as this one, so that there is an end of them."""


class TryAgain(Exception):
    """A call failed in a way that may pass. Its cause is raised once there is no patience left."""

    def __init__(self, cause: Exception, retry_after_seconds: float | None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds
        """What the endpoint asked for, if it did."""


class Patience:
    """One endpoint's."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        tried_again: Callable[[float | None], None] = lambda retry_after_seconds: None,
    ) -> None:
        """`tried_again` is told of each call that is going to be made again, with what the endpoint asked for."""
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._tried_again = tried_again
        self._closed_until = 0.0

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result, made again as often as it says `TryAgain` and there is patience."""
        failed, waited = 0, 0.0
        while True:
            while (closed := self._closed_until - self._clock()) > 0:
                await self._sleep(closed)
            try:
                return await call()
            except TryAgain as again:
                asked = again.retry_after_seconds or None  # 0 asks for nothing
                if asked is None:
                    failed += 1
                else:
                    waited += max(asked, _LEAST_WAIT_SECONDS)
                if failed >= _TRIES or waited > _MOST_WAITED_SECONDS:
                    raise again.cause from None
            self._tried_again(asked)
            if asked is None:
                pause = min(_FIRST_PAUSE_SECONDS * 2 ** (failed - 1), _LONGEST_PAUSE_SECONDS)
                await self._sleep(pause * (1 - 0.25 * self._chance()))  # what failed together comes back apart
            else:
                self._closed_until = max(self._closed_until, self._clock() + asked)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """What an endpoint asks for: retry-after-ms, or Retry-After in seconds or as a date; `now` is the time of day."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(date.timestamp() - now, 0.0)
