"""Two runs, paired by problem: how much better B is than A, and whether chance alone would do as much.

A problem's difficulty is in both runs, so the differences are taken within problems; the interval draws problems again
and the test swaps A and B within problems (a sign-flip permutation test). Problems or temperatures that only one run has
are an error unless the caller wants those in common. A run whose problems were stopped early has the estimates for that
(`stopping`), whatever the other is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from codesieve.client.errors import InvalidRequest
from codesieve.client.report import statistics, stopping
from codesieve.client.report.run import Run, temperature_name
from codesieve.client.report.stopping import Counted

MAX_NAMED = 3
NOTHING = 1e-9
"""The two estimators give the same figure up to their last bits, which are no difference."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """pass@k of both runs over the problems that tell it in both, and B minus A."""

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
    change: float
    """Of pass@1, which is the share of samples that pass unless the problem was stopped early."""


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
    don't match, or a k is larger than any problem's samples, and `InvalidFile` as `stopping.counted` does.
    """
    here, there = set(a.temperatures), set(b.temperatures)
    if here != there and not common:
        raise _mismatch(f"A was sampled at {_names(a.temperatures)}, B at {_names(b.temperatures)}")
    if not here & there:
        raise _mismatch(
            f"A and B have no temperature in common: {_names(a.temperatures)}; {_names(b.temperatures)}", ""
        )
    both = stopping.counted(a), stopping.counted(b)
    found = tuple(_at(*both, each, ks, common) for each in a.temperatures if each in there)
    for k in ks:
        if not any(each.k == k for one in found for each in one.differences):
            raise InvalidRequest(f"-k: no problem has {k} judged samples in both runs", reason="INVALID_ARGUMENT")
    return found


def _at(a: Counted, b: Counted, temperature: float | None, ks: Sequence[int], common: bool) -> Compared:
    all_of_a, all_of_b = a.counts(temperature), b.counts(temperature)
    both = [problem for problem in all_of_a if problem in all_of_b]
    at = f"at temperature {temperature_name(temperature)}"
    for name, more, less in (("A", all_of_a, all_of_b), ("B", all_of_b, all_of_a)):
        only = [problem for problem in more if problem not in less]
        if only and not common:
            others = "A" if name == "B" else "B"
            raise _mismatch(f"{at} {name} has verdicts of {_list(only)}, of which {others} has none")
    if not both:
        raise _mismatch(f"{at} A and B have verdicts of no problem in common", "")
    of_a, of_b = [all_of_a[each] for each in both], [all_of_b[each] for each in both]
    most = max(min(a.most(one), b.most(other)) for one, other in zip(of_a, of_b, strict=True))
    chosen = ks or tuple(k for k in (1, 10, 100) if k <= most)
    # pass@1 first, for what moved.
    tables = a.pass_at(of_a, (1, *chosen)), b.pass_at(of_b, (1, *chosen))
    differences = [
        _difference(k, *([row[place] for row in one] for one in tables)) for place, k in enumerate(chosen, 1)
    ]
    moved = []
    for problem, one, other, row_a, row_b in zip(both, of_a, of_b, *tables, strict=True):
        change = (row_b[0] or 0.0) - (row_a[0] or 0.0)
        if abs(change) > NOTHING:
            moved.append(Moved(problem, (one.judged, one.passed), (other.judged, other.passed), change))
    return Compared(
        temperature,
        len(both),
        tuple(each for each in differences if each is not None),
        tuple(sorted(moved, key=lambda each: -abs(each.change))),
    )


def _difference(k: int, of_a: Sequence[float | None], of_b: Sequence[float | None]) -> Difference | None:
    rows = [(one, other) for one, other in zip(of_a, of_b, strict=True) if one is not None and other is not None]
    if not rows:
        return None
    table = np.array(rows, dtype=np.float64)
    differences = table[:, 1] - table[:, 0]
    differences[np.abs(differences) <= NOTHING] = 0.0
    mean_a, mean_b = (float(each) for each in table.mean(axis=0))
    return Difference(k, mean_a, mean_b, statistics.mean(differences), statistics.sign_flip(differences.tolist()))


def _mismatch(what: str, mend: str = "; --common compares what both have") -> InvalidRequest:
    return InvalidRequest(f"{what}{mend}", reason="RUNS_DONT_MATCH")


def _names(temperatures: Sequence[float | None]) -> str:
    return ", ".join(map(temperature_name, temperatures))


def _list(problems: Sequence[str]) -> str:
    named = ", ".join(problems[:MAX_NAMED])
    more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} ({named}{more})"
