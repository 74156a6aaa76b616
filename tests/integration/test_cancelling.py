"""What nobody waits for any more stops in the cells, and nothing else does: real cells, watched from outside in /proc."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from codesieve.server.cache import CachingJudge
from codesieve.server.door import OpenDoor
from codesieve.server.factories import sandbox_worker
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.v1 import job_pb2, job_pb2_grpc, judge_pb2, judge_pb2_grpc, types_pb2
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Judgement, Program

pytestmark = pytest.mark.namespaces

CHECK = b"def check(candidate):\n    assert candidate(2) == 4\n"
RIGHT = b"    return x * x\n"
CELLS = 4


class House:
    """A front end in this process, and what its one sandbox worker has in hand."""

    def __init__(self, address: str, pool: Pool[Program, Judgement]) -> None:
        self.address = address
        self.pool = pool
        self.channel = grpc.aio.insecure_channel(address)
        self.jobs = job_pb2_grpc.JobServiceStub(self.channel)
        self.judge = judge_pb2_grpc.JudgeServiceStub(self.channel)

    def in_hand(self) -> int:
        (worker,) = self.pool.workers
        return len(cast(SandboxWorker, worker)._tasks) + self.pool.waiting


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    metrics = Metrics(CollectorRegistry())
    pool: Pool[Program, Judgement] = Pool(
        "sandbox", lambda: sandbox_worker("namespaces", None, None, "fork", tmp_path / "run", cells=CELLS), 1
    )
    await pool.start()
    judge = CachingJudge(pool, 2**20, lambda: None)
    models = ModelRegistry(lambda name, source: pytest.fail("no model is asked for"))
    front = FrontEnd(judge, "namespaces", models, metrics, MemoryStore(), OpenDoor())
    house = House(f"127.0.0.1:{await front.start('127.0.0.1:0')}", pool)
    hurry = asyncio.Event()
    hurry.set()
    try:
        yield house
    finally:
        await house.channel.close()
        await front.stop(0, hurry)
        await pool.stop()


def slow(marker: str) -> bytes:
    """A program that waits for a process of its own, which the host's /proc shows by the marker."""
    child = f"import time; time.sleep(60)  # {marker}"
    return f"    import subprocess, sys\n    subprocess.run([sys.executable, '-c', {child!r}])\n".encode()


def running(marker: str) -> int:
    found = 0
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += marker.encode() in cmdline.read_bytes()
    return found


async def until(ready: Callable[[], bool], seconds: float = 8.0) -> None:
    """Before the programs' own wall time limit, which would end them as well."""
    async with asyncio.timeout(seconds):
        while not ready():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.02)


def a_problem() -> types_pb2.Problem:
    return types_pb2.Problem(
        problem_id="square", prompt=b"def square(x):\n", entry_point="square", check_function=CHECK
    )


async def items(*completions: bytes, hold: asyncio.Event | None = None) -> AsyncIterator[judge_pb2.JudgeRequest]:
    setup = judge_pb2.JudgeSetup()
    setup.problems.inline.problems.append(a_problem())
    yield judge_pb2.JudgeRequest(setup=setup)
    for number, completion in enumerate(completions):
        yield judge_pb2.JudgeRequest(
            item=judge_pb2.JudgeItem(id=str(number), problem_id="square", completion=completion)
        )
    if hold is not None:
        await hold.wait()


def many(marker: str) -> list[bytes]:
    """More than there are cells, each different and some equal."""
    return [slow(f"{marker}-{number % 30}") for number in range(40)]


async def cancel_job(house: House, marker: str, begun: Callable[[], Awaitable[None]]) -> None:
    request = job_pb2.CreateJobRequest()
    request.job.problems.inline.problems.append(a_problem())
    for completion in many(marker):
        request.job.recorded.samples.add(problem_id="square", completion=completion)
    job = await house.jobs.CreateJob(request)
    await begun()
    cancelled = await house.jobs.CancelJob(job_pb2.CancelJobRequest(name=job.name))
    assert cancelled.state == job_pb2.Job.CANCELLED


async def let_a_job_time_out(house: House, marker: str, begun: Callable[[], Awaitable[None]]) -> None:
    request = job_pb2.CreateJobRequest()
    request.job.problems.inline.problems.append(a_problem())
    request.job.timeout.FromMilliseconds(2500)
    for completion in many(marker):
        request.job.recorded.samples.add(problem_id="square", completion=completion)
    job = await house.jobs.CreateJob(request)
    await begun()
    events = [event async for event in house.jobs.WatchJob(job_pb2.WatchJobRequest(name=job.name))]
    assert events[-1].job.failure.reason == "DEADLINE_EXCEEDED"


