"""What the front end refuses over gRPC, by which codes, and that it names what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.integration.small_house import RIGHT, House, a_problem, details, recorded, small_house, watch

from codesieve.v1 import job_pb2, judge_pb2, model_pb2

pytestmark = pytest.mark.namespaces


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with small_house(tmp_path) as house:
        yield house


async def test_what_is_done_to_weights_is_refused_where_there_are_none(house: House, tmp_path: Path) -> None:
    """The codes that every call about weights may end with; with vLLM itself it is in test_weights.py."""
    (tmp_path / "s.jsonl").write_text('{"task_id": "p", "completion": ""}\n')
    model = await house.models.LoadModel(model_pb2.LoadModelRequest(source=f"replay:{tmp_path / 's.jsonl'}"))
    calls: list[tuple[Any, Any]] = [
        (house.models.InitWeightTransfer, model_pb2.WeightTransferRequest()),
        (house.models.StartWeightUpdate, model_pb2.WeightTransferRequest()),
        (house.models.UpdateWeights, model_pb2.WeightTransferRequest()),
        (house.models.FinishWeightUpdate, model_pb2.WeightTransferRequest()),
        (house.models.LoadWeights, model_pb2.LoadWeightsRequest(directory="/w", weights_version="a-1")),
        (house.models.PauseGeneration, model_pb2.PauseGenerationRequest()),
        (house.models.ResumeGeneration, model_pb2.ResumeGenerationRequest()),
        (house.models.Sleep, model_pb2.SleepRequest()),
        (house.models.WakeUp, model_pb2.WakeUpRequest(tags=["weights", "kv_cache"])),
        (house.models.LoadAdapter, model_pb2.LoadAdapterRequest(adapter="a", directory="/a")),
        (house.models.UnloadAdapter, model_pb2.UnloadAdapterRequest(adapter="a")),
    ]
    for call, request in calls:
        for name, code in ((model.name, "FAILED_PRECONDITION"), ("models/other", "NOT_FOUND")):
            request.name = name
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(request)
            assert refused.value.code() is grpc.StatusCode[code], request
    assert (await house.models.ListModels(model_pb2.ListModelsRequest())).models == [model]
    wrong: list[tuple[Any, Any, str]] = [
        (house.models.FinishWeightUpdate, model_pb2.WeightTransferRequest(weights_version="3..4"), "weights_version"),
        (house.models.LoadWeights, model_pb2.LoadWeightsRequest(directory="w"), "directory"),
        (
            house.models.LoadWeights,
            model_pb2.LoadWeightsRequest(directory="/w", weights_version="a b"),
            "weights_version",
        ),
        (house.models.PauseGeneration, model_pb2.PauseGenerationRequest(mode=9), "mode"),  # type: ignore[arg-type]
        (house.models.Sleep, model_pb2.SleepRequest(level=3), "level"),
        (house.models.WakeUp, model_pb2.WakeUpRequest(tags=["weights", "all"]), "tags[1]"),
        (house.models.LoadAdapter, model_pb2.LoadAdapterRequest(directory="/a"), "adapter"),
        (house.models.LoadAdapter, model_pb2.LoadAdapterRequest(adapter="a", directory="/a\n"), "directory"),
        (house.models.UnloadAdapter, model_pb2.UnloadAdapterRequest(adapter="x" * 129), "adapter"),
    ]
    for call, request, field in wrong:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(request)
        assert [one.field for one in details(refused.value)["BadRequest"].field_violations] == [field]


async def test_items_before_a_wrong_one_are_answered_first(house: House) -> None:
    async def requests() -> AsyncIterator[judge_pb2.JudgeRequest]:
        setup = judge_pb2.JudgeSetup()
        setup.problems.inline.problems.append(a_problem())
        yield judge_pb2.JudgeRequest(setup=setup)
        for i in range(3):
            yield judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id=str(i), problem_id="square", completion=RIGHT))
        yield judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id="3", problem_id="unknown", completion=RIGHT))

    answered: list[str] = []

    async def read() -> None:
        async for answer in house.judge.Judge(requests()):
            answered.append(answer.id)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await read()
    assert sorted(answered) == ["0", "1", "2"]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(refused.value)["BadRequest"].field_violations[0].field == "items[3].problem_id"


async def test_a_wrong_request_names_its_fields_and_starts_nothing(house: House) -> None:
    request = recorded(RIGHT)
    request.job.recorded.samples.add(problem_id="unknown", completion=b"")
    request.job.k.append(7)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(request, metadata=(("x-request-id", "abc"),))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = details(refused.value)
    assert [one.field for one in found["BadRequest"].field_violations] == [
        "job.recorded.samples[1].problem_id",
        "job.k[0]",
    ]
    assert found["ErrorInfo"].domain == "codesieve"
    assert dict(refused.value.trailing_metadata() or ())["x-request-id"] == "abc"
    assert not (await house.jobs.ListJobs(job_pb2.ListJobsRequest())).jobs


@pytest.mark.parametrize(
    ("call", "request_message", "code"),
    [
        ("GetJob", job_pb2.GetJobRequest(name="jobs/none"), grpc.StatusCode.NOT_FOUND),
        ("GetJob", job_pb2.GetJobRequest(name="none"), grpc.StatusCode.INVALID_ARGUMENT),
        ("CancelJob", job_pb2.CancelJobRequest(name="jobs/none"), grpc.StatusCode.NOT_FOUND),
        ("ListJobs", job_pb2.ListJobsRequest(page_size=-1), grpc.StatusCode.INVALID_ARGUMENT),
        ("ListJobs", job_pb2.ListJobsRequest(page_token="x"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_codes(house: House, call: str, request_message: Any, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(house.jobs, call)(request_message)
    assert refused.value.code() is code


async def test_watching_refuses_what_it_must(house: House) -> None:
    job = await house.jobs.CreateJob(recorded(RIGHT))
    last = (await watch(house, job.name))[-1].sequence
    assert await watch(house, job.name, after=last) == []
    for request, code in (
        (job_pb2.WatchJobRequest(name=job.name, after_sequence=-1), grpc.StatusCode.INVALID_ARGUMENT),
        (job_pb2.WatchJobRequest(name=job.name, after_sequence=last + 1), grpc.StatusCode.OUT_OF_RANGE),
        (job_pb2.WatchJobRequest(name="jobs/none"), grpc.StatusCode.NOT_FOUND),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in house.jobs.WatchJob(request):
                pass
        assert refused.value.code() is code


async def test_without_a_model_generation_is_a_precondition(house: House) -> None:
    request = job_pb2.CreateJobRequest()
    request.job.problems.dataset = "humaneval"
    request.job.generation.temperatures.append(0.2)
    request.job.generation.samples_per_problem = 1
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(request)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "--model" in (refused.value.details() or "")


async def test_models_that_are_not_there(house: House) -> None:
    for source, code in (
        ("", grpc.StatusCode.INVALID_ARGUMENT),
        ("a\0b", grpc.StatusCode.INVALID_ARGUMENT),
        ("a" * 2000, grpc.StatusCode.INVALID_ARGUMENT),
        ("http://[", grpc.StatusCode.NOT_FOUND),
        ("/no/such/directory", grpc.StatusCode.NOT_FOUND),
        ("replay:/no/such/file", grpc.StatusCode.NOT_FOUND),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await house.models.LoadModel(model_pb2.LoadModelRequest(source=source))
        assert refused.value.code() is code, source
