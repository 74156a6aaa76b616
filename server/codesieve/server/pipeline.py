"""A job's samples on their way: generate -> judge, overlapped, with bounded work in flight.

Each sample is one task that walks the whole way, so it is judged the moment it is finished and holds up no other. A
semaphore bounds how many walk at a time: enough to keep engine and cells busy, and no more, however large the job is. If
the cells are slower than the engine, the walkers pile up before the cells and the engine is given nothing new.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from typing import Protocol

from codesieve.server.jobs.model import (
    Happening,
    Job,
    JobContents,
    SampleGenerated,
    SampleJudged,
    planned_requests,
    sample_id,
)
from codesieve.server.quotas import Quotas
from codesieve.server.sharing import Priority, Share
from codesieve.workers.types import Generated, GenerationRequest, Judgement, Problem, Program, Sample, WorkFailed

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
    ) -> None:
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

    async def run(self, judged: Collection[str], unjudged: Sequence[Sample]) -> None:
        """Until every sample has its verdict or has ended without one. Cancelling it stops all that is in flight.

        The samples in `judged` (ids) are done already, those in `unjudged` are made already.
        """
        in_flight = 2 * (self._judge.capacity + (self._generate.capacity if self._generate else 0))
        places = asyncio.Semaphore(max(in_flight, 1))
        async with asyncio.TaskGroup() as walkers:
            for step in self._steps(judged, unjudged):
                await places.acquire()
                walkers.create_task(self._walk(step)).add_done_callback(lambda _: places.release())

    async def _walk(self, step: Callable[[], Coroutine[None, None, None]]) -> None:
        async with self._quota.place():
            await step()

    def _steps(
        self, judged: Collection[str], unjudged: Sequence[Sample]
    ) -> Iterator[Callable[[], Coroutine[None, None, None]]]:
        problems = {problem.problem_id: problem for problem in self._contents.problems}
        for sample in unjudged:
            yield functools.partial(self._judge_one, problems[sample.problem_id], sample)
        begun = {sample.sample_id for sample in unjudged} | set(judged)
        if self._generate is not None:
            for problem, request in planned_requests(self._owner, self._job.spec, self._contents):
                if sample_id(request.problem_id, request.temperature, request.index) not in begun:
                    yield functools.partial(self._make_and_judge, self._generate, problem, request)
        else:
            for sample in self._contents.recorded or ():
                if sample.sample_id not in begun:
                    yield functools.partial(self._take_and_judge, problems[sample.problem_id], sample)

    async def _make_and_judge(self, generate: Generates, problem: Problem, request: GenerationRequest) -> None:
        name = sample_id(request.problem_id, request.temperature, request.index)
        made = await generate.run(request, self._share)
        if isinstance(made, WorkFailed):
            await self._emit(SampleJudged(name, made))
            return
        await self._take_and_judge(
            problem,
            Sample(
                sample_id=name,
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
            ),
        )

    async def _take_and_judge(self, problem: Problem, sample: Sample) -> None:
        await self._emit(SampleGenerated(sample))
        await self._judge_one(problem, sample)

    async def _judge_one(self, problem: Problem, sample: Sample) -> None:
        work_id = f"{self._owner}/{sample.sample_id}"
        urgent = self._share.priority is Priority.INTERACTIVE
        program = Program(work_id, problem, sample.completion, self._job.spec.limits, self._owner, urgent)
        await self._emit(SampleJudged(sample.sample_id, await self._judge.run(program, self._share)))
