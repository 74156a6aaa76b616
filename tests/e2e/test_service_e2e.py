"""The real thing, from the command line to the cell: front end, Ray, engine, sandbox, each in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import Client, Generation, RecordedSample, Verdict
from codesieve.server import datasets

CODESIEVE = str(Path(sys.executable).with_name("codesieve"))


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CODESIEVE, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.vllm
@pytest.mark.namespaces
def test_the_real_model_is_sampled_judged_and_scored(tmp_path: Path) -> None:
    done = run(
        *("run", "humaneval", "--model", "smollm2", "--limit", "3", "-n", "2", "-t", "0.2", "-t", "0.8"),
        *("-k", "1,2", "--max-tokens", "48", "--seed", "7", "--sandbox", "namespaces", "--json", "--out", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["problems"], result["samples"], result["unjudged"]) == (3, 12, 0)
    assert sum(result["verdicts"].values()) == 12
    assert set(result["pass_at_k"]) == {"0.2", "0.8"}
    assert set(result["pass_at_k"]["0.8"]) == {"1", "2"}
    assert result["judge"]["sandbox"] == "namespaces"
    samples = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 12
    assert all(sample["token_count"] > 0 and sample["cumulative_logprob"] < 0 for sample in samples)


@pytest.fixture
def server(start_server: Callable[..., Any]) -> Any:
    return start_server("--sandbox", "namespaces")


@pytest.mark.namespaces
def test_killing_agents_and_actors_loses_nothing(server: Any, tmp_path: Path) -> None:
    repeats = 6
    lines = [
        json.dumps({"task_id": problem.problem_id, "completion": f"{problem.canonical_solution}# {i}\n"}) + "\n"
        for problem in datasets.load("humaneval")
        for i in range(repeats)  # no two are equal, so each is judged
    ]
    (tmp_path / "recorded.jsonl").write_text("".join(lines))
    killed: list[str] = []

    def kill(text: str) -> None:
        found = server.descendants(text)
        assert found, text
        for pid in found:
            with contextlib.suppress(ProcessLookupError):  # an agent's children come and go by themselves
                os.kill(pid, signal.SIGKILL)
        killed.append(text)

    def on_event(event: Any) -> None:
        if not killed and event.sequence > 200:
            kill("from inside import agent")
        if len(killed) == 1 and event.sequence > 700:
            kill("ray::_Host")  # the sandbox workers and the generation workers

    with Client(server.address) as client:
        model = client.models.load(f"replay:{tmp_path / 'recorded.jsonl'}")
        generation = Generation(model=model.name, samples_per_problem=repeats)
        result = client.run("humaneval", generation, on_event=on_event)
    assert killed == ["from inside import agent", "ray::_Host"]
    assert len({sample.sample_id for sample in result.samples}) == len(result.samples) == len(lines)
    assert result.job.progress is not None
    assert result.job.progress.verdicts == {"PASSED": len(lines)}
    assert result.job.progress.unjudged == 0


@pytest.mark.namespaces
def test_equal_programs_are_judged_once(server: Any) -> None:
    problem = datasets.load("humaneval")[0]
    sample = RecordedSample(problem.problem_id, (problem.canonical_solution or "").encode())
    with Client(server.address) as client:
        result = client.evaluate([sample] * 5)
    judgements = [one.judgement for one in result.samples if one.judgement is not None]
    assert [one.verdict for one in judgements] == [Verdict.PASSED] * 5
    assert sorted(one.cached for one in judgements) == [False] + [True] * 4
