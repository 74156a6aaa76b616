"""Picking one sample of each problem without running it, and what share of problems that solves.

Chen et al. 2021, figure 7: a user can be shown only one completion, so one is picked by its mean (or summed) token
log-probability. Picking at random is the floor, picking with knowledge of the verdicts the ceiling.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codesieve.server.evaluation.sample import ScoredSample


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """The share of problems solved, from 0 to 1, when one sample of each is picked by a rule."""

    mean_logprob: float | None
    """By the largest mean log-probability; None where a judged sample has none, or no tokens to take the mean over."""
    sum_logprob: float | None
    """By the largest summed log-probability; None where a judged sample has none."""
    random: float
    """The expected value of picking at random, which is pass@1."""
    oracle: float
    """At least one sample passes."""
    problems: int


def rank(samples: Iterable[ScoredSample]) -> Ranking | None:
    """Ranks the judged samples of each problem; unjudged ones count nowhere. Ties go to the lowest index.

    The caller passes the samples of one temperature. None where no sample is judged.
    """
    by_problem: defaultdict[str, list[ScoredSample]] = defaultdict(list)
    for sample in samples:
        if sample.passed is not None:
            by_problem[sample.problem_id].append(sample)
    groups = list(by_problem.values())
    if not groups:
        return None
    return Ranking(
        mean_logprob=_solved_by(groups, _mean_logprob),
        sum_logprob=_solved_by(groups, _sum_logprob),
        random=math.fsum(sum(sample.passed is True for sample in group) / len(group) for group in groups) / len(groups),
        oracle=sum(any(sample.passed for sample in group) for group in groups) / len(groups),
        problems=len(groups),
    )


def _solved_by(groups: Sequence[Sequence[ScoredSample]], score: Callable[[ScoredSample], float | None]) -> float | None:
    solved = 0
    for group in groups:
        scored: list[tuple[float, int, ScoredSample]] = []
        for sample in group:
            value = score(sample)
            if value is None:
                return None
            scored.append((value, -sample.index, sample))
        _, _, picked = max(scored, key=lambda entry: entry[:2])
        solved += picked.passed is True
    return solved / len(groups)


def _sum_logprob(sample: ScoredSample) -> float | None:
    value = sample.cumulative_logprob
    # Not a number compares with nothing, so it can't be ranked either.
    return None if value is None or math.isnan(value) else value


def _mean_logprob(sample: ScoredSample) -> float | None:
    total = _sum_logprob(sample)
    if total is None or sample.token_count is None or sample.token_count < 1:
        return None
    return total / sample.token_count
