"""What a job was asked to do: enough, with its problems and its model, to ask for it again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesieve.client.types import Limits, PromptForm


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
