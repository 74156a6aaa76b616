"""How a sandbox worker goes about a program: retries, timeouts that load may be to blame for, and running one alone."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from tests.fake_cells import FakeBackend, FakeCell

from codesieve.workers.errors import CellLost
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.judge import JudgeDied, Seen
from codesieve.workers.sandbox.worker import OVERTIME_SHARED_CORE, RETRIES, Alone, SandboxWorker
from codesieve.workers.types import (
    AssertionTests,
    FunctionTests,
    Judgement,
    Limits,
    Problem,
    Program,
    Verdict,
    WorkFailed,
)

LIMITS = Limits(cpu_time_seconds=2.0, wall_time_seconds=10.0)
PROGRAM = Program("w", Problem("p", "", "f", FunctionTests("def check(f): assert f(1)")), b"", LIMITS, "owner")


def report(kind: int = frames.PASSED, name: str = "", message: str = "") -> bytes:
    return frames.encode(kind, name, message, -1)


SEEN = Seen(frames.EXIT, 0, 0.2, 0.1, 2**20, 0.0, b"", b"", report())
OVER = dataclasses.replace(SEEN, cpu_seconds=2.5)


Judge = Callable[..., Awaitable[Judgement | WorkFailed]]


@pytest.fixture
def judge() -> Judge:
    async def run(cell: FakeCell, *, busy: bool = False, program: Program = PROGRAM) -> Judgement | WorkFailed:
        worker = SandboxWorker(FakeBackend(cell), 1)  # type: ignore[arg-type]
        await worker._pool.start()
        if busy:  # more work than one program
            worker._tasks["other"] = asyncio.create_task(asyncio.sleep(60))  # type: ignore[arg-type]
        await worker.submit([program])
        (result,) = await worker.collect(5)
        await worker.stop()
        return result

    return run


async def test_a_quiet_worker_gives_no_overtime_and_judges_once(judge: Judge) -> None:
    cell = FakeCell(OVER)
    result = await judge(cell)
    assert isinstance(result, Judgement)
    assert result.verdict is Verdict.TIMED_OUT
    assert cell.given == [(frames.SPLIT, 2.0, "owner")]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (SEEN, False),
        (OVER, True),
        (dataclasses.replace(OVER, end=frames.CPU_LIMIT, cpu_seconds=3.0), False),
        (dataclasses.replace(SEEN, end=frames.WALL_LIMIT, waited_seconds=0.9), False),
        (dataclasses.replace(SEEN, end=frames.WALL_LIMIT, waited_seconds=1.1), True),
        (dataclasses.replace(SEEN, end=frames.JUDGE_CPU_LIMIT), True),
        (dataclasses.replace(SEEN, end=frames.OUTPUT_LIMIT), False),
    ],
)
async def test_what_load_may_be_to_blame_for_is_judged_again_alone(judge: Judge, first: Seen, again: bool) -> None:
    cell = FakeCell(first, SEEN)
    result = await judge(cell, busy=True)
    assert isinstance(result, Judgement)
    assert [limit for _, limit, _ in cell.given] == [2.0 * OVERTIME_SHARED_CORE, 2.0][: 2 if again else 1]
    if again:
        assert result.verdict is Verdict.PASSED


async def test_a_lost_cell_is_retried_and_then_no_verdict(judge: Judge) -> None:
    result = await judge(FakeCell(*[CellLost("gone")] * RETRIES, SEEN))
    assert isinstance(result, Judgement)
    result = await judge(FakeCell(*[CellLost("gone")] * (RETRIES + 1)))
    assert isinstance(result, WorkFailed)
    assert (result.reason, result.retryable) == ("CELL_LOST", True)


async def test_a_judge_that_dies_each_time_is_the_programs_doing(judge: Judge) -> None:
    result = await judge(FakeCell(*[JudgeDied("dead")] * (RETRIES + 1)))
    assert isinstance(result, Judgement)
    assert (result.verdict, "each time" in result.detail) == (Verdict.CRASHED, True)


async def test_an_outage_among_them_is_no_verdict(judge: Judge) -> None:
    result = await judge(FakeCell(CellLost("gone"), *[JudgeDied("dead")] * RETRIES))
    assert isinstance(result, WorkFailed), result


async def test_what_cannot_be_split_runs_together(judge: Judge) -> None:
    cannot = dataclasses.replace(SEEN, result=report(frames.CANNOT_SPLIT, "", "a function"))
    cell = FakeCell(cannot, dataclasses.replace(SEEN, result=report(frames.ASSERTION, "AssertionError")))
    program = dataclasses.replace(PROGRAM, problem=Problem("p", "", "", AssertionTests(("assert f(1)",))))
    result = await judge(cell, program=program)
    assert isinstance(result, Judgement)
    assert (result.verdict, result.integrity) == (Verdict.FAILED, "SHARED")
    assert [mode for mode, _, _ in cell.given] == [frames.SPLIT, frames.TOGETHER]


async def test_one_alone_excludes_all_others_and_nobody_starves() -> None:
    order, running, log = Alone(), set[str](), list[str]()

    async def go(name: str, alone: bool) -> None:
        async with order.alone() if alone else order.together():
            assert not running if alone else not any(other.startswith("alone") for other in running)
            running.add(name)
            for _ in range(3):
                await asyncio.sleep(0)
            running.discard(name)
            log.append(name)

    async with asyncio.timeout(5):
        async with asyncio.TaskGroup() as tasks:
            for number in range(30):
                tasks.create_task(go(f"{'alone' if number % 5 == 4 else 'together'} {number}", number % 5 == 4))
                await asyncio.sleep(0)
    assert len(log) == 30


async def test_one_that_gives_up_waiting_to_be_alone_holds_up_nobody() -> None:
    order = Alone()
    async with order.together():
        waiting = asyncio.create_task(order.alone().__aenter__())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), order.together():
            pass


async def test_one_cancelled_in_any_turn_while_it_ends_holds_up_nobody() -> None:
    order = Alone()

    async def go(alone: bool) -> None:
        async with order.alone() if alone else order.together():
            await asyncio.sleep(0)

    for turns in range(8):
        tasks = [asyncio.create_task(go(alone=number % 3 == 0)) for number in range(9)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1):
            await go(alone=True)
            await go(alone=False)


async def test_an_urgent_program_takes_the_next_free_cell() -> None:
    judged: list[str] = []

    class Slow(FakeCell):
        async def run(self, mode: int, program: bytes, *arguments: object, **options: object) -> Seen:
            judged.append(str(options["owner"]))
            await asyncio.sleep(0.001)
            return SEEN

    worker = SandboxWorker(FakeBackend(Slow()), 1)  # type: ignore[arg-type]
    await worker._pool.start()
    await worker.submit([dataclasses.replace(PROGRAM, work_id=f"b{i}", owner=f"b{i}") for i in range(4)])
    await asyncio.sleep(0)
    await worker.submit([dataclasses.replace(PROGRAM, work_id="u", owner="u", urgent=True)])
    finished = 0
    while finished < 5:
        finished += len(await worker.collect(5))
    await worker.stop()
    assert judged == ["b0", "u", "b1", "b2", "b3"]
