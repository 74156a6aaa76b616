"""Runs whose problems were stopped early: the server's figures again, no bias, and what can't be told is said."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.client.report import runs
from tests.unit.client.report.runs import LOST, made_up, outcomes, sample

from codesieve.client import InvalidFile
from codesieve.client.cli import app
from codesieve.client.report import analysis, compare, stopping, write
from codesieve.client.report.run import Run
from codesieve.client.report.stopping import Count, Rule
from codesieve.client.types import Judgement, Unjudged
from codesieve.server.evaluation import report as served
from codesieve.server.evaluation.sample import NO_COUNT, NOT_MADE, NOT_PASSED, PASSED, UNJUDGED, ScoredSamples
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.evaluation.stopping import pass_at_ks as servers

MOST = 8
RULES = [
    Rule(1, 0, 0, MOST),
    Rule(2, 0, 0, MOST),
    Rule(2, 0, 5, MOST),
    Rule(0, 0.62, 3, MOST),
    Rule(3, 0.6, 4, MOST),
]
CODES = {"p": PASSED, "f": NOT_PASSED, "u": UNJUDGED, "-": NOT_MADE}


def stopped(told: dict[str, str], rule: Rule, state: str = "SUCCEEDED") -> Run:
    """A run of problems from a letter each: p(assed), f(ailed), u(njudged), - (never made)."""
    samples = outcomes({problem: letters.replace("-", "f") for problem, letters in told.items()})
    made = [each for each in samples if told[each.problem_id][each.index] != "-"]
    early = {"passes": rule.passes, "interval_width": rule.interval_width, "min_samples": rule.min_samples}
    generation = {"samples_per_problem": rule.most, "early_stop": early}
    return dataclasses.replace(made_up(made), facts={"state": state, "provenance": {"generation": generation}})


def at_the_server(told: dict[str, str], rule: Rule, ks: Sequence[int]) -> served.TemperatureReport:
    groups = [
        ScoredSamples(
            problem,
            0.2,
            np.array([CODES[letter] for letter in letters.ljust(rule.most, "-")], np.int8),
            np.full(rule.most, NO_COUNT, np.int32),
            np.full(rule.most, np.nan),
        )
        for problem, letters in told.items()
    ]
    early = EarlyStop(rule.passes, rule.interval_width, rule.min_samples)
    (report,) = served.build(groups, ks, (0.2,), early)
    return report


def a_problem(generator: random.Random, rule: Rule) -> str:
    """What is made of a problem: all up to its stop, and now and then more."""
    letters = ""
    judged = passed = 0
    rate = generator.random()
    while len(letters) < rule.most:
        letters += "u" if generator.random() < 0.1 else "p" if generator.random() < rate else "f"
        judged, passed = judged + (letters[-1] != "u"), passed + (letters[-1] == "p")
        if letters[-1] != "u" and rule.reached(judged, passed):
            surplus = "".join(generator.choice("pfu-") for _ in range(generator.randrange(4)))
            return (letters + surplus)[: rule.most].rstrip("-")
    return letters


@pytest.mark.parametrize("rule", [*RULES, Rule(5, 0, 0, 40), Rule(0, 0.3, 10, 60)], ids=str)
def test_the_figures_are_the_servers(rule: Rule) -> None:
    generator = random.Random(1)
    told = {f"p/{i}": a_problem(generator, rule) for i in range(30)}
    ks = [k for k in (1, 2, 3, 10) if k <= rule.largest_k]
    theirs = at_the_server(told, rule, ks)
    mine = analysis.analyse(stopped(told, rule), {})
    (curve,) = mine.curves
    by_k = {each.k: each.estimate for each in curve.points}
    assert by_k.keys() == set(range(1, rule.largest_k + 1)) or rule.largest_k > 40
    for each in theirs.pass_at_k:
        estimate = by_k[each.k]
        assert (estimate.value, estimate.low, estimate.high, estimate.problems) == pytest.approx(
            (each.value, each.interval_low, each.interval_high, each.problems), abs=1e-12
        )
    assert curve.samples == theirs.samples
    assert mine.stopped is not None
    assert (mine.stopped.planned, mine.stopped.saved) == (theirs.samples_planned, theirs.samples_saved)
    assert (mine.stopped.surplus, mine.stopped.problems) == (theirs.samples_surplus, theirs.problems_stopped)
    assert theirs.samples_surplus > 0
    assert theirs.problems_stopped > 0
    assert theirs.ranking is not None
    at_1 = [each.share for each in mine.problems if each.share is not None]
    assert sum(at_1) / len(at_1) == pytest.approx(theirs.ranking.random)


def test_samples_that_were_stopped_early_and_are_judged_again_count_as_at_the_server(tmp_path: Path) -> None:
    told = {"p/1": "ppfff", "p/2": "uffpfpf", "p/3": "f"}
    facts = {"provenance": {"counted_samples_per_problem": 2}}
    run = dataclasses.replace(made_up(outcomes(told)), facts=facts)
    groups = [
        ScoredSamples(problem, 0.2, np.array([CODES[each] for each in letters], np.int8), *_unscored(len(letters)))
        for problem, letters in told.items()
    ]
    (theirs,) = served.build(groups, [1, 2], [0.2], None, 2)
    mine = analysis.analyse(run, {})
    (curve,) = mine.curves
    assert [(each.k, each.estimate.problems) for each in curve.points] == [(1, 3), (2, 1)]
    assert [(each.k, each.problems) for each in theirs.pass_at_k] == [(1, 3), (2, 1)]
    assert [each.estimate.value for each in curve.points] == pytest.approx([each.value for each in theirs.pass_at_k])
    assert curve.samples == theirs.samples == 4
    assert (mine.samples, mine.samples_left_out, mine.counted_samples_per_problem) == (5, 8, 2)
    assert mine.picks
    assert theirs.ranking is not None
    assert mine.picks[0].points[0].random == pytest.approx(theirs.ranking.random)
    written = write.write(run, tmp_path)
    for form in ("html", "md"):
        said = Path(written[form]).read_text()
        assert "only the first 2 of each problem" in said
        assert "The other 8 would bias" in said
    wrong = dataclasses.replace(run, facts={"provenance": {"counted_samples_per_problem": "2"}})
    with pytest.raises(InvalidFile, match="counted_samples_per_problem: must be a whole number"):
        analysis.analyse(wrong, {})


def _unscored(size: int) -> tuple[Any, Any]:
    return np.full(size, NO_COUNT, np.int32), -1.0 - np.arange(size, dtype=np.float64)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_there_is_no_bias_over_all_that_may_happen(rule: Rule) -> None:
    found: dict[tuple[str, ...], list[float | None]] = {}
    for sequence in itertools.product("pf", repeat=MOST):
        counted = stopping.counted(stopped({"p": "".join(sequence)}, rule))
        (count,) = counted.counts(0.2).values()
        (found[sequence],) = counted.pass_at([count], (1, 2, 3))
    for p, (place, k) in itertools.product((Fraction(1, 7), Fraction(5, 6)), enumerate((1, 2, 3))):
        mean = 0.0
        for sequence, values in found.items():
            chance = p ** sequence.count("p") * (1 - p) ** sequence.count("f")
            mean += float(chance) * (values[place] or 0.0)
        assert mean == pytest.approx(float(1 - (1 - p) ** k), abs=1e-12)


def test_the_estimator_is_the_servers_for_many_samples() -> None:
    rule, points, ks = Rule(5, 0, 0, 200), [(n, 5) for n in (5, 6, 17, 200)] + [(200, 3)], (1, 10, 100, 200)
    theirs = servers(points, ks, EarlyStop(5))
    assert stopping.pass_at_ks(points, ks, rule) == theirs


def test_a_problem_that_was_stopped_without_a_pass_tells_of_no_larger_k() -> None:
    rule = Rule(0, 0.62, 4, MOST)
    counted = stopping.counted(stopped({"p": "ffffff"}, rule))
    (count,) = counted.counts(0.2).values()
    assert count == Count(4, 0, True)
    assert counted.pass_at([count], (1, 4, 5)) == [[0.0, 0.0, None]]
    assert counted.surplus == 2
    assert counted.saved == 2


def test_a_gap_is_a_sample_nobody_could_make_or_the_end_of_what_was_broken_off() -> None:
    rule = Rule(2, 0, 0, MOST)
    told = {"p": "pf-p"}
    (count,) = stopping.counted(stopped(told, rule)).counts(0.2).values()
    assert count == Count(3, 2, True)
    counted = stopping.counted(stopped(told, rule, "CANCELLED"))
    assert counted.counts(0.2) == {"p": Count(2, 1)}
    assert (counted.stopped, counted.surplus) == (frozenset(), 0)
    run = stopped({"p": "pfp"}, rule, "CANCELLED")
    unfinished = Judgement(None, Unjudged("JOB_ENDED", "the job ended before the sample was judged"))
    samples = (run.samples[0], dataclasses.replace(run.samples[1], judgement=unfinished), run.samples[2])
    assert stopping.counted(dataclasses.replace(run, samples=samples)).counts(0.2) == {"p": Count(1, 1)}
    lost = (run.samples[0], dataclasses.replace(run.samples[1], judgement=LOST), run.samples[2])
    assert stopping.counted(dataclasses.replace(run, samples=lost)).counts(0.2) == {"p": Count(2, 2, True)}


def test_without_a_rule_all_count() -> None:
    run = made_up(outcomes({"p": "pfu"}))
    counted = stopping.counted(run)
    assert counted.run is run
    assert counted.counts(0.2) == {"p": Count(2, 1)}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"early_stop": {"0.2": {"saved": 3}}}, "doesn't tell by which rule"),
        ({"provenance": {"generation": {"early_stop": {"passes": 1}}}}, "doesn't tell by which rule"),
        (
            {"provenance": {"generation": {"samples_per_problem": 3, "early_stop": {"passes": "x"}}}},
            "must be numbers",
        ),
        ({"provenance": {"generation": {"samples_per_problem": 3, "early_stop": {}}}}, "must set passes"),
    ],
)
def test_a_run_that_does_not_tell_its_rule_is_one_clear_line(
    facts: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = dataclasses.replace(made_up(outcomes({"p": "pf"})), facts=facts)
    with pytest.raises(InvalidFile, match=message):
        stopping.counted(run)
    runs.write(tmp_path / "a", run.samples)
    told = json.loads((tmp_path / "a/report.json").read_text())
    (tmp_path / "a/report.json").write_text(json.dumps({**told, **facts}))
    for command in (["report"], ["compare", str(tmp_path / "a")]):
        assert app.run([*command, str(tmp_path / "a")]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1


def test_the_report_says_what_cannot_be_right_and_draws_the_rest(tmp_path: Path) -> None:
    rule = Rule(2, 0, 0, MOST)
    run = stopped({"p/1": "ppfffff", "p/2": "ffpfpf", "p/3": "f" * MOST}, rule)
    surplus = dataclasses.replace(sample("p/1", 7, runs.FAILED, completion=b"    surplus\n"))
    run = dataclasses.replace(run, samples=(*run.samples, surplus))
    written = write.write(run, tmp_path)
    assert {name for name in written if name.endswith(".svg")} == {"pass-at-k.svg", "verdicts.svg"}
    told = json.loads(Path(written["json"]).read_text())
    assert told["picks"] == []
    assert told["stopped"] == {
        "rule": "after 2 passes",
        "largest_k": None,
        "problems": 2,
        "planned": 24,
        "saved": 2,
        "surplus": 7,
    }
    assert told["samples"] == 2 + 5 + MOST
    # Haldane's: (c-1)/(n-1).
    assert [each["share"] for each in told["problems"]] == pytest.approx([1.0, 1 / 4, 0.0])
    assert told["hardest"] == ["p/3", "p/2", "p/1"]
    page = Path(written["html"]).read_text()
    for text in (page, Path(written["md"]).read_text()):
        assert "Problems were stopped early, after 2 passes" in text
        assert "No picking of one sample" in text
        assert "7 samples were made beyond the point" in text
        assert "equation 1" not in text
        assert "tell theirs" not in text, "log-probabilities are not what is missing"
    assert "surplus\n" not in page


def test_a_stopped_run_is_compared_with_any_other() -> None:
    rule = Rule(2, 0, 0, MOST)
    a = stopped({"p/1": "pp", "p/2": "ffpfpf", "p/3": "f" * MOST}, rule)
    b = made_up(outcomes({"p/1": "ppppffff", "p/2": "pfffffff", "p/3": "f" * MOST}))
    (found,) = compare.compare(a, b, (1, 2))
    at_1, at_2 = found.differences
    assert (at_1.a, at_1.b) == pytest.approx(((1 + 1 / 4) / 3, (1 / 2 + 1 / 8) / 3))
    # 1 - C(n-1-k, c-1) / C(n-1, c-1), with n 5, c 2, k 2: 1 - 2/4.
    assert at_2.a == pytest.approx((1 + 1 / 2) / 3)
    assert at_2.difference.problems == 3
    assert [each.problem_id for each in found.moved] == ["p/1", "p/2"]
    assert [each.change for each in found.moved] == pytest.approx([-1 / 2, -1 / 8])
    assert (found.moved[1].a, found.moved[1].b) == ((5, 2), (8, 1))
    assert [one.moved for one in compare.compare(a, a)] == [()]
    # One that was not stopped has the same estimate either way, but for its last bits.
    same = {"p/1": "pfffffff", "p/2": "fffffffp"}
    (equal,) = compare.compare(stopped(same, Rule(7, 0, 0, MOST)), made_up(outcomes(same)), (1, 3))
    assert equal.moved == ()
    assert [(each.difference.value, each.p_value) for each in equal.differences] == [(0.0, 1.0), (0.0, 1.0)]
    assert compare.compare(a, b)[0].differences[0].k == 1
