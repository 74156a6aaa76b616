"""Writes what happens to a job into the store, in batches.

`emit` only puts a happening into a buffer; one task writes whatever has gathered since the batch before it. The first
happening after a pause is written at once; while they keep coming they gather for a moment, or longer when the store is
slow, because a transaction costs much and a row in it little. While the store can't be reached the buffer fills, and then
whoever emits waits, so that the job stands still until it can be: a full buffer grows by one for each sample in flight.
A happening is counted when it is written: the progress that a client sees always agrees with the events that it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs.model import Happening
from codesieve.server.jobs.record import Record
from codesieve.server.jobs.store import Happened, JobStore, Lease
from codesieve.server.waits import Line

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_UNWRITTEN = 2048
MAX_BATCH = 512
GATHER_SECONDS = 0.1
"""How long happenings gather at least between two writes. A job that ends waits for nothing."""
GATHER_FACTOR = 4.0
"""How many times the time that the last write took they gather, so that many jobs share a slow store."""
LONGEST_GATHER_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Recorder:
    """The one writer of a leased job's record. `sequence` is that of the job's last event so far."""

    def __init__(
        self,
        store: JobStore,
        lease: Lease,
        record: Record,
        sequence: int,
        now: Callable[[], datetime.datetime],
        written: Callable[[int], None],
        line: Line,
        wrote_in: Callable[[float], None],
        ids: Mapping[str, str],
    ) -> None:
        """`written` is told up to which event; what waits to be written waits in `line`; a write took `wrote_in` seconds.

        `ids` is what a line of the log carries that is about the job.
        """
        self._store = store
        self._lease = lease
        self._record = record
        self._sequence = sequence
        self._now = now
        self._tell = written
        self._line = line
        self._wrote_in = wrote_in
        self._ids = ids
        self._unwritten: list[Happened] = []
        self._flushing = 0
        self._some, self._much, self._room, self._none = (asyncio.Event() for _ in range(4))
        self._look()

    async def emit(self, *happenings: Happening) -> None:
        """Has happenings written soon; waits while too many are unwritten."""
        self._unwritten += [Happened(self._now(), one) for one in happenings]
        self._line.come(len(happenings))
        self._look()
        await self._room.wait()

    async def flush(self) -> None:
        """Waits until all that was emitted is written."""
        self._flushing += 1
        self._look()
        try:
            await self._none.wait()
        finally:
            self._flushing -= 1
            self._look()

    async def write(self) -> None:
        """Writes until it is cancelled. Raises `LeaseLost`."""
        loop = asyncio.get_running_loop()
        next_write = loop.time()
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_write):
                    await self._much.wait()
            batch = self._unwritten[:MAX_BATCH]
            for happened in batch:
                self._record.note(happened)
            begin = loop.time()
            await self._append(batch)
            end = loop.time()
            next_write = end + min(max(GATHER_SECONDS, GATHER_FACTOR * (end - begin)), LONGEST_GATHER_SECONDS)
            del self._unwritten[: len(batch)]
            self._line.go(len(batch))
            self._look()
            self._tell(self._sequence)

    def _look(self) -> None:
        """Wakes those for whom there is enough unwritten now, or little enough."""
        unwritten = len(self._unwritten)
        for event, holds in (
            (self._some, unwritten > 0),
            (self._much, unwritten >= MAX_BATCH or (unwritten > 0 and self._flushing > 0)),
            (self._room, unwritten < MAX_UNWRITTEN),
            (self._none, unwritten == 0),
        ):
            if holds:
                event.set()
            else:
                event.clear()

    async def _append(self, batch: list[Happened]) -> None:
        progress = self._record.progress()

        async def append() -> None:
            begin = time.monotonic()
            await self._store.append(self._lease, self._sequence, batch, progress)
            self._wrote_in(time.monotonic() - begin)

        # A batch whose answer was lost may have been written; the store notices.
        await until_available(append, self._ids)
        self._sequence += len(batch)


async def until_available(step: Callable[[], Awaitable[T]], ids: Mapping[str, str]) -> T:
    """What `step` gives once the store can be reached. The job stands still until then, which is told with its `ids`."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            done = await step()
        except StoreUnavailable as error:
            if pause == FIRST_PAUSE_SECONDS:
                log.warning("the job waits for the store", extra={**ids, "error": error.message})
        else:
            if pause > FIRST_PAUSE_SECONDS:
                log.info("the job goes on", extra=ids)
            return done
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
