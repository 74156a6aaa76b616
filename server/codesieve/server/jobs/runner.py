"""Runs one leased job to its end, or until it is stopped, from where its events leave off."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import enum
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from codesieve.server.errors import NotFound, ServiceError, StoreUnavailable
from codesieve.server.jobs.model import (
    Failure,
    Happening,
    Job,
    JobChanged,
    JobContents,
    JobState,
    SampleGenerated,
    SampleJudged,
    problem_of,
)
from codesieve.server.jobs.places import places_of
from codesieve.server.jobs.provenance import Provenance, merged, problems_digest
from codesieve.server.jobs.record import Record, Resumed, resume
from codesieve.server.jobs.recorder import Recorder, until_available
from codesieve.server.jobs.store import JobStore, Lease, LeaseLost
from codesieve.server.jobs.teller import Teller
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pipeline import Emit, Generates, Judges, Pipeline
from codesieve.server.quotas import Quotas
from codesieve.workers.faults import outline
from codesieve.workers.types import Sample, WorkFailed

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long a job that is given back may take to write what it has: the server is about to stop."""


class Stop(enum.Enum):
    """Why a job is stopped before its end."""

    CANCELLED = enum.auto()
    """Somebody asked for it. What was finished stays, and is reported."""
    GIVEN_BACK = enum.auto()
    """This front end stops. The job goes on elsewhere or later."""
    LOST = enum.auto()
    """The lease ran out, and the job goes on elsewhere: nothing is to be written."""


