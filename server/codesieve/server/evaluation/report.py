"""The table that an evaluator comes back for: pass@k and the ranking for each temperature.

The values mirror the messages of the same names in ``job.proto``; ``codesieve.server.convert`` turns the one into the
other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from codesieve.server.evaluation.passk import mean_pass_at_k
from codesieve.server.evaluation.ranking import Ranking, rank
from codesieve.server.evaluation.sample import ScoredSample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PassAtK", "Ranking", "ScoredSample", "TemperatureReport", "build", "default_ks"]


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
    samples: Iterable[ScoredSample], ks: Sequence[int], temperatures: Sequence[float | None]
) -> tuple[TemperatureReport, ...]:
    """One report for each of `temperatures`, in that order, with pass@k for each of `ks`.

    Raises `ValueError` for a sample of another temperature (it would be lost from the table) and for a k below 1.
    """
    by_temperature: dict[float | None, list[ScoredSample]] = {temperature: [] for temperature in temperatures}
    for sample in samples:
        group = by_temperature.get(sample.temperature)
        if group is None:
            raise ValueError(
                f"sample {sample.index} of {sample.problem_id} has temperature {sample.temperature}, "
                f"which is not among {list(temperatures)}"
            )
        if sample.passed is not None:
            group.append(sample)
    return tuple(_report(temperature, by_temperature[temperature], ks) for temperature in temperatures)


def _report(temperature: float | None, judged: Sequence[ScoredSample], ks: Sequence[int]) -> TemperatureReport:
    made = Counter(sample.problem_id for sample in judged)
    passed = Counter(sample.problem_id for sample in judged if sample.passed)
    counts = [(n, passed[problem_id]) for problem_id, n in made.items()]
    estimates = [(k, mean_pass_at_k(counts, k)) for k in ks]
    return TemperatureReport(
        temperature=temperature,
        samples=len(judged),
        pass_at_k=tuple(
            PassAtK(k, estimate.value, estimate.low, estimate.high, estimate.problems)
            for k, estimate in estimates
            if estimate is not None
        ),
        ranking=rank(judged),
    )
