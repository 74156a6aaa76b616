"""Following a job's events from any point: those that happened, then those to come.

Readers pull from the store and are only woken here, so a slow reader holds up nobody and a fast one sees every event
exactly once, whichever front end writes them. Nothing is buffered for a reader.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from codesieve.server.errors import Draining, OutOfRange
from codesieve.server.jobs.model import JobChanged, JobEvent, JobKey
from codesieve.server.jobs.store import JobStore

_PAGE = 256
POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 4.0
"""Another front end's events wake nobody here. A job that stands still is looked at ever more seldom."""


class EventStream:
    """The one way out for events."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._waiting: dict[JobKey, set[asyncio.Event]] = {}
        self._closed = False

    def wake(self, key: JobKey) -> None:
        """Has those who follow the job look for new events."""
        for waiting in self._waiting.get(key, ()):
            waiting.set()

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
        happened = asyncio.Event()
        self._waiting.setdefault(key, set()).add(happened)
        poll = POLL_SECONDS
        try:
            while True:
                # Before reading: an event that comes in between finds somebody to wake.
                happened.clear()
                events = await self._store.events(key, after_sequence, _PAGE)
                for event in events:
                    yield event
                    after_sequence = event.sequence
                    if isinstance(event.happening, JobChanged) and event.happening.job.state.ended:
                        return
                if events:
                    poll = POLL_SECONDS
                    continue
                if self._closed:
                    raise Draining
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(poll):
                        await happened.wait()
                poll = min(2 * poll, LONGEST_POLL_SECONDS)
        finally:
            self._waiting[key].discard(happened)
            if not self._waiting[key]:
                del self._waiting[key]

    def close(self) -> None:
        """Sends every follower away once it has seen what there is."""
        self._closed = True
        for followers in self._waiting.values():
            for waiting in followers:
                waiting.set()
