"""The pool against workers in this process: batching, retries, cancelling, priorities."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.unit.server.workshop import SHARE, URGENT, Done, LocalWorker, Piece, Workshop, at_once, endless, until

from codesieve.server import members
from codesieve.server.members import company, fair_share, growing_pause
from codesieve.server.pools import MAX_ATTEMPTS
from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.types import WorkerInfo, WorkFailed


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


async def test_a_stopped_pool_answers_at_once() -> None:
    async with Workshop(at_once).pool(1) as pool:
        pass
    result = await asyncio.wait_for(pool.run(Piece("x"), SHARE), 5)
    assert isinstance(result, WorkFailed)
    assert result.reason == "SERVER_STOPPED"


# --- cancelling ---


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