async def drop_a_stream(house: House, marker: str, begun: Callable[[], Awaitable[None]]) -> None:
    async with grpc.aio.insecure_channel(house.address) as channel:
        call = judge_pb2_grpc.JudgeServiceStub(channel).Judge(items(*many(marker), hold=asyncio.Event()))
        reading = asyncio.create_task(call.read())
        await begun()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def let_a_stream_time_out(house: House, marker: str, begun: Callable[[], Awaitable[None]]) -> None:
    call = house.judge.Judge(items(*many(marker), hold=asyncio.Event()), timeout=2.5)
    reading = asyncio.create_task(call.read())
    await begun()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await reading
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("give_up", [cancel_job, let_a_job_time_out, drop_a_stream, let_a_stream_time_out])
async def test_what_is_given_up_stops_in_the_cells_and_nothing_else_does(
    house: House, give_up: Callable[..., Awaitable[None]]
) -> None:
    marker, others = uuid.uuid4().hex, uuid.uuid4().hex
    waiting = f"    import time; time.sleep(4)  # {others}\n    return x * x\n".encode()

    async def other() -> Any:
        return [answer.judgement.verdict async for answer in house.judge.Judge(items(waiting))]

    unharmed = asyncio.create_task(other())
    await until(lambda: house.in_hand() == 1)
    await give_up(house, marker, lambda: until(lambda: running(marker) >= CELLS - 1))
    await until(lambda: running(marker) == 0 and house.in_hand() == (not unharmed.done()))
    assert not unharmed.done()
    # The cells are free, and clean.
    assert [answer.judgement.verdict async for answer in house.judge.Judge(items(RIGHT, RIGHT + b"\n"))] == [
        types_pb2.Judgement.PASSED
    ] * 2
    assert await unharmed == [types_pb2.Judgement.PASSED]


async def test_tests_that_compute_for_long_do_not_keep_a_cancelled_program_going(house: House) -> None:
    request = job_pb2.CreateJobRequest()
    problem = a_problem()
    problem.check_function = b"def check(candidate):\n    candidate(2)\n    while True:\n        pass\n"
    request.job.problems.inline.problems.append(problem)
    request.job.limits.cpu_time_limit.FromSeconds(60)
    request.job.recorded.samples.add(problem_id="square", completion=RIGHT)
    job = await house.jobs.CreateJob(request)
    await until(lambda: house.in_hand() == 1)
    await asyncio.sleep(0.3)
    await house.jobs.CancelJob(job_pb2.CancelJobRequest(name=job.name))
    await until(lambda: house.in_hand() == 0)
    assert [answer.judgement.verdict async for answer in house.judge.Judge(items(RIGHT))] == [
        types_pb2.Judgement.PASSED
    ]


async def test_a_client_that_does_not_read_slows_its_own_streams_only(house: House) -> None:
    lines = b"    print('x' * 60000)\n    return x * x\n"
    loud = [lines + f"# {number}\n".encode() for number in range(800)]
    async with grpc.aio.insecure_channel(house.address) as channel:
        deaf = judge_pb2_grpc.JudgeServiceStub(channel).Judge(items(*loud))
        await deaf.read()  # and no more
        request = job_pb2.CreateJobRequest()
        request.job.problems.inline.problems.append(a_problem())
        for number in range(300):
            request.job.recorded.samples.add(problem_id="square", completion=lines + f"# job {number}\n".encode())
        job = await house.jobs.CreateJob(request)
        deaf_watcher = job_pb2_grpc.JobServiceStub(channel).WatchJob(job_pb2.WatchJobRequest(name=job.name))
        await deaf_watcher.read()
        async with asyncio.timeout(60):
            for number in range(20):
                answers = [one async for one in house.judge.Judge(items(RIGHT + f"# {number}\n".encode()))]
                assert [one.judgement.verdict for one in answers] == [types_pb2.Judgement.PASSED]
            events = [event async for event in house.jobs.WatchJob(job_pb2.WatchJobRequest(name=job.name))]
        assert events[-1].job.progress.samples_judged == 300
        deaf.cancel()
        deaf_watcher.cancel()
    await until(lambda: house.in_hand() == 0)
