"""A front end over gRPC in this process, with real cells and the replay engine behind it: no Ray, nothing faked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry

from codesieve.server.door import OpenDoor
from codesieve.server.factories import generation_worker, sandbox_worker
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.v1 import job_pb2, job_pb2_grpc, judge_pb2_grpc, model_pb2_grpc, server_pb2_grpc, types_pb2
from codesieve.workers.types import Judgement, Program

CHECK = b"def check(candidate):\n    assert candidate(2) == 4\n"
RIGHT, WRONG, BROKEN = b"    return x * x\n", b"    return x\n", b"    return (\n"


class House:
    """A front end that serves, and stubs to it."""

    def __init__(self, address: str, front: FrontEnd, registry: CollectorRegistry) -> None:
        self.channel = grpc.aio.insecure_channel(address)
        self.front = front
        self.registry = registry
        self.jobs = job_pb2_grpc.JobServiceStub(self.channel)
        self.judge = judge_pb2_grpc.JudgeServiceStub(self.channel)
        self.models = model_pb2_grpc.ModelServiceStub(self.channel)
        self.server = server_pb2_grpc.ServerServiceStub(self.channel)
        self.hurry = asyncio.Event()


@asynccontextmanager
async def small_house(directory: Path) -> AsyncIterator[House]:
    """A house with one cell, whose files lie in the directory."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    judge: Pool[Program, Judgement] = Pool(
        "sandbox",
        lambda: sandbox_worker("namespaces", None, None, "fork", runtime_dir=directory / "run", cells=1),
        1,
    )
    models = ModelRegistry(lambda name, source: Pool("generation", lambda: generation_worker(source), 1))
    await judge.start()
    front = FrontEnd(judge, "namespaces", models, metrics, MemoryStore(), OpenDoor())
    port = await front.start("127.0.0.1:0")
    house = House(f"127.0.0.1:{port}", front, registry)
    try:
        yield house
    finally:
        house.hurry.set()
        await house.channel.close()
        await front.stop(0, house.hurry)
        await models.stop()
        await judge.stop()


def a_problem() -> types_pb2.Problem:
    return types_pb2.Problem(
        problem_id="square", prompt=b"def square(x):\n", entry_point="square", check_function=CHECK
    )


def recorded(*completions: bytes, job_id: str = "") -> job_pb2.CreateJobRequest:
    request = job_pb2.CreateJobRequest(job_id=job_id)
    request.job.problems.inline.problems.append(a_problem())
    for completion in completions:
        request.job.recorded.samples.add(problem_id="square", completion=completion)
    return request


async def watch(house: House, name: str, after: int = 0) -> list[job_pb2.JobEvent]:
    return [event async for event in house.jobs.WatchJob(job_pb2.WatchJobRequest(name=name, after_sequence=after))]


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """The status details by their type's last name."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    found: dict[str, Any] = {}
    for kind in (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
        for detail in status.details:
            one = kind()
            if detail.Unpack(one):
                found[kind.__name__] = one
    return found
