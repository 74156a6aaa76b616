"""The pool when something is wrong with its workers: outages, lost workers and who is to blame, unexpected errors."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from tests.unit.server.workshop import SHARE, Done, Piece, Workshop, at_once

from codesieve.server import members, pools
from codesieve.server.pools import MAX_ATTEMPTS, PATIENCE_SECONDS
from codesieve.workers.errors import CellLost, SandboxUnavailable, TestsBroken
from codesieve.workers.types import WorkFailed

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
