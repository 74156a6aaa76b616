"""`codesieve top` in front of a real server: a job that runs, a worker that is killed, and who may look."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.processes import wait_for

from codesieve.client import Client, Generation, Security, ServerWorker, Verdict, WorkerState
from codesieve.server import datasets

CODESIEVE = str(Path(sys.executable).with_name("codesieve"))
SAMPLES = 24
SLOW = "    import time; time.sleep(0.2)\n"
"""At each of the test's seven calls: two cells take 17 s for them all."""


def codesieve(*arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CODESIEVE_TOKEN": token}
    return subprocess.run(
        [CODESIEVE, *arguments], capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def new_token(name: str, *scopes: str) -> tuple[str, str]:
    """A token, and its entry for the server's file."""
    told = json.loads(codesieve("token", "new", "--name", name, "--json", *(f"--scope={one}" for one in scopes)).stdout)
    return told["token"], told["entry"]


@pytest.mark.namespaces
def test_an_operator_sees_what_a_server_does(start_server: Callable[..., Any], tmp_path: Path) -> None:
    (token, entry), (operators, operators_entry) = (
        new_token("trainer", "submit", "read"),
        new_token("operator", "admin"),
    )
    (tmp_path / "tokens.toml").write_text(f"{entry}\n\n{operators_entry}\n")
    problem = datasets.load("humaneval")[0]
    rows = [
        {"task_id": problem.problem_id, "completion": f"{SLOW}{problem.canonical_solution}# {i}\n"}
        for i in range(SAMPLES)
    ]
    (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = start_server(
        *("--sandbox", "namespaces", "--cells", "2", "--tokens", f"{tmp_path}/tokens.toml"),
        *("--model", f"replay:{tmp_path}/recorded.jsonl"),
    )

    def look() -> dict[str, Any]:
        done = codesieve("top", "--server", server.address, "--once", "--json", token=operators)
        assert (done.returncode, done.stderr) == (0, "")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    idle = look()
    assert (idle["sandbox"], idle["jobs"], idle["totals"]["verdicts"]) == ("namespaces", [], {})
    assert idle["waiting"] == {"count": 0, "oldest_seconds": 0.0, "jobs": []}
    assert [(one["state"], one["kind"], one["in_hand"], one["lost"]) for one in idle["workers"]] == [
        ("RUNNING", "namespaces", 0, 0),
        ("RUNNING", "replay", 0, 0),
    ]
    with (
        Client(server.address, security=Security(token=token)) as client,
        Client(server.address, security=Security(token=operators)) as operator,
    ):

        def sandbox() -> ServerWorker:
            (found,) = (one for one in operator.server().workers if one.pool == "sandbox")
            return found

        made = client.jobs.create("humaneval", Generation(samples_per_problem=SAMPLES), limit=1, job_id="mine")
        wait_for(lambda: operator.server().totals.verdicts.get(Verdict.PASSED, 0) > 0, 60)
        assert sandbox().in_hand > 0
        busy = look()
        (job,) = busy["jobs"]
        assert (job["caller"], job["job_id"], job["state"]) == ("trainer", "mine", "RUNNING")
        assert job["model"] == "replay-recorded"
        assert job["progress"]["samples_total"] == SAMPLES
        assert 0 < job["progress"]["judged"] < SAMPLES

        for pid in server.descendants("ray::_Host"):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: sandbox().state is WorkerState.STARTING, 60)
        assert sandbox().lost == 1
        result = client.result(made)
        assert result.job.progress is not None
        assert result.job.progress.verdicts == {"PASSED": SAMPLES}
        wait_for(lambda: {one.state for one in operator.server().workers} == {WorkerState.RUNNING}, 60)
    after = look()
    assert (after["jobs"], after["totals"]["verdicts"]) == ([], {"PASSED": SAMPLES})

    picture = codesieve("top", "--server", server.address, token=operators)
    assert picture.returncode == 0
    assert "no job runs here" in picture.stdout
    for arguments in (["--once"], ["--json"], []):
        refused = codesieve("top", "--server", server.address, *arguments, token=token)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == "codesieve: GetServer needs a token with the scope admin\n"
