"""What a job was asked to do: enough, with its problems and its model, to ask for it again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesieve.client.types import Limits, PromptForm


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyStop:
    """When no more samples of a problem are made, at one temperature: once either bound that is set is reached.

    pass@k stays unbiased. Verdicts are looked at in the order of the samples' index, so short samples have no advantage.
    """

    passes: int = 0
    """So many samples passed; 0 for no such bound."""
    interval_width: float = 0.0
    """The 95 % Wilson interval of the problem's pass rate is at most so wide; 0 for no such bound."""
    min_samples: int = 0
    """Never before so many verdicts. With `interval_width` 0 takes the largest k, and less than that is refused."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sampling:
    """How a job's samples were made, with the server's defaults filled in."""

    model: str
    temperatures: tuple[float, ...]
    samples_per_problem: int
    top_p: float
    max_tokens: int
    stop: tuple[str, ...]
    """Empty: Codex's for function tests in the completion form, none otherwise."""
    seed: int
    top_k: int
    min_p: float
    token_logprobs: bool
    prompt_form: PromptForm | None
    weights_version: str
    """Demanded of every sample; empty for whichever was there."""
    adapter: str
    """The LoRA adapter; empty for none."""
    early_stop: EarlyStop | None


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a job was asked to do, with the server's defaults filled in."""

    dataset: str
    """The data set's name; empty where the problems were sent along."""
    limit: int
    """Only the first so many problems; 0 for all."""
    k: tuple[int, ...]
    limits: Limits
    sampling: Sampling | None
    """None for recorded samples."""
