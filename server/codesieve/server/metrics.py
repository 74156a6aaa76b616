"""What the front end measures: the metrics of the catalogue, made on a registry that is passed in, each process's own.

Whoever counts is handed what it counts with, its labels already looked up. What waits and what works is not counted but
looked at, when it is scraped: `look` asks the hops and pools, on the event loop, to which they belong, and `exposition` then
writes the text in a thread. Reasons are labels only if they are known ones, so that a worker of another version can't
invent any.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest

from codesieve.server.jobs.model import JobState
from codesieve.server.members import MemberSeen, PoolEvents
from codesieve.server.sharing import Priority
from codesieve.server.waits import Hop, Place
from codesieve.workers import catalogue
from codesieve.workers.errors import OUTAGES, CellLost, WorkerError
from codesieve.workers.types import EngineStats, Judgement, Verdict, WorkFailed

OTHER = "OTHER"


def _reasons(kind: type[WorkerError]) -> frozenset[str]:
    return frozenset({kind.reason}).union(*(_reasons(below) for below in kind.__subclasses__()))


KNOWN_REASONS = _reasons(WorkerError) | {"INTERNAL", "CANCELLED", "SERVER_STOPPED"}
"""Of failures; any other is counted as `OTHER`."""


class Metrics:
    """What the front end counts."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        catalogue.BUILD_INFO.on(registry).labels("front-end", version("codesieve")).set(1)
        self._rpcs = catalogue.RPCS.on(registry)
        self._rpcs_in_flight = catalogue.RPCS_IN_FLIGHT.on(registry)
        self._rpc_seconds = catalogue.RPC_SECONDS.on(registry)
        self._jobs = catalogue.JOBS.on(registry)
        self._jobs_ended = catalogue.JOBS_ENDED.on(registry)
        self._generated = catalogue.SAMPLES_GENERATED.on(registry)
        self._judged = catalogue.SAMPLES_JUDGED.on(registry)
        self._unjudged = catalogue.SAMPLES_UNJUDGED.on(registry)
        self._reward = catalogue.REWARD_SECONDS.on(registry)
        self._depth = catalogue.QUEUE_DEPTH.on(registry)
        self._waited = catalogue.QUEUE_SECONDS.on(registry)
        self._oldest = catalogue.OLDEST_SECONDS.on(registry)
        self.workers = catalogue.WORKERS.on(registry)
        self.workers_lost = catalogue.WORKERS_LOST.on(registry)
        self.retries = catalogue.RETRIES.on(registry)
        self.cache_hits = catalogue.CACHE_HITS.on(registry)
        self.store_seconds = catalogue.STORE_SECONDS.on(registry)
        self.store_up = catalogue.STORE_UP.on(registry)
        self.engines = EngineMetrics(registry)
        self.hops = {name: Hop(self._waited.labels(name).observe, clock) for name in catalogue.HOPS}
        self._methods = functools.cache(self._method)
        self._pools: list[tuple[str, Working]] = []
        # Who asks for a rate needs a series from the beginning.
        self._jobs.labels(JobState.RUNNING.value)
        for state in (one for one in JobState if one.ended):
            self._jobs_ended.labels(state.value)
        self.job_samples, self.stream_samples = (self._samples_from(source) for source in catalogue.SOURCES)
        """How the samples of jobs and of Judge streams end."""
        for priority in Priority:
            self.reward_seconds(priority)

    def rpc(self, method: str) -> RpcMetrics:
        """What is counted of one method's calls."""
        return self._methods(method)

    def _method(self, method: str) -> RpcMetrics:
        return RpcMetrics(
            functools.cache(lambda code: self._rpcs.labels(method, code).inc),
            self._rpcs_in_flight.labels(method).inc,
            self._rpcs_in_flight.labels(method).dec,
            self._rpc_seconds.labels(method).observe,
        )

    def job_taken(self, state: JobState) -> None:
        """This front end runs a job now, which may have begun elsewhere."""
        if state is not JobState.PENDING:
            self._jobs.labels(state.value).inc()

    def job_left(self, state: JobState) -> None:
        """It goes on elsewhere."""
        if state is not JobState.PENDING:
            self._jobs.labels(state.value).dec()

    def job_moved(self, before: JobState, after: JobState) -> None:
        if before is not JobState.PENDING:
            self._jobs.labels(before.value).dec()
        if after.ended:
            self._jobs_ended.labels(after.value).inc()
        else:
            self._jobs.labels(after.value).inc()

    def samples_of(self, model: str) -> Callable[[], None]:
        """To be called for each sample that a model made."""
        return self._generated.labels(model).inc

    def _samples_from(self, source: str) -> SampleMetrics:
        return SampleMetrics(
            {verdict: self._judged.labels(verdict.value, source).inc for verdict in Verdict},
            {reason: self._unjudged.labels(reason, source).inc for reason in (*sorted(KNOWN_REASONS), OTHER)},
        )

    def reward_seconds(self, priority: Priority) -> Histogram:
        """How long the items of a Judge stream took."""
        return self._reward.labels(priority.value)

    def pool(self, name: str, hop: str) -> PoolEvents:
        """What a pool tells of its work is counted; what waits for it waits at `hop`."""
        return _PoolMetrics(self, name, self.hops[hop])

    def watch(self, name: str, pool: Working) -> None:
        """The workers of a pool that has started are looked at from now on."""
        self._pools.append((name, pool))

    def look(self) -> None:
        """Looks at what waits and at what works. On the event loop, before the registry is read."""
        for name, hop in self.hops.items():
            count, oldest = hop.waits()
            self._depth.labels(name).set(count)
            self._oldest.labels(name).set(oldest)
        for pool, working in self._pools:
            states = [member.state.value.lower() for member in working.seen()]
            for state in catalogue.WORKER_STATES:
                self.workers.labels(pool, state).set(states.count(state))

    async def exposition(self) -> bytes:
        """All of it, as Prometheus reads it."""
        self.look()
        return await asyncio.to_thread(generate_latest, self.registry)


