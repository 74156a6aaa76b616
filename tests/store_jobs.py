"""Jobs, leases and events for the tests of stores."""

from __future__ import annotations

import datetime

from codesieve.server.jobs.model import (
    GenerationSpec,
    Happening,
    Job,
    JobChanged,
    JobContents,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    SampleJudged,
    request_digest,
    sample_id,
)
from codesieve.server.jobs.store import Admission, Happened, JobStore, Lease
from codesieve.server.sharing import Priority
from codesieve.workers.types import FunctionTests, Integrity, Judgement, Limits, Problem, Sample, Verdict

NOW = datetime.datetime(2026, 1, 1, 23, 59, 58, 123456, tzinfo=datetime.UTC)
ANY = Admission()
PROBLEMS = tuple(
    Problem(f"p/{i}", f"def f{i}():\n", f"f{i}", FunctionTests("def check(candidate): pass")) for i in range(3)
)


def at(seconds: float) -> datetime.datetime:
    return NOW + datetime.timedelta(seconds=seconds)


def sample(index: int, completion: bytes = b"x") -> Sample:
    return Sample(sample_id("p/0", 0.5, index), "p/0", 0.5, index, completion)


def a_job(
    job_id: str,
    caller: str = "mine",
    *,
    completion: bytes = b"x",
    model: str | None = None,
    priority: Priority = Priority.BATCH,
    created: datetime.datetime = NOW,
    total: int = 1,
) -> tuple[Job, JobContents]:
    generation = None if model is None else GenerationSpec(model, (0.5,), 1, 0.95, 64, (), 7)
    spec = JobSpec(generation, Limits(), (1,), "inline", 0, priority)
    contents = JobContents(PROBLEMS, (sample(0, completion),) if model is None else None)
    key = JobKey(caller, job_id)
    return Job(key, spec, request_digest(spec, contents), JobState.PENDING, created, Progress(total)), contents


def happened(*happenings: Happening, time: datetime.datetime = NOW) -> list[Happened]:
    return [Happened(time, one) for one in happenings]


def judged(index: int, verdict: Verdict = Verdict.PASSED) -> SampleJudged:
    return SampleJudged(sample_id("p/0", 0.5, index), Judgement(f"w{index}", verdict, Integrity.SPLIT))


async def leased(store: JobStore, job_id: str = "j", **how: object) -> tuple[Job, Lease]:
    """A new job that "front" holds for ten seconds."""
    await store.create(*a_job(job_id, **how), ANY)  # type: ignore[arg-type]
    ((job, lease),) = await store.claim("front", NOW, at(10), ["m"], 1)
    return job, lease


async def running(store: JobStore, job_id: str = "j") -> tuple[Job, Lease]:
    job, lease = await leased(store, job_id)
    moved = job.moved(JobState.RUNNING, NOW)
    await store.append(lease, 1, happened(JobChanged(moved)), moved.progress)
    return moved, lease


async def ended(store: JobStore, job_id: str = "j", when: datetime.datetime = NOW) -> Job:
    job, lease = await running(store, job_id)
    moved = job.moved(JobState.SUCCEEDED, when)
    await store.append(lease, 2, happened(JobChanged(moved)), moved.progress)
    return moved
