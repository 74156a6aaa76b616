"""What the front end measures, over workers of this process."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.house import FunctionWorker, a_house, for_model, generated, judge_by_text, key, recorded

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs import manager
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import KNOWN_REASONS, Metrics
from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.workers import catalogue
from codesieve.workers.errors import CellLost, SandboxUnavailable, WorkerLost
from codesieve.workers.types import Judgement, Program, WorkFailed

SHARE = Share("caller", "flow")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


class Measured:
    """A registry and what reads it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.clock = Clock()
        self.metrics = Metrics(self.registry, self.clock)

    def value(self, metric: Any, suffix: str = "", **labels: str) -> float | None:
        self.metrics.look()
        return self.registry.get_sample_value(metric.name + suffix, labels)

    def hop(self, hop: str) -> tuple[float | None, ...]:
        """Depth, age of the oldest, how many went on, how long they waited."""
        depth, oldest = self.value(catalogue.QUEUE_DEPTH, hop=hop), self.value(catalogue.OLDEST_SECONDS, hop=hop)
        count = self.value(catalogue.QUEUE_SECONDS, "_count", hop=hop)
        return depth, oldest, count, self.value(catalogue.QUEUE_SECONDS, "_sum", hop=hop)

    def workers(self, pool: str) -> dict[str, float | None]:
        return {state: self.value(catalogue.WORKERS, pool=pool, state=state) for state in catalogue.WORKER_STATES}

    def pool(self, name: str, do: Callable[[Any], Awaitable[Any]], hop: str = "judge", size: int = 1) -> Pool[Any, Any]:
        """A pool of workers that may have four pieces at a time."""
        events = self.metrics.pool(name, hop)
        return Pool(name, lambda: Worker(do), size, events, now=self.clock, sleep=self.clock.sleep)


class Worker(FunctionWorker):
    """Work that raises `WorkerLost` takes its worker with it."""

    async def collect(self, max_wait_seconds: float) -> Sequence[Any]:
        finished = await super().collect(max_wait_seconds)
        if any(isinstance(one, WorkFailed) and one.reason == WorkerLost.reason for one in finished):
            raise WorkerLost("gone")
        return finished


@dataclasses.dataclass(frozen=True)
class Piece:
    work_id: str
    trace: str = ""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)


@pytest.fixture
def seen() -> Measured:
    return Measured()


def test_the_front_end_makes_every_metric_of_its_part_of_the_catalogue(seen: Measured) -> None:
    described = catalogue.described()
    theirs = described[described.index(catalogue.JUDGE_SECONDS) :]
    names = {family.name for family in seen.registry.collect()}
    for one in described:
        assert (catalogue.PREFIX + one.title in names) == (one not in theirs), one.name


def test_the_process_and_its_version_are_told(seen: Measured) -> None:
    version = importlib.metadata.version("codesieve")
    assert seen.value(catalogue.BUILD_INFO, component="front-end", version=version) == 1
    assert (seen.registry.get_sample_value("process_resident_memory_bytes") or 0) > 1_000_000


# -- hops --


def test_a_line_is_left_in_the_order_of_coming(seen: Measured) -> None:
    hop = seen.metrics.hops["store"]
    with hop.line() as first, hop.line() as second:
        first.come(2)
        seen.clock.time = 3.0
        second.come()
        assert seen.hop("store") == (3, 3.0, 0, 0)
        seen.clock.time = 5.0
        first.go(2)
        assert seen.hop("store") == (1, 2.0, 2, 10.0)
    assert seen.hop("store") == (0, 0, 2, 10.0)


async def test_what_waits_for_a_worker_is_seen_with_its_age_and_its_wait(seen: Measured) -> None:
    hold = asyncio.Event()

    async def do(piece: Piece) -> Piece:
        await hold.wait()
        return piece

    first, second = seen.pool("generation-a", do, "generation"), seen.pool("generation-b", do, "generation")
    await asyncio.gather(first.start(), second.start())
    try:
        seen.clock.time = 100.0
        running = [asyncio.create_task(first.run(Piece(str(i)), SHARE)) for i in range(9)]
        await until(lambda: first.waiting == 9 - 6)  # a worker is given 8 at most, of batch work 6
        running.append(asyncio.create_task(second.run(Piece("x"), SHARE)))
        await until(lambda: seen.hop("generation")[2] == 7)
        seen.clock.time = 107.5
        assert seen.hop("generation") == (3, 7.5, 7, 0)
        assert seen.hop("judge") == (0, 0, 0, 0)
        hold.set()
        await asyncio.gather(*running)
        assert seen.hop("generation") == (0, 0, 10, 3 * 7.5)
    finally:
        await asyncio.gather(first.stop(), second.stop())


