"""Traces of real servers, as a collector has them: from a client's own span to the cell, and over a front end's death."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.collector import Collector
from tests.e2e.processes import wait_for

from codesieve.client import Client, Generation, JobState
from codesieve.client.types import JudgeItem, SampleJudged
from codesieve.server import datasets

SECRET = "completions_are_nobodys_business"
TRAINER = """
import sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from codesieve.client import Client, Generation
from codesieve.client.types import JudgeItem

endpoint, address, completion = sys.argv[1:]
provider = TracerProvider(resource=Resource.create({"service.name": "trainer"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint)))
trace.set_tracer_provider(provider)
with Client(address) as client:
    with provider.get_tracer("trainer").start_as_current_span("step"):
        client.run("humaneval", Generation(samples_per_problem=2, temperatures=(0.5,)), limit=2, job_id="traced")
    with provider.get_tracer("trainer").start_as_current_span("rewards"):
        items = [JudgeItem("one", "HumanEval/0", completion.encode()), JudgeItem("two", "HumanEval/1", b"    pass\\n")]
        assert len(list(client.judge(items))) == 2
provider.shutdown()
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def recorded(directory: Path, problems: int, repeats: int) -> str:
    """A model of canonical solutions, no two of them equal."""
    lines = [
        json.dumps({"task_id": one.problem_id, "completion": f"{one.canonical_solution}# {SECRET} {i}\n"}) + "\n"
        for one in datasets.load("humaneval")[:problems]
        for i in range(repeats)
    ]
    (directory / "recorded.jsonl").write_text("".join(lines))
    return f"replay:{directory / 'recorded.jsonl'}"


def traced(collector: Collector, ratio: str) -> tuple[str, ...]:
    return "--sandbox", "namespaces", "--trace-endpoint", collector.endpoint, "--trace-samples", ratio


@pytest.mark.namespaces
def test_a_job_is_one_trace_from_the_clients_span_to_the_cell(
    start_server: Callable[..., Any], collector: Collector, tmp_path: Path
) -> None:
    server = start_server("--model", recorded(tmp_path, 2, 2), *traced(collector, "1"))
    script = [sys.executable, "-c", textwrap.dedent(TRAINER), collector.endpoint, server.address, f"    {SECRET}()\n"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    server.stop()  # what is left is sent
    ways = Counter(tuple(collector.way(one)) for one in collector.spans)
    create = (
        "step",
        "codesieve.v1.JobService/CreateJob",
        "codesieve.v1.JobService/CreateJob",
    )  # the client's, the server's
    sample = (*create, "job", "sample")
    stream = ("rewards", "codesieve.v1.JudgeService/Judge")
    assert ways == {
        ("step",): 1,
        create[:2]: 1,
        create: 1,
        ("step", "codesieve.v1.JobService/WatchJob"): 1,
        sample[:4]: 1,
        sample: 4,
        (*sample, "generate"): 4,
        (*sample, "generate", "engine"): 4,
        (*sample, "judge"): 4,
        (*sample, "judge", "program"): 4,
        (*sample, "judge", "program", "cell"): 4,
        ("rewards",): 1,
        stream: 1,
        (*stream, "sample"): 2,
        (*stream, "sample", "judge"): 2,
        (*stream, "sample", "judge", "program"): 2,
        (*stream, "sample", "judge", "program", "cell"): 2,
    }
    check_what_spans_say(collector, tmp_path)
    (job,) = collector.named("job")
    told = [json.loads(line) for line in server.log.splitlines() if '"job": "traced"' in line]
    assert {one["event"] for one in told} == {"the job was taken in", "the job changed"}
    assert {one["trace_id"] for one in told} == {job.trace_id}


def check_what_spans_say(collector: Collector, tmp_path: Path) -> None:
    (job,) = collector.named("job")
    assert job.attributes == {
        "codesieve.job_id": "traced",
        "codesieve.state": "SUCCEEDED",
        "codesieve.model": "replay-recorded",
        "codesieve.samples": 4,
        "codesieve.samples_judged": 4,
        "codesieve.samples_unjudged": 0,
    }
    assert job.events == ("running",)
    inside = [one for one in collector.spans if one.trace_id == job.trace_id and one.name not in ("job", "step")]
    samples = [one for one in inside if one.name == "sample"]
    assert {one.attributes["codesieve.sample_id"] for one in samples} == {
        f"HumanEval/{i}@0.5#{j}" for i in range(2) for j in range(2)
    }
    assert all(job.start <= one.start <= one.end <= job.end for one in samples)
    components = {"engine": "generation", "program": "sandbox", "cell": "sandbox", "step": "", "rewards": ""}
    for one in collector.spans:
        expected = components.get(one.name, "" if one.kind == "CLIENT" else "front-end")
        assert one.component == expected, one
        assert not one.is_error, one
    judged = [one for one in inside if one.name in ("judge", "program")]
    assert {one.attributes["codesieve.verdict"] for one in judged} == {"PASSED"}
    (rpc,) = [one for one in collector.named("codesieve.v1.JobService/CreateJob") if one.kind == "SERVER"]
    (request_id,) = rpc.attributes.pop("rpc.response.metadata.x-request-id")
    assert request_id
    assert rpc.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": "codesieve.v1.JobService/CreateJob",
        "rpc.response.status_code": "OK",
    }
    said = json.dumps([[one.name, one.events, one.attributes, one.resource] for one in collector.spans])
    for secret in (SECRET, str(tmp_path), "def ", "has_close_elements"):
        assert secret not in said


