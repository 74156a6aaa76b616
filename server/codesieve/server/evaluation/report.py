"""The table that an evaluator comes back for: pass@k and the ranking for each temperature.

The values mirror the messages of the same names in ``job.proto``; ``codesieve.server.convert`` turns the one into the
other.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from codesieve.server.evaluation.passk import mean_pass_at_k
from codesieve.server.evaluation.ranking import Ranking, rank
from codesieve.server.evaluation.sample import NOT_JUDGED, PASSED, ScoredSamples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PassAtK", "Ranking", "ScoredSamples", "TemperatureReport", "build", "default_ks"]


@dataclasses.dataclass(frozen=True, slots=True)
class PassAtK:
    """The unbiased estimator of Chen et al. 2021, equation 1, averaged over problems."""

    k: int
    value: float
    interval_low: float | None
    """95 %, bootstrap over problems; None, as is `interval_high`, with fewer than two problems."""
    interval_high: float | None
    problems: int
    """How many problems had at least k judged samples and were averaged."""


@dataclasses.dataclass(frozen=True, slots=True)
class TemperatureReport:
    """What the judged samples of one temperature come to."""

    temperature: float | None
    samples: int
    """Judged ones: an unjudged sample counts nowhere."""
    pass_at_k: tuple[PassAtK, ...]
    """One for each k that at least one problem has judged samples enough for, in the order asked for."""
    ranking: Ranking | None
    """None where no sample is judged."""


def default_ks(n: int) -> tuple[int, ...]:
    """Those of Codex's k (1, 10, 100) that `n` samples per problem allow."""
    return tuple(k for k in (1, 10, 100) if k <= n)


def build(
    groups: Iterable[ScoredSamples], ks: Sequence[int], temperatures: Sequence[float | None]
) -> tuple[TemperatureReport, ...]:
    """One report for each of `temperatures`, in that order, with pass@k for each of `ks`.

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
    return tuple(_report(temperature, by_temperature[temperature], ks) for temperature in temperatures)


def _report(temperature: float | None, groups: Sequence[ScoredSamples], ks: Sequence[int]) -> TemperatureReport:
    counts = [(int((one.passed != NOT_JUDGED).sum()), int((one.passed == PASSED).sum())) for one in groups]
    estimates = [(k, mean_pass_at_k(counts, k)) for k in ks]
    return TemperatureReport(
        temperature=temperature,
        samples=sum(judged for judged, _ in counts),
        pass_at_k=tuple(
            PassAtK(k, estimate.value, estimate.low, estimate.high, estimate.problems)
            for k, estimate in estimates
            if estimate is not None
        ),
        ranking=rank(groups),
    )