async def test_a_retry_is_counted_with_its_reason_and_waits_once(seen: Measured) -> None:
    tries: list[str] = []

    async def do(piece: Piece) -> Piece:
        tries.append(piece.work_id)
        if tries.count(piece.work_id) == 1 and piece.work_id == "cell":
            raise CellLost("it died")
        if tries.count(piece.work_id) == 1 and piece.work_id == "engine":
            raise SandboxUnavailable("no engine")
        if tries.count(piece.work_id) == 1 and piece.work_id == "worker":
            raise WorkerLost("dead")
        if tries.count(piece.work_id) == 1 and piece.work_id == "odd":
            return WorkFailed(piece.work_id, "a reason of some other version", "")  # type: ignore[return-value]
        return piece

    def retries(reason: str) -> float | None:
        return seen.value(catalogue.RETRIES, pool="sandbox", reason=reason)

    pool = seen.pool("sandbox", do)
    assert retries("CELL_LOST") is None  # nothing of a pool that hasn't started
    await pool.start()
    try:
        assert (retries("CELL_LOST"), seen.value(catalogue.WORKERS_LOST, pool="sandbox")) == (0, 0)
        for work in ("cell", "engine", "odd", "worker"):
            assert await pool.run(Piece(work), SHARE) == Piece(work)
    finally:
        await pool.stop()
    assert [retries(reason) for reason in ("CELL_LOST", "SANDBOX_UNAVAILABLE", "WORKER_LOST", "OTHER")] == [1, 1, 1, 1]
    assert seen.value(catalogue.WORKERS_LOST, pool="sandbox") == 1
    assert seen.hop("judge")[2] == 4


async def test_workers_are_seen_running_resting_and_starting(seen: Measured) -> None:
    gone, rested, resting = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def do(piece: Piece) -> Piece:
        if piece.work_id == "fails" and not resting.is_set():
            resting.set()
            raise SandboxUnavailable("not now")
        if piece.work_id == "dies" and not gone.is_set():
            gone.set()
            raise WorkerLost("dead")
        return piece

    async def sleep(seconds: float) -> None:
        await rested.wait()

    events = seen.metrics.pool("sandbox", "judge")
    pool: Pool[Any, Any] = Pool("sandbox", lambda: Worker(do), 2, events, now=seen.clock, sleep=sleep)
    assert set(seen.workers("sandbox").values()) == {None}
    await pool.start()
    try:
        await until(lambda: seen.workers("sandbox") == {"running": 2, "resting": 0, "starting": 0})
        running = [asyncio.create_task(pool.run(Piece("fails"), SHARE))]
        await until(lambda: seen.workers("sandbox") == {"running": 1, "resting": 1, "starting": 0})
        await running[0]
        running.append(asyncio.create_task(pool.run(Piece("dies"), SHARE)))
        await until(lambda: seen.workers("sandbox") == {"running": 0, "resting": 1, "starting": 1})
        rested.set()
        await asyncio.gather(*running)
        await until(lambda: seen.workers("sandbox") == {"running": 2, "resting": 0, "starting": 0})
    finally:
        await pool.stop()


# -- jobs and their store --


