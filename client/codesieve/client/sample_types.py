"""A sample, what became of it, and what goes in to be judged.

Frozen values, as in `codesieve.client.types`, which offers these as well.
"""

from __future__ import annotations

import dataclasses
import enum


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
