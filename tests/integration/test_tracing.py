"""A front end that traces, over gRPC, with workers of this process: whose context is taken up, which samples are chosen."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import use_span
from prometheus_client import CollectorRegistry
from tests.house import MINE, FunctionWorker, a_job, generate_right_for_even, judge_by_text, key, recorded

from codesieve.client import (
    AsyncClient,
    Client,
    CodesieveError,
    Generation,
    InvalidRequest,
    NotFound,
    requests,
)
from codesieve.client.problems import FunctionTests, Problem
from codesieve.client.types import JudgeItem
from codesieve.server.callers import ANYONE
from codesieve.server.door import OpenDoor
from codesieve.server.errors import StoreUnavailable
from codesieve.server.front import FrontEnd
from codesieve.server.interceptors import Call
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import JobKey, JobState
from codesieve.server.jobs.store import Admission
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.quotas import Quotas
from codesieve.server.services import judge as judge_service
from codesieve.server.tracing import Traces
from codesieve.v1 import job_pb2_grpc
from codesieve.workers.errors import CellLost
from codesieve.workers.tracing import Tracing
from codesieve.workers.types import GenerationRequest, Program, WorkFailed

PROBLEMS = [Problem("p/0", "def f():\n", FunctionTests("def check(candidate): pass"), "f")]
CREATE = "codesieve.v1.JobService/CreateJob"
PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class House:
    """The front end, what it sent, and what its workers were given."""

    def __init__(self, ratio: float, tracing: bool = True) -> None:
        self.judgement: Callable[..., Any] = judge_by_text
        self.exporter = InMemorySpanExporter()
        self._tracing = Tracing("http://nowhere:1", "front-end", self.exporter)
        self.store = MemoryStore()
        self.given: list[str] = []
        self.models = ModelRegistry(
            lambda name, source: Pool("generation", lambda: self._worker(generate_right_for_even), 1)
        )
        self.judge: Pool[Program, Any] = Pool(
            "sandbox", lambda: self._worker(lambda program: self.judgement(program)), 1
        )
        self.traces = Traces(self._tracing, ratio) if tracing else None
        self.front = FrontEnd(
            self.judge, "local", self.models, Metrics(CollectorRegistry()), self.store, OpenDoor(), traces=self.traces
        )
        self.address = ""

    def _worker(self, do: Callable[..., Any]) -> FunctionWorker:
        async def noted(work: GenerationRequest | Program) -> Any:
            self.given.append(work.trace)
            return await do(work)

        return FunctionWorker(noted)

    async def start(self) -> None:
        await self.judge.start()
        await self.models.load("replay:/recorded")
        self.address = f"127.0.0.1:{await self.front.start('127.0.0.1:0')}"

    async def stop(self) -> None:
        hurry = asyncio.Event()
        hurry.set()
        await self.front.stop(0, hurry)
        await self.models.stop()
        await self.judge.stop()

    async def sent(self) -> dict[str, list[ReadableSpan]]:
        """All spans by their names; none come after that."""
        await self._tracing.stop()
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found


@asynccontextmanager
async def a_house(ratio: float = 1.0, tracing: bool = True) -> AsyncIterator[House]:
    house = House(ratio, tracing)
    await house.start()
    try:
        yield house
    finally:
        await house.stop()


async def run(house: House, n: int = 4) -> None:
    async with AsyncClient(house.address) as client:
        generation = Generation(samples_per_problem=n, temperatures=(0.5,))
        await client.run(PROBLEMS, generation, job_id="j")


async def create(house: House, metadata: list[tuple[str, str | bytes]], samples: int = 1) -> grpc.StatusCode:
    """Makes a job with metadata of a client that isn't ours."""
    generation = Generation(samples_per_problem=samples)
    request = requests.create_job(
        PROBLEMS, generation, k=(), limit=0, limits=None, job_id="j", priority=None, timeout_seconds=None
    )
    async with grpc.aio.insecure_channel(house.address) as channel:
        call = job_pb2_grpc.JobServiceStub(channel).CreateJob(request, metadata=metadata)
        await call
        code: grpc.StatusCode = await call.code()
        return code


@pytest.mark.parametrize(("ratio", "chosen"), [(0.0, 0), (1.0, 4)])
async def test_as_many_samples_as_are_asked_for_have_spans(ratio: float, chosen: int) -> None:
    async with a_house(ratio) as house:
        await run(house)
        spans = await house.sent()
    (job,) = spans["job"]
    assert job.context is not None
    assert {one.parent.span_id for one in spans.get("sample", ()) if one.parent} <= {job.context.span_id}
    assert [len(spans.get(name, ())) for name in ("sample", "generate", "judge")] == [chosen] * 3
    assert len([trace for trace in house.given if trace]) == 2 * chosen
    assert len(house.given) == 8


def hexadecimal(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}" if span.parent else ""


async def test_a_clients_context_is_taken_up() -> None:
    async with a_house() as house:
        await create(house, [("traceparent", PARENT), ("tracestate", "vendor=abc")])
        (span,) = (await house.sent())[CREATE]
    assert hexadecimal(span) == ("0123456789abcdef0123456789abcdef", "0123456789abcdef")
    assert span.context is not None
    assert span.context.trace_state.get("vendor") == "abc"


