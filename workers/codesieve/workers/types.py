"""The frozen values that cross between the front end and its workers.

Everything here is plain data of the standard library, so that it pickles small and fast: Ray carries it between
processes. The wire types of ``codesieve.v1`` never get this far; ``codesieve.server.convert`` is where they end.

Times are in seconds and sizes in bytes, as the names say.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from codesieve.workers.origin import CellOrigin, EngineOrigin

CODEX_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""The stop sequences of Chen et al. 2021, section 3.2."""

FIRST_WEIGHTS = "0"
"""The version of the weights that a model was loaded with."""
BETWEEN_VERSIONS = ".."
"""Stands between the versions of a sample that was made with several. No version holds it."""

KEPT_OF_AN_ANSWER = 64 * 1024
"""Bytes of a chat model's answer, and of its thinking, that a sample keeps beside the completion."""

KEPT_OF_A_VALUE = 1000
"""Bytes of each test's input and output that a judgement keeps."""
KEPT_OF_ALL_VALUES = 16 * 1024
"""Bytes of all inputs and outputs together; beyond it they are kept for the first test only that did not pass."""
KEPT_TESTS = 200
"""Tests that a judgement tells of."""


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
    """The model goes on with the prompt."""
    CHAT = "CHAT"
    """The prompt is a user's message, and the code is taken out of the answer."""


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
class FunctionTests:
    """HumanEval's form: the program is prompt + completion."""

    check_function: str
    """Source that defines ``check(candidate)``. It is called with the entry point."""


@dataclasses.dataclass(frozen=True, slots=True)
class AssertionTests:
    """MBPP's form: the program is the completion alone. Each assertion gets a verdict of its own."""

    assertions: tuple[str, ...]
    """Statements, each complete in itself. They call the program's functions by name."""
    setup: str = ""
    """Source that runs before the first assertion, on the judge's side."""


class Comparison(enum.StrEnum):
    """How what a program wrote is compared with what was expected."""

    EXACT = "EXACT"
    """Byte for byte."""
    TOKENS = "TOKENS"
    """Word by word: white space of any kind and amount separates, none counts."""
    FLOATS = "FLOATS"
    """Word by word, and two numbers are equal within a tolerance."""


@dataclasses.dataclass(frozen=True, slots=True)
class StdioCase:
    """What a program is given on stdin, and what it is to write to stdout."""

    stdin: bytes
    stdout: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class StdioTests:
    """Competitive programming's form: the program is the completion alone, run once for each case.

    The program's limits hold for each case by itself.
    """

    cases: tuple[StdioCase, ...]
    comparison: Comparison = Comparison.TOKENS
    tolerance: float = 1e-6
    """For FLOATS: |a - b| <= tolerance * max(1, |b|), with b what was expected."""
    checker: str = ""
    """Source that defines ``check(stdin, stdout, expected)``, three str, and is true if the output is right. It takes the
    place of the comparison."""


class Framework(enum.StrEnum):
    """What runs a test script."""

    UNITTEST = "UNITTEST"
    PYTEST = "PYTEST"


@dataclasses.dataclass(frozen=True, slots=True)
class ScriptTests:
    """A unittest or pytest file: the program is the completion alone, importable as `module`.

    The script finds the program's public names among its own globals as well. Both run in one process, so that a verdict
    has integrity SHARED.
    """

    script: str
    framework: Framework = Framework.PYTEST
    module: str = "solution"


Tests = FunctionTests | AssertionTests | StdioTests | ScriptTests


@dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True)
class Problem:
    """A prompt, an entry point and tests. What is made of them may be kept in a weak dictionary."""

    problem_id: str
    prompt: str
    entry_point: str
    """The function that function tests call; "" for other forms."""
    tests: Tests
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
    """Of the tokens whose text stands in the completion, in whole or in part."""
    cumulative_logprob: float | None = None
    """Of those tokens."""
    finish_reason: FinishReason | None = None
    token_logprobs: tuple[float, ...] | None = None
    """Of each of those tokens, where they were asked for and the engine tells them."""
    prompt_form: PromptForm | None = None
    """None for samples that were recorded."""
    answer: bytes | None = None
    """In the chat form what the completion was taken out of: the answer without its thinking, its beginning. The counts are
    then those of the whole answer."""
    reasoning: bytes | None = None
    """In the chat form what the model thought before it answered, its beginning."""
    weights_version: str | None = None
    """Of the weights that made it; several in their order where they changed meanwhile, joined by `BETWEEN_VERSIONS`. None
    where the engine tells none."""
    adapter: str | None = None
    """The LoRA adapter that it was sampled with."""


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
    top_k: int = 0
    """0 for all tokens."""
    min_p: float = 0.0
    """0 for all tokens."""
    token_logprobs: bool = False
    """Whether the sample is to carry each token's log-probability."""
    prompt_form: PromptForm = PromptForm.COMPLETION
    goes_on_with_prompt: bool = True
    """Whether the program is prompt + completion; else it is the completion alone."""
    names: tuple[str, ...] = ()
    """In the chat form what an answer's code has to define, as far as the tests tell."""
    weights_version: str = ""
    """The version of the weights that it has to be made with, "" for any."""
    adapter: str = ""
    """The LoRA adapter to sample with, "" for none."""
    trace: str = ""
    """The W3C traceparent of the span that it belongs to, "" where it isn't traced."""

    @property
    def prefix(self) -> tuple[str, str]:
        """What an engine may have in its cache from an earlier sample."""
        return self.adapter, self.prompt


