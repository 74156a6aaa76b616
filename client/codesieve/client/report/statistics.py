"""The figures of reports and comparisons: pass@k, ranking by log-probability, and what chance alone would do.

All is exact or seeded: the same samples give the same figures. Problems are what is drawn again and what is swapped, never
samples: the samples of one problem hang together.

The server's own figures come from ``codesieve.server.evaluation``, which a client can't import. pass@k, its interval and
the ranking of all samples are the same there and here, to the last digit; a test holds them to it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 2000
_BLOCK = 100
KEPT_UP_TO = 5_000
"""Draws of so many problems are kept for the next k: 40 MB of them."""
SEED = 20210707
PERMUTATIONS = 20_000
EXACT_UP_TO = 16
"""Sign flips of so many problems are all tried: 65,536 of them."""
MAX_KS = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems with its 95 % interval."""

    value: float
    low: float | None
    """None, as is `high`, with fewer than two problems."""
    high: float | None
    problems: int


def pass_at_k(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k): the unbiased estimate for one problem of whose `n` samples `c` passed.

    Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1, from logarithms.
    """
    if n - c < k:
        return 1.0
    few, many = min(c, k), max(c, k)
    if few <= 1:
        return few * many / n
    logarithms = np.log1p(-many / np.arange(n - few + 1, n + 1, dtype=np.float64))
    return float(-np.expm1(logarithms.sum()))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> Estimate | None:
    """pass@k averaged over problems, given each one's (n, c). Those with fewer than `k` samples are left out.

    None where that leaves no problem.
    """
    values = [pass_at_k(n, c, k) for n, c in counts if n >= k]
    return mean_of(values) if values else None


def mean_of(values: Iterable[float]) -> Estimate:
    """`mean` of one value or more. Sorted, so that the order in which problems came changes nothing."""
    return mean(np.array(sorted(values), dtype=np.float64))


def mean(values: Floats) -> Estimate:
    """The mean of one value for each problem, with the percentile bootstrap over problems."""
    value = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(value, None, None, len(values))
    low, high = np.percentile(_resampled_means(values), (2.5, 97.5))
    return Estimate(value, float(low), float(high), len(values))


def _resampled_means(values: Floats) -> Floats:
    return np.concatenate([values[block].mean(axis=1) for block in _draws(len(values))])


def _draws(problems: int) -> Iterable[NDArray[np.uint32]]:
    """Which problems each resample is made of; the same for every k, so that a curve's band is one set of curves."""
    return _kept_draws(problems) if problems <= KEPT_UP_TO else _new_draws(problems)


@functools.lru_cache(maxsize=4)
def _kept_draws(problems: int) -> tuple[NDArray[np.uint32], ...]:
    return tuple(_new_draws(problems))


def _new_draws(problems: int) -> Iterator[NDArray[np.uint32]]:
    generator = np.random.default_rng(SEED)
    for _ in range(RESAMPLES // _BLOCK):
        yield generator.integers(0, problems, (_BLOCK, problems)).astype(np.uint32)


def ks_up_to(most: int) -> tuple[int, ...]:
    """The k of a curve: all where they are few, else evenly on a logarithmic scale, with 1, 10, 100 and the last."""
    if most <= MAX_KS:
        return tuple(range(1, most + 1))
    spread = {round(each) for each in np.geomspace(1, most, MAX_KS)}
    return tuple(sorted(spread | {each for each in (1, 10, 100, most) if each <= most}))


def picked(passed_by_rank: Sequence[bool], m: int) -> float:
    """The chance that the best-ranked of `m` samples, drawn without replacement from all of them, passes.

    `passed_by_rank` holds whether each passes, the best-ranked first. Exact: the one with rank r is the best of the drawn
    with probability C(n-1-r, m-1) / C(n, m).
    """
    n = len(passed_by_rank)
    weight = m / n
    total = 0.0
    for rank, passed in enumerate(passed_by_rank):
        if passed:
            total += weight
        left = n - 1 - rank
        if left < m:  # one of the better-ranked is always among the drawn
            break
        weight *= (left - m + 1) / left
    return total


def sign_flip(differences: Sequence[float]) -> float:
    """The two-sided p-value of a mean difference, if A and B could change places in every problem.

    All 2^n changes are tried where at most `EXACT_UP_TO` problems differ; else `PERMUTATIONS` of them, seeded, with the
    observed one counted among them (Phipson and Smyth 2010), so that it is never 0.
    """
    values = np.array([each for each in differences if each], dtype=np.float64)
    if not len(values):
        return 1.0
    observed = abs(values.sum())
    # Sums of the same numbers in another order differ in their last bits.
    reached = observed * (1 - 1e-9)
    if len(values) <= EXACT_UP_TO:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate((sums + value, sums - value))
        return float((np.abs(sums) >= reached).mean())
    generator = np.random.default_rng(SEED)
    at_least = 0
    for _ in range(PERMUTATIONS // 1000):
        signs = generator.integers(0, 2, (1000, len(values))) * 2 - 1
        at_least += int((np.abs(signs @ values) >= reached).sum())
    return (at_least + 1) / (PERMUTATIONS + 1)


def density(values: Sequence[float], grid: Floats) -> Floats:
    """The density of values from 0 to 1 on a grid: a Gaussian kernel by Silverman's rule of thumb, mirrored at both ends."""
    given = np.asarray(values, dtype=np.float64)
    spread = float(given.std(ddof=1)) if len(given) > 1 else 0.0
    quartiles = np.percentile(given, (25, 75))
    between = float(quartiles[1] - quartiles[0]) / 1.34
    width = max(0.9 * (min(spread, between) or spread) * len(given) ** -0.2, 0.02)
    mirrored = np.concatenate((given, -given, 2 - given))
    scaled = (grid[:, None] - mirrored[None, :]) / width
    kernel: Floats = np.exp(-0.5 * scaled**2).sum(axis=1) / (len(given) * width * math.sqrt(2 * math.pi))
    return kernel
