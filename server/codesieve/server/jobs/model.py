"""What a job is, and the states it goes through.

    PENDING ──> RUNNING ──> SUCCEEDED
       │           ├──────> FAILED
       └───────────┴──────> CANCELLED

A `Job` is a frozen snapshot; a change makes a new one. Its `JobSpec` is what the client asked for, after validation; the
problems and recorded samples that came along are its `JobContents`, which are kept apart because they are large.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
from collections.abc import Iterator, Mapping

from codesieve.server.digests import digest_of
from codesieve.server.evaluation.report import TemperatureReport
from codesieve.server.evaluation.stopping import ROUND, EarlyStop
from codesieve.server.jobs.provenance import Provenance
from codesieve.server.sharing import Priority
from codesieve.workers.generation.extract import names_under_test
from codesieve.workers.traceparent import trace_ids
from codesieve.workers.types import (
    CODEX_STOP,
    FunctionTests,
    GenerationRequest,
    Judgement,
    Limits,
    Problem,
    PromptForm,
    Sample,
    WorkFailed,
)


class JobState(enum.StrEnum):
    """Where a job is on its way."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        return not _NEXT[self]


_NEXT: Mapping[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


@dataclasses.dataclass(frozen=True, slots=True)
class GenerationSpec:
    """How a job's samples are made."""

    model: str
    temperatures: tuple[float, ...]
    samples_per_problem: int
    top_p: float
    max_tokens: int
    stop: tuple[str, ...]
    """Empty where none were chosen: see `default_stop`."""
    seed: int
    top_k: int = 0
    min_p: float = 0.0
    token_logprobs: bool = False
    prompt_form: PromptForm = PromptForm.COMPLETION
    early_stop: EarlyStop | None = None
    weights_version: str = ""
    """The version of the model's weights that every sample has to be made with, "" for any."""
    adapter: str = ""
    """The LoRA adapter to sample with, "" for none."""


@dataclasses.dataclass(frozen=True, slots=True)
class JobKey:
    """A job's name: callers choose their own ids, each among its own."""

    caller: str
    job_id: str

    def __str__(self) -> str:
        return f"{self.caller}/{self.job_id}"

    @property
    def ids(self) -> dict[str, str]:
        """What a line of the log carries that is about the job."""
        return {"caller": self.caller, "job": self.job_id}


@dataclasses.dataclass(frozen=True, slots=True)
class JobSpec:
    """What a client asked for, but for the contents."""

    generation: GenerationSpec | None
    """None where the samples are recorded."""
    limits: Limits
    ks: tuple[int, ...]
    source: str
    """Where the problems came from: a data set's name, or "inline"."""
    limit: int
    """How many of the source's problems were asked for; 0 for all."""
    priority: Priority = Priority.BATCH
    timeout_seconds: float | None = None
    """After its making, when it fails if it hasn't ended."""
    rejudge_of: str | None = None
    """The id of the job whose samples are judged again."""
    counted_samples_per_problem: int = 0
    """Of each problem at each temperature only the first so many samples count in the report; 0: all. They are those that
    were made whatever their verdicts, where others were only made if the earlier verdicts didn't stop their problem."""

    @property
    def early_stop(self) -> EarlyStop | None:
        """Never for recorded samples, which are there already."""
        return self.generation.early_stop if self.generation is not None else None


@dataclasses.dataclass(frozen=True, slots=True)
class JobContents:
    """The large part of a job. `recorded` is there exactly where `JobSpec.generation` isn't."""

    problems: tuple[Problem, ...]
    recorded: tuple[Sample, ...] | None


def temperatures(spec: JobSpec, contents: JobContents) -> tuple[float | None, ...]:
    """The request's temperatures, in its order; for recorded samples those that occur."""
    if spec.generation is not None:
        return spec.generation.temperatures
    return tuple(dict.fromkeys(sample.temperature for sample in contents.recorded or ()))


def samples_total(spec: JobSpec, contents: JobContents) -> int:
    """How many samples the job has."""
    if spec.generation is not None:
        return len(contents.problems) * len(spec.generation.temperatures) * spec.generation.samples_per_problem
    return len(contents.recorded or ())


def request_digest(spec: JobSpec, contents: JobContents) -> bytes:
    """The same for equal requests only, so that a repeated one is known."""
    return digest_of((spec, contents))


def sample_id(problem_id: str, temperature: float | None, index: int) -> str:
    """The id of a sample within its job."""
    return f"{problem_id}@{'-' if temperature is None else f'{temperature:g}'}#{index}"


def problem_of(name: str) -> str:
    """The problem's id in a sample's."""
    return name.rpartition("@")[0]


def group_of(name: str) -> tuple[str, int]:
    """What a sample's id has in common with those of the same problem and temperature, and its index."""
    front, _, index = name.rpartition("#")
    return front, int(index)


def default_stop(problem: Problem, form: PromptForm = PromptForm.COMPLETION) -> tuple[str, ...]:
    """Codex's stop sequences where the completion is one function's body; they would end a whole program at its first.

    In the chat form there are none: an answer ends by itself.
    """
    return CODEX_STOP if isinstance(problem.tests, FunctionTests) and form is PromptForm.COMPLETION else ()


def planned_requests(job: str, spec: JobSpec, contents: JobContents) -> Iterator[tuple[Problem, GenerationRequest]]:
    """The samples that a job's model is to make, one request each; `job` is the front of their work ids.

    All of a problem's are neighbours, so that the engine finds the prompt in its cache. With early stop only so many of them
    are as it takes to stop at the earliest, and then all problems have their turn again and again, so that little is under
    way when a problem stops. Each has a seed of its own, made of the job's seed and its place, so that any one can be made
    again without the others.
    """
    generation = spec.generation
    if generation is None:
        return
    for indices in _rounds(generation):
        for problem in contents.problems:
            names = names_under_test(problem) if generation.prompt_form is PromptForm.CHAT else ()
            # Tokenizers join a line's end with what follows, so a prompt that ends with one asks for an unlikely
            # continuation: the small model gave nothing at all for most of HumanEval.
            prompt = problem.prompt.rstrip()
            for temperature in generation.temperatures:
                for index in indices:
                    name = sample_id(problem.problem_id, temperature, index)
                    digest = hashlib.sha256(f"{generation.seed}/{name}".encode()).digest()
                    yield (
                        problem,
                        GenerationRequest(
                            work_id=f"{job}/{name}",
                            problem_id=problem.problem_id,
                            prompt=prompt,
                            temperature=temperature,
                            index=index,
                            seed=int.from_bytes(digest[:4], "big"),
                            top_p=generation.top_p,
                            max_tokens=generation.max_tokens,
                            stop=generation.stop or default_stop(problem, generation.prompt_form),
                            top_k=generation.top_k,
                            min_p=generation.min_p,
                            token_logprobs=generation.token_logprobs,
                            prompt_form=generation.prompt_form,
                            goes_on_with_prompt=isinstance(problem.tests, FunctionTests),
                            names=names,
                            weights_version=generation.weights_version,
                            adapter=generation.adapter,
                        ),
                    )


def _rounds(generation: GenerationSpec) -> Iterator[range]:
    """Which indices of each problem are offered in each round."""
    most = generation.samples_per_problem
    end = most if generation.early_stop is None else min(generation.early_stop.fewest, most)
    yield range(end)
    while end < most:
        begin, end = end, min(end + ROUND, most)
        yield range(begin, end)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    samples_total: int
    samples_generated: int = 0
    samples_judged: int = 0
    samples_unjudged: int = 0
    verdicts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    samples_skipped: int = 0
    """Needn't be judged, because their problem was stopped early: with those that are judged they come to all in the end."""


@dataclasses.dataclass(frozen=True, slots=True)
class JudgeReport:
    """How fast a job was judged, and where."""

    programs_per_second: float
    wall_seconds: float
    sandbox: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a job found."""

    temperatures: tuple[TemperatureReport, ...]
    judge: JudgeReport


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed."""

    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of a job."""

    key: JobKey
    spec: JobSpec
    digest: bytes
    """`request_digest` of what was asked for."""
    state: JobState
    create_time: datetime.datetime
    progress: Progress
    start_time: datetime.datetime | None = None
    end_time: datetime.datetime | None = None
    report: Report | None = None
    failure: Failure | None = None
    trace: str = ""
    """The W3C traceparent of the rpc that made it, "" where it isn't traced. No part of what was asked for."""
    provenance: Provenance | None = None
    """None before it has run."""

    @property
    def job_id(self) -> str:
        """What its caller calls it."""
        return self.key.job_id

    def ids(self, traced: bool) -> dict[str, str]:
        """What a line of the log carries that is about the job; `traced`: this front end sends spans."""
        return {**self.key.ids, **trace_ids(self.trace)} if traced else self.key.ids

    def moved(self, state: JobState, now: datetime.datetime) -> Job:
        """The job in its next state. Raises ValueError where there is no such way."""
        if state not in _NEXT[self.state]:
            raise ValueError(f"job {self.job_id} can't go from {self.state} to {state}")
        return dataclasses.replace(
            self,
            state=state,
            start_time=now if state is JobState.RUNNING else self.start_time,
            end_time=now if state.ended else None,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class SampleGenerated:
    """An event: a sample is there."""

    sample: Sample


@dataclasses.dataclass(frozen=True, slots=True)
class SampleJudged:
    """An event: a sample has its verdict, or ended without one."""

    sample_id: str
    outcome: Judgement | WorkFailed


@dataclasses.dataclass(frozen=True, slots=True)
class JobChanged:
    """An event: the job is in another state."""

    job: Job


Happening = JobChanged | SampleGenerated | SampleJudged


@dataclasses.dataclass(frozen=True, slots=True)
class JobEvent:
    """A happening with its place in the job's sequence, from 1 without a gap."""

    sequence: int
    time: datetime.datetime
    happening: Happening
