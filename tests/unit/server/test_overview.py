"""What an operator is shown of a server: pools, jobs and metrics, and how it goes over the wire."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.house import (
    NOW,
    PROBLEMS,
    FunctionWorker,
    a_house,
    a_job,
    for_model,
    generate_right_for_even,
    generated,
    key,
)

from codesieve.server.convert import server as convert
from codesieve.server.errors import InvalidRequest
from codesieve.server.jobs.model import GenerationSpec, Job, JobState
from codesieve.server.jobs.store import Waiting
from codesieve.server.members import MemberSeen, MemberState
from codesieve.server.metrics import Metrics
from codesieve.server.overview import Overview, Queue, Totals, read
from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.v1 import job_pb2, server_pb2, types_pb2
from codesieve.workers import catalogue
from codesieve.workers.errors import SandboxUnavailable, WorkerLost
from codesieve.workers.types import (
    Generated,
    GenerationRequest,
    Judgement,
    Limits,
    Program,
    Verdict,
    WorkerInfo,
    WorkFailed,
)

REST = ((0.2,), 1, 0.95, 64, (), 7)
SHARE = Share("somebody", "a flow")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.005)


def test_metrics_are_read_by_the_catalogues_names_and_summed_over_other_labels() -> None:
    registry = CollectorRegistry()
    judged = catalogue.SAMPLES_JUDGED.on(registry)
    judged.labels("PASSED", "job").inc(3)
    judged.labels("PASSED", "stream").inc(4)
    judged.labels("CRASHED", "job").inc(0)
    catalogue.SAMPLES_UNJUDGED.on(registry).labels("CELL_LOST", "job").inc(2)
    catalogue.SAMPLES_GENERATED.on(registry).labels("tiny").inc(9)
    tokens = catalogue.ENGINE_COUNTERS["generation_tokens"].on(registry)
    tokens.labels("tiny", "0").inc(10)
    tokens.labels("tiny", "1").inc(20)
    depth, oldest = catalogue.QUEUE_DEPTH.on(registry), catalogue.OLDEST_SECONDS.on(registry)
    for i, hop in enumerate(catalogue.HOPS):
        depth.labels(hop).set(i)
        oldest.labels(hop).set(i / 2)
    catalogue.RPCS_IN_FLIGHT.on(registry).labels("WatchJob").set(5)
    catalogue.CELLS.on(registry).labels("idle").set_function(lambda: pytest.fail("this one is not asked for"))
    found = read(registry)
    assert found[catalogue.SAMPLES_JUDGED.name] == {"PASSED": 7, "CRASHED": 0}
    assert found["codesieve_engine_generation_tokens_total"] == {"tiny": 30}
    assert found["codesieve_queue_depth"] == {"generation": 0, "judge": 1, "store": 2, "client": 3}
    assert found["codesieve_rpcs_in_flight"] == {"": 5}


class Jobs:
    """What takes jobs from the store, as it is once it has taken one."""

    def __init__(self, running: Sequence[Job] = (), waiting: Waiting | None = None) -> None:
        self._running = running
        self._waiting = waiting

    def running(self) -> Sequence[Job]:
        return self._running

    async def waiting(self) -> Waiting | None:
        return self._waiting


async def test_a_server_over_the_wire() -> None:
    class Measured:
        """Metrics as they are once all is measured."""

        registry = CollectorRegistry()

        def look(self) -> None:
            catalogue.QUEUE_DEPTH.on(self.registry).labels("judge").set(4)
            catalogue.OLDEST_SECONDS.on(self.registry).labels("judge").set(1.5)
            judged = catalogue.SAMPLES_JUDGED.on(self.registry)
            judged.labels("TAMPERED", "job").inc()
            judged.labels("PASSED", "job").inc(0)
            catalogue.CACHE_HITS.on(self.registry).inc(3)
            catalogue.ENGINE_COUNTERS["generation_tokens"].on(self.registry).labels("tiny", "0").inc(8)

    times = [NOW, NOW + datetime.timedelta(seconds=7)]
    worker = MemberSeen("sandbox", 1, MemberState.RESTING, WorkerInfo("docker", 4, "an image\ud800"), 5, 6)
    job, _ = a_job("mine")

    class OnePool:
        def seen(self) -> list[MemberSeen]:
            return [worker]

    waits = tuple(
        dataclasses.replace(
            job, key=key(model), spec=dataclasses.replace(job.spec, generation=GenerationSpec(model, *REST))
        )
        for model in ("tiny", "large")
    )
    jobs = Jobs([job], Waiting(7, NOW - datetime.timedelta(seconds=3), (*waits, job)))
    overview = Overview("docker", lambda: [OnePool()], lambda: ["tiny"], jobs, Measured(), lambda: times.pop(0))  # type: ignore[arg-type]
    seen = await overview.look()
    assert seen.queues == (Queue("judge", 4, 1.5),)
    assert seen.totals == Totals(0, {Verdict.TAMPERED: 1}, 0, 3, {"tiny": 8})
    message = server_pb2.Server.FromString(convert.server(seen).SerializeToString())
    assert (message.name, message.sandbox, message.rpcs_in_flight) == ("server", "docker", 0)
    assert message.read_time.ToDatetime(datetime.UTC) - message.start_time.ToDatetime(
        datetime.UTC
    ) == datetime.timedelta(seconds=7)
    (sent,) = message.workers
    assert (sent.pool, sent.place, sent.state, sent.kind) == ("sandbox", 1, server_pb2.Worker.RESTING, "docker")
    assert (sent.detail, sent.capacity, sent.in_hand, sent.lost) == ("an image?", 4, 5, 6)
    assert (message.queues[0].hop, message.queues[0].depth) == ("judge", 4)
    assert message.queues[0].oldest_age.ToMilliseconds() == 1500
    (shown,) = message.jobs
    assert (shown.name, shown.caller, shown.state, shown.model) == ("jobs/mine", "mine", job_pb2.Job.PENDING, "")
    assert (shown.create_time.ToDatetime(datetime.UTC), shown.model_ready) == (NOW, True)
    assert not shown.HasField("start_time")
    assert (message.waiting.count, message.waiting.oldest_age.ToSeconds()) == (7, 10)
    assert [(one.name, one.model, one.model_ready) for one in message.waiting.jobs] == [
        ("jobs/tiny", "tiny", True),
        ("jobs/large", "large", False),
        ("jobs/mine", "", True),
    ]
    assert message.totals.verdicts == [server_pb2.VerdictCount(verdict=types_pb2.Judgement.TAMPERED, count=1)]
    assert message.totals.tokens == [server_pb2.TokenCount(model="models/tiny", count=8)]


@pytest.mark.parametrize(
    ("waiting", "known"),
    [
        (None, False),
        (Waiting(0, None, ()), True),
        (Waiting(1, NOW + datetime.timedelta(days=1), ()), True),  # made by another front end's clock
    ],
)
async def test_nothing_that_waits_is_told_and_so_is_that_it_is_not_known(waiting: Waiting | None, known: bool) -> None:
    overview = Overview(
        "none", lambda: (), lambda: (), Jobs(waiting=waiting), Metrics(CollectorRegistry()), lambda: NOW
    )
    message = convert.server(await overview.look())
    assert message.HasField("waiting") is known
    assert message.waiting.oldest_age.ToNanoseconds() == 0


@pytest.mark.parametrize("name", ["", "servers/1", "jobs/x\x00"])
def test_there_is_one_server(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        convert.check(server_pb2.GetServerRequest(name=name))
    assert [each.field for each in caught.value.violations] == ["name"]
    convert.check(server_pb2.GetServerRequest(name="server"))


async def test_jobs_are_shown_while_they_run() -> None:
    go_on = asyncio.Event()

    async def slowly(request: GenerationRequest) -> Generated:
        if request.index:
            await go_on.wait()
        return await generate_right_for_even(request)

    async with a_house(slowly) as home:
        assert home.jobs.running() == []
        await home.create("mine", for_model(home, generated(2, (0.2,))))
        await home.judged("mine", len(PROBLEMS))
        (job,) = home.jobs.running()
        assert (job.key, job.state, job.start_time is not None) == (key("mine"), JobState.RUNNING, True)
        assert (job.progress.samples_total, job.progress.samples_judged) == (6, 3)
        assert job.progress.verdicts == {"PASSED": 3}
        go_on.set()
        await home.events("mine")
        await until(lambda: home.jobs.running() == [])


async def test_workers_are_shown_running_resting_lost_and_starting() -> None:
    trouble: Exception | None = None
    start_again = asyncio.Event()
    made = 0

    async def judge(program: Program) -> Judgement | WorkFailed:
        if isinstance(trouble, SandboxUnavailable):
            return WorkFailed(program.work_id, trouble.reason, "no engine", retryable=True)
        await asyncio.Event().wait()
        raise AssertionError

    class Worker(FunctionWorker):
        async def start(self) -> WorkerInfo:
            nonlocal made
            made += 1
            if made > 2:
                await start_again.wait()
            return WorkerInfo("local", capacity=2, detail=f"number {made}")

        async def collect(self, max_wait_seconds: float) -> Sequence[Any]:
            if isinstance(trouble, WorkerLost):
                raise trouble
            return await super().collect(0.01)

    pool: Pool[Program, Judgement] = Pool("sandbox", lambda: Worker(judge), 2)
    await pool.start()
    try:
        await until(lambda: {one.state for one in pool.seen()} == {MemberState.RUNNING})
        assert [(one.pool, one.place, one.info.kind, one.in_hand, one.lost) for one in pool.seen()] == [
            ("sandbox", 0, "local", 0, 0),
            ("sandbox", 1, "local", 0, 0),
        ]
        work = asyncio.create_task(pool.run(Program("1", PROBLEMS[0], b"", Limits(), "me", urgent=False), SHARE))
        await until(lambda: sum(one.in_hand for one in pool.seen()) == 1)
        trouble = WorkerLost("it was killed")
        await until(lambda: {one.state for one in pool.seen()} == {MemberState.STARTING})
        assert [one.lost for one in pool.seen()] == [1, 1]
        trouble = SandboxUnavailable("no engine")
        start_again.set()
        await until(lambda: MemberState.RESTING in {one.state for one in pool.seen()})
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    finally:
        await pool.stop()


async def test_a_metrics_object_of_the_server_can_be_looked_at() -> None:
    metrics = Metrics(CollectorRegistry())
    overview = Overview("none", lambda: (), lambda: (), Jobs(), metrics, lambda: NOW)
    metrics.cache_hits.inc(2)
    assert (await overview.look()).totals == Totals(0, {}, 0, 2, {})
