"""The commands for evaluators, over directories and a small server's jobs."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.unit.client.report import runs
from tests.unit.client.report.runs import outcomes

from codesieve.client import Client, Generation
from codesieve.client.cli import app, show
from codesieve.v1 import provenance_pb2


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two runs, a and b."""
    runs.write(tmp_path / "a", outcomes({"p/1": "pfff", "p/2": "ffff", "p/3\x1b": "ppup"}))
    runs.write(tmp_path / "b", outcomes({"p/1": "ppff", "p/2": "ffff", "p/3\x1b": "pppp"}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODESIEVE_SERVER", "127.0.0.1:1")
    monkeypatch.setattr("codesieve.client.cli.connecting.CONNECT_SECONDS", 0.3)
    return tmp_path


def test_compare_prints_one_json_object(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["compare", "a", "b", "-k", "1,2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["a"] == {"job": "a", "where": str(here / "a")}
    (one,) = told["temperatures"]
    assert (one["temperature"], one["problems"]) == (0.2, 3)
    assert [each["k"] for each in one["pass_at_k"]] == [1, 2]
    assert one["pass_at_k"][0]["difference"] == pytest.approx(0.25 / 3)
    assert one["pass_at_k"][0]["p_value"] == 1.0
    assert one["moved"] == [{"problem_id": "p/1", "a": [4, 1], "b": [4, 2], "change": 0.25}]


def test_compare_shows_people_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["compare", "a", "b"]) == 0
    told = capsys.readouterr().out
    for expected in ("pass@1", "41.7%", "50.0%", "+8.3 [+0.0, +25.0]", "+25.0%  p/1: 1/4 -> 2/4", "as often in 2"):
        assert expected in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "a", "./none"], "./none: there is no such directory, and it can't be the id of a job"),
        (["compare", "a", "b", "-k", "9"], "-k: no problem has 9 judged samples in both runs"),
        (["compare", "a", "b", "-k", "0"], "-k: each must be at least 1"),
        (["report", "a", "--bleu", "nope"], "--bleu: the run has no problem 'nope'"),
        (["report", "a", "--problems", "nope"], "nope: there is no such file"),
        (["report", "a", "--out", "a/report.json/x"], "a/report.json: is not a directory"),
        (["report", "nope", "--server", "127.0.0.1:1", "--out", "b"], "no codesieve server answers"),
        (["export", "a"], "Missing option '-o'"),
        (["export", "a", "-o", "none/x"], "is not a directory"),
        (["export", "a", "-o", "x", "--format", "csv"], "'csv' is not one of"),
        (["export", ".", "-o", "x"], "results.jsonl: there is no such file"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert app.run(arguments) == 2
    told = capsys.readouterr()
    assert message in told.err.replace("\n", "")
    assert told.out == ""
    assert not (here / "x").exists()


def test_report_says_what_it_wrote_and_where(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["report", "a"]) == 0
    told = capsys.readouterr().out
    assert f"wrote {here}/a/report/report.html" in told
    assert f"wrote 6 figures to {here}/a/report/figures" in told
    assert app.run(["report", "a", "--out", "r", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files["html"] == str(here / "r/report.html")
    assert all(Path(each).is_file() for each in files.values())
    # The run's own report.json is as it was, and can be read again.
    assert app.run(["compare", "a", "b", "--json"]) == 0


def test_export_says_what_it_wrote(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["export", "a", "--format", "human-eval", "-o", "x.jsonl", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"job": "a", "samples": 12, "format": "human-eval", "file": str(here / "x.jsonl")}
    assert len((here / "x.jsonl").read_text().splitlines()) == 12
    assert app.run(["export", "a", "-o", "y.jsonl"]) == 0
    assert capsys.readouterr().out == "wrote 12 samples to y.jsonl\n"


def test_a_missing_extra_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    absent = ("numpy", "pyarrow", "matplotlib")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in absent else found(name))
    for arguments, needed in (
        (["report", "a"], "codesieve report needs numpy and matplotlib"),
        (["compare", "a", "b"], "codesieve compare needs numpy"),
        (["export", "a", "--format", "parquet", "-o", "x"], "a Parquet file needs pyarrow"),
    ):
        assert app.run(arguments) == 2
        told = capsys.readouterr().err
        assert told == f"codesieve: {needed}; install it with: pip install 'codesieve[report]'\n"
    assert app.run(["export", "a", "-o", "x"]) == 0


def test_a_bar_is_shown_for_what_takes_long_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr("codesieve.client.cli.show.Console", lambda **_: terminal)
    with show.Slow("reading [a]\x1b", 10) as bar:
        bar.at(1)
        assert out.getvalue() == ""
        monkeypatch.setattr(show, "SLOW_SECONDS", -1.0)
        bar.at(2)
    assert "reading [a]\\x1b" in out.getvalue()
    assert "2/10" in out.getvalue()


def test_the_other_commands_load_nothing_of_the_extra() -> None:
    script = "import sys, codesieve.client.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "matplotlib", "jinja2", "pyarrow"} & set(done.stdout.split())


def test_a_servers_job_is_read_as_a_directory_is(fake: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = ["--server", fake.target]
    assert app.run(["run", "humaneval", *server, "--job-id", "job-1", "-n", "2", "--out", "o"]) == 0
    capsys.readouterr()
    assert app.run(["export", "job-1", *server, "-o", "x.jsonl"]) == 0
    assert app.run(["export", "o", "-o", "y.jsonl"]) == 0
    served = [json.loads(line) for line in (here / "x.jsonl").read_text().splitlines()]
    kept = [json.loads(line) for line in (here / "y.jsonl").read_text().splitlines()]
    assert served == kept
    assert app.run(["report", "job-1", *server]) == 0
    told = json.loads((here / "codesieve-out/job-1/report/report.json").read_text())
    assert told["where"] == f"jobs/job-1 of the server {fake.target}"
    assert told["provenance"]["server"] == fake.target
    capsys.readouterr()
    assert app.run(["export", "nope", *server, "-o", "z"]) == 2
    assert capsys.readouterr().err == "codesieve: there is no job jobs/nope\n"
    fake.hold = True
    with Client(fake.target) as client:
        client.jobs.create("humaneval", Generation(), job_id="job-2")
    assert app.run(["export", "job-2", *server, "-o", "z"]) == 2
    assert capsys.readouterr().err == (
        "codesieve: job-2 has not ended (RUNNING); wait for it with: codesieve jobs watch job-2\n"
    )


def test_the_provenance_is_kept_with_the_results(fake: Any, here: Path) -> None:
    assert (
        app.run(["run", "humaneval", "--server", fake.target, "--model", "m", "--job-id", "job-1", "--out", "o"]) == 0
    )
    told = json.loads((here / "o/report.json").read_text())["provenance"]
    assert (told["server"], told["job"]) == (fake.target, "job-1")
    assert told["codesieve"]["server"] is None
    assert told["sandbox"] == {"backend": "docker"}
    assert (told["engine"], told["cells"], told["changes"]) == (None, None, [])


def test_what_the_server_tells_is_in_the_results_the_report_and_jobs_show(
    fake: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = provenance_pb2.Provenance
    fake.provenance = kind(
        codesieve_version="1.2",
        problems_digest="d1",
        engine=kind.Engine(
            kind="vllm",
            version="vLLM 9",
            weights_version="0",
            weights_digest="w1",
            settings=[kind.Setting(name="dtype", value="bfloat16")],
        ),
        cells=kind.Cells(judge_version="j1", image="<b>python:3.12", python_version="3.12.1", isolation="fork"),
        changes=[kind.Change(field="cells.judge_version", earlier="j0")],
    )
    server = ["--server", fake.target]
    assert app.run(["run", "humaneval", *server, "--job-id", "job-1", "--out", "o"]) == 0
    told = json.loads((here / "o/report.json").read_text())["provenance"]
    assert told["codesieve"]["server"] == "1.2"
    assert told["problems"]["digest"] == "d1"
    assert told["engine"]["settings"] == {"dtype": "bfloat16"}
    assert told["engine"]["source"] is None
    assert told["engine"]["weights_digest"] == "w1"
    assert told["cells"]["judge_version"] == "j1"
    assert told["changes"] == [{"field": "cells.judge_version", "earlier": "j0"}]
    assert app.run(["report", "o"]) == 0
    assert json.loads((here / "o/report/report.json").read_text())["provenance"] == told
    page, text = ((here / f"o/report/report.{each}").read_text() for each in ("html", "md"))
    assert "<dt>cells: image</dt><dd>&lt;b&gt;python:3.12</dd>" in page
    assert "<dt>engine: settings: dtype</dt><dd>bfloat16</dd>" in page
    assert "<dt>engine: weights_digest</dt><dd>w1</dd>" in page
    note = "Parts of this run came about otherwise, as it went on elsewhere: cells.judge_version was j0."
    assert note in page
    assert "- engine: version: vLLM 9\n" in text
    assert "- engine: weights\\_digest: w1\n" in text
    capsys.readouterr()
    assert app.run(["jobs", "show", "job-1", *server]) == 0
    shown = capsys.readouterr().out
    for each in (
        "vLLM 9; weights 0; its files sha256:w1",
        "dtype bfloat16",
        "judge j1",
        "Python 3.12.1",
        "isolation fork",
        "cells.judge_version j0",
    ):
        assert each in shown
    assert app.run(["jobs", "show", "job-1", *server, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["cells"] == told["cells"]
