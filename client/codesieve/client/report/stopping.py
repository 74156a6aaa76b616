"""Runs whose problems were stopped early: which samples count, and pass@k that stays unbiased.

A problem, at one temperature, was stopped at the first n at which its first n samples by index (those without a verdict
left out) kept to the rule; what was made beyond counts in no figure. Where a walk through (n, passed) stopped, each way of
getting there is as likely as any other, so 1 - the share of the ways that begin with k failures estimates pass@k without a
bias (Girshick, Mosteller and Savage 1946). Chen et al.'s equation 1, to which it comes without a rule, would be biased.

As with ``statistics``, the server's own is ``codesieve.server.evaluation.stopping``, and a test holds both together. The
files don't tell a sample that no engine could make from one that was never begun: in a run that succeeded a gap before the
stop is the first, in one that was broken off the problem ends at it.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from codesieve.client import types
from codesieve.client.errors import InvalidFile
from codesieve.client.report import statistics
from codesieve.client.report.run import Run, natural

Z = 1.959963984540054
"""Of a 95 % interval."""
BROKEN_OFF = "JOB_ENDED"
"""The reason of samples that had not ended when their job did."""
Place = tuple[float | None, str]
"""A temperature and a problem."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """When a problem needed no more samples: once either bound that is set was reached."""

    passes: int
    """So many samples passed; 0 for no such bound."""
    interval_width: float
    """The pass rate's 95 % Wilson interval is at most so wide; 0 for no such bound."""
    min_samples: int
    """Never before so many verdicts."""
    most: int
    """How many samples there would have been without."""

    def reached(self, n: int, passed: Any) -> Any:
        """Whether to stop where of `n` judged samples `passed` passed: a number, or an array of them."""
        stops = np.zeros(np.shape(passed), np.bool_)
        if self.passes:
            stops = stops | (np.asarray(passed) >= self.passes)
        if self.interval_width:
            stops = stops | (_wilson_width(n, passed) <= self.interval_width)
        return stops & (n >= max(self.min_samples, 1))

    @property
    def largest_k(self) -> int:
        """The largest k of which a problem that was stopped tells: without a pass, it had to have k samples."""
        return min(self.most, max(self.min_samples, 1)) if self.interval_width else self.most

    def __str__(self) -> str:
        told = [f"after {self.passes} passes"] if self.passes else []
        if self.interval_width:
            told.append(f"once the 95 % interval of the pass rate was at most {self.interval_width:g} wide")
        least = f", never before {self.min_samples} verdicts" if self.min_samples else ""
        return f"{' or '.join(told)}{least}"


def _wilson_width(n: int, passed: Any) -> Any:
    rate = np.asarray(passed) / np.float64(n)
    return 2 * Z / (1 + Z * Z / n) * np.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """What one problem's samples come to, at one temperature."""

    judged: int
    passed: int
    stopped: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """A run without the samples that count in no figure."""

    run: Run
    rule: Rule | None
    """None: all were made and all count."""
    stopped: frozenset[Place] = frozenset()
    planned: int = 0
    saved: int = 0
    """Never made, because their problem was stopped."""
    surplus: int = 0
    """Made all the same, as they were under way already; or not among those that `first` counts."""
    first: int = 0
    """Without a rule: of each problem and temperature only the first so many count; 0: all. It is a run that judges samples
    again which were made under a rule: only these were made whatever their verdicts."""

    def counts(self, temperature: float | None) -> dict[str, Count]:
        """By problem. Samples without a verdict count nowhere, nor do problems without another."""
        judged: collections.Counter[str] = collections.Counter()
        passed: collections.Counter[str] = collections.Counter()
        for sample in self.run.samples:
            if sample.temperature == temperature and sample.judgement and sample.judgement.verdict is not None:
                judged[sample.problem_id] += 1
                passed[sample.problem_id] += bool(sample.judgement.passed)
        return {
            problem: Count(judged[problem], passed[problem], (temperature, problem) in self.stopped)
            for problem in sorted(judged, key=natural)
        }

    def most(self, count: Count) -> int:
        """The largest k that a problem tells pass@k of."""
        if self.rule is None:
            return count.judged
        return self.rule.largest_k if count.stopped else min(count.judged, self.rule.largest_k)

    def pass_at(self, counts: Sequence[Count], ks: Sequence[int]) -> list[list[float | None]]:
        """pass@k of each problem for each of `ks`; None where it doesn't tell."""
        if self.rule is None:
            of = functools.partial(_chen, counts=counts)
            return [[of(place, k) for k in ks] for place in range(len(counts))]
        found = pass_at_ks({(each.judged, each.passed) for each in counts}, ks, self.rule)
        return [
            [
                value if k <= self.most(each) else None
                for k, value in zip(ks, found[each.judged, each.passed], strict=True)
            ]
            for each in counts
        ]


def _chen(place: int, k: int, counts: Sequence[Count]) -> float | None:
    each = counts[place]
    return statistics.pass_at_k(each.judged, each.passed, k) if k <= each.judged else None


