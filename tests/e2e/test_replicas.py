"""Two replicas of the real model, of which one is killed in the middle of a job."""

from __future__ import annotations

import collections
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import Client, Generation, SampleGenerated, SampleJudged, Unjudged


def engines(server: Any) -> list[int]:
    """The server's processes that have torch loaded."""
    return [pid for pid in server.descendants("ray::") if "libtorch" in Path(f"/proc/{pid}/maps").read_text()]


@pytest.mark.vllm
@pytest.mark.namespaces
def test_an_engine_killed_in_the_middle_has_its_unfinished_samples_made_elsewhere(
    start_server: Callable[..., Any],
) -> None:
    server = start_server("--sandbox", "namespaces", "--model", "smollm2", "--replicas", "2")
    assert len(engines(server)) == 2
    seen: collections.Counter[str] = collections.Counter()
    verdicts: collections.Counter[str] = collections.Counter()
    before: dict[str, bytes] = {}
    with Client(server.address) as client:
        (model,) = client.models.list()
        assert model.workers == 2
        generation = Generation("smollm2", (0.2, 0.8), samples_per_problem=8, max_tokens=48)
        job = client.jobs.create("humaneval", generation, limit=3)
        for event in client.watch(job):
            if isinstance(event, SampleGenerated):
                seen[event.sample.sample_id] += 1
                if len(seen) <= 12:
                    before[event.sample.sample_id] = event.sample.completion
                if len(seen) == 12:
                    os.kill(engines(server)[0], signal.SIGKILL)
            elif isinstance(event, SampleJudged):
                assert not isinstance(event.judgement, Unjudged), event
                verdicts[event.sample_id] += 1
        result = client.result(job)
    assert len(seen) == 48
    assert set(seen.values()) == set(verdicts.values()) == {1}
    assert {one.sample_id: one.completion for one in result.samples}.items() >= before.items()
    assert "a worker was lost" in server.log
