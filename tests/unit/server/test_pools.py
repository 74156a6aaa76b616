"""The pool against workers in this process: batching, retries, outages, loss, cancelling, priorities."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from codesieve.server import members, pools
from codesieve.server.members import company, fair_share, growing_pause
from codesieve.server.pools import MAX_ATTEMPTS, PATIENCE_SECONDS, Pool
from codesieve.server.sharing import Priority, Share
from codesieve.workers.errors import CellLost, SandboxUnavailable, TestsBroken, WorkerLost
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
    assert "nothing else" in result.message
    assert len(workshop.made) in (MAX_ATTEMPTS, MAX_ATTEMPTS + 1)  # the last may be on its way


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
    assert tries.count("never") == MAX_ATTEMPTS


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
        assert pool.waiting == 3  # a worker of capacity 2 is given 4, of batch work 3
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
    pauses = [growing_pause(failures) for failures in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[0] == members.FIRST_PAUSE_SECONDS
    assert pauses[-1] == members.LONGEST_PAUSE_SECONDS


def test_company_shrinks_to_one() -> None:
    assert [company(troubles, 256) for troubles in range(4)] == [256, 16, 1, 1]
    assert [company(troubles, 2) for troubles in range(3)] == [2, 1, 1]


# --- outages ---


@pytest.mark.parametrize("size", [1, 3])
async def test_an_outage_is_waited_out_without_spinning(size: int) -> None:
    tries = 0

    async def nothing_for_a_while(number: int, piece: Piece) -> Done:
        nonlocal tries
        tries += 1
        if workshop.clock.time < 300:
            raise SandboxUnavailable("the engine is away")
        return Done(piece.work_id, number)

    workshop = Workshop(nothing_for_a_while, capacity=64)
    async with workshop.pool(size) as pool:
        results = await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(500)))
    assert all(isinstance(result, Done) for result in results)
    assert 300 <= workshop.clock.time < 330
    # Each member fails with all that it had in hand once, then with little, then with one piece after each pause.
    assert tries - 500 < size * (128 + 12 + 30)
    assert pool.restarts == 0


async def test_an_outage_that_does_not_end_is_told_when_patience_has_ended() -> None:
    async def nothing(number: int, piece: Piece) -> Done:
        raise SandboxUnavailable("the engine is away")

    workshop = Workshop(nothing)
    async with workshop.pool(2) as pool:
        results = await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(40)))
        early = workshop.clock.time
        assert PATIENCE_SECONDS <= early < PATIENCE_SECONDS + 2 * members.LONGEST_PAUSE_SECONDS
        for result in results:
            assert isinstance(result, WorkFailed)
            assert (result.reason, "the engine is away" in result.message) == ("SANDBOX_UNAVAILABLE", True)
        # One that comes during an outage has all of its own patience.
        assert isinstance(await pool.run(Piece("late"), SHARE), WorkFailed)
        assert workshop.clock.time >= early + PATIENCE_SECONDS


async def test_a_member_in_trouble_swallows_no_work() -> None:
    tried: list[int] = []

    async def the_first_is_broken(number: int, piece: Piece) -> Done:
        tried.append(number)
        if number == 0:
            raise SandboxUnavailable("no cells here")
        await asyncio.sleep(0.001)
        return Done(piece.work_id, number)

    async with Workshop(the_first_is_broken, capacity=8).pool(2) as pool:
        results = await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(300)))
    assert [result.by for result in results if isinstance(result, Done)] == [1] * 300
    assert tried.count(0) < 100


@pytest.mark.parametrize("error", [SandboxUnavailable("no engine"), OSError("too many open files")])
async def test_a_worker_that_cannot_be_started_is_waited_for(error: Exception) -> None:
    workshop = Workshop(at_once)
    async with workshop.pool(1) as pool:
        workshop.start_error = error
        workshop.made[0].dead.set()
        waiting = [asyncio.create_task(pool.run(Piece(str(i)), SHARE)) for i in range(20)]
        while workshop.clock.time < 300:
            await asyncio.sleep(0.001)
            assert pool.capacity == 2  # a job that begins now has as many samples in flight as ever
        workshop.start_error = None
        assert all(isinstance(result, Done) for result in await asyncio.gather(*waiting))
    assert len(workshop.made) < 30
    assert all(worker.stopped for worker in workshop.made)


async def test_when_no_worker_can_be_started_for_long_what_waits_is_answered() -> None:
    workshop = Workshop(at_once)
    async with workshop.pool(1) as pool:
        workshop.start_error = SandboxUnavailable("the engine is gone")
        workshop.made[0].dead.set()
        result = await pool.run(Piece("x"), SHARE)
        assert isinstance(result, WorkFailed)
        assert (result.reason, "the engine is gone" in result.message) == ("SANDBOX_UNAVAILABLE", True)
        assert workshop.clock.time >= PATIENCE_SECONDS
        assert pool.waiting == 0


async def test_a_failure_that_cannot_be_mended_is_told_at_once() -> None:
    async def broken(number: int, piece: Piece) -> Done:
        raise TestsBroken("they don't compile")

    workshop = Workshop(broken)
    async with workshop.pool(1) as pool:
        result = await pool.run(Piece("x"), SHARE)
    assert isinstance(result, WorkFailed)
    assert (result.reason, workshop.clock.time) == ("TESTS_BROKEN", 0.0)


# --- who is to blame for a lost worker ---


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("size", "capacity"), [(1, 64), (2, 8), (3, 2)])
async def test_one_poison_piece_is_found_among_innocents_while_workers_are_killed(
    seed: int, size: int, capacity: int
) -> None:
    chance = random.Random(seed)
    finished = 0

    async def do(number: int, piece: Piece) -> Done:
        nonlocal finished
        await asyncio.sleep(chance.choice((0.0, 0.001, 0.004)))
        if piece.work_id == "poison":
            workshop.made[number].dead.set()
            await asyncio.sleep(3600)
        finished += 1
        if finished in kills:
            chance.choice(pool.workers).dead.set()  # type: ignore[attr-defined]
        return Done(piece.work_id, number)

    # Never in a row: an innocent that is alone at three of them couldn't be told from the guilty.
    kills = {chance.randrange(20 * i, 20 * i + 15) for i in range(10)}
    workshop = Workshop(do, capacity)
    names = [str(i) for i in range(200)]
    names.insert(chance.randrange(200), "poison")
    async with workshop.pool(size) as pool:
        results = dict(zip(names, await asyncio.gather(*(pool.run(Piece(name), SHARE) for name in names)), strict=True))
        poison = results.pop("poison")
        assert isinstance(poison, WorkFailed)
        assert poison.reason == "WORKER_LOST"
        assert [name for name, result in results.items() if not isinstance(result, Done)] == []
        # Ten were killed, and the poison took as many as it takes to find it, give or take those it shared.
        assert pool.restarts <= 10 + 2 + MAX_ATTEMPTS
    assert workshop.clock.time < PATIENCE_SECONDS


async def test_others_go_on_between_the_tries_of_a_poison_piece() -> None:
    done: list[str] = []

    async def do(number: int, piece: Piece) -> Done:
        if piece.work_id == "poison":
            done.append("poison")
            workshop.made[number].dead.set()
            await asyncio.sleep(3600)
        done.append(piece.work_id)
        await asyncio.sleep(0.001)
        return Done(piece.work_id, number)

    workshop = Workshop(do)
    async with workshop.pool(1) as pool:
        poison = asyncio.create_task(pool.run(Piece("poison"), SHARE))
        await asyncio.sleep(0)
        await asyncio.gather(*(pool.run(Piece(str(i)), SHARE) for i in range(30)))
        assert isinstance(await poison, WorkFailed)
    tries = [index for index, name in enumerate(done) if name == "poison"]
    assert len(tries) <= 2 + MAX_ATTEMPTS
    alone = tries[-MAX_ATTEMPTS:]
    assert all(later - earlier > 1 for earlier, later in itertools.pairwise(alone))


async def test_a_piece_whose_cells_are_lost_is_tried_few_times_with_pauses() -> None:
    async def poison(number: int, piece: Piece) -> Done:
        raise CellLost("the cell died")

    workshop = Workshop(poison)
    async with workshop.pool(1) as pool:
        assert isinstance(await pool.run(Piece("x"), SHARE), WorkFailed)
    assert workshop.clock.time == members.FIRST_PAUSE_SECONDS * 3


# --- no member is lost for ever ---


@pytest.mark.parametrize("method", ["collect", "submit", "cancel", "stop"])
async def test_an_unexpected_error_of_a_worker_costs_that_worker_only(method: str) -> None:
    async def endless(number: int, piece: Piece) -> Done:
        if piece.work_id == "endless":
            await asyncio.sleep(3600)
        return Done(piece.work_id, number)

    async def fail(*arguments: object) -> None:
        raise RuntimeError("nobody expected this")

    workshop = Workshop(endless)
    async with workshop.pool(1) as pool:
        first = workshop.made[0]
        running = asyncio.create_task(pool.run(Piece("endless"), SHARE))
        await asyncio.sleep(0.01)
        setattr(first, method, fail)
        running.cancel()
        first.dead.set() if method in ("collect", "stop") else None
        assert isinstance(await pool.run(Piece("next"), SHARE), Done)
        assert isinstance(await pool.run(Piece("one more"), SHARE), Done)
        assert pool.workers == [workshop.made[1]]


async def test_a_worker_that_answers_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(pools, "COLLECT_SECONDS", 0.01)
    monkeypatch.setattr(pools, "STOP_SECONDS", 0.05)

    async def never(*arguments: object) -> None:
        await asyncio.sleep(3600)

    workshop = Workshop(at_once)
    async with workshop.pool(1) as pool:
        for method in ("collect", "submit", "stop"):
            setattr(workshop.made[0], method, never)
        result = await pool.run(Piece("x"), SHARE)
        assert isinstance(result, Done)
        assert result.by == 1


async def test_a_stopped_pool_answers_at_once() -> None:
    async with Workshop(at_once).pool(1) as pool:
        pass
    result = await asyncio.wait_for(pool.run(Piece("x"), SHARE), 5)
    assert isinstance(result, WorkFailed)
    assert result.reason == "SERVER_STOPPED"


# --- cancelling ---


async def endless(number: int, piece: Piece) -> Done:
    if piece.work_id.startswith("endless"):
        await asyncio.sleep(3600)
    return Done(piece.work_id, number)


async def test_many_cancelled_at_once_are_told_the_worker_in_few_calls() -> None:
    workshop = Workshop(endless, capacity=100)
    async with workshop.pool(1) as pool:
        running = [asyncio.create_task(pool.run(Piece(f"endless {i}"), SHARE)) for i in range(150)]
        (worker,) = workshop.made
        await until(lambda: len(worker._tasks) == 150)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert isinstance(await pool.run(Piece("next"), SHARE), Done)
        assert sorted(work_id for call in worker.cancels for work_id in call) == sorted(
            f"endless {i}" for i in range(150)
        )
        assert len(worker.cancels) <= 2
        assert not worker._tasks


@pytest.mark.parametrize("turns", range(12))
async def test_what_is_cancelled_on_its_way_to_the_worker_is_cancelled_there(turns: int) -> None:
    workshop = Workshop(endless)
    async with workshop.pool(1) as pool:
        (worker,) = workshop.made
        submit = worker.submit

        async def slowly(work: Sequence[Piece]) -> None:
            for _ in range(6):
                await asyncio.sleep(0)
            await submit(work)

        worker.submit = slowly  # type: ignore[method-assign]
        running = asyncio.create_task(pool.run(Piece("endless"), SHARE))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert isinstance(await pool.run(Piece("next"), SHARE), Done)
        await until(lambda: not worker._tasks)
        assert pool.waiting == 0


@pytest.mark.parametrize("turns", range(12))
async def test_what_is_cancelled_while_its_worker_is_lost_is_not_done_again(turns: int) -> None:
    seen: list[tuple[int, str]] = []

    async def do(number: int, piece: Piece) -> Done:
        seen.append((number, piece.work_id))
        return await endless(number, piece)

    workshop = Workshop(do)
    async with workshop.pool(1) as pool:
        running = [asyncio.create_task(pool.run(Piece(f"endless {i}"), SHARE)) for i in range(3)]
        await until(lambda: len(seen) == 3)
        workshop.made[0].dead.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert isinstance(await pool.run(Piece("next"), SHARE), Done)
        assert [name for number, name in seen if number == 1] == ["next"]
        assert pool.waiting == 0
        assert not pool._by_id


# --- priorities ---


async def test_an_interactive_piece_finds_room_beside_any_amount_of_batch_work() -> None:
    workshop = Workshop(endless, capacity=8)
    async with workshop.pool(1) as pool:
        batch = [asyncio.create_task(pool.run(Piece(f"endless {i}"), SHARE)) for i in range(100)]
        await until(lambda: pool.waiting == 100 - 12)
        for number in range(20):
            assert isinstance(await pool.run(Piece(str(number)), URGENT), Done)
        assert pool.waiting == 100 - 12
        for task in batch:
            task.cancel()
        await asyncio.gather(*batch, return_exceptions=True)
