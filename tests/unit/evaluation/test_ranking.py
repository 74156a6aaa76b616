"""The ranking by log-probability, against a brute-force reading of its definition."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from codesieve.server.evaluation.ranking import rank
from codesieve.server.evaluation.sample import ScoredSample


def sample(
    problem: str, index: int, passed: bool | None, tokens: int | None = 10, logprob: float | None = -5.0
) -> ScoredSample:
    return ScoredSample(problem, 0.8, index, passed, tokens, logprob)


def test_against_brute_force() -> None:
    dice = random.Random(5)
    for _ in range(200):
        # Few distinct values, so that ties are common; indices are shuffled and unjudged samples strewn in.
        samples = [
            sample(
                f"p{problem}",
                index,
                dice.choice([True, False, False, None]),
                dice.randint(1, 4),
                -float(dice.randint(1, 4)),
            )
            for problem in range(dice.randint(1, 6))
            for index in range(dice.randint(1, 6))
        ]
        dice.shuffle(samples)
        judged: dict[str, list[ScoredSample]] = {}
        for one in samples:
            if one.passed is not None:
                judged.setdefault(one.problem_id, []).append(one)

        ranking = rank(samples)

        if not judged:
            assert ranking is None
            continue
        assert ranking is not None
        by_sum, by_mean = [], []
        for group in judged.values():
            group.sort(key=lambda one: one.index)
            sums = [one.cumulative_logprob or 0.0 for one in group]
            means = [(one.cumulative_logprob or 0.0) / (one.token_count or 1) for one in group]
            by_sum.append(group[sums.index(max(sums))].passed)  # list.index finds the first: the lowest sample index
            by_mean.append(group[means.index(max(means))].passed)
        shares = [sum(one.passed is True for one in group) / len(group) for group in judged.values()]
        assert ranking.problems == len(judged)
        assert ranking.sum_logprob == pytest.approx(sum(map(bool, by_sum)) / len(judged))
        assert ranking.mean_logprob == pytest.approx(sum(map(bool, by_mean)) / len(judged))
        assert ranking.random == pytest.approx(sum(shares) / len(judged))
        assert ranking.oracle == pytest.approx(sum(share > 0 for share in shares) / len(judged))


def test_mean_and_sum_pick_differently() -> None:
    # The long sample is likelier per token, the short one as a whole.
    ranking = rank([sample("p", 0, True, tokens=100, logprob=-10.0), sample("p", 1, False, tokens=2, logprob=-2.0)])
    assert ranking is not None
    assert (ranking.mean_logprob, ranking.sum_logprob, ranking.random, ranking.oracle) == (1.0, 0.0, 0.5, 1.0)


def test_ties_go_to_the_lowest_index_in_whatever_order_samples_come() -> None:
    tied = [sample("p", 2, False), sample("p", 0, True), sample("p", 1, False)]
    for order in (tied, tied[::-1]):
        ranking = rank(order)
        assert ranking is not None
        assert (ranking.mean_logprob, ranking.sum_logprob) == (1.0, 1.0)


def test_unjudged_samples_count_nowhere() -> None:
    judged = [sample("p", 0, True, logprob=-9.0), sample("q", 0, False)]
    unjudged = [sample("p", 1, None, logprob=-0.1), sample("q", 1, None, logprob=None), sample("r", 0, None)]
    assert rank(judged + unjudged) == rank(judged)


def test_none_without_judged_samples() -> None:
    assert rank([]) is None
    assert rank([sample("p", 0, None)]) is None


@pytest.mark.parametrize("logprob", [None, math.nan])
def test_a_missing_log_probability_unsets_both_rules(logprob: float | None) -> None:
    ranking = rank([sample("p", 0, True), sample("q", 0, True, logprob=logprob)])
    assert ranking is not None
    assert (ranking.mean_logprob, ranking.sum_logprob, ranking.random) == (None, None, 1.0)


@pytest.mark.parametrize("tokens", [None, 0])
def test_a_missing_token_count_unsets_the_mean_only(tokens: int | None) -> None:
    ranking = rank([sample("p", 0, True), sample("q", 0, False, tokens=tokens)])
    assert ranking is not None
    assert (ranking.mean_logprob, ranking.sum_logprob) == (None, 0.5)


def test_an_impossible_sample_ranks_last() -> None:
    impossible = dataclasses.replace(sample("p", 0, True), cumulative_logprob=-math.inf)
    ranking = rank([impossible, sample("p", 1, False)])
    assert ranking is not None
    assert (ranking.mean_logprob, ranking.sum_logprob) == (0.0, 0.0)
