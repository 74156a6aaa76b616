"""Two runs, paired by problem: how much better B is than A, and whether chance alone would do as much.

A problem's difficulty is in both runs, so the differences are taken within problems; the interval draws problems again
and the test swaps A and B within problems (a sign-flip permutation test). Problems or temperatures that only one run has
are an error unless the caller wants those in common.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from codesieve.client.errors import InvalidRequest
from codesieve.client.report import statistics
from codesieve.client.report.run import Run, natural, temperature_name

MAX_NAMED = 3
Counts = Mapping[str, tuple[int, int]]
"""Each problem's judged samples, and how many of them passed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """pass@k of both runs over the problems that have at least k samples in both, and B minus A."""

    k: int
    a: float
    b: float
    difference: statistics.Estimate
    p_value: float
    """Two-sided."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """A problem that B solves more or less often than A."""

    problem_id: str
    a: tuple[int, int]
    """Samples, and how many passed."""
    b: tuple[int, int]

    @property
    def change(self) -> float:
        """Of the share of samples that pass."""
        return self.b[1] / self.b[0] - self.a[1] / self.a[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """The runs at one temperature."""

    temperature: float | None
    problems: int
    differences: tuple[Difference, ...]
    moved: tuple[Moved, ...]
    """The largest change first."""


def compare(a: Run, b: Run, ks: Sequence[int] = (), common: bool = False) -> tuple[Compared, ...]:
    """Both runs at each temperature. `ks` are the k of pass@k; none takes those of 1, 10 and 100 that fit.

    With `common` only the problems and temperatures that both have are compared. Raises `InvalidRequest` where the runs
    don't match, or a k is larger than any problem's samples.
    """
    here, there = set(a.temperatures), set(b.temperatures)
    if here != there and not common:
        raise _mismatch(f"A was sampled at {_names(a.temperatures)}, B at {_names(b.temperatures)}")
    if not here & there:
        raise _mismatch(
            f"A and B have no temperature in common: {_names(a.temperatures)}; {_names(b.temperatures)}", ""
        )
    found = tuple(_at(a, b, each, ks, common) for each in a.temperatures if each in there)
    for k in ks:
        if not any(each.k == k for one in found for each in one.differences):
            raise InvalidRequest(f"-k: no problem has {k} judged samples in both runs", reason="INVALID_ARGUMENT")
    return found


def counts(run: Run, temperature: float | None) -> Counts:
    """Each problem's judged samples at a temperature, and how many passed. Those without a verdict count nowhere."""
    judged: collections.Counter[str] = collections.Counter()
    passed: collections.Counter[str] = collections.Counter()
    for sample in run.samples:
        if sample.temperature == temperature and sample.judgement and sample.judgement.verdict is not None:
            judged[sample.problem_id] += 1
            passed[sample.problem_id] += bool(sample.judgement.passed)
    return {problem: (judged[problem], passed[problem]) for problem in sorted(judged, key=natural)}


def _at(a: Run, b: Run, temperature: float | None, ks: Sequence[int], common: bool) -> Compared:
    of_a, of_b = counts(a, temperature), counts(b, temperature)
    both = [problem for problem in of_a if problem in of_b]
    at = f"at temperature {temperature_name(temperature)}"
    for name, more, less in (("A", of_a, of_b), ("B", of_b, of_a)):
        only = [problem for problem in more if problem not in less]
        if only and not common:
            others = "A" if name == "B" else "B"
            raise _mismatch(f"{at} {name} has verdicts of {_list(only)}, of which {others} has none")
    if not both:
        raise _mismatch(f"{at} A and B have verdicts of no problem in common", "")
    most = max(min(of_a[each][0], of_b[each][0]) for each in both)
    chosen = ks or tuple(k for k in (1, 10, 100) if k <= most)
    differences = [_difference([(of_a[each], of_b[each]) for each in both], k) for k in chosen]
    moved = [Moved(each, of_a[each], of_b[each]) for each in both]
    return Compared(
        temperature,
        len(both),
        tuple(each for each in differences if each is not None),
        tuple(sorted((each for each in moved if each.change), key=lambda each: -abs(each.change))),
    )


def _difference(pairs: Sequence[tuple[tuple[int, int], tuple[int, int]]], k: int) -> Difference | None:
    rows = [
        (statistics.pass_at_k(*of_a, k), statistics.pass_at_k(*of_b, k))
        for of_a, of_b in pairs
        if min(of_a[0], of_b[0]) >= k
    ]
    if not rows:
        return None
    table = np.array(rows, dtype=np.float64)
    differences = table[:, 1] - table[:, 0]
    a, b = (float(each) for each in table.mean(axis=0))
    return Difference(k, a, b, statistics.mean(differences), statistics.sign_flip(differences.tolist()))


def _mismatch(what: str, mend: str = "; --common compares what both have") -> InvalidRequest:
    return InvalidRequest(f"{what}{mend}", reason="RUNS_DONT_MATCH")


def _names(temperatures: Sequence[float | None]) -> str:
    return ", ".join(map(temperature_name, temperatures))


def _list(problems: Sequence[str]) -> str:
    named = ", ".join(problems[:MAX_NAMED])
    more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} ({named}{more})"
