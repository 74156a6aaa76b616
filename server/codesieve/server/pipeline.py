"""A job's samples on their way: generate -> judge, overlapped, with bounded work in flight.

Each sample is one task that walks the whole way, so it is judged the moment it is finished and holds up no other. A
semaphore bounds how many walk at a time: enough to keep engine and cells busy, and no more, however large the job is. If
the cells are slower than the engine, the walkers pile up before the cells and the engine is given nothing new. A problem
that is stopped early (`jobs.early`) has the walkers of its samples cancelled, which frees the engine, and no new ones.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from codesieve.server.jobs.early import EarlyStopper
from codesieve.server.jobs.model import (
    Happening,
    Job,
    JobContents,
    SampleGenerated,
    SampleJudged,
    planned_requests,
    sample_id,
)
from codesieve.server.jobs.places import Group
from codesieve.server.quotas import Quotas
from codesieve.server.sharing import Priority, Share
from codesieve.workers.types import Generated, GenerationRequest, Judgement, Problem, Program, Sample, WorkFailed

if TYPE_CHECKING:
    from codesieve.server.tracing import Samples

Emit = Callable[[Happening], Awaitable[None]]


class Generates(Protocol):
    """The pool of a model's workers."""

    @property
    def capacity(self) -> int: ...
    async def run(self, work: GenerationRequest, share: Share) -> Generated | WorkFailed: ...


class Judges(Protocol):
    """The pool of sandbox workers."""

    @property
    def capacity(self) -> int: ...
    async def run(self, work: Program, share: Share) -> Judgement | WorkFailed: ...


class Pipeline:
    """One job's walk."""

    def __init__(
        self,
        job: Job,
        contents: JobContents,
        generate: Generates | None,
        judge: Judges,
        emit: Emit,
        quotas: Quotas,
        stopper: EarlyStopper | None = None,
        samples: Samples | None = None,
    ) -> None:
        """`samples` has the spans of those that are traced."""
        self._job = job
        self._contents = contents
        self._generate = generate
        self._judge = judge
        self._emit = emit
        weight = quotas.of(job.key.caller).weight
        self._share = Share(job.key.caller, f"jobs/{job.key}", weight, job.spec.priority)
        self._quota = quotas.in_flight(job.key.caller)
        # More than the job's key, which may be used again once this job is deleted, or while what is left of an earlier
        # walk is being cancelled.
        self._owner = f"jobs/{job.key}/{uuid.uuid4().hex}"
        self._stopper = stopper
        self._samples = samples
        self._under_way: collections.defaultdict[Group, set[asyncio.Task[None]]] = collections.defaultdict(set)
        """With early stop: who walks whose end isn't known yet."""

    async def run(self, begun: Callable[[str], bool], unjudged: Sequence[Sample]) -> None:
        """Until every sample has its verdict or has ended without one. Cancelling it stops all that is in flight.

        The samples in `unjudged` are made already. Of the others those are passed over that are `begun`, asked by their
        ids when their turn comes. Those of a problem that is stopped early are passed over too, or cancelled.
        """
        in_flight = 2 * (self._judge.capacity + (self._generate.capacity if self._generate else 0))
        places = asyncio.Semaphore(max(in_flight, 1))

        walk = self._walk if self._samples is None else self._traced_walk

        def walked(_: asyncio.Task[None]) -> None:
            places.release()

        async with asyncio.TaskGroup() as walkers:
            for problem, work, is_told in self._steps(begun, unjudged):
                await places.acquire()
                if self._stopper is None:
                    walkers.create_task(walk(problem, work, is_told)).add_done_callback(walked)
                    continue
                group = self._stopper.group(sample_id(problem.problem_id, work.temperature, work.index))
                if self._stopper.wants(group):
                    walker = walkers.create_task(walk(problem, work, is_told))
                    walker.add_done_callback(walked)
                    self._under_way[group].add(walker)
                else:
                    places.release()

    def _steps(
        self, begun: Callable[[str], bool], unjudged: Sequence[Sample]
    ) -> Iterator[tuple[Problem, GenerationRequest | Sample, bool]]:
        """Samples to be made or judged, each with its problem and whether it was told of."""
        problems = {problem.problem_id: problem for problem in self._contents.problems}
        for sample in unjudged:
            yield problems[sample.problem_id], sample, True
        for problem, request in planned_requests(self._owner, self._job.spec, self._contents):
            if not begun(sample_id(request.problem_id, request.temperature, request.index)):
                yield problem, request, False
        for sample in self._contents.recorded or ():
            if not begun(sample.sample_id):
                yield problems[sample.problem_id], sample, False

    async def _traced_walk(self, problem: Problem, work: GenerationRequest | Sample, is_told: bool) -> None:
        """One sample, in a span if it is chosen."""
        assert self._samples is not None
        name = sample_id(problem.problem_id, work.temperature, work.index)
        if not self._samples.chosen(name):
            await self._walk(problem, work, is_told)
            return
        with self._samples.span(name) as span:
            await self._walk(problem, work, is_told, span.trace)

    async def _walk(
        self, problem: Problem, work: GenerationRequest | Sample | None, is_told: bool, trace: str = ""
    ) -> None:
        """One sample. In one coroutine, because there are as many of it as samples in flight."""
        await self._quota.take()
        try:
            if isinstance(work, GenerationRequest):
                assert self._generate is not None
                if trace:
                    work = dataclasses.replace(work, trace=trace)
                made = await self._generate.run(work, self._share)
                if isinstance(made, WorkFailed):
                    name = sample_id(work.problem_id, work.temperature, work.index)
                    self._ended(name, made)
                    await self._emit(SampleJudged(name, made))
                    return
                work = _sample(work, made)
                del made
            assert work is not None
            program = self._program(problem, work, trace)
            name = work.sample_id
            if not is_told:
                await self._emit(SampleGenerated(work))
            work = None  # it may be large, and is not needed any more
            outcome = await self._judge.run(program, self._share)
            self._ended(name, outcome)
            await self._emit(SampleJudged(name, outcome))
        finally:
            self._quota.give_back()

    def _ended(self, name: str, outcome: Judgement | WorkFailed) -> None:
        """With early stop: cancels what is under way of a problem that needs no more. What has ended is never cancelled."""
        if self._stopper is None:
            return
        group = self._stopper.group(name)
        walker = asyncio.current_task()
        assert walker is not None
        self._under_way[group].discard(walker)
        self._stopper.ended(name, outcome)
        if not self._stopper.wants(group):
            for other in self._under_way.pop(group):
                other.cancel()

    def _program(self, problem: Problem, sample: Sample, trace: str) -> Program:
        work_id = f"{self._owner}/{sample.sample_id}"
        urgent = self._share.priority is Priority.INTERACTIVE
        return Program(work_id, problem, sample.completion, self._job.spec.limits, self._owner, urgent, trace)


def _sample(request: GenerationRequest, made: Generated) -> Sample:
    return Sample(
        sample_id=sample_id(request.problem_id, request.temperature, request.index),
        problem_id=request.problem_id,
        temperature=request.temperature,
        index=request.index,
        completion=made.completion,
        token_count=made.token_count,
        cumulative_logprob=made.cumulative_logprob,
        finish_reason=made.finish_reason,
        token_logprobs=made.token_logprobs,
        prompt_form=made.prompt_form,
        answer=made.answer,
        reasoning=made.reasoning,
        weights_version=made.weights_version,
        adapter=made.adapter,
    )
