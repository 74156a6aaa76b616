"""Every metric of the front end, by name, in one place. Units are in the names and label sets are bounded.

The registry is passed in: nothing is registered at import, and tests have one each.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from codesieve.server.jobs.model import JobState
from codesieve.workers.types import Judgement, WorkFailed

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What the front end counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
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
        build = Gauge("codesieve_build_info", "Always 1; the version is the label.", ["version"], registry=registry)
        build.labels(version("codesieve")).set(1)

    def watch_pool(self, pool: str, waiting: Callable[[], int], restarts: Callable[[], int]) -> None:
        """Exposes a pool's queue and the workers it lost."""
        name = pool.replace("-", "_")
        Gauge(
            f"codesieve_{name}_waiting", f"Pieces of work that no {pool} worker has taken yet.", registry=self._registry
        ).set_function(waiting)
        Gauge(
            f"codesieve_{name}_worker_restarts", f"{pool} workers lost and replaced.", registry=self._registry
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
