"""Every metric of the front end, by name, in one place. Units are in the names and label sets are bounded.

The registry is passed in: nothing is registered at import, and tests have one each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from codesieve.server.jobs.model import JobState
from codesieve.workers.types import EngineStats, Judgement, WorkFailed

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What the front end counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.rpcs = Counter(
            "codesieve_rpcs", "Finished rpcs, by method and gRPC status code.", ["method", "code"], registry=registry
        )
        self.rpc_seconds = Histogram(
            "codesieve_rpc_duration_seconds",
            "Time from an rpc's first byte to its end; a stream's whole life.",
            ["method"],
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.jobs = Gauge("codesieve_jobs", "Jobs that this server runs, by state.", ["state"], registry=registry)
        self.jobs_ended = Counter("codesieve_jobs_ended", "Jobs that ended, by state.", ["state"], registry=registry)
        self.samples = Counter(
            "codesieve_samples_judged", "Samples with a verdict, by verdict.", ["verdict"], registry=registry
        )
        self.unjudged = Counter(
            "codesieve_samples_unjudged",
            "Samples that ended without a verdict, by reason.",
            ["reason"],
            registry=registry,
        )
        self.cache_hits = Counter(
            "codesieve_judge_cache_hits", "Verdicts taken from an equal program judged before.", registry=registry
        )
        self.program_seconds = Histogram(
            "codesieve_program_wall_seconds",
            "Wall time of a program in its cell.",
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.engines = EngineMetrics(registry)
        build = Gauge("codesieve_build_info", "Always 1; the version is the label.", ["version"], registry=registry)
        build.labels(version("codesieve")).set(1)

    def look(self) -> None:
        """Sets what is not counted but looked at, before the registry is read. So far every gauge sets itself."""

    def watch_pool(self, pool: str, waiting: Callable[[], int], restarts: Callable[[], int]) -> None:
        """Exposes a pool's queue and the workers it lost."""
        name = pool.replace("-", "_")
        Gauge(
            f"codesieve_{name}_waiting", f"Pieces of work that no {pool} worker has taken yet.", registry=self.registry
        ).set_function(waiting)
        Gauge(
            f"codesieve_{name}_worker_restarts", f"{pool} workers lost and replaced.", registry=self.registry
        ).set_function(restarts)

    def job_taken(self, state: JobState) -> None:
        """This front end runs a job now, which may have begun elsewhere."""
        if state is not JobState.PENDING:
            self.jobs.labels(state.value).inc()

    def job_left(self, state: JobState) -> None:
        """It goes on elsewhere."""
        if state is not JobState.PENDING:
            self.jobs.labels(state.value).dec()

    def job_moved(self, before: JobState, after: JobState) -> None:
        if before is not JobState.PENDING:
            self.jobs.labels(before.value).dec()
        if after.ended:
            self.jobs_ended.labels(after.value).inc()
        else:
            self.jobs.labels(after.value).inc()

    def sample_ended(self, outcome: Judgement | WorkFailed) -> None:
        if isinstance(outcome, Judgement):
            self.samples.labels(outcome.verdict.value).inc()
            if not outcome.cached:
                self.program_seconds.observe(outcome.wall_seconds)
        else:
            self.unjudged.labels(outcome.reason).inc()


class EngineMetrics:
    """What the engines count, by model and worker (its place in the model's pool).

    An engine that is replaced begins at zero; these go on from where they were, since what is added is what is new.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        where = ["model", "worker"]

        def counter(name: str, text: str) -> Counter:
            return Counter(f"codesieve_engine_{name}", text, where, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"codesieve_engine_{name}", text, where, registry=registry)

        self._counters = {
            "prompt_tokens": counter("prompt_tokens", "Prompt tokens of requests whose first token was sampled."),
            "generation_tokens": counter(
                "generation_tokens", "Tokens sampled, those of stop sequences and of samples given up included."
            ),
            "prefix_cache_queries": counter(
                "prefix_cache_queries", "Prompt tokens that were looked for in the prefix cache."
            ),
            "prefix_cache_hits": counter("prefix_cache_hits", "Prompt tokens that were found in the prefix cache."),
            "preemptions": counter("preemptions", "Times that a request lost its place and was computed anew."),
            "steps": counter("steps", "Passes through the model."),
            "first_tokens": counter("first_tokens", "Requests whose first token was sampled."),
            "queue_seconds": counter(
                "queue_seconds", "Time of these requests together until the engine's scheduler took them up."
            ),
            "first_token_seconds": counter(
                "first_token_seconds", "Time of these requests together until their first token."
            ),
            "idle_seconds": counter("idle_seconds", "Time in which the engine had nothing to do."),
        }
        self._finished = Counter(
            "codesieve_engine_requests_finished",
            "Requests that ended, by reason (stop, length, aborted, failed).",
            [*where, "reason"],
            registry=registry,
        )
        self._retries = Counter(
            "codesieve_engine_retries",
            "Calls to an endpoint that were made again, by reason (rate_limit, failure).",
            [*where, "reason"],
            registry=registry,
        )
        self._gauges = {
            "requests_running": gauge("requests_running", "Requests that the engine computes now."),
            "requests_waiting": gauge("requests_waiting", "Requests that wait inside the engine."),
            "kv_cache_usage_ratio": gauge(
                "kv_cache_usage_ratio", "Share of the key-value cache that requests in flight hold."
            ),
        }

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