@pytest.mark.namespaces
def test_a_job_whose_front_end_was_killed_goes_on_in_its_trace(
    start_server: Callable[..., Any], collector: Collector, tmp_path: Path
) -> None:
    problems, repeats = 100, 4
    server = start_server("--model", recorded(tmp_path, problems, repeats), *traced(collector, "0.5"))
    with Client(server.address) as client:
        generation = Generation(samples_per_problem=repeats, temperatures=(0.5,))
        job = client.jobs.create("humaneval", generation, limit=problems, job_id="survivor")
        seen = 0
        for event in client.watch(job):
            seen += isinstance(event, SampleJudged)
            if event.sequence == 200:
                wait_for(lambda: collector.named("sample"), 60)
                server.kill()
                server.start()
        assert client.jobs.get(job).state is JobState.SUCCEEDED
    server.stop()
    (ended,) = collector.named("job")
    (made,) = collector.named("codesieve.v1.JobService/CreateJob")
    assert (ended.trace_id, ended.parent_id) == (made.trace_id, made.span_id)
    samples = collector.named("sample")
    assert {(one.trace_id, one.parent_id) for one in samples} == {(ended.trace_id, ended.span_id)}
    fronts = {one.resource["service.instance.id"] for one in samples}
    assert len(fronts) == 2  # before and after
    assert made.resource["service.instance.id"] in fronts
    # Both chose the same ones: about half of all, and those that both began are the only ones that are there twice.
    chosen = {one.attributes["codesieve.sample_id"] for one in samples}
    assert problems * repeats * 0.35 < len(chosen) < problems * repeats * 0.65


@pytest.mark.namespaces
@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "nobody answers"])
def test_a_collector_that_is_away_holds_up_nothing_and_is_logged_once(
    start_server: Callable[..., Any], tmp_path: Path, silent: bool
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        if silent:
            bound.listen()
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        options = ("--trace-endpoint", endpoint, "--trace-samples", "1", "--sandbox", "namespaces")
        server = start_server("--model", recorded(tmp_path, 4, 2), *options)
        with Client(server.address) as client:
            generation = Generation(samples_per_problem=2, temperatures=(0.5,))
            result = client.run("humaneval", generation, limit=4)
            assert result.job.state is JobState.SUCCEEDED
            wait_for(lambda: "takes no spans" in server.log, 60)
            items = [JudgeItem(str(i), "HumanEval/0", b"    pass\n") for i in range(8)]
            assert len(list(client.judge(items))) == 8
        server.stop()
    words = ("trac", "span", "telemetry", "export")
    log = server.log.replace('"trace_id"', "")  # which jobs' lines have
    told = [line for line in log.splitlines() if any(word in line.lower() for word in words)]
    assert len(told) == 1, told
    assert endpoint in told[0]


@pytest.mark.namespaces
def test_without_tracing_the_front_end_never_loads_opentelemetry(
    start_server: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every Python that is started from now on says in the end what it had loaded.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, pathlib, sys\n"
        f"place = pathlib.Path({str(tmp_path)!r}) / f'loaded-{{os.getpid()}}'\n"
        "atexit.register(lambda: place.write_text(' '.join(sys.modules)))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    server = start_server("--model", recorded(tmp_path, 1, 1), "--sandbox", "namespaces")
    pid = server.pid
    with Client(server.address) as client:
        client.run("humaneval", Generation(), limit=1)
    server.stop()
    loaded = (tmp_path / f"loaded-{pid}").read_text().split()
    assert "codesieve.server.front" in loaded
    ours = {"codesieve.server.tracing", "codesieve.workers.tracing", "opentelemetry.exporter.otlp"}
    if importlib.util.find_spec("opencensus") is None:  # else Ray loads some of it for its own metrics
        ours.add("opentelemetry")
    assert not ours & set(loaded)
