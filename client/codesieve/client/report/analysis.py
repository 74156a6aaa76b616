"""What a run's samples come to: every figure of the report, as plain values.

Samples without a verdict count in no figure, and their number is told. Everything is by temperature, as in Chen et al.
2021, "Evaluating Large Language Models Trained on Code", whose figures 5, 7 and 8 these are.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from codesieve.client import types
from codesieve.client.errors import InvalidRequest
from codesieve.client.report import statistics, stopping
from codesieve.client.report.bleu import bleu
from codesieve.client.report.run import Run, natural
from codesieve.client.report.statistics import Estimate
from codesieve.client.report.stopping import Counted

MAX_LISTED = 20
BLEU_PROBLEMS = 4
ENOUGH_FOR_DENSITY = 5
UNJUDGED = "UNJUDGED"


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """pass@k at one k."""

    k: int
    estimate: Estimate


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """pass@k against k at one temperature."""

    temperature: float | None
    problems: int
    samples: int
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Best:
    """The temperature with the best pass@k."""

    k: int
    temperature: float | None
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """The share of problems solved when one of `samples` samples is picked by each rule. None where it can't be told."""

    samples: int
    mean_logprob: float | None
    sum_logprob: float | None
    random: float
    oracle: float
    problems: int


@dataclasses.dataclass(frozen=True, slots=True)
class Picks:
    """Picking one sample, against the number of samples there are to pick from, at one temperature."""

    temperature: float | None
    points: tuple[Pick, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """The BLEU of one problem's samples against its known solution."""

    problem_id: str
    right: tuple[float, ...]
    wrong: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ProblemFigures:
    """One problem over all temperatures."""

    problem_id: str
    judged: int
    passed: int
    verdicts: Mapping[str, int]
    """The most frequent first; UNJUDGED among them."""
    stumbles_over: str
    """The test that fails first most often; empty where none is told."""
    share: float | None
    """Of the judged samples those that pass. After early stops pass@1, which that would come out too high for."""


@dataclasses.dataclass(frozen=True, slots=True)
class SlowSample:
    """A sample whose program took long."""

    sample_id: str
    problem_id: str
    verdict: str
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped:
    """What stopping problems early came to."""

    rule: str
    """For people."""
    largest_k: int | None
    """Of the k that pass@k can be told for; None: all up to the most samples that there would have been."""
    problems: int
    """At all temperatures together, as are those that follow."""
    planned: int
    saved: int
    surplus: int
    """Made beyond a stop; they count in no figure, nor in `Analysis.samples`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Analysis:
    """All of it."""

    samples: int
    judged: int
    unjudged: int
    """Samples that were never made included."""
    curves: tuple[Curve, ...]
    best: tuple[Best, ...]
    picks: tuple[Picks, ...]
    scores: tuple[Scores, ...]
    verdicts: Mapping[float | None, Mapping[str, int]]
    """How many of each, by temperature."""
    problems: tuple[ProblemFigures, ...]
    """In the order of their numbers."""
    slowest: tuple[SlowSample, ...]
    integrity: Mapping[str, int]
    stopped: Stopped | None = None
    """None where all samples were to be made."""
    counted_samples_per_problem: int = 0
    """At each temperature only the first so many count anywhere here; 0: all. See `Counted.first`."""
    samples_left_out: int = 0
    """By that; nor are they in `samples`."""

    @property
    def hardest(self) -> tuple[ProblemFigures, ...]:
        """Those that pass least often."""
        judged = [(each.share, -each.judged, each) for each in self.problems if each.share is not None]
        return tuple(each for *_, each in sorted(judged, key=lambda one: one[:2])[:MAX_LISTED])


def analyse(
    run: Run,
    solutions: Mapping[str, str],
    chosen: Sequence[str] = (),
    step: Callable[[str], None] = lambda _: None,
) -> Analysis:
    """Every figure of a run. `solutions` are the known ones; `chosen` the problems whose BLEU is looked at, none: the
    four that are most evenly right and wrong. `step` is told what is done next.

    Where problems were stopped early (see `stopping`) there are no picks: there would be fewer samples to pick from, of
    which more pass.

    Raises `InvalidRequest` for a chosen problem that has no solution, or no right or no wrong sample, and `InvalidFile`
    where it isn't told how problems were stopped.
    """
    counted = stopping.counted(run)
    run = counted.run
    by_temperature: dict[float | None, dict[str, list[types.Sample]]] = {each: {} for each in run.temperatures}
    by_problem: dict[str, list[types.Sample]] = {each: [] for each in run.problem_ids}
    for sample in run.samples:
        by_problem[sample.problem_id].append(sample)
        if _judged(sample):
            by_temperature[sample.temperature].setdefault(sample.problem_id, []).append(sample)
    step("pass@k")
    curves = tuple(_curve(each, counted) for each in run.temperatures)
    step("ranking")
    groups_to_pick_from = {} if counted.rule is not None else by_temperature
    picks = tuple(_picks(each, list(groups.values())) for each, groups in groups_to_pick_from.items())
    step("BLEU")
    scores = _scores(by_problem, solutions, chosen)
    step("problems")
    shares = _shares(counted)
    judged = [each for each in run.samples if _judged(each)]
    slowest = sorted(judged, key=lambda each: -(each.judgement.cpu_seconds if each.judgement else 0))[:MAX_LISTED]
    return Analysis(
        samples=len(run.samples) + run.unmade,
        judged=len(judged),
        unjudged=len(run.samples) - len(judged) + run.unmade,
        curves=curves,
        best=_best(curves),
        picks=tuple(each for each in picks if each.points),
        scores=scores,
        verdicts={
            each: _counted(sample for sample in run.samples if sample.temperature == each) for each in run.temperatures
        },
        problems=tuple(_problem(each, group, shares.get(each)) for each, group in by_problem.items()),
        slowest=tuple(_slow(each) for each in slowest),
        integrity=dict(
            collections.Counter(
                each.judgement.integrity.value for each in judged if each.judgement and each.judgement.integrity
            )
        ),
        stopped=_stopped(counted),
        counted_samples_per_problem=counted.first,
        samples_left_out=counted.surplus if counted.first else 0,
    )


def verdict_of(sample: types.Sample) -> str:
    """Its verdict's name, or UNJUDGED."""
    judgement = sample.judgement
    return judgement.verdict.value if judgement is not None and judgement.verdict is not None else UNJUDGED


def _judged(sample: types.Sample) -> bool:
    return sample.judgement is not None and sample.judgement.verdict is not None


def _passed(sample: types.Sample) -> bool:
    return sample.judgement is not None and sample.judgement.passed is True


def _counted(samples: Iterable[types.Sample]) -> dict[str, int]:
    """How many of each verdict, the most frequent first."""
    return dict(collections.Counter(verdict_of(each) for each in samples).most_common())


def _curve(temperature: float | None, counted: Counted) -> Curve:
    counts = list(counted.counts(temperature).values())
    ks = statistics.ks_up_to(max(map(counted.most, counts), default=0))
    table = counted.pass_at(counts, ks)
    points = []
    for place, k in enumerate(ks):
        known = [value for row in table if (value := row[place]) is not None]
        if known:
            points.append(Point(k, statistics.mean_of(known)))
    return Curve(temperature, len(counts), sum(each.judged for each in counts), tuple(points))


def _shares(counted: Counted) -> dict[str, float]:
    """By problem, of those that have verdicts, over all temperatures."""
    counts = [counted.counts(each) for each in counted.run.temperatures]
    shares: dict[str, float] = {}
    for problem in {problem for one in counts for problem in one}:
        mine = [one[problem] for one in counts if problem in one]
        if counted.rule is None:
            shares[problem] = sum(each.passed for each in mine) / sum(each.judged for each in mine)
        else:
            at_1 = [value or 0.0 for (value,) in counted.pass_at(mine, (1,))]
            shares[problem] = sum(at_1) / len(at_1)
    return shares


def _stopped(counted: Counted) -> Stopped | None:
    rule = counted.rule
    if rule is None:
        return None
    largest_k = rule.largest_k if rule.largest_k < rule.most else None
    return Stopped(str(rule), largest_k, len(counted.stopped), counted.planned, counted.saved, counted.surplus)


def _best(curves: Sequence[Curve]) -> tuple[Best, ...]:
    """The upper hull of the curves: at each k that all of them have, the best temperature, the lower of equals."""
    shared = set.intersection(*({each.k for each in one.points} for one in curves)) if curves else set()
    values = [(one.temperature, {each.k: each.estimate.value for each in one.points}) for one in curves]
    best = []
    for k in sorted(shared):
        temperature, value = max(((each, by_k[k]) for each, by_k in values), key=lambda pair: pair[1])
        best.append(Best(k, temperature, value))
    return tuple(best)


def _picks(temperature: float | None, groups: Sequence[Sequence[types.Sample]]) -> Picks:
    if not groups:
        return Picks(temperature, ())
    by_mean, by_sum = _ranked(groups, _mean_logprob), _ranked(groups, _sum_logprob)
    counts = [(len(group), sum(map(_passed, group))) for group in groups]
    points = []
    for m in statistics.ks_up_to(max(n for n, _ in counts)):
        taken = [place for place, (n, _) in enumerate(counts) if n >= m]

        def share(ranked: list[list[bool]] | None, m: int = m, taken: list[int] = taken) -> float | None:
            if ranked is None:
                return None
            return sum(statistics.picked(ranked[place], m) for place in taken) / len(taken)

        points.append(
            Pick(
                m,
                share(by_mean),
                share(by_sum),
                sum(counts[place][1] / counts[place][0] for place in taken) / len(taken),
                sum(statistics.pass_at_k(*counts[place], m) for place in taken) / len(taken),
                len(taken),
            )
        )
    return Picks(temperature, tuple(points))


def _ranked(
    groups: Sequence[Sequence[types.Sample]], score: Callable[[types.Sample], float | None]
) -> list[list[bool]] | None:
    """Whether each sample of each problem passes, the best-scored first; ties go to the lowest index, as at the server."""
    ranked = []
    for group in groups:
        scored = [(score(sample), sample) for sample in group]
        known = [(-value, sample.index, _passed(sample)) for value, sample in scored if value is not None]
        if len(known) < len(scored):
            return None
        ranked.append([passed for *_, passed in sorted(known)])
    return ranked


def _sum_logprob(sample: types.Sample) -> float | None:
    # An empty sample comes after all others, as at the server.
    return -math.inf if sample.cumulative_logprob is not None and sample.token_count == 0 else sample.cumulative_logprob


def _mean_logprob(sample: types.Sample) -> float | None:
    total = _sum_logprob(sample)
    return None if total is None or sample.token_count is None else total / max(sample.token_count, 1)


def _scores(
    by_problem: Mapping[str, Sequence[types.Sample]], solutions: Mapping[str, str], chosen: Sequence[str]
) -> tuple[Scores, ...]:
    sides: dict[str, tuple[list[types.Sample], list[types.Sample]]] = {}
    for problem, group in by_problem.items():
        judged = [each for each in group if _judged(each)]
        sides[problem] = ([each for each in judged if _passed(each)], [each for each in judged if not _passed(each)])
    for problem in chosen:
        if problem not in sides:
            raise InvalidRequest(f"--bleu: the run has no problem {problem!r}", reason="INVALID_ARGUMENT")
        if not solutions.get(problem):
            raise InvalidRequest(f"--bleu: no solution of {problem!r} is known", reason="INVALID_ARGUMENT")
        if not all(sides[problem]):
            right, wrong = map(len, sides[problem])
            what = f"--bleu: {problem!r} needs right and wrong samples, and has {right} and {wrong}"
            raise InvalidRequest(what, reason="INVALID_ARGUMENT")
    if not chosen:
        fit = [each for each in sides if solutions.get(each) and min(map(len, sides[each])) >= ENOUGH_FOR_DENSITY]
        chosen = sorted(sorted(fit, key=lambda each: -min(map(len, sides[each])))[:BLEU_PROBLEMS], key=natural)
    found = []
    for problem in chosen:
        known: dict[bytes, float] = {}
        for side in sides[problem]:
            for each in side:
                if each.completion not in known:
                    known[each.completion] = bleu(types.to_text(each.completion), solutions[problem])
        of_right, of_wrong = (tuple(known[each.completion] for each in side) for side in sides[problem])
        found.append(Scores(problem, of_right, of_wrong))
    return tuple(found)


def _problem(problem_id: str, group: Sequence[types.Sample], share: float | None) -> ProblemFigures:
    judged = [each for each in group if _judged(each)]
    firsts = (each.judgement.first_failed for each in judged if each.judgement is not None)
    tests = collections.Counter(first.name for first in firsts if first is not None)
    return ProblemFigures(
        problem_id,
        len(judged),
        sum(map(_passed, judged)),
        _counted(group),
        tests.most_common(1)[0][0] if tests else "",
        share,
    )


def _slow(sample: types.Sample) -> SlowSample:
    assert sample.judgement is not None
    return SlowSample(
        sample.sample_id,
        sample.problem_id,
        verdict_of(sample),
        sample.judgement.cpu_seconds,
        sample.judgement.wall_seconds,
        sample.judgement.peak_memory_bytes,
    )
