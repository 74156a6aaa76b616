"""The manager: takes jobs in, leases those that wait and runs them, and gives them back when the server stops.

Jobs wait in the store. Whenever there is room the manager claims some, its own or another front end's whose lease ran out,
and runs each as one task (`runner`). A heartbeat renews the leases and learns which jobs are to be cancelled, so that a job
can be watched and cancelled through any front end.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from codesieve.server.callers import Caller
from codesieve.server.errors import Draining, NotFound, PreconditionFailed, StoreUnavailable
from codesieve.server.jobs.model import (
    GenerationSpec,
    Job,
    JobContents,
    JobEvent,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    request_digest,
    samples_total,
)
from codesieve.server.jobs.record import samples_of
from codesieve.server.jobs.runner import JobRunner, Stop
from codesieve.server.jobs.store import Admission, JobStore, Lease, Waiting
from codesieve.server.jobs.stream import EventStream
from codesieve.server.jobs.teller import Teller
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pipeline import Judges
from codesieve.server.quotas import Quotas
from codesieve.workers.faults import outline
from codesieve.workers.types import WorkerInfo

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

log = logging.getLogger(__name__)

MAX_RUNNING = 16
"""Jobs that one front end runs at a time: each holds its problems and recorded samples in memory."""
MAX_OPEN = 256
"""Jobs of all front ends that have not ended."""
BEAT_SECONDS = 0.5
GIVE_BACK_SECONDS = 10.0
"""How long jobs may take to write what they have when the server stops."""
LEASE_SECONDS = 15.0
"""How long a dead front end's jobs stand still."""
WAITING_SHOWN = 20
"""Of the jobs that wait, how many are shown."""
WAITING_SECONDS = 2.0
"""How long the store may take to tell what waits: less than an operator's look may take."""