class JobRunner:
    """One job, while this front end runs it."""

    def __init__(
        self,
        job: Job,
        lease: Lease,
        store: JobStore,
        models: ModelRegistry,
        judge: Judges,
        sandbox: str,
        metrics: Metrics,
        quotas: Quotas,
        now: Callable[[], datetime.datetime],
        written: Callable[[int], None],
        teller: Teller,
        traces: Traces | None = None,
    ) -> None:
        self._job = job
        self._lease = lease
        self._store = store
        self._models = models
        self._judge = judge
        self._sandbox = sandbox
        self._metrics = metrics
        self._quotas = quotas
        self._now = now
        self._written = written
        self._traces = traces
        self._ids = job.ids(traces is not None)
        self._teller = teller
        self._stop: Stop | None = None
        self._walking: asyncio.Task[None] | None = None
        self._record: Record | None = None

    @property
    def job(self) -> Job:
        """The job as it is now."""
        return self._job if self._record is None else dataclasses.replace(self._job, progress=self._record.progress())

    def stop(self, why: Stop) -> None:
        """Stops the job; `run` returns soon after. The first reason counts."""
        if self._stop is None:
            self._stop = why
            if self._walking is not None:
                self._walking.cancel()

    async def run(self) -> None:
        """Until the job has ended, is stopped, or is another front end's."""
        try:
            contents, resumed = await until_available(self._read, self._ids)
        except NotFound:  # our lease ran out while we waited, and it was deleted
            return
        with self._metrics.hops["store"].line() as line:
            recorder = Recorder(
                self._store,
                self._lease,
                resumed.record,
                resumed.sequence,
                self._now,
                self._written,
                line,
                self._metrics.store_seconds.observe,
                self._ids,
            )
            await self._run(contents, resumed, recorder)

    async def _run(self, contents: JobContents, resumed: Resumed, recorder: Recorder) -> None:
        self._metrics.job_taken(self._job.state)
        writing = asyncio.create_task(recorder.write())
        going = asyncio.create_task(self._go(contents, resumed.record, resumed.unjudged, recorder))
        try:
            await asyncio.wait((writing, going), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                await going
            elif isinstance(trouble := writing.exception(), LeaseLost):
                self.stop(Stop.LOST)
                log.warning("the job goes on elsewhere", extra={**self._ids, "error": trouble.message})
            elif trouble is not None:
                raise trouble
        finally:
            for task in (going, writing):
                task.cancel()
            await asyncio.gather(going, writing, return_exceptions=True)
            if not self._job.state.ended:
                self._metrics.job_left(self._job.state)
            if self._stop is Stop.GIVEN_BACK:
                # If it can't be given back now, the lease runs out.
                with contextlib.suppress(StoreUnavailable, TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._store.release(self._lease)

    async def _read(self) -> tuple[JobContents, Resumed]:
        contents = await self._store.contents(self._job.key)
        places = places_of(self._job.spec, contents)
        return contents, await resume(self._store, self._job, places)

    async def _go(
        self, contents: JobContents, record: Record, unjudged: tuple[Sample, ...], recorder: Recorder
    ) -> None:
        spec = self._job.spec.generation
        made = self._metrics.samples_of(spec.model) if spec else None

        def emit(happening: Happening) -> Awaitable[None]:
            if isinstance(happening, SampleJudged):
                self._metrics.job_samples.ended(happening.outcome)
                self._tell(happening)
            elif made is not None and isinstance(happening, SampleGenerated):
                made()
            return recorder.emit(happening)

        self._record = record
        digest = await asyncio.to_thread(problems_digest, contents.problems)
        if self._job.state is JobState.PENDING and self._stop is None:
            begun = dataclasses.replace(self._job, provenance=await self._provenance(digest))
            self._job = await self._move(recorder, begun, JobState.RUNNING)
        elif self._job.state is JobState.RUNNING:
            await self._go_on(recorder, digest)
        state, failure = await self._walk(contents, record, unjudged, emit)
        if self._stop is Stop.GIVEN_BACK:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await recorder.flush()
        if self._stop in (Stop.GIVEN_BACK, Stop.LOST):
            return
        await recorder.flush()
        if state is JobState.SUCCEEDED and record.unjudged and record.unjudged == record.judged:
            state = JobState.FAILED
            failure = Failure("NOTHING_JUDGED", f"no sample could be judged; the last reason: {record.last_trouble}")
        report = provenance = None
        if self._job.state is not JobState.PENDING:
            # In a thread: it takes seconds for millions of samples, and other jobs go on meanwhile.
            report = await asyncio.to_thread(record.report, self._job, contents, self._sandbox)
            provenance = merged(self._job.provenance, await self._provenance(digest))
        ended = dataclasses.replace(self._job, progress=record.progress(), failure=failure, report=report)
        ended = dataclasses.replace(ended, provenance=provenance)
        self._job = await self._move(recorder, ended, state)
        await recorder.flush()
        if self._traces is not None:
            self._traces.job_ended(self._job)

    async def _go_on(self, recorder: Recorder, digest: str) -> None:
        """Says so where another front end, or this one before it was started again, had another provenance."""
        provenance = merged(self._job.provenance, await self._provenance(digest))
        if provenance != self._job.provenance:
            self._job = dataclasses.replace(self._job, provenance=provenance)
            await recorder.emit(JobChanged(self._job))

    async def _provenance(self, digest: str) -> Provenance:
        generation = self._job.spec.generation
        return await self._teller.tell(generation.model if generation is not None else None, digest)

    async def _walk(
        self, contents: JobContents, record: Record, unjudged: tuple[Sample, ...], emit: Emit
    ) -> tuple[JobState, Failure | None]:
        """Has the samples made and judged; how that ended."""
        if self._stop is not None:
            return JobState.CANCELLED, None
        spec = self._job.spec
        try:
            pool: Generates | None = self._models.pool(spec.generation.model) if spec.generation else None
            samples = None if self._traces is None else self._traces.samples_of_job(self._job)
            if pool is not None and samples is not None and self._traces is not None:
                pool = self._traces.hop("generate", pool)
            pipeline = Pipeline(self._job, contents, pool, self._judge, emit, self._quotas, record.stopper(), samples)
            self._walking = asyncio.create_task(pipeline.run(record.begun, unjudged))
            async with asyncio.timeout(self._seconds_left()):
                await self._walking
        except asyncio.CancelledError:
            if self._stop is None:  # not the walk's but this task's own
                raise
            return JobState.CANCELLED, None
        except TimeoutError:
            text = f"it had not ended {spec.timeout_seconds:g} s after it was made"
            return JobState.FAILED, Failure("DEADLINE_EXCEEDED", text)
        except ServiceError as error:
            return JobState.FAILED, Failure(error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - the job tells it, and it is logged
            log.error("the job failed", extra={**self._ids, "error": outline(error)})
            return JobState.FAILED, Failure("INTERNAL", f"{type(error).__name__}: {error}")
        return JobState.SUCCEEDED, None

    def _tell(self, ended: SampleJudged) -> None:
        """In words of our own: what became of a sample may quote it."""
        level = logging.WARNING if isinstance(ended.outcome, WorkFailed) else logging.DEBUG
        if not log.isEnabledFor(level):
            return
        whose = {**self._ids, "problem": problem_of(ended.sample_id), "sample": ended.sample_id}
        if isinstance(ended.outcome, WorkFailed):
            log.warning("a sample ended without a verdict", extra={**whose, "reason": ended.outcome.reason})
        else:
            log.debug("a sample was judged", extra={**whose, "verdict": ended.outcome.verdict.value})

    def _seconds_left(self) -> float | None:
        timeout = self._job.spec.timeout_seconds
        if timeout is None:
            return None
        return max(0.0, timeout - (self._now() - self._job.create_time).total_seconds())

    async def _move(self, recorder: Recorder, job: Job, state: JobState) -> Job:
        moved = job.moved(state, self._now())
        await recorder.emit(JobChanged(moved))
        self._metrics.job_moved(job.state, state)
        log.info("the job changed", extra={**self._ids, "state": state.value})
        return moved
