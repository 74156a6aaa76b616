"""A front end is killed in the middle of a job, and started again on the same store. Real processes throughout."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import Client, Generation, JobState
from codesieve.client.types import SampleGenerated, SampleJudged
from codesieve.server import datasets

REPEATS = 4


def judged_by(server: Any) -> int:
    """How many samples this front end has had judged since it was started."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(int(float(n)) for n in re.findall(r"^codesieve_samples_judged_total\{.*\} (.*)$", text, re.MULTILINE))


@pytest.mark.namespaces
def test_a_job_goes_on_after_its_front_end_was_killed(start_server: Callable[..., Any], tmp_path: Path) -> None:
    lines = [
        json.dumps({"task_id": problem.problem_id, "completion": f"{problem.canonical_solution}# {i}\n"}) + "\n"
        for problem in datasets.load("humaneval")
        for i in range(REPEATS)  # no two are equal, so each is judged
    ]
    (tmp_path / "recorded.jsonl").write_text("".join(lines))
    server = start_server("--sandbox", "namespaces", "--model", f"replay:{tmp_path / 'recorded.jsonl'}")
    seen = []
    judged_before = 0
    with Client(server.address) as client:
        model = client.models.list()[0]
        generation = Generation(model=model.name, samples_per_problem=REPEATS)
        job = client.jobs.create("humaneval", generation, job_id="survivor")
        for event in client.watch(job):  # one stream: the SDK comes back to it by itself
            seen.append(event)
            if event.sequence == 500:
                server.kill()
                judged_before = sum(isinstance(one, SampleJudged) for one in seen)
                server.start()
        ended = client.jobs.get(job)
        assert ended.state is JobState.SUCCEEDED
        assert ended.progress is not None
        assert ended.progress.verdicts == {"PASSED": len(lines)}
        assert list(client.watch(job)) == seen  # what was seen before and after is what is kept
        judged_after = judged_by(server)
    assert [event.sequence for event in seen] == list(range(1, 2 * len(lines) + 4))
    made = Counter(event.sample.sample_id for event in seen if isinstance(event, SampleGenerated))
    judged = Counter(event.sample_id for event in seen if isinstance(event, SampleJudged))
    assert made == judged
    assert set(judged.values()) == {1}
    assert len(judged) == len(lines)
    assert judged_after <= len(lines) - judged_before  # none that had its verdict was judged again
