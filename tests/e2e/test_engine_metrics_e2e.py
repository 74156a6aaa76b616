"""What engines count, as Prometheus reads it from a real server whose workers are behind Ray."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.processes import wait_for

from codesieve.client import Client, Generation
from codesieve.server import datasets

SAMPLES = 3


@pytest.mark.namespaces
def test_what_engines_count_is_read_and_goes_on_when_one_is_killed(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    problem = datasets.load("humaneval")[0]
    lines = [{"task_id": problem.problem_id, "completion": f"# {i}\n", "token_count": 5} for i in range(SAMPLES)]
    (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = start_server("--sandbox", "namespaces", "--model", f"replay:{tmp_path}/recorded.jsonl")

    def value(name: str) -> float | None:
        with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(rf"^codesieve_engine_{re.escape(name)} (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    tokens = 'generation_tokens_total{model="replay-recorded",worker="0"}'
    stopped = 'requests_finished_total{model="replay-recorded",reason="stop",worker="0"}'

    def sample() -> None:
        with Client(server.address) as client:
            client.run("humaneval", Generation(samples_per_problem=SAMPLES, temperatures=(0.5,)), limit=1)

    sample()
    wait_for(lambda: value(stopped) == SAMPLES, 60)
    assert value(tokens) == 5 * SAMPLES
    for pid in server.descendants("ray::_Host"):
        os.kill(pid, signal.SIGKILL)
    sample()
    wait_for(lambda: value(stopped) == 2 * SAMPLES, 60)
    assert value(tokens) == 2 * 5 * SAMPLES
