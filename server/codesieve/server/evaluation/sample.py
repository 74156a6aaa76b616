"""The one value that evaluation reads: a sample, reduced to what pass@k and the ranking need."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredSample:
    """One sample and what became of it."""

    problem_id: str
    temperature: float | None
    """None where recorded samples don't say."""
    index: int
    """Which of the samples of this problem and temperature; breaks ties in the ranking."""
    passed: bool | None
    """None where the sample is unjudged: it then counts nowhere."""
    token_count: int | None
    cumulative_logprob: float | None
    """Natural logarithm, summed over the completion's tokens."""
