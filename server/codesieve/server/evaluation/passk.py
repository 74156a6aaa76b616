"""pass@k: the chance that at least one of k samples of a problem passes.

The estimator is that of Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1. It is
computed from logarithms: the binomials themselves overflow, and in whole numbers they take seconds where n is large. The
interval is a bootstrap over problems: the samples of one problem hang together, so problems are what is drawn again.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BOOTSTRAP_RESAMPLES = 2000
_BLOCK = 100
BOOTSTRAP_SEED = 20210707
"""Fixed, so that the same counts give the same interval every time, in whatever order they came."""


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems with its 95 % interval, all from 0 to 1."""

    value: float
    low: float | None
    """None, as is `high`, with fewer than two problems."""
    high: float | None
    problems: int
    """How many problems were averaged."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k for one problem of whose `n` samples `c` passed: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, equation 1. Raises `ValueError` unless 1 <= k <= n and 0 <= c <= n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must be from 1 to n={n}, not {k}")
    if not 0 <= c <= n:
        raise ValueError(f"c must be from 0 to n={n}, not {c}")
    if n - c < k:
        return 1.0
    # C(n-c, k) / C(n, k) is the product of 1 - k/i for i from n-c+1 to n; c and k may change places, which shortens it.
    few, many = min(c, k), max(c, k)
    if few <= 1:
        return few * many / n  # the product of one factor or none, without its rounding: pass@1 is c/n exactly
    logarithms = np.log1p(-many / np.arange(n - few + 1, n + 1, dtype=np.float64))
    return float(-np.expm1(logarithms.sum()))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> Estimate | None:
    """pass@k averaged over problems, given each problem's (n, c): its samples, and how many of them passed.

    A problem with fewer than `k` samples can't be estimated and is left out; None where that leaves no problem. The
    interval is the 95 % percentile bootstrap over problems, `BOOTSTRAP_RESAMPLES` of them, from `BOOTSTRAP_SEED`.
    Raises `ValueError` for k < 1 or an impossible count.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return mean([pass_at_k(n, c, k) for n, c in counts if n >= k])


def mean(estimates: Sequence[float]) -> Estimate | None:
    """The mean of one estimate for each problem, with its interval; None where there is no problem."""
    # Sorted, so that the order in which problems came changes nothing.
    values = np.array(sorted(estimates), dtype=np.float64)
    problems = len(values)
    if problems == 0:
        return None
    value = math.fsum(values) / problems
    if problems < 2:
        return Estimate(value, None, None, problems)
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    # In blocks: one at a time is slow, and all at once would take gigabytes for a large set of problems.
    means = [
        values[generator.integers(0, problems, (_BLOCK, problems))].mean(axis=1)
        for _ in range(BOOTSTRAP_RESAMPLES // _BLOCK)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(value, float(low), float(high), problems)
