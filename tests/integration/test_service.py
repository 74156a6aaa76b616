"""The front end over gRPC: jobs and Judge streams from their coming to their end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry, generate_latest
from tests.integration.small_house import (
    BROKEN,
    CHECK,
    RIGHT,
    WRONG,
    House,
    a_problem,
    details,
    recorded,
    small_house,
    watch,
)
from tests.ports import free_port

from codesieve.client import AsyncClient, CodesieveError, Event, FunctionTests, Problem, RecordedSample
from codesieve.server import datasets
from codesieve.server.door import OpenDoor
from codesieve.server.factories import generation_worker, sandbox_worker
from codesieve.server.front import SERVICES, FrontEnd
from codesieve.server.jobs import manager
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.v1 import job_pb2, judge_pb2, model_pb2, server_pb2, types_pb2
from codesieve.workers.types import Judgement, Program

pytestmark = pytest.mark.namespaces


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with small_house(tmp_path) as house:
        yield house


async def test_a_job_of_recorded_samples(house: House) -> None:
    job = await house.jobs.CreateJob(recorded(RIGHT, WRONG, BROKEN, job_id="mine"))
    assert job.name == "jobs/mine"
    events = await watch(house, job.name)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    verdicts = {
        event.sample_judged.sample_id: types_pb2.Judgement.Verdict.Name(event.sample_judged.judgement.verdict)
        for event in events
        if event.HasField("sample_judged")
    }
    assert verdicts == {"square@-#0": "PASSED", "square@-#1": "FAILED", "square@-#2": "SYNTAX_ERROR"}
    ended = await house.jobs.GetJob(job_pb2.GetJobRequest(name=job.name))
    assert ended.state == job_pb2.Job.SUCCEEDED
    assert events[-1].job == ended
    assert ended.report.temperatures[0].pass_at_k[0].value == pytest.approx(1 / 3)
    assert ended.report.judge.sandbox == "namespaces"
    assert await watch(house, job.name, after=3) == events[3:]
    again = await house.jobs.CreateJob(recorded(RIGHT, WRONG, BROKEN, job_id="mine"))
    assert again == ended
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(recorded(RIGHT, job_id="mine"))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert details(refused.value)["ErrorInfo"].reason == "JOB_EXISTS"


async def test_an_operator_sees_the_jobs_that_wait_for_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "MAX_RUNNING", 1)
    endless = b"    while True: pass\n"
    jobs = [await house.jobs.CreateJob(recorded(endless, job_id=name)) for name in ("first", "second", "third")]
    await anext(
        event async for event in house.jobs.WatchJob(job_pb2.WatchJobRequest(name=jobs[0].name, after_sequence=1))
    )
    seen = await house.server.GetServer(server_pb2.GetServerRequest(name="server"))
    assert [one.name for one in seen.jobs] == ["jobs/first"]
    assert (seen.waiting.count, [one.name for one in seen.waiting.jobs]) == (2, ["jobs/second", "jobs/third"])
    oldest = seen.read_time.ToDatetime() - jobs[1].create_time.ToDatetime()
    assert seen.waiting.oldest_age.ToTimedelta() == oldest
    for job in reversed(jobs):
        await house.jobs.CancelJob(job_pb2.CancelJobRequest(name=job.name))
    seen = await house.server.GetServer(server_pb2.GetServerRequest(name="server"))
    assert seen.waiting == server_pb2.WaitingJobs(oldest_age=seen.waiting.oldest_age)
    assert seen.HasField("waiting")


async def test_a_client_watches_on_over_a_restart_of_the_server(tmp_path: Path) -> None:
    """Two servers, one after the other, at one address and with one store; the client notices nothing."""
    judge: Pool[Program, Judgement] = Pool(
        "sandbox", lambda: sandbox_worker("namespaces", None, None, "fork", runtime_dir=tmp_path / "run", cells=1), 1
    )
    models = ModelRegistry(lambda name, source: Pool("generation", lambda: generation_worker(source), 1))
    store = MemoryStore()

    def a_front_end() -> FrontEnd:
        return FrontEnd(judge, "namespaces", models, Metrics(CollectorRegistry()), store, OpenDoor())

    await judge.start()
    front = a_front_end()
    port = await front.start(f"127.0.0.1:{free_port()}")
    outages: list[CodesieveError | None] = []
    sequences: list[int] = []
    half = asyncio.Event()

    def see(event: Event) -> None:
        sequences.append(event.sequence)
        if len(sequences) > 20:
            half.set()

    quick = b"    import time; time.sleep(0.05); return x * x  # %d\n"
    samples = [RecordedSample("square", quick % number) for number in range(40)]
    problem = Problem("square", "def square(x):\n", FunctionTests(CHECK.decode()), entry_point="square")
    try:
        async with AsyncClient(f"127.0.0.1:{port}", on_outage=outages.append) as client:
            evaluating = asyncio.create_task(client.evaluate(samples, [problem], job_id="mine", on_event=see))
            await half.wait()
            await front.stop(0, asyncio.Event())
            front = a_front_end()
            await front.start(f"127.0.0.1:{port}")
            result = await evaluating
    finally:
        await front.stop(0, asyncio.Event())
        await judge.stop()
    assert sequences == list(range(1, len(sequences) + 1))
    assert [each.judgement.verdict for each in result.samples if each.judgement] == ["PASSED"] * 40
    assert outages
    assert outages[-1] is None


async def test_a_job_that_is_uploaded_is_the_job_of_one_message(house: House) -> None:
    whole = recorded(RIGHT, WRONG, BROKEN, job_id="mine")
    head = job_pb2.UploadJobRequest(create=whole)
    del head.create.job.recorded.samples[:]
    pieces = [
        head,
        *(
            job_pb2.UploadJobRequest(samples=job_pb2.RecordedSamples(samples=[sample]))
            for sample in whole.job.recorded.samples
        ),
    ]
    job = await house.jobs.UploadJob(iter(pieces))
    assert job.name == "jobs/mine"
    assert (await house.jobs.CreateJob(whole)).create_time == job.create_time
    ended = (await watch(house, job.name))[-1].job
    assert dict(ended.progress.verdicts) == {"PASSED": 1, "FAILED": 1, "SYNTAX_ERROR": 1}
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.UploadJob(iter(pieces[:3]))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    pieces[-1].samples.samples[0].problem_id = "other"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.UploadJob(iter(pieces))
    (wrong,) = details(refused.value)["BadRequest"].field_violations
    assert wrong.field == "job.recorded.samples[2].problem_id"


async def test_a_job_generated_by_the_replay_engine(house: House, tmp_path: Path) -> None:
    problem = datasets.load("humaneval")[0]
    lines = [
        {"task_id": problem.problem_id, "completion": problem.canonical_solution, "temperature": 0.2},
        {"task_id": problem.problem_id, "completion": "    return None\n", "temperature": 0.2},
    ]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    model = await house.models.LoadModel(model_pb2.LoadModelRequest(source=f"replay:{file}"))
    assert model.state == model_pb2.Model.READY
    assert (await house.models.ListModels(model_pb2.ListModelsRequest())).models == [model]

    request = job_pb2.CreateJobRequest()
    request.job.problems.dataset = "humaneval"
    request.job.problems.limit = 1
    request.job.generation.model = model.name
    request.job.generation.temperatures.append(0.2)
    request.job.generation.samples_per_problem = 2
    job = await house.jobs.CreateJob(request)
    ended = (await watch(house, job.name))[-1].job
    assert ended.state == job_pb2.Job.SUCCEEDED
    assert dict(ended.progress.verdicts) == {"PASSED": 1, "FAILED": 1}

    request.job.generation.weights_version = "0"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(request)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details(refused.value)["ErrorInfo"].reason == "NO_WEIGHTS_VERSION"


async def test_early_stop_over_the_wire(house: House, tmp_path: Path) -> None:
    problem = datasets.load("humaneval")[0]
    completions = ["    return None\n", problem.canonical_solution, problem.canonical_solution] * 20
    file = tmp_path / "samples.jsonl"
    file.write_text(
        "".join(
            json.dumps({"task_id": problem.problem_id, "completion": completion, "temperature": 0.8}) + "\n"
            for completion in completions
        )
    )
    model = await house.models.LoadModel(model_pb2.LoadModelRequest(source=f"replay:{file}"))
    request = job_pb2.CreateJobRequest()
    request.job.problems.dataset = "humaneval"
    request.job.problems.limit = 1
    request.job.k.extend([1, 2])
    request.job.generation.model = model.name
    request.job.generation.temperatures.append(0.8)
    request.job.generation.samples_per_problem = 60
    request.job.generation.early_stop.passes = 4
    job = await house.jobs.CreateJob(request)
    events = await watch(house, job.name)
    ended = events[-1].job
    assert ended.state == job_pb2.Job.SUCCEEDED
    (table,) = ended.report.temperatures
    assert table.samples == 6  # no, yes, yes, no, yes, yes
    assert [one.value for one in table.pass_at_k] == pytest.approx([3 / 5, 1 - 1 / 10])
    made = sum(event.HasField("sample_generated") for event in events)
    assert (table.samples_planned, table.samples_saved, table.problems_stopped) == (60, 60 - made, 1)
    assert table.samples_surplus == made - 6
    assert ended.progress.samples_judged + ended.progress.samples_skipped == ended.progress.samples_total == 60

    again = await house.jobs.RejudgeJob(job_pb2.RejudgeJobRequest(name=job.name))
    ended = (await watch(house, again.name))[-1].job
    assert ended.counted_samples_per_problem == 4  # made whatever their verdicts: there were no 4 passes before
    (table,) = ended.report.temperatures
    assert (ended.progress.samples_judged, table.samples, table.samples_planned) == (made, 4, 0)
    assert [one.value for one in table.pass_at_k] == pytest.approx([2 / 4, 1 - 1 / 6])

    request.job.generation.early_stop.interval_width = 0.5
    request.job.generation.early_stop.min_samples = 1
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (wrong,) = details(refused.value)["BadRequest"].field_violations
    assert wrong.field == "job.generation.early_stop.min_samples"
    assert "pass@2 needs 2 samples" in wrong.description


async def test_a_stream_of_items_is_judged(house: House) -> None:
    async def requests() -> AsyncIterator[judge_pb2.JudgeRequest]:
        setup = judge_pb2.JudgeSetup()
        setup.problems.inline.problems.append(a_problem())
        yield judge_pb2.JudgeRequest(setup=setup)
        for i in range(60):
            completion = (RIGHT, WRONG)[i % 2]
            yield judge_pb2.JudgeRequest(
                item=judge_pb2.JudgeItem(id=str(i), problem_id="square", completion=completion)
            )

    verdicts = {answer.id: answer.judgement.verdict async for answer in house.judge.Judge(requests())}
    expected = (types_pb2.Judgement.PASSED, types_pb2.Judgement.FAILED)
    assert verdicts == {str(i): expected[i % 2] for i in range(60)}


async def test_jobs_are_listed_newest_first_in_pages(house: House) -> None:
    for i in range(5):
        await house.jobs.CreateJob(recorded(RIGHT, job_id=f"j{i}"))
    names, token = [], ""
    while True:
        page = await house.jobs.ListJobs(job_pb2.ListJobsRequest(page_size=2, page_token=token))
        names += [job.name for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert names == [f"jobs/j{i}" for i in (4, 3, 2, 1, 0)]


async def test_cancelling_stops_a_running_program(house: House) -> None:
    job = await house.jobs.CreateJob(recorded(b"    import time; time.sleep(30)\n"))
    await asyncio.sleep(0.3)
    cancelled = await house.jobs.CancelJob(job_pb2.CancelJobRequest(name=job.name))
    assert cancelled.state == job_pb2.Job.CANCELLED
    assert (await watch(house, job.name))[-1].job.state == job_pb2.Job.CANCELLED


async def test_health_and_reflection(house: House) -> None:
    health = health_pb2_grpc.HealthStub(house.channel)
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(house.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    async for reflected in reflection.ServerReflectionInfo(asked):
        assert set(SERVICES) <= {one.name for one in reflected.list_services_response.service}


async def test_draining_ends_what_runs_and_refuses_what_comes(house: House) -> None:
    job = await house.jobs.CreateJob(recorded(b"    import time; time.sleep(0.5)\n    return x * x\n"))
    watching = asyncio.create_task(watch(house, job.name))
    await asyncio.sleep(0.2)
    stopping = asyncio.create_task(house.front.stop(20, house.hurry))
    await asyncio.sleep(0.1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(recorded(RIGHT))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (await watching)[-1].job.state == job_pb2.Job.SUCCEEDED
    await stopping


async def test_what_happened_is_counted(house: House) -> None:
    job = await house.jobs.CreateJob(recorded(RIGHT, WRONG))
    await watch(house, job.name)
    text = generate_latest(house.registry).decode()
    assert 'codesieve_samples_judged_total{source="job",verdict="PASSED"} 1.0' in text
    assert 'codesieve_jobs_ended_total{state="SUCCEEDED"} 1.0' in text
    assert 'codesieve_rpcs_total{code="OK",method="CreateJob"} 1.0' in text
