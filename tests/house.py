"""A job manager over workers of this process, for tests of what it does with jobs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from codesieve.server.callers import Caller, Scope
from codesieve.server.door import OpenDoor
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import (
    GenerationSpec,
    Job,
    JobChanged,
    JobContents,
    JobEvent,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    SampleJudged,
    request_digest,
    sample_id,
)
from codesieve.server.jobs.store import JobStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.quotas import Quotas
from codesieve.workers.types import (
    FunctionTests,
    Generated,
    GenerationRequest,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    Sample,
    Verdict,
    WorkerInfo,
)
from codesieve.workers.worker import TaskWorker

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
PROBLEMS = tuple(
    Problem(f"p/{i}", f"def f{i}():\n", f"f{i}", FunctionTests("def check(candidate): pass")) for i in range(3)
)


Asked = tuple[JobSpec, JobContents]
MINE = Caller("mine", frozenset(Scope))


def key(job_id: str) -> JobKey:
    return JobKey(MINE.name, job_id)


def a_job(job_id: str) -> tuple[Job, JobContents]:
    spec, contents = recorded([b"x"])
    return Job(key(job_id), spec, request_digest(spec, contents), JobState.PENDING, NOW, Progress(1)), contents


def recorded(completions: list[bytes]) -> Asked:
    samples = tuple(
        Sample(sample_id("p/0", None, i), "p/0", None, i, completion) for i, completion in enumerate(completions)
    )
    return JobSpec(None, Limits(), (1,), "inline", 0), JobContents(PROBLEMS, samples)


def generated(n: int = 2, temperatures: tuple[float, ...] = (0.2, 0.8)) -> Asked:
    spec = GenerationSpec("replay", temperatures, n, 0.95, 64, ("\ndef",), seed=7)
    return JobSpec(spec, Limits(), (1,), "inline", 0), JobContents(PROBLEMS, None)


async def judge_by_text(program: Program) -> Judgement:
    """PASSED for a completion that says "right", FAILED otherwise."""
    verdict = Verdict.PASSED if b"right" in program.completion else Verdict.FAILED
    return Judgement(program.work_id, verdict, Integrity.SHARED)


async def generate_right_for_even(request: GenerationRequest) -> Generated:
    return Generated(request.work_id, b"right" if request.index % 2 == 0 else b"wrong", 3, -0.5 * (request.index + 1))


class FunctionWorker(TaskWorker[Any, Any]):
    """A worker over an async function, in this process."""

    async def start(self) -> WorkerInfo:
        return WorkerInfo("local", capacity=4)

    async def stop(self) -> None:
        await self.stop_tasks()


class House:
    """A job manager over workers in this process."""

    def __init__(
        self, generate: Callable[..., Awaitable[Any]], judge: Callable[..., Awaitable[Any]], store: JobStore
    ) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.store = store
        made = self.metrics.pool("generation-tiny", hop="generation")
        judged = self.metrics.pool("sandbox", hop="judge")
        self.models = ModelRegistry(lambda name, source: Pool("generation", lambda: FunctionWorker(generate), 1, made))
        self.judge: Pool[Program, Judgement] = Pool("sandbox", lambda: FunctionWorker(judge), 1, judged)
        self.jobs = JobManager(
            self.store,
            "front-end",
            self.models,
            self.judge,
            "local",
            self.metrics,
            Quotas(OpenDoor().quota_of),
            now=lambda: datetime.datetime.now(datetime.UTC),
        )

    async def events(self, job_id: str, after_sequence: int = 0) -> list[JobEvent]:
        return [event async for event in self.jobs.watch(key(job_id), after_sequence)]

    async def create(self, job_id: str, asked: Asked) -> Job:
        return await self.jobs.create(MINE, job_id, *asked)

    async def runs(self, job_id: str) -> None:
        """Waits until the job is running."""
        async for event in self.jobs.watch(key(job_id), 0):
            if isinstance(event.happening, JobChanged) and event.happening.job.state is JobState.RUNNING:
                return

    async def judged(self, job_id: str, count: int) -> None:
        """Waits until so many of the job's samples are judged."""
        async for event in self.jobs.watch(key(job_id), 0):
            count -= isinstance(event.happening, SampleJudged)
            if not count:
                return

    async def get(self, job_id: str) -> Job:
        return await self.jobs.get(key(job_id))


@asynccontextmanager
async def a_house(
    generate: Callable[..., Awaitable[Any]] = generate_right_for_even,
    judge: Callable[..., Awaitable[Any]] = judge_by_text,
    store: JobStore | None = None,
) -> AsyncIterator[House]:
    house = House(generate, judge, store or MemoryStore(max_jobs=3))
    await house.judge.start()
    await house.models.load("replay:x.jsonl")
    house.jobs.start()
    try:
        yield house
    finally:
        await house.jobs.drain(0)
        await house.models.stop()
        await house.judge.stop()


def for_model(house: House, asked: Asked) -> Asked:
    spec, contents = asked
    assert spec.generation is not None
    model = house.models.list()[0].model_id
    return dataclasses.replace(spec, generation=dataclasses.replace(spec.generation, model=model)), contents
