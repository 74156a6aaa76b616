"""A front end is killed in the middle of a job, and started again on the same store. Real processes throughout."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from codesieve.client import Client, Generation, JobState
from codesieve.client.types import SampleGenerated, SampleJudged
from codesieve.server import datasets

START_SECONDS = 120
REPEATS = 6


class Server:
    """A front end on the store in `home`, which can be killed and started again. It listens where it listened before."""

    def __init__(self, home: Path, model: Path) -> None:
        self._home = home
        self._model = model
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None
        self.metrics = ""
        self.started: set[int] = set()

    def start(self) -> str:
        announcement = self._home / "announcement"
        announcement.unlink(missing_ok=True)
        command = [sys.executable, "-m", "codesieve.server", "--listen", self._listen, "--exit-with-parent"]
        command += ["--metrics-listen", "127.0.0.1:0", "--sandbox", "namespaces", "--model", f"replay:{self._model}"]
        command += ["--store", str(self._home / "jobs.db"), "--announce", str(announcement)]
        with (self._home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while not announcement.exists():
            assert time.monotonic() < until, self.log
            assert self._process.poll() is None, self.log
            time.sleep(0.05)
        told = json.loads(announcement.read_text())
        assert "listen" in told, told
        self._listen, self.metrics = told["listen"], told["metrics"]
        return str(told["listen"])

    @property
    def log(self) -> str:
        return (self._home / "server.log").read_text()

    def kill(self) -> None:
        """kill -9, to the front end alone."""
        assert self._process is not None
        self.started |= family(self._process.pid)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.started |= family(self._process.pid)
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        until = time.monotonic() + 30
        while self.started & running() and time.monotonic() < until:
            time.sleep(0.1)
        for pid in self.started & running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def judged(self) -> int:
        """How many samples this front end has had judged."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(
            int(float(n)) for n in re.findall(r"^codesieve_samples_judged_total\{.*\} (.*)$", text, re.MULTILINE)
        )


def running() -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}


def family(ancestor: int) -> set[int]:
    """The processes below one."""
    parents: dict[int, int] = {}
    for pid in running():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = {ancestor}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found - {ancestor}


@pytest.mark.namespaces
def test_a_job_goes_on_after_its_front_end_was_killed(tmp_path: Path) -> None:
    lines = [
        json.dumps({"task_id": problem.problem_id, "completion": f"{problem.canonical_solution}# {i}\n"}) + "\n"
        for problem in datasets.load("humaneval")
        for i in range(REPEATS)  # no two are equal, so each is judged
    ]
    (tmp_path / "recorded.jsonl").write_text("".join(lines))
    server = Server(tmp_path, tmp_path / "recorded.jsonl")
    seen = []
    judged_before = 0
    try:
        with Client(server.start()) as client:
            model = client.models.list()[0]
            job = client.jobs.create(
                "humaneval", Generation(model=model.name, samples_per_problem=REPEATS), job_id="survivor"
            )
            for event in client.watch(job):  # one stream: the SDK comes back to it by itself
                seen.append(event)
                if event.sequence == 600:
                    server.kill()
                    judged_before = sum(isinstance(one, SampleJudged) for one in seen)
                    server.start()
            ended = client.jobs.get(job)
            assert ended.state is JobState.SUCCEEDED
            assert ended.progress is not None
            assert ended.progress.verdicts == {"PASSED": len(lines)}
            assert list(client.watch(job)) == seen  # what was seen before and after is what is kept
            judged_after = server.judged()
    finally:
        server.stop()
    assert [event.sequence for event in seen] == list(range(1, 2 * len(lines) + 4))
    made = Counter(event.sample.sample_id for event in seen if isinstance(event, SampleGenerated))
    judged = Counter(event.sample_id for event in seen if isinstance(event, SampleJudged))
    assert made == judged
    assert set(judged.values()) == {1}
    assert len(judged) == len(lines)
    assert judged_after <= len(lines) - judged_before  # none that had its verdict was judged again