@dataclasses.dataclass(frozen=True, slots=True)
class RpcMetrics:
    """One method's calls."""

    ended_with: Callable[[str], Callable[[], None]]
    """By the status code's name, what counts it."""
    begun: Callable[[], None]
    ended: Callable[[], None]
    took: Callable[[float], None]


@dataclasses.dataclass(frozen=True, slots=True)
class SampleMetrics:
    """How samples end."""

    judged: Mapping[Verdict, Callable[[], None]]
    unjudged: Mapping[str, Callable[[], None]]

    def ended(self, outcome: Judgement | WorkFailed) -> None:
        if isinstance(outcome, Judgement):
            self.judged[outcome.verdict]()
        else:
            self.unjudged[known_reason(outcome.reason)]()


class Working(Place, Protocol):
    """A pool, as far as it is looked at here."""

    def seen(self) -> Sequence[MemberSeen]: ...


class _PoolMetrics(PoolEvents):
    """One pool. It has no series before it has started: a model that can't be loaded leaves none."""

    def __init__(self, metrics: Metrics, name: str, hop: Hop) -> None:
        self._metrics = metrics
        self._name = name
        self._hop = hop

    def taken(self, seconds: float) -> None:
        self._hop.went_on(seconds)

    def started(self, pool: Working) -> None:
        self._metrics.watch(self._name, pool)
        self._hop.add(pool)
        self._metrics.workers_lost.labels(self._name)
        for reason in (*OUTAGES, CellLost.reason):
            self._metrics.retries.labels(self._name, reason)

    def lost(self) -> None:
        self._metrics.workers_lost.labels(self._name).inc()

    def retried(self, reason: str) -> None:
        self._metrics.retries.labels(self._name, known_reason(reason)).inc()


def known_reason(reason: str) -> str:
    """A failure's reason as a label."""
    return reason if reason in KNOWN_REASONS else OTHER


class EngineMetrics:
    """What the engines count, by model and worker (its place in the model's pool).

    An engine that is replaced begins at zero; these go on from where they were, since what is added is what is new.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {name: one.on(registry) for name, one in catalogue.ENGINE_COUNTERS.items()}
        self._gauges = {name: one.on(registry) for name, one in catalogue.ENGINE_GAUGES.items()}
        self._finished = catalogue.ENGINE_FINISHED.on(registry)
        self._retries = catalogue.ENGINE_RETRIES.on(registry)

    def counted(self, model: str, worker: int, before: EngineStats, now: EngineStats) -> None:
        """One engine counted `now`, and `before` when it was last asked: nothing yet, if it is new."""
        labels = (model, str(worker))
        for field in dataclasses.fields(EngineStats):
            value = getattr(now, field.name)
            more = value - getattr(before, field.name)
            kind, _, reason = field.name.partition("_")
            if field.name in self._gauges:
                self._gauges[field.name].labels(*labels).set(value)
            elif kind == "finished":
                self._finished.labels(*labels, reason).inc(more)
            elif kind == "retries":
                self._retries.labels(*labels, reason).inc(more)
            else:
                self._counters[field.name].labels(*labels).inc(more)

    def gone(self, model: str, worker: int) -> None:
        """Nothing runs in this place now."""
        for gauge in self._gauges.values():
            gauge.labels(model, str(worker)).set(0)
