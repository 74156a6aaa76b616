"""The manager: makes jobs, runs each as one task, records what happens, and lets running ones end before the server does.

It is the only writer of a job's record. A verdict is published and counted in the same step, so the progress that a client
sees always agrees with the events it saw.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from codesieve.server.errors import Draining, ServiceError
from codesieve.server.evaluation.report import ScoredSample, build
from codesieve.server.jobs.model import (
    Failure,
    Happening,
    Job,
    JobChanged,
    JobEvent,
    JobSpec,
    JobState,
    JudgeReport,
    Progress,
    Report,
    SampleGenerated,
    SampleJudged,
)
from codesieve.server.jobs.store import JobStore
from codesieve.server.jobs.stream import EventStream
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pipeline import Judges, Pipeline
from codesieve.workers.types import Judgement, Verdict

log = logging.getLogger(__name__)

MAX_RUNNING = 4


class JobManager:
    """Jobs from their making to their end. At most `MAX_RUNNING` run at a time; more are PENDING."""

    def __init__(
        self,
        store: JobStore,
        models: ModelRegistry,
        judge: Judges,
        sandbox: str,
        metrics: Metrics,
        now: Callable[[], datetime.datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._stream = EventStream(store)
        self._models = models
        self._judge = judge
        self._sandbox = sandbox
        self._metrics = metrics
        self._now = now
        self._monotonic = monotonic
        self._places = asyncio.Semaphore(MAX_RUNNING)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._draining = False

    async def create(self, job_id: str, spec: JobSpec) -> Job:
        """Makes a job and starts it; returns the one that is there if an equal one was made under this id before."""
        if self._draining:
            raise Draining
        if spec.generation is not None:
            self._models.pool(spec.generation.model)  # refuses a model that isn't there before anything is kept
        job, is_new = await self._store.create(
            Job(job_id, spec, JobState.PENDING, self._now(), Progress(samples_total=spec.samples_total))
        )
        if is_new:
            await self._stream.publish(job_id, job.create_time, [JobChanged(job)])
            task = asyncio.create_task(self._run(job), name=job_id)
            self._running[job_id] = task
            task.add_done_callback(lambda _: self._running.pop(job_id, None))
        return job

    async def get(self, job_id: str) -> Job:
        return await self._store.get(job_id)

    async def list(self, limit: int, before: str | None) -> Sequence[Job]:
        return await self._store.list(limit, before)

    async def cancel(self, job_id: str) -> Job:
        """Stops a job and waits until it has ended; one that had ended stays as it is."""
        await self._store.get(job_id)
        task = self._running.get(job_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return await self._store.get(job_id)

    def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[JobEvent]:
        return self._stream.follow(job_id, after_sequence)

    async def drain(self, grace_seconds: float) -> None:
        """Takes no more jobs, lets running ones end within `grace_seconds`, cancels the rest, then ends all watching."""
        self._draining = True
        running = list(self._running.values())
        if running:
            log.info("waiting up to %.0f s for %d job(s) to end", grace_seconds, len(running))
            _, late = await asyncio.wait(running, timeout=grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._stream.close()

    async def _run(self, job: Job) -> None:
        record = _Record(job, self._monotonic)

        async def emit(happening: Happening) -> None:
            record.note(happening)
            if isinstance(happening, SampleJudged):
                self._metrics.sample_ended(happening.outcome)
            await self._stream.publish(job.job_id, self._now(), [happening])
            await self._keep_progress(record)

        state, failure = JobState.FAILED, None
        try:
            async with self._places:
                record.job = await self._move(record.job, JobState.RUNNING)
                pool = self._models.pool(job.spec.generation.model) if job.spec.generation else None
                await Pipeline(job.job_id, job.spec, pool, self._judge, emit).run()
            if record.unjudged and record.unjudged == record.judged:
                failure = Failure(
                    "NOTHING_JUDGED", f"no sample could be judged; the last reason: {record.last_trouble}"
                )
            else:
                state = JobState.SUCCEEDED
        except asyncio.CancelledError:
            state = JobState.CANCELLED
        except ServiceError as error:
            failure = Failure(error.reason, error.message)
        except Exception as error:
            log.exception("job %s failed", job.job_id)
            failure = Failure("INTERNAL", f"{type(error).__name__}: {error}")
        report = None
        if record.job.state is not JobState.PENDING:
            # In a thread: it takes seconds for millions of samples, and other jobs go on meanwhile.
            report = await asyncio.to_thread(record.report, self._sandbox)
        ended = dataclasses.replace(record.job, progress=record.progress(), failure=failure, report=report)
        await self._move(ended, state)

    async def _keep_progress(self, record: _Record) -> None:
        await self._store.update(dataclasses.replace(record.job, progress=record.progress()))

    async def _move(self, job: Job, state: JobState) -> Job:
        moved = job.moved(state, self._now())
        await self._stream.publish(job.job_id, self._now(), [JobChanged(moved)])
        self._metrics.job_moved(job.state, state)
        log.info("job %s is %s", job.job_id, state)
        return moved


class _Record:
    """What has become of a running job's samples so far, small enough to be kept for each of them."""

    def __init__(self, job: Job, monotonic: Callable[[], float]) -> None:
        self.job = job
        self._monotonic = monotonic
        self._waiting: dict[str, ScoredSample] = {}
        self._scored: list[ScoredSample] = []
        self._verdicts: collections.Counter[Verdict] = collections.Counter()
        self._generated = 0
        self._first: float | None = None
        self._last: float | None = None
        self.judged = 0
        self.unjudged = 0
        self.last_trouble = ""

    def note(self, happening: Happening) -> None:
        if isinstance(happening, SampleGenerated):
            sample = happening.sample
            if self._first is None:
                self._first = self._monotonic()
            self._generated += 1
            self._waiting[sample.sample_id] = ScoredSample(
                sample.problem_id, sample.temperature, sample.index, None, sample.token_count, sample.cumulative_logprob
            )
        elif isinstance(happening, SampleJudged):
            self._last = self._monotonic()
            self.judged += 1
            scored = self._waiting.pop(happening.sample_id, None)
            if isinstance(happening.outcome, Judgement):
                verdict = happening.outcome.verdict
                self._verdicts[verdict] += 1
                if scored is not None:
                    self._scored.append(dataclasses.replace(scored, passed=verdict is Verdict.PASSED))
            else:
                self.unjudged += 1
                self.last_trouble = happening.outcome.message

    def progress(self) -> Progress:
        return Progress(
            samples_total=self.job.spec.samples_total,
            samples_generated=self._generated,
            samples_judged=self.judged,
            samples_unjudged=self.unjudged,
            verdicts={verdict.value: count for verdict, count in self._verdicts.items()},
        )

    def report(self, sandbox: str) -> Report:
        spec = self.job.spec
        wall = self._last - self._first if self._first is not None and self._last is not None else 0.0
        return Report(
            temperatures=build(self._scored, spec.ks, spec.temperatures),
            judge=JudgeReport(
                programs_per_second=self.judged / wall if wall > 0 else 0.0, wall_seconds=wall, sandbox=sandbox
            ),
        )