class JobManager:
    """Jobs from their making to their end. `front_end` names this one among those of the store."""

    def __init__(
        self,
        store: JobStore,
        front_end: str,
        models: ModelRegistry,
        judge: Judges,
        sandbox: str,
        metrics: Metrics,
        quotas: Quotas,
        now: Callable[[], datetime.datetime],
        cells: Callable[[], Sequence[WorkerInfo]] = tuple,
        traces: Traces | None = None,
    ) -> None:
        """`cells` gives what the sandbox's workers say of themselves, for the jobs' provenance."""
        self._teller = Teller(models, cells)
        self._store = store
        self._front_end = front_end
        self._stream = EventStream(store, metrics.hops["client"], now)
        self._models = models
        self._judge = judge
        self._sandbox = sandbox
        self._metrics = metrics
        self._quotas = quotas
        self._now = now
        self._traces = traces
        self._runners: dict[JobKey, JobRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._asking: asyncio.Task[Waiting] | None = None
        self._draining = False
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to take jobs from the store."""
        self._keeper = asyncio.create_task(self._keep())

    async def create(self, caller: Caller, job_id: str, spec: JobSpec, contents: JobContents, trace: str = "") -> Job:
        """Makes a job; returns the one that is there if an equal one was made under this id before.

        `trace` is the traceparent that its spans go below, "" for none.
        """
        if self._draining:
            raise Draining
        if spec.generation is not None:
            await self._check(JobKey(caller.name, job_id), spec.generation)
        digest = await asyncio.to_thread(request_digest, spec, contents)
        progress = Progress(samples_total=samples_total(spec, contents))
        job = Job(JobKey(caller.name, job_id), spec, digest, JobState.PENDING, self._now(), progress, trace=trace)
        admission = Admission(MAX_OPEN, caller.quota.jobs, caller.quota.samples_per_day)
        kept, is_new = await self._store.create(job, contents, admission)
        if is_new:
            log.info("the job was taken in", extra={**self._ids(kept), "samples": progress.samples_total})
        self._look.set()
        return kept

    async def _check(self, key: JobKey, generation: GenerationSpec) -> None:
        """Refuses what the model can't do now, before anything is kept; but not a job that is there already."""
        try:
            self._models.check(generation.model, generation.weights_version, generation.adapter)
        except PreconditionFailed:
            try:
                await self._store.get(key)
            except NotFound:
                pass
            else:
                return
            raise

    async def rejudge(self, caller: Caller, source_id: str, job_id: str, trace: str = "") -> Job:
        """Makes a job of the samples that an ended one has."""
        source = await self._store.get(JobKey(caller.name, source_id))
        if not source.state.ended:
            raise PreconditionFailed(f"job {source_id} has not ended", reason="JOB_NOT_ENDED")
        samples = await samples_of(self._store, source)
        if not samples:
            raise PreconditionFailed(f"job {source_id} has no samples", reason="NO_SAMPLES")
        given = source.spec
        spec = JobSpec(
            None,
            given.limits,
            given.ks,
            given.source,
            given.limit,
            given.priority,
            None,
            source_id,
            given.counted_samples_per_problem if given.early_stop is None else given.early_stop.fewest,
        )
        problems = (await self._store.contents(source.key)).problems
        return await self.create(caller, job_id, spec, JobContents(problems, samples), trace)

    async def get(self, key: JobKey) -> Job:
        return await self._store.get(key)

    async def list(self, caller: str, limit: int, before: str | None) -> Sequence[Job]:
        return await self._store.list(caller, limit, before)

    async def delete(self, key: JobKey) -> None:
        await self._store.delete(key)

    async def cancel(self, key: JobKey) -> Job:
        """Stops a job and waits until it has ended, wherever it runs; one that had ended stays as it is."""
        now = self._now()
        job = await self._store.request_cancel(key, now)
        if self._traces is not None and job.start_time is None and job.end_time == now:
            self._traces.job_ended(job)  # the store ended it, before anybody ran it
        self._stream.wake(key)
        if not job.state.ended:
            runner = self._runners.get(key)
            if runner is not None:
                runner.stop(Stop.CANCELLED)
            async for _ in self._stream.follow(key, await self._store.last_sequence(key)):
                pass
            job = await self._store.get(key)
        return job

    def _ids(self, job: Job) -> dict[str, str]:
        return job.ids(self._traces is not None)

    def running(self) -> Sequence[Job]:
        """The jobs that this front end runs now, as they are now, the first taken first."""
        return [runner.job for runner in self._runners.values()]

    async def waiting(self) -> Waiting | None:
        """The jobs of all callers that no front end runs; None where the store can't tell it now."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._store.waiting(self._now(), WAITING_SHOWN))
            # It may fail when nobody waits for it any more.
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                # Whoever looks meanwhile waits for the same answer: a store that hangs isn't asked again and again.
                return await asyncio.shield(self._asking)
        except (StoreUnavailable, TimeoutError):
            return None

    def watch(self, key: JobKey, after_sequence: int) -> AsyncIterator[JobEvent]:
        return self._stream.follow(key, after_sequence)

    async def drain(self, grace_seconds: float) -> None:
        """Takes no more jobs, lets running ones end within `grace_seconds`, gives the rest back, then ends all watching."""
        self._draining = True
        if self._tasks:
            log.info("waiting for jobs to end", extra={"jobs": len(self._tasks), "seconds": grace_seconds})
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for runner in self._runners.values():
            runner.stop(Stop.GIVEN_BACK)
        if self._tasks:
            # Those that wait for the store would wait for ever. What they have not written is done again.
            _, waiting = await asyncio.wait(self._tasks, timeout=GIVE_BACK_SECONDS)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._stream.close()

    async def _keep(self) -> None:
        """The heartbeat."""
        trouble = False
        while True:
            try:
                await self._beat()
                self._metrics.store_up.set(1)
                if trouble:
                    log.info("the store can be reached again")
                trouble = False
            except StoreUnavailable as error:
                self._metrics.store_up.set(0)
                if not trouble:  # said once, not at every beat
                    log.warning("the store can't be reached", extra={"error": error.message})
                trouble = True
            except Exception as error:  # noqa: BLE001 - the next one must come all the same
                log.error("a heartbeat failed", extra={"error": outline(error)})
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):  # not wait_for, which may swallow a cancellation
                    await self._look.wait()

    async def _beat(self) -> None:
        now = self._now()
        until = now + datetime.timedelta(seconds=LEASE_SECONDS)
        if self._runners:
            for key in await self._store.renew(self._front_end, tuple(self._runners), until):
                if key in self._runners:
                    self._runners[key].stop(Stop.CANCELLED)
        room = MAX_RUNNING - len(self._runners)
        if room > 0 and not self._draining:
            models = [model.model_id for model in self._models.ready()]
            for job, lease in await self._store.claim(self._front_end, now, until, models, room):
                self._run(job, lease)

    def _run(self, job: Job, lease: Lease) -> None:
        runner = JobRunner(
            job,
            lease,
            self._store,
            self._models,
            self._judge,
            self._sandbox,
            self._metrics,
            self._quotas,
            self._now,
            written=lambda sequence: self._stream.wake(job.key, sequence),
            teller=self._teller,
            traces=self._traces,
        )
        self._runners[job.key] = runner
        task = asyncio.create_task(self._guard(job, lease, runner), name=str(job.key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, job: Job, lease: Lease, runner: JobRunner) -> None:
        try:
            await runner.run()
        except Exception as error:  # noqa: BLE001 - its lease runs out, and it is tried again, here or elsewhere
            log.error("the job stands still", extra={**self._ids(job), "error": outline(error)})
        finally:
            if self._runners.get(job.key) is runner:
                del self._runners[job.key]
            self._look.set()