@pytest.mark.parametrize(
    "metadata",
    [
        [("traceparent", "")],
        [("traceparent", "00-" + "0" * 32 + "-0123456789abcdef-01")],
        [("traceparent", "00-0123456789abcdef0123456789abcdef-" + "0" * 16 + "-01")],
        [("traceparent", "ff-0123456789abcdef0123456789abcdef-0123456789abcdef-01")],
        [("traceparent", PARENT + "-more")],
        [("traceparent", PARENT.upper().replace("A", "G"))],
        [("traceparent", "00-" + "a" * 4000)],
        [("traceparent", "'; DROP TABLE jobs; --")],
        [("traceparent-bin", b"\x00\xff" * 20)],
        [("tracestate", "vendor=abc")],
    ],
    ids=str,
)
async def test_what_names_no_span_is_passed_over(metadata: list[tuple[str, str | bytes]]) -> None:
    async with a_house() as house:
        assert await create(house, metadata) is grpc.StatusCode.OK
        (span,) = (await house.sent())[CREATE]
    assert span.parent is None


async def test_a_tracestate_that_is_none_is_dropped() -> None:
    async with a_house() as house:
        hostile = ",".join(f"k{i}={'x' * 100}" for i in range(40))
        await create(house, [("traceparent", PARENT), ("tracestate", hostile)])
        (span,) = (await house.sent())[CREATE]
    assert span.context is not None
    assert len(span.context.trace_state) == 0


async def test_a_trace_that_the_client_does_not_record_is_not_recorded_here() -> None:
    async with a_house() as house:
        async with AsyncClient(house.address) as client:
            await create(house, [("traceparent", PARENT.removesuffix("01") + "00")])
            await client.result("j")
        assert (await house.store.get(JobKey(ANYONE.name, "j"))).trace == ""
        spans = await house.sent()
    assert not {"job", "sample", CREATE} & set(spans)
    assert set(house.given) == {""}


async def test_a_refused_call_has_a_span_with_its_code() -> None:
    async with a_house() as house:
        async with AsyncClient(house.address) as client:
            with pytest.raises(InvalidRequest):
                await client.jobs.create("no such data set", Generation())
        (span,) = (await house.sent())[CREATE]
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert span.status.is_ok or span.status.is_unset  # it is the client's fault


async def test_the_same_request_again_is_the_same_job_in_its_first_trace() -> None:
    async with a_house() as house:
        await create(house, [("traceparent", PARENT)])
        await create(house, [])
        async with AsyncClient(house.address) as client:
            await client.result("j")
        spans = await house.sent()
    (job,) = spans["job"]
    assert len(spans[CREATE]) == 2
    assert hexadecimal(job)[0] == "0123456789abcdef0123456789abcdef"


async def test_a_job_that_is_cancelled_before_it_runs_has_its_span() -> None:
    house = House(1.0)
    metrics, quotas = Metrics(CollectorRegistry()), Quotas(OpenDoor().quota_of)
    parts = (house.store, "front", house.models, house.judge, "", metrics, quotas, utc_now)
    jobs = JobManager(*parts, traces=house.traces)
    await jobs.create(MINE, "j", *recorded([b"x"]), PARENT)  # nobody takes it: the manager was never started
    for _ in range(2):
        assert (await jobs.cancel(key("j"))).state is JobState.CANCELLED
    (span,) = (await house.sent())["job"]
    assert hexadecimal(span) == ("0123456789abcdef0123456789abcdef", "0123456789abcdef")
    assert span.attributes is not None
    assert span.attributes["codesieve.state"] == "CANCELLED"


async def test_a_judge_streams_items_are_below_its_rpc() -> None:
    async with a_house() as house:
        async with AsyncClient(house.address) as client:
            items = [JudgeItem(str(i), "p/0", b"right") for i in range(5)]
            assert len([one async for one in client.judge(items, PROBLEMS)]) == 5
        spans = await house.sent()
    (stream,) = spans["codesieve.v1.JudgeService/Judge"]
    assert stream.context is not None
    assert {one.parent.span_id for one in spans["sample"] if one.parent} == {stream.context.span_id}
    assert len(spans["sample"]) == len(spans["judge"]) == 5


async def test_calls_of_a_traced_client_name_its_span() -> None:
    """Both clients', streams among them; and none where no span is current."""
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("trainer").start_span("step")

    def synchronous(address: str) -> None:
        with Client(address) as client, use_span(span):
            client.models.list()
            assert len(list(client.judge([JudgeItem("a", "p/0", b"right")], PROBLEMS))) == 1

    async with a_house() as house:
        async with AsyncClient(house.address) as client:
            with use_span(span):
                await client.models.list()
                assert len([one async for one in client.judge([JudgeItem("a", "p/0", b"right")], PROBLEMS)]) == 1
            await client.jobs.list()
        await asyncio.to_thread(synchronous, house.address)
        spans = await house.sent()
    trace_id, span_id = span.get_span_context().trace_id, span.get_span_context().span_id
    for name in ("ModelService/ListModels", "JudgeService/Judge"):
        assert [hexadecimal(one) for one in spans[f"codesieve.v1.{name}"]] == [
            (f"{trace_id:032x}", f"{span_id:016x}")
        ] * 2
    (other,) = spans["codesieve.v1.JobService/ListJobs"]
    assert other.parent is None


