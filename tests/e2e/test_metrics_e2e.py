"""Everything that Prometheus is to scrape, found by /targets and read, of a real server whose workers are behind Ray."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.processes import wait_for

from codesieve.client import Client, Generation
from codesieve.server import datasets
from codesieve.workers import catalogue

RAY_EXPORTS = importlib.util.find_spec("opencensus") is not None
"""``ray[default]`` is installed."""


def read(url: str) -> tuple[int, str]:
    """The status and the body of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def targets(server: Any) -> dict[tuple[str, ...], str]:
    """The address of each target by its component, pool and worker."""
    status, text = read(f"http://{server.metrics}/targets")
    assert status == 200, text
    found = {}
    for group in json.loads(text):
        labels = group["labels"]
        who = tuple(labels[name] for name in ("component", "pool", "worker") if name in labels)
        for target in group["targets"]:
            found[who] = f"http://{target}{labels.get('__metrics_path__', '/metrics')}"
    return found


def samples(text: str) -> dict[str, float]:
    """The sum of each series' samples, by name."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


@pytest.mark.namespaces
def test_every_target_is_read(start_server: Callable[..., Any], tmp_path: Path) -> None:
    problem = datasets.load("humaneval")[0]
    lines = [{"task_id": problem.problem_id, "completion": f"{problem.canonical_solution}# {i}\n"} for i in range(3)]
    (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = start_server("--sandbox", "namespaces", "--model", f"replay:{tmp_path}/recorded.jsonl")
    with Client(server.address) as client:
        client.run("humaneval", Generation(samples_per_problem=3, temperatures=(0.5,)), limit=1)

    found = targets(server)
    ours = {("front-end",), ("sandbox", "sandbox", "0"), ("generation", "generation-replay-recorded", "0")}
    assert set(found) == ours | ({("ray",)} if RAY_EXPORTS else set())
    said = {}
    for who, url in found.items():
        status, text = read(url)
        assert status == 200, (who, text)
        said[who[0]] = samples(text)
    for component in ("front-end", "sandbox", "generation"):
        assert said[component][catalogue.BUILD_INFO.name] == 1, component
        assert said[component]["process_resident_memory_bytes"] > 10_000_000, component
    front = said["front-end"]
    assert front[catalogue.SAMPLES_GENERATED.name] == front[catalogue.SAMPLES_JUDGED.name] == 3
    assert front[catalogue.STORE_UP.name] == 1
    assert front[catalogue.WORKERS.name] == 2
    assert front[f"{catalogue.QUEUE_SECONDS.name}_count"] > 4 * 3
    assert said["sandbox"][f"{catalogue.JUDGE_SECONDS.name}_count"] == 3 * len(catalogue.PHASES)
    if RAY_EXPORTS:  # it looks at its node every few seconds
        wait_for(lambda: samples(read(found["ray",])[1]).get("ray_node_mem_total", 0) > 0, 60)

    # A worker that is gone is no good answer, and the one in its place is found where that was.
    worker = found["sandbox", "sandbox", "0"]
    for pid in server.descendants("ray::_Host"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: read(worker)[0] == 503, 60)
    wait_for(lambda: read(worker)[0] == 200, 60)
    _, text = read(found["front-end",])
    assert samples(text)[catalogue.WORKERS_LOST.name] == 2