def rule_of(run: Run) -> Rule | None:
    """The rule by which a run's problems were stopped; None where they weren't. Raises `InvalidFile` where it isn't told."""
    generation = run.provenance.get("generation")
    given = generation.get("early_stop") if isinstance(generation, dict) else None
    if given is None and not run.facts.get("early_stop"):
        return None
    most = generation.get("samples_per_problem") if isinstance(generation, dict) else None
    if not isinstance(given, dict) or not isinstance(most, int):
        raise InvalidFile(f"{run.where}: problems were stopped early, and report.json doesn't tell by which rule")
    values = [given.get(name, 0) for name in ("passes", "interval_width", "min_samples")]
    if not all(type(each) in (int, float) and math.isfinite(each) and each >= 0 for each in values):
        raise InvalidFile(f"{run.where}: report.json: early_stop: passes, interval_width, min_samples must be numbers")
    passes, width, least = values
    if not (passes or width):
        raise InvalidFile(f"{run.where}: report.json: early_stop: must set passes or interval_width")
    return Rule(int(passes), float(width), int(least), most)


def _first(run: Run) -> int:
    given = run.provenance.get("counted_samples_per_problem")
    if given is None:
        return 0
    if type(given) is not int or given < 0:
        what = "report.json: provenance: counted_samples_per_problem: must be a whole number, at least 0, or null"
        raise InvalidFile(f"{run.where}: {what}")
    return given


def counted(run: Run) -> Counted:
    """The run with the samples that count. Raises `InvalidFile` as `rule_of` does."""
    rule = rule_of(run)
    if rule is None:
        first = _first(run)
        if not first:
            return Counted(run, None)
        kept = tuple(each for each in run.samples if each.index < first)
        surplus = len(run.samples) - len(kept)
        return Counted(dataclasses.replace(run, samples=kept), None, surplus=surplus, first=first)
    groups: dict[Place, list[types.Sample]] = collections.defaultdict(list)
    for sample in run.samples:
        groups[sample.temperature, sample.problem_id].append(sample)
    whole = run.facts.get("state") == types.JobState.SUCCEEDED
    ends, stopped = {}, set()
    for place, samples in groups.items():
        ends[place], stops = _end(rule, samples, whole)
        if stops:
            stopped.add(place)
    counts = [each.index < ends[each.temperature, each.problem_id] for each in run.samples]
    left = [each for each, keep in zip(run.samples, counts, strict=True) if not keep]
    surplus = sum((each.temperature, each.problem_id) in stopped for each in left)
    kept = tuple(each for each, keep in zip(run.samples, counts, strict=True) if keep)
    return Counted(
        dataclasses.replace(run, samples=kept),
        rule,
        frozenset(stopped),
        rule.most * len(groups),
        sum(rule.most - ends[place] for place in stopped) - surplus,
        surplus,
    )


def _end(rule: Rule, samples: Sequence[types.Sample], whole: bool) -> tuple[int, bool]:
    """The index before which one problem's samples count, and whether it was stopped there."""
    by_index = {each.index: each for each in samples}
    judged = passed = 0
    for index in range(max(by_index, default=-1) + 1):
        sample = by_index.get(index)
        judgement = sample.judgement if sample is not None else None
        if judgement is None or (judgement.unjudged is not None and judgement.unjudged.reason == BROKEN_OFF):
            if whole and sample is None:
                continue  # no engine could make it
            return index, False
        if judgement.verdict is not None:
            judged, passed = judged + 1, passed + bool(judgement.passed)
            if rule.reached(judged, passed):
                return index + 1, True
    return max(by_index, default=-1) + 1, False


def pass_at_ks(
    points: Collection[tuple[int, int]], ks: Sequence[int], rule: Rule
) -> Mapping[tuple[int, int], Sequence[float]]:
    """pass@k for each of `ks`, for each point (n, passed) at which a walk under `rule` ended.

    It was stopped there, or there were no more samples; in the second case the k above n mean nothing. Ways are counted as
    logarithms: there are more than a float holds.
    """
    wanted: collections.defaultdict[int, list[int]] = collections.defaultdict(list)
    for n, passed in points:
        wanted[n].append(passed)
    last = max(wanted, default=0)
    places = np.arange(last + 1)
    # By passes: the logarithm of the ways to be there after n samples; of all, then of those that begin with k failures.
    ways = np.full((1 + len(ks), last + 1), -np.inf)
    ways[0, 0] = 0.0
    found: dict[tuple[int, int], Sequence[float]] = {}
    for n in range(1, last + 1):
        if n > 1:  # what stood at a point to stop at went no further
            ways[:, :n][:, rule.reached(n - 1, places[:n])] = -np.inf
        one_more = ways[:, :n].copy()
        ways[:, 1 : n + 1] = np.logaddexp(ways[:, 1 : n + 1], one_more)
        for row, k in enumerate(ks, 1):
            if n == k:
                ways[row, 0] = ways[0, 0]
        for passed in wanted.get(n, ()):
            shares = ways[1:, passed] - ways[0, passed]
            found[n, passed] = [float(-np.expm1(min(share, 0.0))) for share in shares]
    return found
