"""A run that is done again from what its report tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from codesieve.client.cli import app
from codesieve.client.cli.provenance import digest
from codesieve.v1 import provenance_pb2

GENERATION: dict[str, Any] = {
    "model": "small",
    "temperatures": [0.2, 0.8],
    "samples_per_problem": 3,
    "top_p": 0.9,
    "max_tokens": 64,
    "stop": ["\ndef", "\\n"],
    "seed": 7,
    "top_k": 40,
    "min_p": 0.05,
    "token_logprobs": True,
    "prompt_form": "CHAT",
}
LIMITS = {"cpu_time_seconds": 2.5, "wall_time_seconds": 10.0, "memory_bytes": 2**28, "output_bytes": 1000}
TOLD: dict[str, Any] = {
    "problems": {"dataset": "humaneval", "file": None, "sha256": None, "limit": 2},
    "model": {"model": "small", "source": None, "engine": None, "workers": None},
    "generation": GENERATION,
    "k": [1, 3],
    "limits": {**LIMITS, "file_size_bytes": None, "processes": None},
    "sandbox": {"backend": "namespaces"},
}


def report(told: Any) -> None:
    Path("report.json").write_text(json.dumps({"provenance": told}))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report(TOLD)


def test_the_same_is_asked_for_again(fake: Any) -> None:
    assert app.run(["run", "--like", "report.json", "--server", fake.target]) == 0
    asked = fake.requests[-1].job
    assert (asked.problems.dataset, asked.problems.limit, list(asked.k)) == ("humaneval", 2, [1, 3])
    made = asked.generation
    assert (made.model, list(made.temperatures), made.samples_per_problem) == ("small", [0.2, 0.8], 3)
    assert (made.top_p, made.max_tokens, list(made.stop), made.seed) == (0.9, 64, ["\ndef", "\\n"], 7)
    assert (made.top_k, made.min_p, made.token_logprobs, made.prompt_form) == (40, 0.05, True, 2)
    assert asked.limits.cpu_time_limit == Duration(seconds=2, nanos=500_000_000)
    assert (asked.limits.memory_limit_bytes, asked.limits.output_limit_bytes) == (2**28, 1000)


def test_what_is_given_goes_first(fake: Any) -> None:
    given = ["-n", "1", "-t", "0.5", "-k", "1", "--seed", "8", "--model", "other", "--prompt-form", "completion"]
    assert app.run(["run", "humaneval", *given, "--server", fake.target, "--like", "report.json"]) == 0
    made = fake.requests[-1].job.generation
    assert (made.samples_per_problem, list(made.temperatures), made.seed, made.model) == (1, [0.5], 8, "other")
    assert (made.top_k, made.prompt_form) == (40, 1)


def test_a_file_of_problems_must_be_what_it_was(fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"task_id": "p", "prompt": "def f():\n", "entry_point": "f", "test": "def check(f): pass"}
    Path("p.jsonl").write_text(json.dumps(row) + "\n")
    file = {"dataset": None, "file": str(Path("p.jsonl").absolute()), "sha256": digest("p.jsonl"), "limit": 0}
    report({**TOLD, "problems": file})
    arguments = ["--like", "report.json", "--server", fake.target]
    assert app.run(["run", *arguments]) == 0
    assert fake.requests[-1].job.problems.inline.problems[0].problem_id == "p"
    Path("p.jsonl").write_text(json.dumps({**row, "task_id": "q"}) + "\n")
    capsys.readouterr()
    assert app.run(["run", *arguments]) == 2
    assert "has changed since; name it as PROBLEMS to take it as it is now" in capsys.readouterr().err
    assert app.run(["run", "p.jsonl", *arguments]) == 0
    assert fake.requests[-1].job.problems.inline.problems[0].problem_id == "q"
    Path("p.jsonl").unlink()
    assert app.run(["run", *arguments]) == 2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, "--like: report.json doesn't tell how its run came about: it has no provenance"),
        ({**TOLD, "generation": None}, "doesn't tell of generation; it is no report of codesieve run"),
        ({**TOLD, "limits": 3}, "model, limits, sandbox, codesieve, engine, cells must be objects"),
        ({**TOLD, "limits": {"processes": -1}}, "limits: processes: must be a number above 0"),
        ({**TOLD, "k": 1}, "k: must be an array"),
        ({**TOLD, "problems": {}}, "Missing argument 'PROBLEMS'"),
        ({**TOLD, "generation": {**GENERATION, "seed": "x"}}, "'--seed'"),
        ({**TOLD, "generation": {**GENERATION, "temperatures": ["hot"]}}, "'-t'"),
        ({**TOLD, "generation": {**GENERATION, "temperatures": [-1]}}, "-t: must be at least 0"),
    ],
)
def test_a_report_that_does_not_tell_is_one_clear_line(
    told: Any, message: str, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    report(told)
    assert app.run(["run", "--like", "report.json", "--server", fake.target]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert fake.calls == []


@pytest.mark.parametrize(("text", "message"), [("{", "can't be read as JSON"), ("[1]", "it has no provenance")])
def test_a_file_that_is_no_report_is_one_clear_line(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("report.json").write_text(text)
    assert app.run(["run", "--like", "report.json"]) == 2
    assert message in capsys.readouterr().err
    assert app.run(["run", "--like", "none.json"]) == 2
    assert "--like: none.json can't be read: No such file" in capsys.readouterr().err


def told_by_the_server(**cells: str) -> provenance_pb2.Provenance:
    kind = provenance_pb2.Provenance
    settings = [kind.Setting(name="dtype", value="bfloat16"), kind.Setting(name="quantization", value="none")]
    engine = kind.Engine(
        kind="vllm", version="vLLM 0.32.0", source="/models/small", weights_version="0", settings=settings
    )
    known = {"backend": "docker", "judge_version": "abc", "image": "python:3.12", "image_digest": "sha256:1"}
    return kind(codesieve_version="1.0", problems_digest="d", engine=engine, cells=kind.Cells(**known | cells))


def differences(fake: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What doing the run again says of what differs."""
    capsys.readouterr()
    assert app.run(["run", "--like", "report.json", "--server", fake.target, "--out", "again"]) == 0
    return [line for line in capsys.readouterr().err.splitlines() if "--like" in line]


