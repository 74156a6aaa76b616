"""The command line where something is wrong: exit codes, one clear line, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.commands import CLI
from tests.unit.client.commands import SAMPLES, codesieve, samples_file

from codesieve.client.cli import app
from codesieve.v1 import job_pb2


@pytest.mark.parametrize(
    ("said", "option"),
    [(["--stop-after-passes", "3"], "--stop-after-passes"), (["--stop-interval-width", "1"], "--stop-interval-width")],
)
def test_an_early_stop_that_cannot_be_names_its_option(said: list[str], option: str, fake: Any, tmp_path: Path) -> None:
    done = codesieve("run", "humaneval", "--server", fake.target, "-n", "2", *said, cwd=tmp_path)
    assert done.returncode != 0
    assert option in done.stderr
    assert not fake.calls


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


def test_who_is_not_known_is_told_so(fake: Any, tmp_path: Path) -> None:
    fake.refuse("UNAUTHENTICATED", reason="NO_TOKEN")
    done = codesieve("jobs", "list", "--server", fake.target, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "codesieve: the reason in words\n")


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
    command = [*CLI, "jobs", "list"]
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
