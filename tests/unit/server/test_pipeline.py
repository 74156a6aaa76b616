"""A job's walk: how much of it is in flight, and whom a store that stands still holds up."""

from __future__ import annotations

import asyncio
import datetime

from codesieve.server.callers import Quota
from codesieve.server.jobs.model import (
    GenerationSpec,
    Happening,
    Job,
    JobContents,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    SampleJudged,
)
from codesieve.server.pipeline import Pipeline
from codesieve.server.pools import Pool
from codesieve.server.quotas import Quotas
from codesieve.server.sharing import Priority, Share
from codesieve.workers.types import (
    FunctionTests,
    Generated,
    GenerationRequest,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    Verdict,
    WorkerInfo,
)
from codesieve.workers.worker import TaskWorker

PROBLEM = Problem("p", "def f():\n", "f", FunctionTests("def check(candidate): pass"))
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


async def generate(request: GenerationRequest) -> Generated:
    return Generated(request.work_id, b"x")


async def judge(program: Program) -> Judgement:
    return Judgement(program.work_id, Verdict.PASSED, Integrity.SPLIT)


class Engine(TaskWorker[GenerationRequest, Generated]):
    async def start(self) -> WorkerInfo:
        return WorkerInfo("local", capacity=4)

    async def stop(self) -> None:
        await self.stop_tasks()


class Cells(TaskWorker[Program, Judgement]):
    async def start(self) -> WorkerInfo:
        return WorkerInfo("local", capacity=8)

    async def stop(self) -> None:
        await self.stop_tasks()


def a_job(samples: int, priority: Priority) -> tuple[Job, JobContents]:
    generation = GenerationSpec("m", (0.2,), samples, 0.95, 64, (), seed=7)
    spec = JobSpec(generation, Limits(), (1,), "inline", 0, priority)
    return Job(JobKey("me", "job"), spec, b"", JobState.RUNNING, NOW, Progress(samples)), JobContents((PROBLEM,), None)


async def test_a_store_that_stands_still_holds_up_its_job_alone() -> None:
    engines: Pool[GenerationRequest, Generated] = Pool("generation", lambda: Engine(generate), 1)
    cells: Pool[Program, Judgement] = Pool("sandbox", lambda: Cells(judge), 1)
    await engines.start()
    await cells.start()
    store, judged, stuck = asyncio.Event(), list[str](), 0

    async def emit(happening: Happening) -> None:
        nonlocal stuck
        if isinstance(happening, SampleJudged):
            stuck += 1
            await store.wait()
            judged.append(happening.sample_id)

    job, contents = a_job(500, Priority.BATCH)
    walking = asyncio.create_task(
        Pipeline(job, contents, engines, cells, emit, Quotas(lambda caller: Quota())).run(lambda name: False, ())
    )
    async with asyncio.timeout(20):
        bound = 2 * (4 + 8)
        while stuck < bound:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        for number in range(50):
            program = Program(f"another/{number}", PROBLEM, b"x", Limits())
            assert isinstance(await cells.run(program, Share("other", "stream")), Judgement)
        assert stuck == bound
        store.set()
        await walking
    assert sorted(judged) == sorted(f"p@0.2#{index}" for index in range(500))
    await engines.stop()
    await cells.stop()


async def test_two_walks_of_one_job_do_not_get_into_each_others_way() -> None:
    """A job that comes back to the same front end while what its first walk left is still being cancelled."""
    programs: list[Program] = []
    never = asyncio.Event()

    async def generate_never(request: GenerationRequest) -> Generated:
        try:
            await never.wait()
        finally:
            await asyncio.sleep(0.01)  # cancelling takes a while
        return Generated(request.work_id, b"x")

    async def judge_and_tell(program: Program) -> Judgement:
        programs.append(program)
        return await judge(program)

    engines: Pool[GenerationRequest, Generated] = Pool("generation", lambda: Engine(generate_never), 1)
    cells: Pool[Program, Judgement] = Pool("sandbox", lambda: Cells(judge_and_tell), 1)
    await engines.start()
    await cells.start()
    ended: list[Happening] = []

    async def emit(happening: Happening) -> None:
        ended.append(happening)

    job, contents = a_job(3, Priority.INTERACTIVE)
    first = asyncio.create_task(
        Pipeline(job, contents, engines, cells, emit, Quotas(lambda caller: Quota())).run(lambda name: False, ())
    )
    await asyncio.sleep(0.01)
    first.cancel()
    second = asyncio.create_task(
        Pipeline(job, contents, engines, cells, emit, Quotas(lambda caller: Quota())).run(lambda name: False, ())
    )
    await asyncio.sleep(0.01)
    never.set()
    async with asyncio.timeout(5):
        await second
    verdicts = [one.outcome for one in ended if isinstance(one, SampleJudged)]
    assert [isinstance(outcome, Judgement) for outcome in verdicts] == [True] * 3
    assert [program.urgent for program in programs] == [True] * 3
    await engines.stop()
    await cells.stop()
