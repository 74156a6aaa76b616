"""A caller's quotas over gRPC: its Judge streams and jobs, in a front end of this process with a judge that can be held."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry

from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.sharing import Share
from codesieve.server.tokens import TokenDoor
from codesieve.v1 import job_pb2, job_pb2_grpc, judge_pb2, judge_pb2_grpc
from codesieve.workers.types import Integrity, Judgement, Program, Verdict

ME = (("authorization", "Bearer one"),)


class HeldJudge:
    """PASSED for everything, once it is let."""

    capacity = 64

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.let.set()
        self.running = 0
        self.most = 0
        self.shares: set[Share] = set()

    async def run(self, work: Program, share: Share) -> Judgement:
        self.shares.add(share)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.let.wait()
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        return Judgement(work.work_id, Verdict.PASSED, Integrity.SPLIT)


class House:
    def __init__(self, directory: Path) -> None:
        self.judge = HeldJudge()
        self._file = directory / "tokens.toml"
        self._directory = directory

    async def start(self, quotas: str) -> None:
        digest = hashlib.sha256(b"one").hexdigest()
        self._file.write_text(f'[[token]]\nname = "me"\nsha256 = "{digest}"\nscopes = ["submit", "read"]\n{quotas}\n')
        door = TokenDoor(self._file, lambda: datetime.datetime.now(datetime.UTC))
        models = ModelRegistry(lambda name, source: pytest.fail("no model is loaded here"))
        metrics = Metrics(CollectorRegistry())
        self.front = FrontEnd(self.judge, "none", models, metrics, MemoryStore(), door)
        port = await self.front.start("127.0.0.1:0")
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.jobs = job_pb2_grpc.JobServiceStub(self.channel)
        self.judging = judge_pb2_grpc.JudgeServiceStub(self.channel)

    async def stop(self) -> None:
        hurry = asyncio.Event()
        hurry.set()
        await self.channel.close()
        await self.front.stop(0, hurry)

    async def running(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.judge.running != count:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.01)

    async def nothing_is_held(self) -> None:
        async with asyncio.timeout(20):
            while any(self.front.held().values()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.stop()


def setup() -> judge_pb2.JudgeRequest:
    request = judge_pb2.JudgeRequest()
    problem = request.setup.problems.inline.problems.add(problem_id="p", entry_point="f")
    problem.check_function = b"def check(f): pass"
    return request


def item(item_id: str, completion: bytes = b"") -> judge_pb2.JudgeRequest:
    return judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id=item_id, problem_id="p", completion=completion))


def recorded(count: int, job_id: str) -> job_pb2.CreateJobRequest:
    request = job_pb2.CreateJobRequest(job_id=job_id)
    request.job.problems.CopyFrom(setup().setup.problems)
    for i in range(count):
        request.job.recorded.samples.add(problem_id="p", completion=str(i).encode())
    return request


async def sending(count: int, more: asyncio.Event | None = None) -> AsyncIterator[judge_pb2.JudgeRequest]:
    yield setup()
    for i in range(count):
        yield item(str(i))
    if more is not None:
        await more.wait()


def retry_after(error: grpc.aio.AioRpcError) -> float:
    status = status_pb2.Status.FromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
    info = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return float(info.retry_delay.ToTimedelta().total_seconds())


async def test_over_the_days_samples_what_was_accepted_is_answered_first(house: House) -> None:
    await house.start("samples_per_day = 70")
    answered: set[str] = set()

    async def read(count: int) -> None:
        async for answer in house.judging.Judge(sending(count), metadata=ME):
            answered.add(answer.id)

    await read(10)
    answered.clear()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await read(80)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "70 samples a day" in (refused.value.details() or "")
    assert answered == {str(i) for i in range(60)}
    assert 0 < retry_after(refused.value) <= 86_400
    # A job shares it.
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(recorded(1, "a"), metadata=ME)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await house.nothing_is_held()


async def test_streams_and_jobs_share_the_places_in_flight(house: House) -> None:
    await house.start("samples_in_flight = 5\nweight = 3")
    house.judge.let.clear()
    job = await house.jobs.CreateJob(recorded(3, "a"), metadata=ME)
    await house.running(3)
    first = asyncio.create_task(collect(house.judging.Judge(sending(20), metadata=ME)))
    await house.running(5)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collect(house.judging.Judge(sending(1), metadata=ME))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "5 of your samples are in flight" in (refused.value.details() or "")
    assert retry_after(refused.value) > 0
    house.judge.let.set()
    assert len(await first) == 20
    await collect(house.jobs.WatchJob(job_pb2.WatchJobRequest(name=job.name), metadata=ME))
    assert house.judge.most == 5
    assert {share.weight for share in house.judge.shares} == {3.0}
    assert {share.caller for share in house.judge.shares} == {"me"}
    await house.nothing_is_held()


async def test_a_dropped_stream_and_a_cancelled_job_give_their_places_back(house: House) -> None:
    await house.start("samples_in_flight = 4")
    house.judge.let.clear()
    stream = house.judging.Judge(sending(2, asyncio.Event()), metadata=ME)
    reading = asyncio.create_task(collect(stream))
    await house.running(2)
    await house.jobs.CreateJob(recorded(9, "a"), metadata=ME)
    await house.running(4)
    stream.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await house.running(4)  # the job has them all now
    await house.jobs.CancelJob(job_pb2.CancelJobRequest(name="jobs/a"), metadata=ME)
    await house.running(0)
    await house.nothing_is_held()


async def test_an_id_may_come_again_once_it_is_answered(house: House) -> None:
    await house.start("")
    answered = asyncio.Event()

    async def twice() -> AsyncIterator[judge_pb2.JudgeRequest]:
        yield setup()
        yield item("a")
        await answered.wait()
        yield item("a")

    got = []
    async for answer in house.judging.Judge(twice(), metadata=ME):
        got.append(answer.id)
        answered.set()
    assert got == ["a", "a"]
    house.judge.let.clear()

    async def at_once() -> AsyncIterator[judge_pb2.JudgeRequest]:
        yield setup()
        yield item("a")
        yield item("a")

    reading = asyncio.create_task(collect(house.judging.Judge(at_once(), metadata=ME)))
    await house.running(1)
    house.judge.let.set()
    with pytest.raises(grpc.aio.AioRpcError, match="another item that isn't answered yet"):
        await reading


async def test_a_stream_holds_so_many_bytes_and_no_more(house: House) -> None:
    await house.start("")
    house.judge.let.clear()

    async def large() -> AsyncIterator[judge_pb2.JudgeRequest]:
        yield setup()
        for i in range(20):
            yield item(str(i), bytes(2**20))

    reading = asyncio.create_task(collect(house.judging.Judge(large(), metadata=ME)))
    await house.running(8)
    await asyncio.sleep(0.2)
    assert house.judge.running == 8  # MiB
    house.judge.let.set()
    assert len(await reading) == 20


async def test_jobs_at_a_time(house: House) -> None:
    await house.start("jobs = 1")
    house.judge.let.clear()
    await house.jobs.CreateJob(recorded(1, "a"), metadata=ME)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.jobs.CreateJob(recorded(1, "b"), metadata=ME)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_after(refused.value) > 0
    await house.jobs.CreateJob(recorded(1, "a"), metadata=ME)


async def test_a_refusal_reaches_a_client_that_is_still_sending(house: House) -> None:
    """grpc.aio makes an internal error of a stream that ends while it writes."""
    await house.start("samples_per_day = 3")
    for _ in range(10):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await collect(house.judging.Judge(sending(300)))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await collect(house.judging.Judge(sending(300), metadata=ME))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def collect(stream: Any) -> list[Any]:
    return [one async for one in stream]
