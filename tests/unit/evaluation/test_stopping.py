"""Early stop: pass@k without a bias, proved by enumerating every outcome, and why the plain ways would have one."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest

from codesieve.server.evaluation.passk import mean_pass_at_k, pass_at_k
from codesieve.server.evaluation.report import build
from codesieve.server.evaluation.sample import MADE, NOT_MADE, NOT_PASSED, PASSED, UNJUDGED, ScoredSamples
from codesieve.server.evaluation.stopping import Course, EarlyStop, pass_at_ks, wilson_width

MOST = 8
RULES = [
    EarlyStop(passes=1),
    EarlyStop(passes=2),
    EarlyStop(passes=3),
    EarlyStop(passes=2, min_samples=5),
    EarlyStop(interval_width=0.62, min_samples=3),
    EarlyStop(interval_width=0.55, min_samples=3),
    EarlyStop(passes=3, interval_width=0.6, min_samples=4),
    EarlyStop(passes=MOST + 1),  # never
]
RATES = [Fraction(0), Fraction(1, 7), Fraction(1, 2), Fraction(5, 6), Fraction(1)]
Estimate = Callable[[int, int, int], Fraction]


def outcomes(sequence: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.array(sequence, np.int8)


def end_of(rule: EarlyStop, sequence: Sequence[int]) -> Course:
    course = Course(rule)
    course.advance(outcomes(sequence))
    return course


def all_walks(rule: EarlyStop) -> Iterator[tuple[tuple[int, ...], Course]]:
    for sequence in itertools.product((NOT_PASSED, PASSED), repeat=MOST):
        yield sequence, end_of(rule, sequence)


def expectation(rule: EarlyStop, p: Fraction, k: int, estimate: Estimate) -> Fraction:
    """Exactly, over every outcome that there may be."""
    return sum(
        (
            p ** sum(sequence) * (1 - p) ** (MOST - sum(sequence)) * estimate(course.judged, course.passed, k)
            for sequence, course in all_walks(rule)
        ),
        Fraction(0),
    )


def shares(rule: EarlyStop) -> Estimate:
    """The estimator by its definition: which of the different ways to a point begin with k failures."""
    ways: defaultdict[tuple[int, int], set[tuple[int, ...]]] = defaultdict(set)
    for sequence, course in all_walks(rule):
        ways[course.judged, course.passed].add(sequence[: course.judged])

    def estimate(n: int, passed: int, k: int) -> Fraction:
        here = ways[n, passed]
        return 1 - Fraction(sum(len(way) >= k and not any(way[:k]) for way in here), len(here))

    return estimate


@pytest.mark.parametrize("rule", RULES)
def test_the_estimator_has_no_bias_whatever_the_pass_rate(rule: EarlyStop) -> None:
    estimate = shares(rule)
    for p, k in itertools.product(RATES, (1, 2, 3)):
        assert expectation(rule, p, k, estimate) == 1 - (1 - p) ** k, (p, k)


@pytest.mark.parametrize("rule", RULES)
def test_what_is_computed_is_that_estimator(rule: EarlyStop) -> None:
    estimate, ks = shares(rule), (1, 2, 3)
    points = {(course.judged, course.passed) for _, course in all_walks(rule)}
    found = pass_at_ks(points, ks, rule)
    assert found.keys() == points
    for (n, passed), values in found.items():
        exact = [float(estimate(n, passed, k)) for k in ks]
        assert values == pytest.approx(exact, abs=1e-13), (n, passed)


def test_the_rules_here_do_stop() -> None:
    """Some of them before others, so that the tests above test something."""
    stops = [{course.judged for _, course in all_walks(rule) if course.stopped} for rule in RULES]
    assert all(len(each) >= 3 for each in stops[:-1])
    assert stops[-1] == set()


def test_the_usual_estimator_is_biased_after_a_stop() -> None:
    """Which is why it isn't taken: it forgets that the last sample passed because it was the last."""
    rule, p = EarlyStop(passes=2), Fraction(1, 7)

    def chen(n: int, passed: int, k: int) -> Fraction:
        return 1 - Fraction(math.comb(n - passed, k), math.comb(n, k))

    assert expectation(rule, p, 1, chen) > p + Fraction(1, 100)
    assert expectation(EarlyStop(passes=MOST + 1), p, 1, chen) == p


