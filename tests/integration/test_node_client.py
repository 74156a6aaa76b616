"""A client in another language, from the address alone: Node.js learns the services by reflection and runs a job."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = Path(__file__).parent / "node"
START_SECONDS = 120.0


def run(command: list[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def announced(file: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """The address that the server announces once it serves."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"the server ended with {server.returncode}:\n{log.read_text()}")
        if file.exists() and (line := file.read_text()).endswith("\n"):
            announcement: dict[str, Any] = json.loads(line)
            assert "listen" in announcement, announcement
            return str(announcement["listen"])
        time.sleep(0.1)
    pytest.fail(f"the server did not announce itself within {START_SECONDS:.0f} s:\n{log.read_text()}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    file, log = tmp_path / "announce.json", tmp_path / "server.log"
    command = [sys.executable, "-m", "codesieve.server", "--listen", "127.0.0.1:0"]
    command += ["--announce", str(file), "--sandbox", "namespaces", "--store", "memory"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield announced(file, process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def client(tmp_path: Path) -> Path:
    directory = tmp_path / "node"
    shutil.copytree(CLIENT, directory, ignore=shutil.ignore_patterns("node_modules", "package-lock.json"))
    run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"], directory)
    return directory


@pytest.mark.node
@pytest.mark.namespaces
def test_a_job_from_node(server: str, client: Path) -> None:
    result: dict[str, Any] = json.loads(run(["node", "run_job.mjs", server], client))

    assert {
        "codesieve.v1.JobService",
        "codesieve.v1.JudgeService",
        "codesieve.v1.ModelService",
        "codesieve.v1.ServerService",
        "grpc.health.v1.Health",
    } <= set(result["services"])
    assert result["health"] == "SERVING"
    assert result["state"] == "SUCCEEDED"
    assert result["sequences"] == list(range(1, len(result["sequences"]) + 1))
    assert result["verdicts"] == {"PASSED": 1, "FAILED": 1, "RAISED": 1, "SYNTAX_ERROR": 1}
    assert result["unjudged"] == 0
    assert result["pass_at_1"] == 0.25