# -- what the log carries --

TRACE_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "codesieve")
    return caplog


def told(log: pytest.LogCaptureFixture, *about: str) -> dict[str, set[str | None]]:
    """The traces that lines name, by what they say; of those only that are about one of some things."""
    found: dict[str, set[str | None]] = {}
    for record in log.records:
        if record.name.startswith("codesieve") and (not about or set(about) & set(vars(record))):
            found.setdefault(record.getMessage(), set()).add(getattr(record, "trace_id", None))
    return found


async def test_every_line_of_a_traced_job_names_its_trace(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = True
    fails = ["contents", "append"]

    def failing(name: str) -> Callable[..., Any]:
        method = getattr(MemoryStore, name)

        async def call(*arguments: Any) -> Any:
            if name in fails:
                fails.remove(name)
                raise StoreUnavailable("for a test")
            return await method(house.store, *arguments)

        return call

    async def judge(program: Program) -> Any:
        nonlocal outage
        if outage:
            outage = False
            raise CellLost("for a test")
        if program.work_id.endswith("#3"):
            return WorkFailed(program.work_id, "TESTS_BROKEN", "for a test", retryable=False)
        return await judge_by_text(program)

    async with a_house() as house:
        house.judgement = judge
        for name in fails:
            monkeypatch.setattr(house.store, name, failing(name))
        await create(house, [("traceparent", PARENT)], samples=4)
        async with AsyncClient(house.address) as client:
            await client.result("j")
    lines = told(log, "job", "work")
    assert set(lines) == {
        *("the job was taken in", "the job changed", "the job waits for the store", "the job goes on"),
        *("work is done again", "a sample was judged", "a sample ended without a verdict"),
    }
    assert set().union(*lines.values()) == {TRACE_ID}


async def test_a_job_names_the_trace_that_made_it_and_a_repeated_request_its_own(log: pytest.LogCaptureFixture) -> None:
    async with a_house(0.0) as house:
        await create(house, [("traceparent", PARENT)])
        await create(house, [("traceparent", PARENT.replace("0123", "4567"))])
        async with AsyncClient(house.address) as client:
            await client.result("j")
            with pytest.raises(grpc.aio.AioRpcError, match="ALREADY_EXISTS"):
                await create(house, [("traceparent", PARENT.replace("0123", "4567"))], samples=2)
    lines = told(log)
    assert lines["the job changed"] == lines["the job was taken in"] == {TRACE_ID}
    assert lines["a call was refused"] == {TRACE_ID.replace("0123", "4567")}


async def test_lines_about_an_rpc_name_the_trace_of_its_span(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_house() as house:
        async with AsyncClient(house.address) as client:
            with pytest.raises(NotFound):
                await client.jobs.get("none")
            monkeypatch.setattr(house.store, "list", None)
            with pytest.raises(CodesieveError):
                await client.jobs.list()
        spans = await house.sent()
    for says, rpc in (("a call was refused", "GetJob"), ("a call failed", "ListJobs")):
        (span,) = spans[f"codesieve.v1.JobService/{rpc}"]
        assert told(log)[says] == {hexadecimal(span)[0]}


async def test_a_judge_streams_line_names_the_trace_of_its_rpc(log: pytest.LogCaptureFixture) -> None:
    class Account:
        async def settle(self) -> None:
            raise StoreUnavailable("for a test")

    for trace in (PARENT, ""):
        call = Call(MINE, "my request", cast(Any, None), trace)
        await judge_service._settle(cast(Any, Account()), call)
    says = [(vars(one)["rpc"], vars(one)["request_id"], vars(one).get("trace_id")) for one in log.records]
    assert says == [("Judge", "my request", TRACE_ID), ("Judge", "my request", None)]


@pytest.mark.parametrize("tracing", [True, False])
async def test_what_is_not_recorded_or_not_traced_here_names_no_trace(
    log: pytest.LogCaptureFixture, tracing: bool
) -> None:
    async with a_house(tracing=tracing) as house, AsyncClient(house.address) as client:
        await create(house, [("traceparent", PARENT.removesuffix("01") + ("00" if tracing else "01"))])
        if not tracing:  # made before tracing was switched off
            job, contents = a_job("before")
            kept = dataclasses.replace(job, key=JobKey(ANYONE.name, "before"), trace=PARENT)
            await house.store.create(kept, contents, Admission())
            await client.result("before")
        await client.result("j")
        with pytest.raises(grpc.aio.AioRpcError, match="ALREADY_EXISTS"):
            await create(house, [("traceparent", PARENT.removesuffix("01") + "00")], samples=2)
    lines = told(log)
    assert {"the job was taken in", "the job changed", "a sample was judged", "a call was refused"} <= set(lines)
    assert set().union(*lines.values()) == {None}