def test_after_so_many_passes_it_is_the_closed_form() -> None:
    rule, ks = EarlyStop(passes=5), (1, 10, 100)
    points = [(n, 5) for n in (5, 6, 17, 150, 200)] + [(200, passed) for passed in range(5)]
    found = pass_at_ks(points, ks, rule)
    for n, passed in points:
        if passed == 5:
            exact = [1 - Fraction(math.comb(max(n - 1 - k, 0), 4), math.comb(n - 1, 4)) for k in ks]
        else:  # no stop on the way can have been met
            exact = [1 - Fraction(math.comb(200 - k, passed), math.comb(200, passed)) for k in ks]
        assert found[n, passed] == pytest.approx([float(one) for one in exact], rel=1e-11, abs=1e-13), (n, passed)
    assert found[17, 5][0] == pytest.approx(4 / 16)  # Haldane
    assert found[200, 0] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n", [7, 200, 3000])
def test_without_a_stop_it_is_the_usual_one(n: int) -> None:
    ks = (1, 5, 7)
    found = pass_at_ks([(n, passed) for passed in (0, 1, n // 2, n)], ks, EarlyStop(passes=10**6))
    for (_, passed), values in found.items():
        assert values == pytest.approx([pass_at_k(n, passed, k) for k in ks], rel=1e-9, abs=1e-12)


def test_a_point_that_no_walk_ends_at_is_refused() -> None:
    with pytest.raises(ValueError, match="no walk under"):
        pass_at_ks([(9, 5)], (1,), EarlyStop(passes=2))


def test_the_interval_is_wilsons() -> None:
    n, passed, z = 40, 10, 1.959963984540054
    seen = passed / n

    def end(inside: float, outside: float) -> float:
        """The last rate from which what was seen is at most z of its standard errors away."""
        for _ in range(200):
            middle = (inside + outside) / 2
            far = abs(seen - middle) > z * math.sqrt(middle * (1 - middle) / n)
            inside, outside = (inside, middle) if far else (middle, outside)
        return inside

    assert wilson_width(n, passed) == pytest.approx(end(seen, 1.0) - end(seen, 0.0))
    several = wilson_width(n, np.arange(n + 1))
    assert [float(wilson_width(n, i)) for i in range(n + 1)] == several.tolist()  # to the last bit


def test_a_walk_passes_over_what_has_no_verdict_and_waits_for_what_has_not_ended() -> None:
    course = Course(EarlyStop(passes=2))
    assert not course.advance(outcomes([UNJUDGED, PASSED, MADE, PASSED, PASSED, NOT_MADE]))
    assert (course.ended, course.judged, course.passed) == (2, 1, 1)
    assert course.advance(outcomes([UNJUDGED, PASSED, NOT_PASSED, PASSED, PASSED, NOT_MADE]))
    assert (course.ended, course.judged, course.passed) == (4, 3, 2)


def a_problem(name: str, *passed: int) -> ScoredSamples:
    return ScoredSamples(
        name, 0.8, outcomes(passed), np.full(len(passed), 3, np.int32), -1.0 - np.arange(len(passed), dtype=np.float64)
    )


def test_a_report_counts_up_to_the_stop_and_tells_what_was_saved() -> None:
    stopped = a_problem("a", NOT_PASSED, UNJUDGED, PASSED, PASSED, PASSED, MADE, NOT_MADE, NOT_MADE)
    whole = a_problem("b", *[NOT_PASSED] * 8)
    broken_off = a_problem("c", PASSED, NOT_PASSED, MADE, NOT_PASSED, *[NOT_MADE] * 4)
    (one,) = build([stopped, whole, broken_off], [1, 4], [0.8], EarlyStop(passes=2))
    assert (one.samples, one.samples_planned, one.problems_stopped) == (3 + 8 + 2, 24, 1)
    assert (one.samples_saved, one.samples_surplus) == (2, 2)
    first, fourth = one.pass_at_k
    assert first.value == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert first.problems == 3
    assert fourth.value == pytest.approx((1 + 0) / 2)
    assert fourth.problems == 2  # of the third there are fewer than 4
    assert one.ranking is not None
    assert one.ranking.random == first.value
    assert one.ranking.oracle == pytest.approx(2 / 3)
    assert one.ranking.sum_logprob == pytest.approx(1 / 3)


def test_without_early_stop_the_report_is_as_ever() -> None:
    (one,) = build([a_problem("a", PASSED, NOT_PASSED, UNJUDGED, PASSED), a_problem("b", *[PASSED] * 3)], [1, 2], [0.8])
    assert [each.value for each in one.pass_at_k] == [
        estimate.value for k in (1, 2) if (estimate := mean_pass_at_k([(3, 2), (3, 3)], k)) is not None
    ]
    assert (one.samples_planned, one.samples_saved, one.samples_surplus, one.problems_stopped) == (0, 0, 0, 0)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_judged_again_the_first_samples_alone_have_no_bias(rule: EarlyStop) -> None:
    def again(p: Fraction, counted: int) -> float:
        mean = 0.0
        for sequence, course in all_walks(rule):
            (one,) = build([a_problem("a", *sequence[: course.ended])], [1], [0.8], None, counted)
            mean += float(p ** sum(sequence) * (1 - p) ** (MOST - sum(sequence))) * one.pass_at_k[0].value
        return mean

    p = Fraction(1, 7)
    assert again(p, rule.fewest) == pytest.approx(float(p), abs=1e-12)
    if rule.passes <= MOST:
        assert abs(again(p, 0) - float(p)) > 0.001


def test_what_is_not_among_the_first_samples_counts_nowhere() -> None:
    groups = [a_problem("a", NOT_PASSED, UNJUDGED, PASSED, PASSED), a_problem("b", *[PASSED] * 5)]
    (one,) = build(groups, [1, 2, 3], [0.8], None, 3)
    assert one.samples == 5
    assert [(each.k, each.value, each.problems) for each in one.pass_at_k] == [(1, 0.75, 2), (2, 1.0, 2), (3, 1.0, 1)]
    assert one.ranking is not None
    assert (one.ranking.random, one.ranking.oracle, one.ranking.sum_logprob) == (0.75, 1.0, 0.5)


def as_they_come(rng: random.Random, p: float, flight: int, most: int) -> list[tuple[int, int]]:
    """(index, outcome) in the order in which samples finish, `flight` at a time: those that fail run long."""
    finished, running, index, now = [], list[tuple[float, int, int]](), 0, 0.0
    while index < most or running:
        while index < most and len(running) < flight:
            passed = rng.random() < p
            heapq.heappush(running, (now + rng.expovariate(1.0) * (1 if passed else 6), index, int(passed)))
            index += 1
        now, which, outcome = heapq.heappop(running)
        finished.append((which, outcome))
    return finished


def test_the_order_of_finishing_would_bias_and_the_order_of_the_index_does_not() -> None:
    rng, rule, p, most, runs = random.Random(7), EarlyStop(passes=3), 0.3, 40, 4000
    by_index, by_arrival = list[tuple[int, int]](), list[tuple[int, int]]()
    for _ in range(runs):
        finished = as_they_come(rng, p, 12, most)
        course, known = Course(rule), np.full(most, NOT_MADE, np.int8)
        for which, outcome in finished:
            known[which] = outcome
            if course.advance(known):
                break
        by_index.append((course.judged, course.passed))
        again = end_of(rule, [outcome for _, outcome in sorted(finished)])
        assert (again.judged, again.passed) == by_index[-1]  # whatever came first
        hasty = end_of(rule, [outcome for _, outcome in finished])
        by_arrival.append((hasty.judged, hasty.passed))

    def mean_and_error(points: list[tuple[int, int]]) -> tuple[float, float]:
        found = pass_at_ks(set(points), (1,), rule)
        values = [found[point][0] for point in points]
        return statistics.fmean(values), statistics.stdev(values) / math.sqrt(runs)

    mean, error = mean_and_error(by_index)
    assert abs(mean - p) < 4 * error
    mean, error = mean_and_error(by_arrival)
    assert mean - p > 20 * error
