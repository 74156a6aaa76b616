"""The frozen values that cross between the front end and its workers.

Everything here is plain data of the standard library, so that it pickles small and fast: Ray carries it between
processes. The wire types of ``codesieve.v1`` never get this far; ``codesieve.server.convert`` is where they end.

Times are in seconds and sizes in bytes, as the names say.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

CODEX_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""The stop sequences of Chen et al. 2021, section 3.2."""


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


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use."""

    cpu_time_seconds: float = 3.0
    """CPU time of the program and its descendants."""
    wall_time_seconds: float = 12.0
    """The wide backstop for programs that sleep or wait."""
    memory_bytes: int = 512 * 2**20
    """Address space of each of the program's processes."""
    output_bytes: int = 2**20
    """stdout and stderr together."""
    file_size_bytes: int = 16 * 2**20
    """The largest file the program may write."""
    processes: int = 16
    """Processes and threads at one time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A prompt, an entry point and tests, in HumanEval's form."""

    problem_id: str
    prompt: str
    entry_point: str
    check_function: str
    """Source that defines ``check(candidate)``."""
    canonical_solution: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one problem at one temperature."""

    sample_id: str
    problem_id: str
    temperature: float | None
    index: int
    completion: bytes
    token_count: int | None = None
    cumulative_logprob: float | None = None
    finish_reason: FinishReason | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One sample to be made. `work_id` is the caller's and comes back with the result."""

    work_id: str
    problem_id: str
    prompt: str
    temperature: float
    index: int
    """Which of the samples of this problem and temperature; a replay engine picks by it."""
    seed: int
    top_p: float = 0.95
    max_tokens: int = 512
    stop: Sequence[str] = CODEX_STOP


@dataclasses.dataclass(frozen=True, slots=True)
class Generated:
    """What an engine made of one `GenerationRequest`."""

    work_id: str
    completion: bytes
    token_count: int | None = None
    cumulative_logprob: float | None = None
    finish_reason: FinishReason | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A sample put together with its problem: what a sandbox worker judges. `work_id` is the caller's."""

    work_id: str
    problem: Problem
    completion: bytes
    limits: Limits


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what was seen on the way to it."""

    work_id: str
    verdict: Verdict
    integrity: Integrity
    detail: str = ""
    """One line for people."""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    cached: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class WorkFailed:
    """A piece of work that the infrastructure could not do: never a verdict.

    `retryable` says whether another worker may succeed where this one did not.
    """

    work_id: str
    reason: str
    """Stable, UPPER_SNAKE_CASE."""
    message: str
    retryable: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself once it is ready."""

    kind: str
    """For a sandbox worker the backend ("docker", "namespaces"), for a generation worker the engine."""
    capacity: int
    """How many pieces of work it takes at a time; more wait."""
    detail: str = ""
    """One line for people: the image, the model's source, the device."""
