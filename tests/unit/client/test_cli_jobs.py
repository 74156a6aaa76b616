"""The commands about a server's jobs and models, and how they say who they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.commands import codesieve

from codesieve.v1 import job_pb2, types_pb2


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
