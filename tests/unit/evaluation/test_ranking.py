"""The ranking by log-probability, against a brute-force reading of its definition."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest

from codesieve.server.evaluation import ranking
from codesieve.server.evaluation.ranking import Ranking
from codesieve.server.evaluation.sample import NO_COUNT, UNJUDGED, ScoredSamples


@dataclasses.dataclass(frozen=True)
class One:
    """A sample, where each is written down by itself."""

    problem_id: str
    index: int
    passed: bool | None
    token_count: int | None
    cumulative_logprob: float | None


def sample(problem: str, index: int, passed: bool | None, tokens: int | None = 10, logprob: float | None = -5.0) -> One:
    return One(problem, index, passed, tokens, logprob)


def rank(samples: list[One]) -> Ranking | None:
    """As a record has them: by problem, in the order of their index."""
    groups = []
    for problem in dict.fromkeys(one.problem_id for one in samples):
        own = sorted((one for one in samples if one.problem_id == problem), key=lambda one: one.index)
        passed = [UNJUDGED if one.passed is None else int(one.passed) for one in own]
        tokens = [NO_COUNT if one.token_count is None else one.token_count for one in own]
        logprobs = [math.nan if one.cumulative_logprob is None else one.cumulative_logprob for one in own]
        groups.append(
            ScoredSamples(
                problem, 0.8, np.array(passed, np.int8), np.array(tokens, np.int32), np.array(logprobs, np.float64)
            )
        )
    return ranking.rank(groups)


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
        judged: dict[str, list[One]] = {}
        for one in samples:
            if one.passed is not None:
                judged.setdefault(one.problem_id, []).append(one)

        found = rank(samples)

        if not judged:
            assert found is None
            continue
        assert found is not None
        by_sum, by_mean = [], []
        for group in judged.values():
            group.sort(key=lambda one: one.index)
            sums = [one.cumulative_logprob or 0.0 for one in group]
            means = [(one.cumulative_logprob or 0.0) / (one.token_count or 1) for one in group]
            by_sum.append(group[sums.index(max(sums))].passed)  # list.index finds the first: the lowest sample index
            by_mean.append(group[means.index(max(means))].passed)
        shares = [sum(one.passed is True for one in group) / len(group) for group in judged.values()]
        assert found.problems == len(judged)
        assert found.sum_logprob == pytest.approx(sum(map(bool, by_sum)) / len(judged))
        assert found.mean_logprob == pytest.approx(sum(map(bool, by_mean)) / len(judged))
        assert found.random == pytest.approx(sum(shares) / len(judged))
        assert found.oracle == pytest.approx(sum(share > 0 for share in shares) / len(judged))


def test_mean_and_sum_pick_differently() -> None:
    # The long sample is likelier per token, the short one as a whole.
    found = rank([sample("p", 0, True, tokens=100, logprob=-10.0), sample("p", 1, False, tokens=2, logprob=-2.0)])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob, found.random, found.oracle) == (1.0, 0.0, 0.5, 1.0)


def test_ties_go_to_the_lowest_index_in_whatever_order_samples_come() -> None:
    tied = [sample("p", 2, False), sample("p", 0, True), sample("p", 1, False)]
    for order in (tied, tied[::-1]):
        found = rank(order)
        assert found is not None
        assert (found.mean_logprob, found.sum_logprob) == (1.0, 1.0)


def test_unjudged_samples_count_nowhere() -> None:
    judged = [sample("p", 0, True, logprob=-9.0), sample("q", 0, False)]
    unjudged = [sample("p", 1, None, logprob=-0.1), sample("q", 1, None, logprob=None), sample("r", 0, None)]
    assert rank(judged + unjudged) == rank(judged)


def test_none_without_judged_samples() -> None:
    assert rank([]) is None
    assert rank([sample("p", 0, None)]) is None


@pytest.mark.parametrize("logprob", [None, math.nan])
def test_a_missing_log_probability_unsets_both_rules(logprob: float | None) -> None:
    found = rank([sample("p", 0, True), sample("q", 0, True, logprob=logprob)])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob, found.random) == (None, None, 1.0)


def test_a_missing_token_count_unsets_the_mean_only() -> None:
    found = rank([sample("p", 0, True), sample("q", 0, False, tokens=None)])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob) == (None, 0.5)


def test_an_empty_sample_comes_after_all_others() -> None:
    empty = sample("p", 0, False, tokens=0, logprob=0.0)
    found = rank([empty, sample("p", 1, True, logprob=-99.0)])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob) == (1.0, 1.0)
    found = rank([empty])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob) == (0.0, 0.0)


def test_an_impossible_sample_ranks_last() -> None:
    impossible = dataclasses.replace(sample("p", 0, True), cumulative_logprob=-math.inf)
    found = rank([impossible, sample("p", 1, False)])
    assert found is not None
    assert (found.mean_logprob, found.sum_logprob) == (0.0, 0.0)
