"""Reports: their figures beside values worked out by hand, and their texts with everything hostile in them."""

from __future__ import annotations

import dataclasses
import hashlib
import html.parser
import itertools
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.report import runs
from tests.unit.client.report.runs import FAILED, LOST, PASSED, made_up, outcomes, sample

from codesieve.client import InvalidRequest, files, types
from codesieve.client.report import analysis, details, figures, page, write
from codesieve.client.report.bleu import bleu
from codesieve.client.report.run import Run
from codesieve.client.types import Verdict

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"`$x^2$\x00\x1b[2J\u202egnp.exe\u2066\ud800\u200b"
)
TEMPTING = "| [a](javascript:alert(1)) ![b](http://h/x) <img src=x> http://h www.h.example *b* `c` ## d"


def hostile_run() -> Run:
    text = types.to_bytes(HOSTILE)
    bad = dataclasses.replace(
        FAILED,
        detail=HOSTILE,
        stdout=text,
        stderr=b"\xff\xfe" + text,
        tests=(types.TestResult(HOSTILE + TEMPTING, Verdict.FAILED, HOSTILE, text, text),),
    )
    names = (f"p/1{HOSTILE}", f"p/2{TEMPTING}")
    samples = [sample(name, place, bad, completion=text) for name in names for place in range(6)]
    samples += [sample(name, 6 + place, PASSED, completion=text + b"#") for name in names for place in range(6)]
    lost = types.Judgement(None, types.Unjudged("GONE", HOSTILE))
    samples.append(sample(names[0], 12, lost, completion=text))
    facts = {
        "state": "FAILED",
        "failure": {"reason": "X", "message": HOSTILE},
        "provenance": {HOSTILE: HOSTILE, "generation": {"stop": [HOSTILE, "\ndef"]}, "server": None},
    }
    return dataclasses.replace(made_up(samples, HOSTILE), where=HOSTILE, facts=facts)


