"""What the clients do while a server goes away and comes back: one that is really killed, and one that refuses."""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from tests.ports import free_port

from codesieve.client import (
    AsyncClient,
    Client,
    CodesieveError,
    Generation,
    InvalidRequest,
    JudgeItem,
    NotFound,
    Overloaded,
    Priority,
    RecordedSample,
    Retry,
    ServerError,
    Unavailable,
    flows,
    requests,
)
from codesieve.v1 import job_pb2, types_pb2

QUICK = Retry(give_up_after_seconds=60.0, first_delay_seconds=0.01, longest_delay_seconds=0.1)
TWO_EACH = Generation(model="m", temperatures=(0.2,), samples_per_problem=2)
TINY = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from codesieve.v1 import job_pb2, job_pb2_grpc

class Jobs(job_pb2_grpc.JobServiceServicer):
    def WatchJob(self, request, context):
        if sys.argv[2] == "lost":
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such job")
        for sequence in range(request.after_sequence + 1, int(sys.argv[2]) + 1):
            job = job_pb2.Job(name=request.name, state="SUCCEEDED" if sequence == 10 else "RUNNING")
            yield job_pb2.JobEvent(sequence=sequence, job=job)
        if sys.argv[2] != "10":
            threading.Event().wait()

server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
job_pb2_grpc.add_JobServiceServicer_to_server(Jobs(), server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
print("serving", flush=True)
threading.Event().wait()
"""
"""A server whose job has ten events; it tells as many as it is told to, and then nothing."""


class Process:
    """That server, in a process that can be killed."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self, upto: str) -> None:
        command = [sys.executable, "-c", TINY, str(self.port), upto]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "serving\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.kill()


def test_watching_goes_on_over_servers_that_are_killed(process: Process) -> None:
    outages: list[CodesieveError | None] = []

    def restart(sequence: int) -> None:
        if sequence in (3, 6):
            process.kill()
            process.start("6" if sequence == 3 else "10")

    process.start("3")
    seen = []
    with Client(f"127.0.0.1:{process.port}", retry=QUICK, on_outage=outages.append) as client:
        for event in client.watch("j"):
            seen.append(event.sequence)
            restart(event.sequence)
    assert seen == list(range(1, 11))
    # Told of each outage, and of its end.
    assert [each is None for each in outages].count(True) == 2
    assert outages[-1] is None
    assert all(each is None or isinstance(each, Unavailable) for each in outages)


async def test_async_watching_goes_on_over_servers_that_are_killed(process: Process) -> None:
    process.start("3")
    seen = []
    async with AsyncClient(f"127.0.0.1:{process.port}", retry=QUICK) as client:
        async for event in client.watch("j"):
            seen.append(event.sequence)
            if event.sequence == 3:
                process.kill()
                process.start("10")
    assert seen == list(range(1, 11))


def test_a_job_that_is_lost_with_its_server_is_told_plainly(process: Process) -> None:
    def read() -> None:
        with Client(f"127.0.0.1:{process.port}", retry=QUICK) as client:
            for event in client.watch("j"):
                if event.sequence == 3:
                    process.kill()
                    process.start("lost")

    process.start("3")
    with pytest.raises(NotFound, match="jobs/j is no longer there: it was deleted, or the server has started anew"):
        read()


class Script:
    """Plays a driver: hands a flow what was planned, at planned times."""

    def __init__(self, retry: Retry) -> None:
        self.now = 0.0
        self.tools = flows.Tools(retry, lambda: self.now, random.Random(1))

    def watch(self, plan: list[tuple[float, object]], after: int = 0) -> list[object]:
        """Plays `plan`, pairs of how long a command takes and what comes of it; returns the commands."""
        flow = flows.watch(self.tools, "jobs/j", after)
        commands: list[object] = [next(flow)]
        for seconds, outcome in plan:
            self.now += seconds
            if isinstance(outcome, CodesieveError):
                commands.append(flow.throw(outcome))
            else:
                commands.append(flow.send(outcome))
            while isinstance(commands[-1], flows.Sleep | flows.Emit):
                commands.append(flow.send(None))
        return commands


def an_event(sequence: int) -> job_pb2.JobEvent:
    return job_pb2.JobEvent(sequence=sequence, job=job_pb2.Job(name="jobs/j", state="RUNNING"))


def test_fewer_events_than_were_seen_mean_that_the_store_was_set_back() -> None:
    past_the_end = InvalidRequest("after_sequence is 3", reason="SEQUENCE_OUT_OF_RANGE")
    with pytest.raises(ServerError, match="jobs/j is not what it was") as raised:
        Script(QUICK).watch([(0, "stream"), (0, an_event(1)), (0, Unavailable("gone")), (0, past_the_end)])
    assert raised.value.reason == "EVENTS_LOST"
    with pytest.raises(InvalidRequest):  # whoever asks for too much is told so
        Script(QUICK).watch([(0, past_the_end)], after=3)


def test_a_stream_that_stood_quiet_for_hours_may_break_more_than_once() -> None:
    quiet: list[tuple[float, object]] = [(0, "stream"), (5000, Unavailable("gone"))]
    commands = Script(Retry(give_up_after_seconds=10)).watch(quiet * 3)
    assert sum(isinstance(each, flows.Open) for each in commands) == 4
    with pytest.raises(Unavailable):  # a server that can't be reached is given up all the same
        Script(Retry(give_up_after_seconds=10)).watch([(20, Unavailable("unreachable"))] * 2)


class Both:
    """Runs the same calls through either client, so that each test is about both."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, target: str, call: Callable[[Any], Any], **options: Any) -> Any:
        if self.kind == "sync":
            with Client(target, **{"retry": QUICK, **options}) as client:
                return call(client)

        async def run() -> Any:
            async with AsyncClient(target, **{"retry": QUICK, **options}) as client:
                return await call(client)

        return asyncio.run(run())


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def test_retry_info_is_obeyed_for_an_outage_too(fake: Any, both: Both) -> None:
    fake.refuse("UNAVAILABLE", reason="STORE_UNAVAILABLE", retry_after=0.02)
    both(fake.target, lambda client: client.jobs.list())
    fake.refuse("UNAVAILABLE", reason="STORE_UNAVAILABLE", retry_after=7200)
    with pytest.raises(Unavailable, match=r"^the reason in words; the server says to come back in 2 h$"):
        both(fake.target, lambda client: client.jobs.list())
    assert len(fake.calls) == 3


def test_an_overload_that_will_not_pass_is_not_tried_again(fake: Any, both: Both) -> None:
    fake.refuse("RESOURCE_EXHAUSTED", reason="QUOTA")
    with pytest.raises(Overloaded) as raised:
        both(fake.target, lambda client: client.jobs.create("humaneval", TWO_EACH))
    assert (raised.value.reason, raised.value.retry_after, len(fake.calls)) == ("QUOTA", None, 1)


MANY = [RecordedSample("HumanEval/0", b"pass" + b"x" * 10_000, 0.2) for _ in range(1000)]


def test_a_large_job_is_uploaded(fake: Any, both: Both) -> None:
    result = both(fake.target, lambda client: client.evaluate(MANY, job_id="large", priority=Priority.INTERACTIVE))
    assert len(result.samples) == 1000
    assert fake.calls == ["UploadJob", "WatchJob"]
    asked, _ = fake.jobs["jobs/large"]
    whole = requests.create_job("humaneval", MANY, priority=Priority.INTERACTIVE).job
    for sample in asked.recorded.samples:  # what the server has put in
        sample.ClearField("sample_id")
        sample.ClearField("index")
    assert asked == whole


def test_an_upload_that_breaks_is_sent_again_whole(fake: Any, both: Both) -> None:
    fake.refuse("UNAVAILABLE")
    fake.refuse("RESOURCE_EXHAUSTED", retry_after=0.01)
    job = both(fake.target, lambda client: client.jobs.create("humaneval", MANY))
    assert fake.calls == ["UploadJob"] * 3
    assert len(fake.jobs[job.name][0].recorded.samples) == 1000


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "ALREADY_EXISTS"])
def test_an_upload_that_is_refused_at_its_first_piece_says_why(fake: Any, both: Both, code: str) -> None:
    for _ in range(30):  # grpc.aio may lose a status that comes while it sends
        fake.refuse(code, reason="WHY")
    with pytest.raises(CodesieveError, match="the reason in words") as raised:
        both(fake.target, lambda client: client.jobs.create("humaneval", MANY))
    assert raised.value.reason == "WHY"


def test_jobs_are_deleted_and_judged_again(fake: Any, both: Both) -> None:
    first = both(fake.target, lambda client: client.run("humaneval", TWO_EACH, job_id="one", timeout_seconds=90.0))
    assert first.job.timeout_seconds == 90.0
    again = both(fake.target, lambda client: client.jobs.rejudge("one", "two"))
    assert (again.job_id, again.rejudge_of) == ("two", "one")
    judged = both(fake.target, lambda client: client.result(again))
    assert {each.sample_id for each in judged.samples} == {each.sample_id for each in first.samples}
    both(fake.target, lambda client: client.jobs.delete("one"))
    with pytest.raises(NotFound):
        both(fake.target, lambda client: client.jobs.delete("one"))
    with pytest.raises(InvalidRequest, match="job_id: must be"):
        both(fake.target, lambda client: client.jobs.rejudge("two", "Not an id"))


def test_a_time_limit_that_cannot_be_is_refused(fake: Any, both: Both) -> None:
    for wrong in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(InvalidRequest, match=r"job\.timeout: must be above 0"):
            both(fake.target, functools.partial(run_for, wrong))
    assert fake.calls == []


def run_for(seconds: float, client: Any) -> Any:
    return client.run("humaneval", TWO_EACH, timeout_seconds=seconds)


def endless() -> Iterator[JudgeItem]:
    for number in itertools.count():
        yield JudgeItem(f"i{number}", "HumanEval/0", b"pass")


def test_leaving_judge_early_ends_it_at_the_server(fake: Any) -> None:
    with Client(fake.target) as client:
        answers = client.judge(endless(), priority=Priority.BATCH)
        next(answers)
        answers.close()
        fake.until(lambda: "Judge" in fake.ended)
    assert fake.requests[0].setup.priority == types_pb2.PRIORITY_BATCH


async def test_a_cancelled_task_ends_its_judge_at_the_server(fake: Any) -> None:
    async with AsyncClient(fake.target) as client:
        began = asyncio.Event()

        async def read() -> None:
            async with aclosing(client.judge(endless())) as answers:
                async for _ in answers:
                    began.set()

        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(fake.until, lambda: "Judge" in fake.ended)


def test_closing_the_client_ends_what_is_under_way(fake: Any) -> None:
    fake.hold = True
    client = Client(fake.target, retry=QUICK)
    events = client.watch(client.jobs.create("humaneval", TWO_EACH))
    next(events)
    closing = threading.Timer(0.1, client.close)
    closing.start()
    with pytest.raises(Unavailable, match="the client was closed"):
        list(events)
    closing.join()
    fake.until(lambda: "WatchJob" in fake.ended)
    with pytest.raises(Unavailable, match="the client was closed"):
        client.jobs.list()


async def test_closing_the_async_client_ends_what_is_under_way(fake: Any) -> None:
    fake.hold = True
    client = AsyncClient(fake.target, retry=QUICK)
    events = client.watch(await client.jobs.create("humaneval", TWO_EACH))
    await anext(events)

    async def read() -> None:
        async for _ in events:
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)  # into its next read
    await client.close()
    with pytest.raises(Unavailable, match="the client was closed"):
        await reading
    await asyncio.to_thread(fake.until, lambda: "WatchJob" in fake.ended)
