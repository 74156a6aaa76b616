"""Every metric of codesieve, by name, in one place: those of the front end and those of each worker.

A metric here is a description: its name without prefix and suffix, its unit in the name, what it says, and its labels, whose
values are few and known. A process makes the ones that it keeps with ``on(registry)``; nothing is registered at import.
Dashboards and rules (deploy/monitoring) take their names from here as well, by ``name``, so that none can name what isn't.
"""

from __future__ import annotations

import dataclasses

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "codesieve_"
SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

HOPS = ("generation", "judge", "store", "client")
"""Where a sample may wait in the front end.

generation, judge: from its coming to a pool until a worker is given it, the first time. A worker has a few more than it
does at a time; how long those wait in a sandbox worker is the phase "wait" below.
store: an event, from its happening until it is written.
client: the answer of a Judge stream from its being ready, and an event of a watched job from when its client could have had
it (when it happened, or when the client came, if that was later), until gRPC has taken it.
"""
PHASES = ("wait", "fork", "run", "compare")
"""Of a program in a sandbox worker: until it has a cell, until its process is ready, until that has ended, and the rest."""
CELL_STATES = ("idle", "busy", "making", "destroying")
WORKER_STATES = ("running", "resting", "starting")
"""A worker rests after it failed at something that wasn't the work's fault."""
DESTROYED = ("lost", "dirty", "used", "stopped")
"""Why a cell was: its agent or its judge ended; it could not be proved clean; it was for one program; the worker stopped."""
LEAKS = ("files", "processes", "ipc")
SOURCES = ("job", "stream")
"""Where a sample came from: a job, or a trainer's Judge stream."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Described:
    title: str
    text: str
    labels: tuple[str, ...] = ()


class CounterOf(_Described):
    """What only grows."""

    @property
    def name(self) -> str:
        """As it is scraped and queried."""
        return f"{PREFIX}{self.title}_total"

    def on(self, registry: CollectorRegistry) -> Counter:
        return Counter(PREFIX + self.title, self.text, self.labels, registry=registry)


class GaugeOf(_Described):
    """What goes up and down."""

    @property
    def name(self) -> str:
        """As it is scraped and queried."""
        return PREFIX + self.title

    def on(self, registry: CollectorRegistry) -> Gauge:
        return Gauge(PREFIX + self.title, self.text, self.labels, registry=registry)


@dataclasses.dataclass(frozen=True, slots=True)
class HistogramOf(_Described):
    """How something is distributed; ``name`` with _bucket, _sum and _count."""

    buckets: tuple[float, ...] = SHORT

    @property
    def name(self) -> str:
        """As it is scraped and queried, without its endings."""
        return PREFIX + self.title

    def on(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(PREFIX + self.title, self.text, self.labels, buckets=self.buckets, registry=registry)


# -- every process --

BUILD_INFO = GaugeOf(
    "build_info", "Always 1; what runs here (front-end, sandbox, generation) and its version.", ("component", "version")
)

# -- the front end --

RPCS = CounterOf("rpcs", "Finished rpcs, by method and gRPC status code.", ("method", "code"))
RPCS_IN_FLIGHT = GaugeOf("rpcs_in_flight", "Rpcs under way, open streams among them.", ("method",))
RPC_SECONDS = HistogramOf(
    "rpc_duration_seconds", "Time from an rpc's first byte to its end; a stream's whole life.", ("method",), LONG
)
JOBS = GaugeOf("jobs", "Jobs that this front end runs, by state.", ("state",))
JOBS_ENDED = CounterOf("jobs_ended", "Jobs that ended here, by state.", ("state",))
SAMPLES_GENERATED = CounterOf("samples_generated", "Samples that were made, by model.", ("model",))
SAMPLES_JUDGED = CounterOf(
    "samples_judged", "Samples with a verdict, by verdict and where from.", ("verdict", "source")
)
SAMPLES_UNJUDGED = CounterOf(
    "samples_unjudged", "Samples that ended without a verdict, by reason and where from.", ("reason", "source")
)
REWARD_SECONDS = HistogramOf(
    "reward_latency_seconds", "From a completion's coming by a Judge stream to its answer.", ("priority",), LONG
)
QUEUE_DEPTH = GaugeOf("queue_depth", "What waits, by where it waits.", ("hop",))
QUEUE_SECONDS = HistogramOf("queue_wait_seconds", "How long it waited there, once it goes on.", ("hop",), LONG)
OLDEST_SECONDS = GaugeOf(
    "oldest_waiting_seconds", "The age of what is there longest, counted from its coming; 0 for nothing.", ("hop",)
)
WORKERS = GaugeOf("workers", "Workers, by pool and state.", ("pool", "state"))
WORKERS_LOST = CounterOf("workers_lost", "Workers lost and replaced, by pool.", ("pool",))
RETRIES = CounterOf(
    "infrastructure_retries", "Times that work was done again because of us, by pool and reason.", ("pool", "reason")
)
CACHE_HITS = CounterOf("judge_cache_hits", "Verdicts taken from an equal program judged before.")
STORE_SECONDS = HistogramOf("store_write_duration_seconds", "Time to write one batch of events.")
STORE_UP = GaugeOf("store_up", "1 while the store of jobs can be reached, else 0.")

# -- the engines, as the front end is told of them --

_ENGINE = ("model", "worker")
ENGINE_COUNTERS = {
    "prompt_tokens": CounterOf(
        "engine_prompt_tokens", "Prompt tokens of requests whose first token was sampled.", _ENGINE
    ),
    "generation_tokens": CounterOf(
        "engine_generation_tokens",
        "Tokens sampled, those of stop sequences and of samples given up included.",
        _ENGINE,
    ),
    "prefix_cache_queries": CounterOf(
        "engine_prefix_cache_queries", "Prompt tokens that were looked for in the prefix cache.", _ENGINE
    ),
    "prefix_cache_hits": CounterOf(
        "engine_prefix_cache_hits", "Prompt tokens that were found in the prefix cache.", _ENGINE
    ),
    "preemptions": CounterOf(
        "engine_preemptions", "Times that a request lost its place and was computed anew.", _ENGINE
    ),
    "steps": CounterOf("engine_steps", "Passes through the model.", _ENGINE),
    "first_tokens": CounterOf("engine_first_tokens", "Requests whose first token was sampled.", _ENGINE),
    "queue_seconds": CounterOf(
        "engine_queue_seconds", "Time of these requests together until the engine's scheduler took them up.", _ENGINE
    ),
    "first_token_seconds": CounterOf(
        "engine_first_token_seconds", "Time of these requests together until their first token.", _ENGINE
    ),
    "idle_seconds": CounterOf("engine_idle_seconds", "Time in which the engine had nothing to do.", _ENGINE),
}
"""By the names of `EngineStats`."""
ENGINE_GAUGES = {
    "requests_running": GaugeOf("engine_requests_running", "Requests that the engine computes now.", _ENGINE),
    "requests_waiting": GaugeOf("engine_requests_waiting", "Requests that wait inside the engine.", _ENGINE),
    "kv_cache_usage_ratio": GaugeOf(
        "engine_kv_cache_usage_ratio", "Share of the key-value cache that requests in flight hold.", _ENGINE
    ),
}
ENGINE_FINISHED = CounterOf(
    "engine_requests_finished",
    "Requests that ended, by reason (stop, length, aborted, failed).",
    (*_ENGINE, "reason"),
)
ENGINE_RETRIES = CounterOf(
    "engine_retries",
    "Calls to an endpoint that were made again, by reason (rate_limit, failure).",
    (*_ENGINE, "reason"),
)

# -- each sandbox worker --

JUDGE_SECONDS = HistogramOf(
    "judge_phase_duration_seconds", "A program's time in its worker: wait, fork, run, compare.", ("phase",)
)
CELLS = GaugeOf("cells", "Cells, by state.", ("state",))
CELL_RESETS = CounterOf("cell_resets", "Times that a cell was proved clean after a program.")
CELLS_DESTROYED = CounterOf("cells_destroyed", "Cells that were given up, by reason.", ("reason",))
CELL_LEAKS = CounterOf(
    "cell_leaks", "Programs that left something behind, which was removed or cost the cell, by kind.", ("kind",)
)
PROGRAM_RETRIES = CounterOf(
    "program_retries",
    "Programs judged again by their worker: a cell was lost (cell_lost), or load (alone).",
    ("reason",),
)
TAMPER_ATTEMPTS = CounterOf("tamper_attempts", "Programs that reached for the judge.")


def described() -> tuple[CounterOf | GaugeOf | HistogramOf, ...]:
    """All of them, in the order above."""
    found: list[CounterOf | GaugeOf | HistogramOf] = []
    for value in globals().values():
        members = value.values() if isinstance(value, dict) else (value,)
        found += [one for one in members if isinstance(one, CounterOf | GaugeOf | HistogramOf)]
    return tuple(found)