class Page(html.parser.HTMLParser):
    """What a browser makes of a page, as far as the standard library can tell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def written(tmp_path: Path) -> dict[str, str]:
    problems = tmp_path / "problems.jsonl"
    rows = [
        {"task_id": each, "prompt": HOSTILE, "entry_point": "f", "test": "", "canonical_solution": "return 1"}
        for each in hostile_run().problem_ids
    ]
    files.write_jsonl(str(problems), rows)
    return write.write(hostile_run(), tmp_path / "report", str(problems))


def test_a_hostile_run_is_harmless_on_the_page(written: dict[str, str]) -> None:
    text = Path(written["html"]).read_text(encoding="utf-8")
    told = Page(text)
    assert {"script", "iframe", "object", "embed", "form", "base", "svg"} & set(told.tags) == set()
    assert [value[:26] for tag, name, value in told.attributes if tag == "img" and name == "src"] == [
        "data:image/svg+xml;base64,"
    ] * told.tags.count("img")
    assert not [name for _, name, _ in told.attributes if name.startswith("on") or name == "style"]
    assert {value[:1] for _, name, value in told.attributes if name == "href"} == {"#", "d"}
    assert HOSTILE.partition("\x00")[0] in told.text
    assert "\\x00\\x1b[2J\\u202egnp.exe\\u2066\\ud800\\u200b" in told.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", text)
    assert not re.search(r"https?://", re.sub(r"http://h\b", "", told.text))


def test_nothing_may_be_loaded_or_run_and_the_style_is_the_one_named(written: dict[str, str]) -> None:
    told = Page(Path(written["html"]).read_text(encoding="utf-8"))
    (policy,) = (value for tag, name, value in told.attributes if tag == "meta" and value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_a_hostile_run_is_harmless_in_markdown(written: dict[str, str]) -> None:
    text = Path(written["md"]).read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    # What is left once what is escaped is taken away: our own images, and nothing that means anything.
    bare = re.sub(r"\\.", "", text)
    assert re.findall(r"!?\[[^\]]*\]\([^)]*\)", bare) == [
        "![pass@k against k](figures/pass-at-k.svg)",
        "![problems solved by picking one sample](figures/ranking.svg)",
        "![BLEU of right and wrong samples](figures/bleu.svg)",
        "![verdicts by temperature](figures/verdicts.svg)",
    ]
    assert "<" not in bare
    assert "://" not in bare
    assert "www." not in bare
    for table in re.findall(r"(?:^\|.*\n)+", bare, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_hostile_run_is_whole_in_json_and_harmless_in_figures(written: dict[str, str]) -> None:
    told = json.loads(Path(written["json"]).read_text())
    assert told["job"] == HOSTILE
    assert told["problems"][0]["stumbles_over"] == HOSTILE + TEMPTING
    for name in ("pass-at-k", "ranking", "bleu", "verdicts"):
        svg = Path(written[f"{name}.svg"]).read_text(encoding="utf-8")
        assert "<script" not in svg
        assert set(re.findall(r'href="([^"])', svg)) <= {"#"}
        png = Path(written[f"{name}.png"]).read_bytes()
        assert png.startswith(b"\x89PNG")
        assert struct.unpack(">I", png[16:20])[0] > 1000  # wide enough for a paper at 300 dpi


def test_the_page_can_be_found_ones_way_about_without_seeing_it(written: dict[str, str]) -> None:
    text = Path(written["html"]).read_text(encoding="utf-8")
    told = Page(text)
    assert ("html", "lang", "en") in told.attributes
    for landmark in ("header", "nav", "main"):
        assert told.tags.count(landmark) == 1
    levels = [int(tag[1]) for tag in told.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert told.tags.count("table") == told.tags.count("caption")
    assert told.tags.count("th") == len([1 for tag, name, _ in told.attributes if tag == "th" and name == "scope"])
    assert told.tags.count("img") == len(
        [1 for tag, name, alt in told.attributes if (tag, name) == ("img", "alt") and alt]
    )
    ids = [value for _, name, value in told.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in told.attributes:
        if name in ("aria-labelledby", "href") and value.lstrip("#")[:4] != "data":
            assert value.lstrip("#") in ids


def test_colours_of_text_have_contrast() -> None:
    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        whole = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
        parts = [int(whole[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    style = (page.TEMPLATES / "report.css").read_text()
    colours = set(re.findall(r"[ {;]color: (#\w+)", style))
    assert len(colours) >= 4
    for colour in colours:
        for ground in ("#fff", "#f3f3f3"):
            assert (luminance(ground) + 0.05) / (luminance(colour) + 0.05) >= 7  # WCAG's AAA


def test_ten_megabytes_of_output_are_cut_and_said_so() -> None:
    huge = dataclasses.replace(FAILED, stdout=b"x" * 10_000_000, detail="y" * 10_000_000)
    run = made_up([sample("p", 0, huge, completion=b"z" * 10_000_000)])
    analysed = analysis.analyse(run, {})
    chosen = details.choose(run, analysed, {})
    text = page.html(page.Contents(run, analysed, chosen, figures.draw(analysed), ()))
    assert len(text) < 500_000
    assert text.count("[... and 9,996,000 characters more]") == 1
    assert text.count("[... and 9,999,000 characters more]") == 1
    assert text.count("[... and 9,999,700 characters more]") == 1


def test_a_large_run_is_bounded_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "MAX_PROBLEMS", 3)
    monkeypatch.setattr(details, "MAX_ENTRIES", 6)
    samples = [
        sample(f"p/{problem}", place, (PASSED, FAILED)[place % 2], completion=b"%d" % place)
        for problem in range(5)
        for place in range(10)
    ]
    run = made_up(samples)
    analysed = analysis.analyse(run, {})
    chosen = details.choose(run, analysed, {})
    assert [len(each.entries) for each in chosen.problems] == [2, 2, 2]
    assert [each.verdict for each in chosen.problems[0].entries] == ["PASSED", "FAILED"]
    assert [each.left_out for each in chosen.problems] == [8, 8, 8]
    assert (chosen.problems_left_out, chosen.samples_left_out) == (2, 44)
    text = page.html(page.Contents(run, analysed, chosen, figures.draw(analysed), ()))
    assert "44 samples are left out</strong>, with 2 whole problems; all of them are in /a-run." in text
    monkeypatch.setattr(details, "MAX_CHARACTERS", 5)
    assert sum(len(each.entries) for each in details.choose(run, analysed, {}).problems) < 6


def test_equal_programs_with_equal_verdicts_are_shown_once() -> None:
    same = [sample("p", place, FAILED, temperature) for place in range(3) for temperature in (0.2, 0.8)]
    run = made_up([*same, sample("p", 3, PASSED)])
    chosen = details.choose(run, analysis.analyse(run, {}), {})
    (one,) = chosen.problems
    assert [(each.verdict, each.count, each.temperatures) for each in one.entries] == [
        ("PASSED", 1, "0.2"),
        ("FAILED", 6, "0.2, 0.8"),
    ]
    assert one.entries[1].test == (
        ("test", "assert f(1) == 2"),
        ("verdict", "FAILED: got 3"),
        ("input", "1"),
        ("output", "3"),
    )


def test_the_figures_are_those_worked_out_by_hand() -> None:
    cold = outcomes({"p/1": "pf", "p/2": "ff"}, 0.2)
    hot = outcomes({"p/1": "ff", "p/2": "pfu"}, 0.8)
    found = analysis.analyse(made_up([*cold, *hot]), {})
    assert (found.samples, found.judged, found.unjudged) == (9, 8, 1)
    assert [(one.temperature, [(each.k, each.estimate.value) for each in one.points]) for one in found.curves] == [
        (0.2, [(1, 0.25), (2, 0.5)]),
        (0.8, [(1, 0.25), (2, 0.5)]),
    ]
    # The samples' log-probabilities fall with their index, so that the first one is picked, and it is the right one.
    assert [dataclasses.astuple(each) for each in found.picks[0].points] == [
        (1, 0.25, 0.25, 0.25, 0.25, 2),
        (2, 0.5, 0.5, 0.25, 0.5, 2),
    ]
    assert found.verdicts == {0.2: {"FAILED": 3, "PASSED": 1}, 0.8: {"FAILED": 3, "PASSED": 1, "UNJUDGED": 1}}
    assert [(each.problem_id, each.passed, each.judged) for each in found.hardest] == [("p/1", 1, 4), ("p/2", 1, 4)]
    assert found.problems[0].stumbles_over == "assert f(1) == 2"
    assert found.slowest[0].cpu_seconds == 0.02


def test_the_best_temperature_is_the_upper_hull() -> None:
    cold, hot = outcomes({"p/1": "pppp", "p/2": "ffff"}, 0.2), outcomes({"p/1": "pfff", "p/2": "ppff"}, 0.8)
    found = analysis.analyse(made_up([*cold, *hot]), {})
    assert [(each.k, each.temperature) for each in found.best] == [(1, 0.2), (2, 0.8), (3, 0.8), (4, 0.8)]
    assert found.best[3].value == 1.0


def test_a_sample_without_a_logprob_takes_the_ranking_away_and_nothing_else() -> None:
    samples = outcomes({"p": "pf"})
    samples[0] = dataclasses.replace(samples[0], token_count=None)
    samples += [sample("p", 2, LOST)]
    (point, _) = analysis.analyse(made_up(samples), {}).picks[0].points
    assert (point.mean_logprob, point.sum_logprob, point.random) == (None, 0.5, 0.5)


@pytest.mark.parametrize(
    ("completion", "reference", "expected"),
    [  # sacrebleu 2.6.0: sentence_bleu(smooth_method="add-k", smooth_value=1, tokenize="none") of the tokens, / 100
        ("    return x + x\n", "    return 2 * x\n", 0.3799178428257963),
        ("return a", "return a", 1.0),
        ("for i in range(n):\n    total += i\nreturn total", "return sum(range(n))", 0.2502938300859082),
        ("return sorted(set(l))[0:3]", "return sorted(list(set(l)))", 0.51225079957814),
        ("x", "return sum(range(n))", 0.0),
        ("", "return 1", 0.0),
        ("return 1", "", 0.0),
    ],
)
def test_bleu_is_sacrebleus(completion: str, reference: str, expected: float) -> None:
    assert bleu(completion, reference) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("none", "--bleu: the run has no problem 'none'"),
        ("q", "--bleu: no solution of 'q' is known"),
        ("p", "--bleu: 'p' needs right and wrong samples, and has 2 and 0"),
    ],
)
def test_a_problem_without_two_sides_has_no_bleu(chosen: str, message: str) -> None:
    run = made_up(outcomes({"p": "pp", "q": "pf"}))
    with pytest.raises(InvalidRequest) as raised:
        analysis.analyse(run, {"p": "return 1"}, [chosen])
    assert raised.value.message == message


def test_the_problems_chosen_for_bleu_are_the_most_even_ones() -> None:
    run = made_up(outcomes({"p": "ppppp" + "f" * 5, "q": "p" * 9 + "f" * 4, "r": "pppppp" + "f" * 9}))
    found = analysis.analyse(run, dict.fromkeys("pqr", "    return 0\n"))
    assert [(each.problem_id, len(each.right), len(each.wrong)) for each in found.scores] == [("p", 5, 5), ("r", 6, 9)]
    assert analysis.analyse(run, {}).scores == ()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = made_up(outcomes({"p": "pf", "q": "ff"}))
    first, second = (write.write(run, tmp_path / name) for name in ("one", "two"))
    for name in first:
        assert Path(first[name]).read_bytes() == Path(second[name]).read_bytes()


@pytest.mark.parametrize(
    "samples",
    [
        [sample("p", 0, LOST)],
        [sample("p", 0, PASSED, None)],
        [dataclasses.replace(sample("p", 0, PASSED), judgement=None, cumulative_logprob=None)],
    ],
    ids=["nothing judged", "no temperature", "not even begun"],
)
def test_a_run_with_next_to_nothing_in_it_has_a_report(tmp_path: Path, samples: list[Any]) -> None:
    written = write.write(made_up(samples), tmp_path)
    assert "No prompts and no BLEU: the run doesn" in Path(written["html"]).read_text()


def test_problems_are_found_where_the_run_says_they_are(tmp_path: Path) -> None:
    rows = [{"task_id": "p", "prompt": "def f(): # here\n", "entry_point": "f", "test": ""}]
    files.write_jsonl(str(tmp_path / "p.jsonl"), rows)
    digest = hashlib.sha256((tmp_path / "p.jsonl").read_bytes()).hexdigest()
    facts = {"provenance": {"problems": {"file": str(tmp_path / "p.jsonl"), "sha256": digest}}}
    run = dataclasses.replace(made_up(outcomes({"p": "pf"})), facts=facts)
    assert "def f(): # here" in Path(write.write(run, tmp_path / "o")["html"]).read_text()
    files.write_jsonl(str(tmp_path / "p.jsonl"), [*rows, {**rows[0], "task_id": "q"}])
    changed = Path(write.write(run, tmp_path / "o")["html"]).read_text()
    assert "has changed since the run; --problems names it all the same" in changed
    assert "# here" not in changed
    (tmp_path / "p.jsonl").unlink()
    assert "there any more" in Path(write.write(run, tmp_path / "o")["html"]).read_text()
    humaneval = made_up(outcomes({"HumanEval/0": "pf"}))
    assert "has_close_elements" in Path(write.write(humaneval, tmp_path / "o")["html"]).read_text()


def test_runs_module_is_a_directorys(tmp_path: Path) -> None:
    """What `runs.write` makes is what `codesieve run` makes: the tests above stand on it."""
    directory = Path(runs.write(tmp_path / "a", outcomes({"p": "p"})))
    assert sorted(each.name for each in directory.iterdir()) == ["report.json", "results.jsonl", "samples.jsonl"]
