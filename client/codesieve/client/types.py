"""The frozen values that the SDK takes and gives.

They mirror ``codesieve.v1`` without protobuf: times are seconds or aware datetimes, sizes are bytes, an unset field is
None. Program text is `bytes`, because hostile text holds what a `str` can't carry; `to_bytes` and `to_text` are the one
way between the two.

Jobs, models and events are here; what a sample is and what a report holds have modules of their own, whose names this one
offers too.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from codesieve.client.report_types import (
    EarlyStopReport,
    JudgeReport,
    PassAtK,
    Ranking,
    Report,
    TemperatureReport,
)
from codesieve.client.sample_types import (
    FinishReason,
    Integrity,
    Judged,
    JudgeItem,
    Judgement,
    PromptForm,
    RecordedSample,
    Sample,
    TestResult,
    Unjudged,
    Verdict,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from codesieve.client.provenance import Provenance
    from codesieve.client.settings import Settings

__all__ = [
    "EarlyStopReport",
    "Event",
    "Failure",
    "FinishReason",
    "Integrity",
    "Job",
    "JobChanged",
    "JobPage",
    "JobState",
    "JudgeItem",
    "JudgeReport",
    "Judged",
    "Judgement",
    "Limits",
    "Model",
    "ModelState",
    "PassAtK",
    "PauseMode",
    "Priority",
    "Progress",
    "PromptForm",
    "Ranking",
    "RecordedSample",
    "Report",
    "RunResult",
    "Sample",
    "SampleGenerated",
    "SampleJudged",
    "TemperatureReport",
    "TestResult",
    "Unjudged",
    "Verdict",
    "to_bytes",
    "to_text",
]


def to_bytes(text: str) -> bytes:
    """UTF-8, with lone surrogates kept as they are (a model's JSON may hold them)."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """The reverse of `to_bytes`. Bytes that aren't UTF-8 become U+FFFD, which JSON can carry."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


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
