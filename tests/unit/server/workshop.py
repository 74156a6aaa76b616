"""Workers of this process for a pool's tests, which can be made to die, and a clock that they rest by."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from codesieve.server.pools import Pool
from codesieve.server.sharing import Priority, Share
from codesieve.workers.errors import WorkerLost
from codesieve.workers.types import WorkerInfo, WorkFailed
from codesieve.workers.worker import TaskWorker


@dataclasses.dataclass(frozen=True)
class Piece:
    work_id: str
    trace: str = ""


@dataclasses.dataclass(frozen=True)
class Done:
    work_id: str
    by: int


class LocalWorker(TaskWorker[Piece, Done]):
    """A worker in this process that can be made to die."""

    def __init__(self, workshop: Workshop, number: int) -> None:
        super().__init__(lambda piece: workshop.do(number, piece))
        self.workshop = workshop
        self.number = number
        self.dead = asyncio.Event()
        self.stopped = False
        self.cancels: list[list[str]] = []

    async def start(self) -> WorkerInfo:
        if self.workshop.start_error is not None:
            raise self.workshop.start_error
        return WorkerInfo("local", capacity=self.workshop.capacity)

    async def cancel(self, work_ids: Sequence[str]) -> None:
        self.cancels.append(list(work_ids))
        await super().cancel(work_ids)

    async def collect(self, max_wait_seconds: float) -> list[Done | WorkFailed]:
        collecting = asyncio.ensure_future(super().collect(max_wait_seconds))
        dying = asyncio.ensure_future(self.dead.wait())
        try:
            await asyncio.wait((collecting, dying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            dying.cancel()
        if self.dead.is_set():
            collecting.cancel()
            raise WorkerLost(f"worker {self.number} died")
        return list(await collecting)

    async def stop(self) -> None:
        self.stopped = True
        await self.stop_tasks()


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        until = self.time + seconds
        await asyncio.sleep(0.002)  # what else goes on takes no time by this clock, but it has to get somewhere
        self.time = max(self.time, until)


class Workshop:
    """Makes workers and remembers them."""

    def __init__(self, do: Callable[[int, Piece], Awaitable[Done]], capacity: int = 2) -> None:
        self.do = do
        self.capacity = capacity
        self.made: list[LocalWorker] = []
        self.start_error: Exception | None = None
        self.clock = Clock()

    def make(self) -> LocalWorker:
        self.made.append(LocalWorker(self, len(self.made)))
        return self.made[-1]

    @asynccontextmanager
    async def pool(self, size: int) -> AsyncIterator[Pool[Piece, Done]]:
        pool: Pool[Piece, Done] = Pool("test", self.make, size, now=self.clock.now, sleep=self.clock.sleep)
        await pool.start()
        try:
            async with asyncio.timeout(30):
                yield pool
        finally:
            await pool.stop()


SHARE = Share("caller", "flow")
URGENT = Share("caller", "urgent", priority=Priority.INTERACTIVE)


async def until(ready: Callable[[], bool]) -> None:
    while not ready():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0)


async def at_once(number: int, piece: Piece) -> Done:
    return Done(piece.work_id, number)


async def endless(number: int, piece: Piece) -> Done:
    if piece.work_id.startswith("endless"):
        await asyncio.sleep(3600)
    return Done(piece.work_id, number)
