"""The report: one table per temperature, from judged samples only."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from codesieve.server.evaluation import passk, ranking, report
from codesieve.server.evaluation.sample import UNJUDGED, ScoredSamples
from codesieve.v1 import job_pb2


def samples(temperature: float | None, problem: str, *passed: bool | None) -> ScoredSamples:
    return ScoredSamples(
        problem,
        temperature,
        np.array([UNJUDGED if one is None else int(one) for one in passed], np.int8),
        np.full(len(passed), 10, np.int32),
        -1.0 - np.arange(len(passed), dtype=np.float64),
    )


@pytest.mark.parametrize(
    ("n", "ks"), [(0, ()), (1, (1,)), (9, (1,)), (10, (1, 10)), (99, (1, 10)), (100, (1, 10, 100))]
)
def test_default_ks(n: int, ks: tuple[int, ...]) -> None:
    assert report.default_ks(n) == ks


def test_reports_follow_the_order_of_temperatures() -> None:
    hot = samples(0.8, "p", True, False)
    cold = samples(0.2, "p", True, True)
    reports = report.build([cold, hot], [1], [0.8, 0.2])
    assert [(one.temperature, one.samples, one.pass_at_k[0].value) for one in reports] == [(0.8, 2, 0.5), (0.2, 2, 1.0)]


def test_counts_come_from_judged_samples_only() -> None:
    some = [samples(0.8, "p", True, None, False), samples(0.8, "q", True, True, True), samples(0.8, "r", None)]
    (one,) = report.build(some, [1, 2, 3], [0.8])
    assert one.samples == 5
    first, second, third = one.pass_at_k
    assert (first.k, first.value, first.problems) == (1, (1 / 2 + 1) / 2, 2)
    assert (second.k, second.value, second.problems) == (2, 1.0, 2)
    assert (third.k, third.value, third.problems, third.interval_low) == (3, 1.0, 1, None)
    assert one.ranking == ranking.rank(some)


def test_estimates_are_those_of_passk() -> None:
    some = [samples(None, "p", True, False, False), samples(None, "q", True, True, False)]
    (one,) = report.build(some, [2], [None])
    estimate = passk.mean_pass_at_k([(3, 1), (3, 2)], 2)
    assert estimate is not None
    assert one.pass_at_k == (report.PassAtK(2, estimate.value, estimate.low, estimate.high, 2),)


def test_a_k_that_no_problem_has_samples_for_is_left_out() -> None:
    (one,) = report.build([samples(0.8, "p", True, False, None)], [1, 3], [0.8])
    assert [estimate.k for estimate in one.pass_at_k] == [1]


def test_a_temperature_without_judged_samples_is_empty_and_not_zero() -> None:
    (one,) = report.build([samples(0.8, "p", None, None)], [1], [0.8])
    assert one == report.TemperatureReport(0.8, 0, (), None)


def test_a_sample_of_another_temperature_is_refused_and_not_lost() -> None:
    with pytest.raises(ValueError, match=r"temperature 0\.6"):
        report.build([samples(0.6, "p", True)], [1], [0.8])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (report.TemperatureReport, job_pb2.TemperatureReport),
        (report.PassAtK, job_pb2.PassAtK),
        (report.Ranking, job_pb2.Ranking),
    ],
)
def test_values_mirror_the_messages(value: type, message: type[job_pb2.TemperatureReport]) -> None:
    fields = [field.name for field in dataclasses.fields(value)]
    assert fields == [field.name for field in message.DESCRIPTOR.fields]
