"""The pool against workers in this process: batching, retries, loss, cancelling."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from codesieve.server import pools
from codesieve.server.pools import Pool, fair_share, pause_before_restart
from codesieve.server.sharing import Share
from codesieve.workers.errors import CellLost, SandboxUnavailable, WorkerLost
from codesieve.workers.types import WorkerInfo, WorkFailed
from codesieve.workers.worker import TaskWorker


@dataclasses.dataclass(frozen=True)
class Piece:
    work_id: str


@dataclasses.dataclass(frozen=True)
class Done:
    work_id: str
    by: int


class LocalWorker(TaskWorker[Piece, Done]):
    """A worker in this process that can be made to die."""

    def __init__(self, number: int, do: Callable[[int, Piece], Awaitable[Done]], start_error: Exception | None) -> None:
        super().__init__(lambda piece: do(number, piece))
        self.number = number
        self.dead = asyncio.Event()
        self.start_error = start_error
        self.stopped = False

    async def start(self) -> WorkerInfo:
        if self.start_error is not None:
            raise self.start_error
        return WorkerInfo("local", capacity=2)

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


class Workshop:
    """Makes workers and remembers them."""

    def __init__(self, do: Callable[[int, Piece], Awaitable[Done]]) -> None:
        self.do = do
        self.made: list[LocalWorker] = []
        self.start_error: Exception | None = None

    def make(self) -> LocalWorker:
        self.made.append(LocalWorker(len(self.made), self.do, self.start_error))
        return self.made[-1]

    @asynccontextmanager
    async def pool(self, size: int) -> AsyncIterator[Pool[Piece, Done]]:
        pool: Pool[Piece, Done] = Pool("test", self.make, size)
        await pool.start()
        try:
            yield pool
        finally:
            await pool.stop()


SHARE = Share("caller", "flow")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "FIRST_PAUSE_SECONDS", 0.01)


async def at_once(number: int, piece: Piece) -> Done:
    return Done(piece.work_id, number)


async def test_every_piece_is_done_once_by_all_the_workers() -> None:
    async def slowly(number: int, piece: Piece) -> Done:
        await asyncio.sleep(0.001)
        return Done(piece.work_id, number)

    workshop = Workshop(slowly)
    async with workshop.pool(3) as pool:
        results = await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(200)))
    assert [result.work_id for result in results] == [str(i) for i in range(200)]
    assert {result.by for result in results if isinstance(result, Done)} == {0, 1, 2}
    assert all(worker.stopped for worker in workshop.made)


async def test_one_slow_piece_holds_up_no_other() -> None:
    release = asyncio.Event()

    async def first_is_slow(number: int, piece: Piece) -> Done:
        if piece.work_id == "0":
            await release.wait()
        return Done(piece.work_id, number)

    async with Workshop(first_is_slow).pool(1) as pool:
        slow = asyncio.create_task(pool.run(Piece("0"), SHARE))
        await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(1, 50)))
        assert not slow.done()
        release.set()
        assert isinstance(await slow, Done)


async def test_work_of_a_lost_worker_is_done_by_another() -> None:
    workshop: Workshop

    async def hang_on_the_first(number: int, piece: Piece) -> Done:
        if number == 0:
            workshop.made[0].dead.set()
            await asyncio.sleep(3600)
        return Done(piece.work_id, number)

    workshop = Workshop(hang_on_the_first)
    async with workshop.pool(1) as pool:
        results = await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(4)))
        assert {result.by for result in results if isinstance(result, Done)} == {1}
        assert len(results) == 4
        assert pool.restarts == 1
    assert workshop.made[0].stopped


async def test_work_that_loses_every_worker_ends_without_a_verdict() -> None:
    workshop: Workshop

    async def always_die(number: int, piece: Piece) -> Done:
        workshop.made[number].dead.set()
        await asyncio.sleep(3600)
        raise AssertionError

    workshop = Workshop(always_die)
    async with workshop.pool(1) as pool:
        result = await pool.run(Piece("x"), SHARE)
    assert isinstance(result, WorkFailed)
    assert result.reason == "WORKER_LOST"
    assert len(workshop.made) >= pools.MAX_ATTEMPTS


async def test_a_retryable_failure_is_tried_again_and_then_told() -> None:
    tries: list[str] = []

    async def flaky(number: int, piece: Piece) -> Done:
        tries.append(piece.work_id)
        if piece.work_id == "never" or tries.count(piece.work_id) == 1:
            raise CellLost("the cell died")
        return Done(piece.work_id, number)

    async with Workshop(flaky).pool(1) as pool:
        assert isinstance(await pool.run(Piece("second time"), SHARE), Done)
        failed = await pool.run(Piece("never"), SHARE)
    assert isinstance(failed, WorkFailed)
    assert (failed.reason, failed.message) == ("CELL_LOST", "the cell died")
    assert tries.count("never") == pools.MAX_ATTEMPTS


async def test_cancelling_stops_the_work_and_frees_its_place() -> None:
    cancelled = asyncio.Event()

    async def endless(number: int, piece: Piece) -> Done:
        if piece.work_id.startswith("endless"):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise
        return Done(piece.work_id, number)

    async with Workshop(endless).pool(1) as pool:
        running = [asyncio.create_task(pool.run(Piece(f"endless {i}"), SHARE)) for i in range(6)]
        await asyncio.sleep(0.05)
        assert pool.waiting == 2  # a worker of capacity 2 is given 4
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert pool.waiting == 0
        assert isinstance(await asyncio.wait_for(pool.run(Piece("next"), SHARE), 5), Done)
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_pool_that_cannot_start_says_why_and_leaves_nothing() -> None:
    workshop = Workshop(at_once)
    workshop.start_error = SandboxUnavailable("no engine")
    with pytest.raises(SandboxUnavailable, match="no engine"):
        async with workshop.pool(2):
            pass
    assert all(worker.stopped for worker in workshop.made)


async def test_when_no_worker_can_be_started_again_waiting_work_is_answered() -> None:
    workshop = Workshop(at_once)
    async with workshop.pool(1) as pool:
        workshop.start_error = SandboxUnavailable("the engine is gone")
        workshop.made[0].dead.set()
        result = await asyncio.wait_for(pool.run(Piece("x"), SHARE), 10)
    assert isinstance(result, WorkFailed)
    assert result.reason == "SANDBOX_UNAVAILABLE"


async def test_stopping_while_a_worker_is_started_again_stops_that_one_too() -> None:
    workshop = Workshop(at_once)
    starting = asyncio.Event()

    async def start_for_ever(self: LocalWorker) -> WorkerInfo:
        starting.set()
        await asyncio.sleep(3600)
        raise AssertionError

    async with workshop.pool(1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalWorker, "start", start_for_ever)
            workshop.made[0].dead.set()
            await asyncio.wait_for(starting.wait(), 5)
    assert [worker.stopped for worker in workshop.made] == [True, True]


async def test_stopping_answers_what_is_left() -> None:
    async def endless(number: int, piece: Piece) -> Done:
        await asyncio.sleep(3600)
        raise AssertionError

    async with Workshop(endless).pool(1) as pool:
        running = asyncio.create_task(pool.run(Piece("x"), SHARE))
        await asyncio.sleep(0.02)
    result = await running
    assert isinstance(result, WorkFailed)
    assert result.reason == "SERVER_STOPPED"


@pytest.mark.parametrize(
    ("waiting", "members", "room", "expected"),
    [(10, 2, 100, 5), (1, 4, 8, 1), (100, 1, 8, 8), (7, 2, 100, 4), (3, 0, 5, 3)],
)
def test_fair_share(waiting: int, members: int, room: int, expected: int) -> None:
    assert fair_share(waiting, members, room) == expected


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_before_restart(failures) for failures in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pools.LONGEST_PAUSE_SECONDS
