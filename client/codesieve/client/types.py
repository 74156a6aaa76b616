"""The frozen values that the SDK takes and gives.

They mirror ``codesieve.v1`` without protobuf: times are seconds or aware datetimes, sizes are bytes, an unset field is
None. Program text is `bytes`, because hostile text holds what a `str` can't carry; `to_bytes` and `to_text` are the one
way between the two.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from codesieve.client.provenance import Provenance
    from codesieve.client.settings import Settings


def to_bytes(text: str) -> bytes:
    """UTF-8, with lone surrogates kept as they are (a model's JSON may hold them)."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """The reverse of `to_bytes`. Bytes that aren't UTF-8 become U+FFFD, which JSON can carry."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


class Verdict(enum.StrEnum):
    """What became of a sample. An outage is never a verdict: see `Unjudged`."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    RAISED = "RAISED"
    SYNTAX_ERROR = "SYNTAX_ERROR"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    CRASHED = "CRASHED"
    TAMPERED = "TAMPERED"


class Integrity(enum.StrEnum):
    """How well a verdict is protected from the program it is about."""

    SHARED = "SHARED"
    SPLIT = "SPLIT"


class FinishReason(enum.StrEnum):
    """Why an engine stopped sampling."""

    STOP = "STOP"
    LENGTH = "LENGTH"


class PromptForm(enum.StrEnum):
    """How a problem is put to a model."""

    COMPLETION = "COMPLETION"
    """The model goes on with the prompt, as Codex did."""
    CHAT = "CHAT"
    """The prompt is a user's message in the model's chat template, and the code is taken out of the answer."""


class JobState(enum.StrEnum):
    """Where a job is in its life."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Nothing more will happen to the job."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Priority(enum.StrEnum):
    """Who goes first where there is more work than places."""

    BATCH = "BATCH"
    """A job's, unless it says otherwise."""
    INTERACTIVE = "INTERACTIVE"
    """In front of batch work: somebody waits for it. `judge`'s, unless it says otherwise."""


class ModelState(enum.StrEnum):
    """Whether a model can be sampled from."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"
    PAUSED = "PAUSED"
    """Requests wait: for `resume`, or for weights that are whole."""
    ASLEEP = "ASLEEP"
    """Requests wait for `wake_up`."""


class PauseMode(enum.StrEnum):
    """What becomes of samples in flight when a model is paused."""

    ABORT = "ABORT"
    """They are made again from their beginning once it goes on: none spans two versions of the weights."""
    WAIT = "WAIT"
    """They are finished first."""
    KEEP = "KEEP"
    """They stand still, and go on from where they are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. None takes the server's default."""

    cpu_time_seconds: float | None = None
    wall_time_seconds: float | None = None
    memory_bytes: int | None = None
    output_bytes: int | None = None
    file_size_bytes: int | None = None
    processes: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedSample:
    """A completion that was made before, to be evaluated."""

    problem_id: str
    completion: bytes
    temperature: float | None = None
    token_count: int | None = None
    cumulative_logprob: float | None = None
    """Natural logarithm, summed over the completion's tokens."""


@dataclasses.dataclass(frozen=True, slots=True)
class JudgeItem:
    """One completion for `judge`. `id` is yours, unique in the call, and comes back with the judgement."""

    id: str
    problem_id: str
    completion: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Unjudged:
    """Why a sample has no verdict: the infrastructure's doing. It must not be used as a reward."""

    reason: str
    """Stable, UPPER_SNAKE_CASE."""
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test: an assertion, a case, a test of a script."""

    __test__ = False  # no class of pytest's

    name: str
    """One line: the assertion's source, "case 3", the test's name."""
    verdict: Verdict | None
    """None where the test did not run, because one before it ended the program."""
    detail: str = ""
    """One line for people."""
    input: bytes = b""
    """What the program was given: a call's arguments as Python shows them, or stdin. The first 1,000 bytes."""
    output: bytes = b""
    """What came back: a call's result as Python shows it, or stdout. The first 1,000 bytes."""
    wall_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a sample: exactly one of `verdict` and `unjudged` is set."""

    verdict: Verdict | None
    unjudged: Unjudged | None = None
    integrity: Integrity | None = None
    cached: bool = False
    detail: str = ""
    """One line for people: the exception, the signal, the limit."""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    tests: tuple[TestResult, ...] = ()
    """In the problem's order, the first 200 of them."""

    @property
    def passed(self) -> bool | None:
        """Whether every test held; None where there is no verdict."""
        return None if self.verdict is None else self.verdict is Verdict.PASSED

    @property
    def first_failed(self) -> TestResult | None:
        """The first test that ran and did not hold."""
        return next((each for each in self.tests if each.verdict not in (None, Verdict.PASSED)), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """One answer of `judge`: the item's id and what became of it."""

    id: str
    judgement: Judgement


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one problem at one temperature. `judgement` is None until it is judged."""

    sample_id: str
    problem_id: str
    temperature: float | None
    index: int
    completion: bytes
    token_count: int | None = None
    """Of the tokens whose text stands in the completion, in whole or in part."""
    cumulative_logprob: float | None = None
    """Of those tokens, by the model's own probabilities."""
    finish_reason: FinishReason | None = None
    judgement: Judgement | None = None
    token_logprobs: tuple[float, ...] | None = None
    """Of each of those tokens, where the job asked for them and the engine tells them."""
    prompt_form: PromptForm | None = None
    """None for samples that were recorded."""
    answer: bytes | None = None
    """In the chat form what the completion was taken out of: the answer without its thinking, its first 64 KiB. The counts
    are then those of the whole answer."""
    reasoning: bytes | None = None
    """In the chat form what the model thought before it answered, its first 64 KiB."""
    weights_version: str = ""
    """Of the weights that made it; "3..4" where they changed meanwhile. Empty where the engine tells none."""
    adapter: str = ""
    """The LoRA adapter that it was sampled with; empty for none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `unjudged` samples are counted in `judged` as well."""

    samples_total: int
    generated: int
    judged: int
    unjudged: int
    verdicts: Mapping[str, int]
    """How many of each verdict, by its name."""
    skipped: int = 0
    """Needn't be judged, because their problem was stopped early: with `judged` they come to `samples_total` in the end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed."""

    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class PassAtK:
    """The unbiased estimator of Chen et al. 2021, equation 1, averaged over `problems` problems."""

    k: int
    value: float
    interval: tuple[float, float] | None
    """95 %, bootstrap over problems; None with fewer than two."""
    problems: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """The share of problems solved when one sample of each is picked by a rule (Chen et al. 2021, figure 7)."""

    mean_logprob: float | None
    sum_logprob: float | None
    random: float
    oracle: float
    problems: int


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyStopReport:
    """What stopping problems early saved, at one temperature."""

    planned: int
    """The most samples that there would have been."""
    saved: int
    """Those of them that were never made."""
    surplus: int
    """Made beyond the point where their problem was stopped, as they were under way already; they count nowhere."""
    problems_stopped: int


@dataclasses.dataclass(frozen=True, slots=True)
class TemperatureReport:
    """The figures of all samples at one temperature; None holds recorded samples that don't say theirs."""

    temperature: float | None
    samples: int
    """Judged, and not beyond the point where their problem was stopped early."""
    pass_at_k: tuple[PassAtK, ...]
    ranking: Ranking | None
    early_stop: EarlyStopReport | None = None
    """None where the job didn't ask for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class JudgeReport:
    """How the judging went."""

    programs_per_second: float
    wall_seconds: float
    sandbox: str
    """"docker" or "namespaces"."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a job found out."""

    temperatures: tuple[TemperatureReport, ...]
    judge: JudgeReport | None


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A job as the server tells of it."""

    name: str
    """"jobs/{job_id}"."""
    state: JobState
    model: str
    """Empty for recorded samples, and where the server's only model was meant."""
    create_time: datetime.datetime | None = None
    start_time: datetime.datetime | None = None
    end_time: datetime.datetime | None = None
    progress: Progress | None = None
    report: Report | None = None
    failure: Failure | None = None
    priority: Priority | None = None
    timeout_seconds: float | None = None
    """How long after its making it fails if it hasn't ended; None is no limit."""
    rejudge_of: str = ""
    """The id of the job whose samples this one judges again; empty for others."""
    counted_samples_per_problem: int = 0
    """Of each problem at each temperature only the first so many samples count in the report; 0: all. See `job.proto`."""
    settings: Settings | None = None
    """None where the server doesn't tell, and so the next."""
    provenance: Provenance | None = None

    @property
    def job_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("jobs/")


@dataclasses.dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, the newest first. `next_page_token` is empty on the last."""

    jobs: tuple[Job, ...]
    next_page_token: str


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A model that a server samples from."""

    name: str
    """"models/{model_id}"."""
    source: str
    engine: str
    state: ModelState
    workers: int
    weights_version: str = ""
    """Of the weights that the workers have; "1, 2" where they have different ones. Empty where the engine tells none."""
    adapters: tuple[tuple[str, str], ...] = ()
    """The LoRA adapters that jobs can sample with, and the directories that they were loaded from."""

    @property
    def model_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("models/")


@dataclasses.dataclass(frozen=True, slots=True)
class JobChanged:
    """The job moved to another state."""

    sequence: int
    time: datetime.datetime | None
    job: Job


@dataclasses.dataclass(frozen=True, slots=True)
class SampleGenerated:
    """A sample is there and waits for its verdict."""

    sequence: int
    time: datetime.datetime | None
    sample: Sample


@dataclasses.dataclass(frozen=True, slots=True)
class SampleJudged:
    """A sample has its judgement."""

    sequence: int
    time: datetime.datetime | None
    sample_id: str
    judgement: Judgement


Event = JobChanged | SampleGenerated | SampleJudged


@dataclasses.dataclass(frozen=True, slots=True)
class RunResult:
    """A job that has ended, with every sample it made, in the order of their making, and its report."""

    job: Job
    samples: tuple[Sample, ...]
    unmade: tuple[tuple[str, Unjudged], ...] = ()
    """The ids of samples that no engine could make, each with the reason. They have no completion and no verdict."""

    @property
    def report(self) -> Report | None:
        """The job's report; None where it ended before anything was finished."""
        return self.job.report
