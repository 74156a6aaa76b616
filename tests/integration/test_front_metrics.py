"""What a front end measures of its calls and Judge streams, over gRPC, with a judge of this process that can be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from codesieve.server.door import OpenDoor
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.sharing import Share
from codesieve.v1 import job_pb2, job_pb2_grpc, judge_pb2, judge_pb2_grpc, types_pb2
from codesieve.workers import catalogue
from codesieve.workers.types import Integrity, Judgement, Program, Verdict, WorkFailed


class HeldJudge:
    """By the completion: an outage, or PASSED with so many bytes of output. Once it is let."""

    capacity = 64

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.running = 0

    async def run(self, work: Program, share: Share) -> Judgement | WorkFailed:
        self.running += 1
        await self.let.wait()
        if work.completion == b"outage":
            return WorkFailed(work.work_id, "CELL_LOST", "it died")
        output = b"x" * int(work.completion)
        return Judgement(work.work_id, Verdict.PASSED, Integrity.SPLIT, stdout=output)


class House:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.judge = HeldJudge()
        models = ModelRegistry(lambda name, source: pytest.fail("no model is loaded here"))
        self.front = FrontEnd(self.judge, "none", models, self.metrics, MemoryStore(), OpenDoor())

    async def start(self) -> None:
        # Without the probe a client's window doesn't grow by itself: what it hasn't read waits at the front end.
        options = (("grpc.http2.bdp_probe", 0),)
        address = f"127.0.0.1:{await self.front.start('127.0.0.1:0')}"
        self.channel = grpc.aio.insecure_channel(address, options=options)
        self.jobs = job_pb2_grpc.JobServiceStub(self.channel)
        self.judging = judge_pb2_grpc.JudgeServiceStub(self.channel)

    async def stop(self) -> None:
        hurry = asyncio.Event()
        hurry.set()
        await self.channel.close()
        await self.front.stop(0, hurry)

    def value(self, metric: Any, suffix: str = "", **labels: str) -> float:
        self.metrics.look()
        return self.registry.get_sample_value(metric.name + suffix, labels) or 0.0

    def in_flight(self, method: str) -> float:
        return self.value(catalogue.RPCS_IN_FLIGHT, method=method)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.start()
    yield house
    await house.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)


async def sending(*completions: bytes, interactive: bool = True) -> AsyncIterator[judge_pb2.JudgeRequest]:
    request = judge_pb2.JudgeRequest()
    problem = request.setup.problems.inline.problems.add(problem_id="p", entry_point="f")
    problem.check_function = b"def check(f): pass"
    request.setup.priority = types_pb2.PRIORITY_INTERACTIVE if interactive else types_pb2.PRIORITY_BATCH
    yield request
    for i, completion in enumerate(completions):
        yield judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id=str(i), problem_id="p", completion=completion))


async def test_rpcs_are_in_flight_until_they_end_however_they_end(house: House) -> None:
    assert house.in_flight("Judge") == 0
    stream = house.judging.Judge(sending(b"1"))
    await until(lambda: house.in_flight("Judge") == 1)
    house.judge.let.set()
    assert len([answer async for answer in stream]) == 1
    await until(lambda: house.in_flight("Judge") == 0)
    house.judge.let.clear()
    stream = house.judging.Judge(sending(b"1"))
    await until(lambda: house.judge.running == 2)
    stream.cancel()
    await until(lambda: house.in_flight("Judge") == 0)
    with pytest.raises(grpc.aio.AioRpcError):
        await house.jobs.GetJob(job_pb2.GetJobRequest(name="jobs/none"))
    await until(lambda: house.value(catalogue.RPCS, method="GetJob", code="NOT_FOUND") == 1)
    assert house.in_flight("GetJob") == 0
    assert house.value(catalogue.RPCS, method="Judge", code="OK") == 1
    assert house.value(catalogue.RPCS, method="Judge", code="CANCELLED") == 1
    assert house.value(catalogue.RPC_SECONDS, "_count", method="Judge") == 2


async def test_a_streams_samples_and_their_rewards_are_counted(house: House) -> None:
    house.judge.let.set()
    for interactive in (True, True, False):
        async for _ in house.judging.Judge(sending(b"1", b"outage", interactive=interactive)):
            pass
    assert house.value(catalogue.SAMPLES_JUDGED, verdict="PASSED", source="stream") == 3
    assert house.value(catalogue.SAMPLES_UNJUDGED, reason="CELL_LOST", source="stream") == 3
    assert house.value(catalogue.SAMPLES_JUDGED, verdict="PASSED", source="job") == 0
    assert house.value(catalogue.REWARD_SECONDS, "_count", priority="INTERACTIVE") == 4
    assert house.value(catalogue.REWARD_SECONDS, "_count", priority="BATCH") == 2
    assert house.value(catalogue.QUEUE_SECONDS, "_count", hop="client") == 6


async def test_answers_that_a_client_does_not_take_wait_for_it(house: House) -> None:
    house.judge.let.set()
    stream = house.judging.Judge(sending(*[b"100000"] * 64))
    await until(lambda: house.value(catalogue.QUEUE_DEPTH, hop="client") > 30)
    age = house.value(catalogue.OLDEST_SECONDS, hop="client")
    await until(lambda: house.value(catalogue.OLDEST_SECONDS, hop="client") > age)
    assert len([answer async for answer in stream]) == 64
    assert house.value(catalogue.QUEUE_DEPTH, hop="client") == 0
    assert house.value(catalogue.OLDEST_SECONDS, hop="client") == 0
    assert house.value(catalogue.QUEUE_SECONDS, "_count", hop="client") == 64
    assert house.value(catalogue.QUEUE_SECONDS, "_sum", hop="client") > 0