async def test_a_jobs_samples_are_counted_by_model_verdict_and_reason() -> None:
    async def judge(program: Program) -> Judgement | WorkFailed:
        if program.problem.problem_id == "p/2":
            return WorkFailed(program.work_id, "made up", "of some other version", retryable=False)
        return await judge_by_text(program)

    async with a_house(judge=judge) as house, asyncio.timeout(30):
        await house.create("j", for_model(house, generated(n=2)))
        await house.events("j")
        await house.create("again", recorded([b"right", b"wrong"]))
        await house.events("again")

        def value(metric: Any, suffix: str = "", **labels: str) -> float | None:
            house.metrics.look()
            return house.registry.get_sample_value(metric.name + suffix, labels)

        model = house.models.list()[0].model_id
        assert value(catalogue.SAMPLES_GENERATED, model=model) == 12  # recorded samples are made by none
        assert value(catalogue.SAMPLES_JUDGED, verdict="PASSED", source="job") == 4 + 1
        assert value(catalogue.SAMPLES_JUDGED, verdict="FAILED", source="job") == 4 + 1
        assert value(catalogue.SAMPLES_UNJUDGED, reason="OTHER", source="job") == 4
        assert value(catalogue.SAMPLES_UNJUDGED, reason="CELL_LOST", source="job") == 0
        assert value(catalogue.SAMPLES_JUDGED, verdict="PASSED", source="stream") == 0
        assert value(catalogue.JOBS_ENDED, state="SUCCEEDED") == 2
        assert value(catalogue.JOBS, state="RUNNING") == 0
        events = len(await house.events("j")) + len(await house.events("again"))
        assert value(catalogue.QUEUE_SECONDS, "_count", hop="store") == events - 2  # making a job writes its first
        assert value(catalogue.QUEUE_SECONDS, "_count", hop="client") == 2 * events  # all were watched twice
        assert value(catalogue.QUEUE_SECONDS, "_count", hop="generation") == 12
        assert value(catalogue.QUEUE_SECONDS, "_count", hop="judge") == 14
        assert 2 <= (value(catalogue.STORE_SECONDS, "_count") or 0) <= events
        assert [value(catalogue.QUEUE_DEPTH, hop=hop) for hop in catalogue.HOPS] == [0, 0, 0, 0]


def test_the_known_reasons_are_few_and_hold_those_of_every_error() -> None:
    assert {"WORKER_LOST", "CELL_LOST", "TESTS_BROKEN", "ENGINE_LOST", "ADAPTER_NOT_LOADED"} < KNOWN_REASONS
    assert len(KNOWN_REASONS) < 30


class Outage(MemoryStore):
    """A store that can't be reached while it is told so."""

    down = False

    async def claim(self, *args: Any) -> Any:
        if self.down:
            raise StoreUnavailable("down for a test")
        return await super().claim(*args)

    async def append(self, *args: Any) -> None:
        if self.down:
            raise StoreUnavailable("down for a test")
        await super().append(*args)


async def test_an_outage_of_the_store_is_seen_and_what_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "BEAT_SECONDS", 0.01)
    hold = asyncio.Event()

    async def judge(program: Program) -> Judgement:
        await hold.wait()
        return await judge_by_text(program)

    store = Outage(3)
    async with a_house(judge=judge, store=store) as house, asyncio.timeout(30):

        def value(metric: Any, **labels: str) -> float:
            house.metrics.look()
            found: float | None = house.registry.get_sample_value(metric.name, labels)
            assert found is not None
            return found

        await until(lambda: value(catalogue.STORE_UP) == 1)
        await house.create("j", recorded([b"right"]))
        await house.runs("j")
        await until(lambda: value(catalogue.QUEUE_DEPTH, hop="store") == 0)
        store.down = True
        hold.set()
        await until(lambda: value(catalogue.STORE_UP) == 0)
        await until(lambda: value(catalogue.QUEUE_DEPTH, hop="store") == 1)
        first = value(catalogue.OLDEST_SECONDS, hop="store")
        await until(lambda: value(catalogue.OLDEST_SECONDS, hop="store") > first)
        store.down = False
        await until(lambda: value(catalogue.STORE_UP) == 1)
        await house.events("j")
        assert value(catalogue.QUEUE_DEPTH, hop="store") == 0


async def test_what_a_watcher_has_not_taken_yet_waits_for_it(seen: Measured) -> None:
    async with a_house() as house, asyncio.timeout(30):

        def client(metric: Any) -> float:
            house.metrics.look()
            return house.registry.get_sample_value(metric.name, {"hop": "client"}) or 0.0

        await house.create("j", recorded([b"right"] * 5))
        total = len(await house.events("j"))
        slow = house.jobs.watch(key("j"), 0)
        await anext(slow)
        assert client(catalogue.QUEUE_DEPTH) == total
        # It came long after the events: they wait since it came.
        assert client(catalogue.OLDEST_SECONDS) < 30
        await anext(slow)
        assert client(catalogue.QUEUE_DEPTH) == total - 1
        first = client(catalogue.OLDEST_SECONDS)
        await asyncio.sleep(0.01)
        assert client(catalogue.OLDEST_SECONDS) > first
        await slow.aclose()  # type: ignore[attr-defined]
        assert client(catalogue.QUEUE_DEPTH) == 0