def test_what_cannot_be_made_the_same_is_told_in_a_line_each(fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake.provenance = told_by_the_server()
    assert app.run(["run", "--like", "report.json", "--server", fake.target, "--out", "o"]) == 0
    assert "--like" not in capsys.readouterr().err, "the report of old tells nothing that could differ"
    got = json.loads(Path("o/report.json").read_text())["provenance"]
    told = {**TOLD, **{each: got[each] for each in ("codesieve", "engine", "cells")}}
    report({**told, "problems": {**TOLD["problems"], "digest": got["problems"]["digest"]}})
    assert differences(fake, capsys) == []
    fake.provenance = told_by_the_server(judge_version="xyz", image_digest="sha256:2", runtime="runsc")
    fake.provenance.engine.version = "vLLM 0.33.0"
    fake.provenance.engine.settings[0].value = "float32"
    del fake.provenance.engine.settings[1]
    assert differences(fake, capsys) == [
        "codesieve: --like: the engine's version is vLLM 0.33.0 now, and was vLLM 0.32.0",
        "codesieve: --like: engine.settings.dtype is float32 now, and was bfloat16",
        "codesieve: --like: engine.settings.quantization is not told now, and was none",
        "codesieve: --like: the judge's version is xyz now, and was abc",
        "codesieve: --like: the digest of the cells' image is sha256:2 now, and was sha256:1",
    ]
    fake.provenance = None
    (only,) = differences(fake, capsys)
    assert only == "codesieve: --like: the server doesn't tell what it has, so nobody knows what differs"


def test_another_checkpoint_at_the_same_place_is_told_once_it_is_known(
    fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def has(digest: str) -> provenance_pb2.Provenance:
        told = told_by_the_server()
        told.engine.weights_digest = digest
        return told

    fake.provenance = has("w1")
    assert app.run(["run", "--like", "report.json", "--server", fake.target, "--out", "o"]) == 0
    engine = json.loads(Path("o/report.json").read_text())["provenance"]["engine"]
    assert engine["weights_digest"] == "w1"
    report({**TOLD, "engine": engine})
    another = "codesieve: --like: the digest of the model's files is w2 now, and was w1"
    untold = "codesieve: --like: the digest of the model's files is not told now, and was w1"
    for at_begin, at_end, says in (
        ("w1", "w1", []),
        ("w2", "w2", [another]),
        ("", "w1", []),
        ("", "w2", [another]),
        ("", "", [untold]),
        ("w2", "", [another, untold]),
    ):
        fake.provenance, fake.provenance_at_end = has(at_begin), has(at_end)
        assert differences(fake, capsys) == says, (at_begin, at_end)
    report({**TOLD, "engine": {**engine, "weights_digest": None}})
    assert differences(fake, capsys) == [], "a report that doesn't tell it says nothing of it"
