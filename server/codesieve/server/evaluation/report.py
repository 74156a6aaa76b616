"""The table that an evaluator comes back for: pass@k and the ranking for each temperature.

The values mirror the messages of the same names in ``job.proto``; ``codesieve.server.convert`` turns the one into the
other.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from codesieve.server.evaluation.passk import Estimate, mean, mean_pass_at_k
from codesieve.server.evaluation.ranking import Ranking, rank
from codesieve.server.evaluation.sample import NOT_MADE, NOT_PASSED, PASSED, ScoredSamples
from codesieve.server.evaluation.stopping import Course, EarlyStop, pass_at_ks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PassAtK", "Ranking", "ScoredSamples", "TemperatureReport", "build", "default_ks"]


@dataclasses.dataclass(frozen=True, slots=True)
class PassAtK:
    """The unbiased estimator of Chen et al. 2021, equation 1, averaged over problems; with early stop that of `stopping`."""

    k: int
    value: float
    interval_low: float | None
    """95 %, bootstrap over problems; None, as is `interval_high`, with fewer than two problems."""
    interval_high: float | None
    problems: int
    """How many problems had at least k judged samples, or were stopped early, and were averaged."""


@dataclasses.dataclass(frozen=True, slots=True)
class TemperatureReport:
    """What the judged samples of one temperature come to."""

    temperature: float | None
    samples: int
    """Judged ones: an unjudged sample counts nowhere, nor does one beyond the point where its problem was stopped early, nor
    one beyond the first that `build` was told to count."""
    pass_at_k: tuple[PassAtK, ...]
    """One for each k that at least one problem has judged samples enough for, in the order asked for."""
    ranking: Ranking | None
    """None where no sample is judged. After early stops `random` is the unbiased pass@1, and the others tell of the samples
    that count: there are fewer to pick from, and after "so many passes" more of them pass than of a given number of samples,
    so that both picks are too high. `oracle` is that of all planned samples, unless a problem was stopped by its interval
    without a pass; then it may be too low."""
    samples_planned: int = 0
    """With early stop only, as are those that follow: the most samples that there would have been."""
    samples_saved: int = 0
    """Those of them that were never made, because their problem was stopped."""
    samples_surplus: int = 0
    """Made beyond the point where their problem was stopped, as they were under way already; they count nowhere."""
    problems_stopped: int = 0


def default_ks(n: int) -> tuple[int, ...]:
    """Those of Codex's k (1, 10, 100) that `n` samples per problem allow."""
    return tuple(k for k in (1, 10, 100) if k <= n)


def build(
    groups: Iterable[ScoredSamples],
    ks: Sequence[int],
    temperatures: Sequence[float | None],
    early_stop: EarlyStop | None = None,
    counted: int = 0,
) -> tuple[TemperatureReport, ...]:
    """One report for each of `temperatures`, in that order, with pass@k for each of `ks`.

    Without `early_stop`, of each problem the first `counted` samples count, by their index; 0: all of them.

    Raises `ValueError` for samples of another temperature (they would be lost from the table) and for a k below 1.
    """
    by_temperature: dict[float | None, list[ScoredSamples]] = {temperature: [] for temperature in temperatures}
    for group in groups:
        of_its_own = by_temperature.get(group.temperature)
        if of_its_own is None:
            raise ValueError(
                f"samples of {group.problem_id} have temperature {group.temperature}, "
                f"which is not among {list(temperatures)}"
            )
        of_its_own.append(group)
    if early_stop is None:
        return tuple(_report(temperature, by_temperature[temperature], ks, counted) for temperature in temperatures)
    return tuple(
        _stopped_report(temperature, by_temperature[temperature], ks, early_stop) for temperature in temperatures
    )


def _report(
    temperature: float | None, groups: Sequence[ScoredSamples], ks: Sequence[int], counted: int
) -> TemperatureReport:
    groups = [_first(group, counted) for group in groups] if counted else groups
    counts = [(int((one.passed >= NOT_PASSED).sum()), int((one.passed == PASSED).sum())) for one in groups]
    return TemperatureReport(
        temperature=temperature,
        samples=sum(judged for judged, _ in counts),
        pass_at_k=_table((k, mean_pass_at_k(counts, k)) for k in ks),
        ranking=rank(groups),
    )


def _stopped_report(
    temperature: float | None, groups: Sequence[ScoredSamples], ks: Sequence[int], rule: EarlyStop
) -> TemperatureReport:
    """Of samples up to each problem's stop, or to its first one that has not ended: in a job that was broken off."""
    courses = [Course(rule) for _ in groups]
    for course, group in zip(courses, groups, strict=True):
        course.advance(group.passed)
    judged = [course for course in courses if course.judged]
    estimates = pass_at_ks({(course.judged, course.passed) for course in judged}, (1, *ks), rule)

    def of(place: int, k: int) -> Estimate | None:
        able = [one for one in judged if one.stopped or one.judged >= k]
        return mean([estimates[one.judged, one.passed][place] for one in able])

    counted = [_first(group, course.ended) for course, group in zip(courses, groups, strict=True)]
    ranking, at_random = rank(counted), of(0, 1)
    if ranking is not None and at_random is not None:
        ranking = dataclasses.replace(ranking, random=at_random.value)
    stopped = [(course, group) for course, group in zip(courses, groups, strict=True) if course.stopped]
    return TemperatureReport(
        temperature=temperature,
        samples=sum(one.judged for one in judged),
        pass_at_k=_table((k, of(place, k)) for place, k in enumerate(ks, 1)),
        ranking=ranking,
        samples_planned=sum(len(group.passed) for group in groups),
        samples_saved=sum(int((group.passed == NOT_MADE).sum()) for _, group in stopped),
        samples_surplus=sum(int((group.passed[course.ended :] != NOT_MADE).sum()) for course, group in stopped),
        problems_stopped=len(stopped),
    )


def _first(group: ScoredSamples, number: int) -> ScoredSamples:
    return dataclasses.replace(
        group,
        passed=group.passed[:number],
        token_count=group.token_count[:number],
        cumulative_logprob=group.cumulative_logprob[:number],
    )


def _table(estimates: Iterable[tuple[int, Estimate | None]]) -> tuple[PassAtK, ...]:
    return tuple(
        PassAtK(k, estimate.value, estimate.low, estimate.high, estimate.problems)
        for k, estimate in estimates
        if estimate is not None
    )
