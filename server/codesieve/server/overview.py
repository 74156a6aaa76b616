"""What a server does now, gathered for its operator: workers, queues, jobs, and what it has counted since its start.

Workers and jobs are asked, the rest is read off the metrics by the catalogue's names, so that `codesieve top` and Grafana
can't tell two tales. What a server doesn't measure is left out. Jobs that wait are the store's to tell, for all front ends.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry

from codesieve.server.jobs.model import Job
from codesieve.server.jobs.store import Waiting
from codesieve.server.members import MemberSeen
from codesieve.server.metrics import Metrics
from codesieve.workers import catalogue
from codesieve.workers.types import Verdict

_TOKENS = catalogue.ENGINE_COUNTERS["generation_tokens"]
_LABELS: Mapping[str, str | None] = {
    catalogue.SAMPLES_GENERATED.name: None,
    catalogue.SAMPLES_JUDGED.name: "verdict",
    catalogue.SAMPLES_UNJUDGED.name: None,
    catalogue.CACHE_HITS.name: None,
    _TOKENS.name: "model",
    catalogue.QUEUE_DEPTH.name: "hop",
    catalogue.OLDEST_SECONDS.name: "hop",
    catalogue.RPCS_IN_FLIGHT.name: None,
}
"""What is read, and by which label it is told apart; it is summed over the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Queue:
    """What waits at one hop."""

    hop: str
    depth: int
    oldest_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What has happened since the server began to serve."""

    generated: int
    verdicts: Mapping[Verdict, int]
    unjudged: int
    cache_hits: int
    tokens: Mapping[str, int]
    """By model."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerSeen:
    """A server at one moment."""

    version: str
    start_time: datetime.datetime
    read_time: datetime.datetime
    sandbox: str
    workers: tuple[MemberSeen, ...]
    queues: tuple[Queue, ...]
    jobs: tuple[Job, ...]
    waiting: Waiting | None
    """None where it isn't known."""
    ready: frozenset[str]
    """The models that can be sampled from here."""
    totals: Totals
    rpcs_in_flight: int


class HasMembers(Protocol):
    """A pool."""

    def seen(self) -> Sequence[MemberSeen]: ...


class HasJobs(Protocol):
    """What takes jobs from the store and runs them."""

    def running(self) -> Sequence[Job]: ...
    async def waiting(self) -> Waiting | None: ...


class Overview:
    """Looks at a server. `pools` and `ready` are asked each time for the workers and the models that there are then."""

    def __init__(
        self,
        sandbox: str,
        pools: Callable[[], Sequence[HasMembers]],
        ready: Callable[[], Iterable[str]],
        jobs: HasJobs,
        metrics: Metrics,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._sandbox = sandbox
        self._pools = pools
        self._ready = ready
        self._jobs = jobs
        self._metrics = metrics
        self._now = now
        self._start = now()

    async def look(self) -> ServerSeen:
        """The server as it is now. Waits for the store, but not for long."""
        waiting = await self._jobs.waiting()
        self._metrics.look()
        counted = read(self._metrics.registry)
        depths, oldest = counted[catalogue.QUEUE_DEPTH.name], counted[catalogue.OLDEST_SECONDS.name]
        return ServerSeen(
            version=version("codesieve"),
            start_time=self._start,
            read_time=self._now(),
            sandbox=self._sandbox,
            workers=tuple(member for pool in self._pools() for member in pool.seen()),
            queues=tuple(Queue(hop, int(depths[hop]), oldest[hop]) for hop in catalogue.HOPS if hop in depths),
            jobs=tuple(self._jobs.running()),
            waiting=waiting,
            ready=frozenset(self._ready()),
            totals=Totals(
                generated=_total(counted[catalogue.SAMPLES_GENERATED.name]),
                verdicts={Verdict(name): int(n) for name, n in counted[catalogue.SAMPLES_JUDGED.name].items() if n},
                unjudged=_total(counted[catalogue.SAMPLES_UNJUDGED.name]),
                cache_hits=_total(counted[catalogue.CACHE_HITS.name]),
                tokens={model: int(n) for model, n in counted[_TOKENS.name].items() if n},
            ),
            rpcs_in_flight=_total(counted[catalogue.RPCS_IN_FLIGHT.name]),
        )


def read(registry: CollectorRegistry) -> Mapping[str, Mapping[str, float]]:
    """The present values of what is shown, by the metrics' names and by their label's values. Nothing else is collected."""
    found: dict[str, dict[str, float]] = {name: collections.defaultdict(float) for name in _LABELS}
    for family in registry.restricted_registry(list(_LABELS)).collect():
        for sample in family.samples:
            if sample.name in found:
                label = _LABELS[sample.name]
                found[sample.name][sample.labels[label] if label else ""] += sample.value
    return found


def _total(counted: Mapping[str, float]) -> int:
    return int(sum(counted.values()))
