"""The figures of reports, beside the server's own, brute force and values worked out by hand."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesieve.client.report import statistics
from codesieve.server.evaluation import passk, ranking
from codesieve.server.evaluation.sample import NOT_PASSED, PASSED, ScoredSamples

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(counts, st.integers(1, 60))
def test_pass_at_k_is_the_servers(count: tuple[int, int], k: int) -> None:
    n, c = count
    if k <= n:
        assert statistics.pass_at_k(n, c, k) == passk.pass_at_k(n, c, k)


def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_one() -> None:
    for n, c, k in itertools.product(range(1, 7), range(7), range(1, 7)):
        if c <= n >= k:
            draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
            assert statistics.pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


@settings(deadline=None, max_examples=25)
@given(st.lists(counts, min_size=1, max_size=30), st.integers(1, 20))
def test_means_and_intervals_are_the_servers_to_the_last_digit(problems: list[tuple[int, int]], k: int) -> None:
    ours, theirs = statistics.mean_pass_at_k(problems, k), passk.mean_pass_at_k(problems, k)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert (ours.value, ours.low, ours.high, ours.problems) == (
            theirs.value,
            theirs.low,
            theirs.high,
            theirs.problems,
        )


def test_draws_that_are_not_kept_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [(4, place % 5) for place in range(30)]
    kept = statistics.mean_pass_at_k(counts, 2)
    monkeypatch.setattr(statistics, "KEPT_UP_TO", 10)
    assert statistics.mean_pass_at_k(counts, 2) == kept


def test_the_pick_of_a_draw_is_the_mean_over_all_draws() -> None:
    rng = random.Random(1)
    for n in range(1, 8):
        passed = [rng.random() < 0.4 for _ in range(n)]
        for m in range(1, n + 1):
            picks = [passed[min(drawn)] for drawn in itertools.combinations(range(n), m)]
            assert statistics.picked(passed, m) == pytest.approx(sum(picks) / len(picks))


def test_the_pick_of_all_is_the_servers_ranking_and_of_one_is_chance() -> None:
    logprobs = [-9.0, -3.0, -5.0, -2.0, -2.0]
    outcomes = np.array([PASSED if i in (1, 4) else NOT_PASSED for i in range(5)], np.int8)
    samples = ScoredSamples("p", 0.2, outcomes, np.full(5, 10, np.int32), np.array(logprobs))
    passed = [outcomes[i] == PASSED for i in sorted(range(5), key=lambda i: (-logprobs[i], i))]
    ranked = ranking.rank([samples])
    assert ranked is not None
    assert statistics.picked(passed, 5) == ranked.sum_logprob == 0.0
    assert statistics.picked(passed, 1) == pytest.approx(ranked.random)


def test_few_problems_are_swapped_in_every_way() -> None:
    # Of the 8 ways to sign 0.5, 0.25 and 0.25 those that come to 1 or -1 are two, and 0.5 + 0.25 - 0.25 is none of them.
    assert statistics.sign_flip([0.5, 0.25, 0.25, 0.0]) == 2 / 8
    assert statistics.sign_flip([0.5, -0.5]) == 1.0
    assert statistics.sign_flip([0.0, 0.0]) == 1.0
    assert statistics.sign_flip([]) == 1.0


def test_many_problems_are_swapped_at_random_and_come_close() -> None:
    rng = random.Random(3)
    values = [rng.choice((-1.0, 1.0, 1.0)) for _ in range(20)]
    observed = abs(sum(values))
    exact = (
        sum(math.comb(20, heads) for heads in range(21) if abs(2 * heads - 20) >= observed) / 2**20
    )  # the sum of 20 signs is binomial
    assert statistics.sign_flip(values) == statistics.sign_flip(values)
    assert statistics.sign_flip(values) == pytest.approx(exact, abs=0.02)
    assert statistics.sign_flip([0.1] * 40) == 1 / (statistics.PERMUTATIONS + 1)


def test_a_curves_k_hold_codexs_and_the_last() -> None:
    assert statistics.ks_up_to(5) == (1, 2, 3, 4, 5)
    ks = statistics.ks_up_to(200)
    assert {1, 10, 100, 200} <= set(ks)
    assert list(ks) == sorted(set(ks))
    assert len(ks) <= statistics.MAX_KS + 4


@pytest.mark.parametrize("values", [[0.5], [0.0] * 5, [0.1, 0.2, 0.9, 1.0], [0.0, 0.0, 0.0, 1.0]])
def test_a_density_is_one_in_all_and_never_negative(values: list[float]) -> None:
    grid = np.linspace(0, 1, 2001)
    found = statistics.density(values, grid)
    assert (found >= 0).all()
    assert float(((found[1:] + found[:-1]) / 2 * np.diff(grid)).sum()) == pytest.approx(1.0, abs=0.01)