@dataclasses.dataclass(frozen=True, slots=True)
class Generated:
    """What an engine made of one `GenerationRequest`. The fields are those of `Sample`, but for the last."""

    work_id: str
    completion: bytes
    token_count: int | None = None
    cumulative_logprob: float | None = None
    finish_reason: FinishReason | None = None
    token_logprobs: tuple[float, ...] | None = None
    prompt_form: PromptForm | None = None
    answer: bytes | None = None
    reasoning: bytes | None = None
    weights_version: str | None = None
    adapter: str | None = None
    first_token_ns: int | None = None
    """When its first token was there, in nanoseconds since 1970; None where nobody traces it or the engine doesn't tell."""


class PauseMode(enum.StrEnum):
    """What becomes of what is in flight when generation is paused."""

    ABORT = "ABORT"
    """It is made again from its beginning once generation goes on."""
    WAIT = "WAIT"
    """It is finished first."""
    KEEP = "KEEP"
    """It stands still, and goes on from where it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class WeightsState:
    """What a generation worker has after a call about its weights."""

    version: str
    whole: bool = True
    """False from the beginning of an update to its end, and once they were thrown away: then requests wait."""


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A sample put together with its problem: what a sandbox worker judges. `work_id` is the caller's."""

    work_id: str
    problem: Problem
    completion: bytes
    limits: Limits
    owner: str = ""
    """Whose tests these are, such as a job's id. A process that runs tests never serves two owners."""
    urgent: bool = False
    """Whether it passes in front of those that aren't and wait for a cell."""
    trace: str = ""
    """The W3C traceparent of the span that it belongs to, "" where it isn't traced."""


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
    """What the program was given: a call's arguments as Python shows them, or stdin. Cut after `KEPT_OF_A_VALUE` bytes."""
    output: bytes = b""
    """What came back: a call's result as Python shows it, or stdout. Cut like `input`."""
    wall_seconds: float = 0.0


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
    tests: tuple[TestResult, ...] = ()
    """In the problem's order, the first `KEPT_TESTS` of them."""


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
    origin: EngineOrigin | CellOrigin | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class EngineStats:
    """What an engine has counted since it was started, and how it stands now. An engine leaves at 0 what it can't tell."""

    prompt_tokens: int = 0
    """Of requests whose first token was sampled."""
    generation_tokens: int = 0
    """All that were sampled, those of stop sequences and of samples that were given up included."""
    prefix_cache_queries: int = 0
    """Prompt tokens that were looked for in the prefix cache."""
    prefix_cache_hits: int = 0
    """Those of them that were there."""
    preemptions: int = 0
    """Times that a request lost its place, for want of memory or because the weights changed, and was computed anew."""
    steps: int = 0
    """Passes through the model."""
    first_tokens: int = 0
    """Requests whose first token was sampled."""
    queue_seconds: float = 0.0
    """Of all of these together, from coming to the engine's scheduler to its first step."""
    first_token_seconds: float = 0.0
    """Of all of these together, from coming to the engine's scheduler to the first token."""
    finished_stop: int = 0
    """Requests that ended at a stop sequence or the end of the text."""
    finished_length: int = 0
    """Requests that met a token limit."""
    finished_aborted: int = 0
    """Requests that were given up by whoever had asked."""
    finished_failed: int = 0
    """Requests that the engine ended with an error, or refused."""
    retries_rate_limit: int = 0
    """Calls that an endpoint asked to make again later."""
    retries_failure: int = 0
    """Calls that failed in a way that may pass, and were made again."""
    idle_seconds: float = 0.0
    """With nothing to do, the present spell included."""
    requests_running: int = 0
    requests_waiting: int = 0
    """Requests that the engine has and computes nothing for yet."""
    kv_cache_usage_ratio: float = 0.0
    """The share of the key-value cache that requests in flight hold."""
