"""Picking one sample of each problem without running it, and what share of problems that solves.

Chen et al. 2021, figure 7: a user can be shown only one completion, so one is picked by its mean (or summed) token
log-probability. Picking at random is the floor, picking with knowledge of the verdicts the ceiling.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from codesieve.server.evaluation.sample import NO_COUNT, NOT_PASSED, PASSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from codesieve.server.evaluation.sample import ScoredSamples


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """The share of problems solved, from 0 to 1, when one sample of each is picked by a rule."""

    mean_logprob: float | None
    """By the largest mean log-probability; None where a judged sample has none, or its tokens weren't counted."""
    sum_logprob: float | None
    """By the largest summed log-probability; None where a judged sample has none."""
    random: float
    """The expected value of picking at random, which is pass@1."""
    oracle: float
    """At least one sample passes."""
    problems: int


def rank(groups: Iterable[ScoredSamples]) -> Ranking | None:
    """Ranks the judged samples of each problem; unjudged ones count nowhere. Ties go to the lowest index.

    An empty sample, of no tokens, says nothing of its probability, which would be 1 as a sum: it comes after all others.
    The caller passes the problems at one temperature. None where no sample is judged.
    """
    by_mean: list[bool | None] = []
    by_sum: list[bool | None] = []
    shares: list[float] = []
    for group in groups:
        judged = group.passed >= NOT_PASSED
        passed = group.passed[judged] == PASSED
        if not passed.size:
            continue
        sums, tokens = group.cumulative_logprob[judged], group.token_count[judged]
        shares.append(int(passed.sum()) / passed.size)
        scores = np.where((tokens == 0) & ~np.isnan(sums), -np.inf, sums)
        by_sum.append(_picked(passed, scores))
        by_mean.append(_picked(passed, scores / np.maximum(tokens, 1)) if (tokens != NO_COUNT).all() else None)
    if not shares:
        return None
    return Ranking(
        mean_logprob=_share(by_mean),
        sum_logprob=_share(by_sum),
        random=math.fsum(shares) / len(shares),
        oracle=sum(share > 0 for share in shares) / len(shares),
        problems=len(shares),
    )


def _picked(passed: NDArray[np.bool_], scores: NDArray[np.float64]) -> bool | None:
    """Whether the sample with the largest score passed, the first of several; None where one has no score."""
    # Not a number compares with nothing, so it can't be ranked.
    return None if np.isnan(scores).any() else bool(passed[scores.argmax()])


def _share(solved: list[bool | None]) -> float | None:
    known = [one for one in solved if one is not None]
    return sum(known) / len(known) if len(known) == len(solved) else None
