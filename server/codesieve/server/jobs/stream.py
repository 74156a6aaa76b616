"""Following a job's events from any point: those that happened, then those to come.

Readers pull from the store and are only woken here, so a slow reader holds up nobody and a fast one sees every event
exactly once, whichever front end writes them. Nothing is buffered for a reader.

For the metrics an event waits for its reader from when it could have had it, which is when the event happened or, if that is
later, when the reader came, until gRPC has taken it and asks for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable

from codesieve.server.errors import Draining, OutOfRange
from codesieve.server.jobs.model import JobChanged, JobEvent, JobKey
from codesieve.server.jobs.store import JobStore
from codesieve.server.waits import Hop

_PAGE = 256
POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 4.0
"""Another front end's events wake nobody here. A job that stands still is looked at ever more seldom."""


class EventStream:
    """The one way out for events."""

    def __init__(self, store: JobStore, hop: Hop, now: Callable[[], datetime.datetime]) -> None:
        self._store = store
        self._hop = hop
        self._now = now
        self._followers: dict[JobKey, set[_Follower]] = {}
        self._closed = False

    def wake(self, key: JobKey, sequence: int = 0) -> None:
        """Has those who follow the job look for new events; there are some up to `sequence`."""
        for follower in self._followers.get(key, ()):
            follower.wake(sequence)

    async def follow(self, key: JobKey, after_sequence: int) -> AsyncIterator[JobEvent]:
        """Events after `after_sequence`, until the one that ends the job.

        Raises `NotFound`, `OutOfRange`, and `Draining` when the stream is closed before the job has ended.
        """
        last = await self._store.last_sequence(key)
        if after_sequence > last:
            raise OutOfRange(
                f"after_sequence is {after_sequence} and the job's last event is {last}", reason="SEQUENCE_OUT_OF_RANGE"
            )
        job = await self._store.get(key)
        if job.state.ended and after_sequence == last:
            return
        follower = _Follower(after_sequence, last, self._now)
        self._followers.setdefault(key, set()).add(follower)
        poll = POLL_SECONDS
        try:
            with self._hop.with_place(follower):
                while True:
                    # Before reading: an event that comes in between finds somebody to wake.
                    follower.happened.clear()
                    events = await self._store.events(key, follower.position, _PAGE)
                    for event in events:
                        follower.offered(event)
                        yield event
                        self._hop.went_on(follower.took(event))
                        if isinstance(event.happening, JobChanged) and event.happening.job.state.ended:
                            return
                    if events:
                        poll = POLL_SECONDS
                        continue
                    if self._closed:
                        raise Draining
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(poll):
                            await follower.happened.wait()
                    poll = min(2 * poll, LONGEST_POLL_SECONDS)
        finally:
            self._followers[key].discard(follower)
            if not self._followers[key]:
                del self._followers[key]

    def close(self) -> None:
        """Sends every follower away once it has seen what there is."""
        self._closed = True
        for followers in self._followers.values():
            for follower in followers:
                follower.wake(0)


class _Follower:
    """One reader: how far it is, and how far it could be as far as is known here."""

    def __init__(self, position: int, last: int, now: Callable[[], datetime.datetime]) -> None:
        self.position = position
        self.happened = asyncio.Event()
        self._last = last
        self._now = now
        self._came = now()
        self._waits_since = self._came
        """The next event, if it is behind."""

    def wake(self, sequence: int) -> None:
        """There are events up to `sequence`."""
        if self.position == self._last:
            self._waits_since = self._now()
        self._last = max(self._last, sequence)
        self.happened.set()

    def offered(self, event: JobEvent) -> None:
        """It could have this event now."""
        self._waits_since = max(event.time, self._came)
        self._last = max(self._last, event.sequence)

    def took(self, event: JobEvent) -> float:
        """It has the event; how many seconds that took."""
        self.position = event.sequence
        return self._seconds()

    def waits(self) -> tuple[int, float]:
        behind = self._last - self.position
        return behind, self._seconds() if behind else 0.0

    def _seconds(self) -> float:
        # Not less than none: another front end's clock told when the event happened.
        return max(0.0, (self._now() - self._waits_since).total_seconds())
