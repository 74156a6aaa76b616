"""PromQL written with the catalogue: a name or a label that doesn't exist is an error here, not an empty graph.

What isn't codesieve's own (Prometheus' ``up``, Python's ``process_*``, vLLM's, Ray's) is named once, at the end.
"""

from __future__ import annotations

import dataclasses
import re

from codesieve.workers.catalogue import CounterOf, GaugeOf, HistogramOf

INTERVAL = "$__rate_interval"
"""Grafana's own: long enough for a rate, at the graph's step."""
TARGET_LABELS = ("instance", "job", "component", "pool", "worker")
"""What a series has from its target, by the front end's /targets."""


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """A metric that others define."""

    name: str
    labels: tuple[str, ...] = ()


Metric = CounterOf | GaugeOf | HistogramOf | Foreign


def select(metric: Metric, *matchers: str, ending: str = "") -> str:
    """The series of a metric that all the matchers fit, as ``state="running"``."""
    for matcher in matchers:
        known(metric, re.split(r"[=!]", matcher, maxsplit=1)[0])
    inside = ",".join(matchers)
    return f"{metric.name}{ending}{{{inside}}}" if inside else metric.name + ending


def total(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """A gauge's sum."""
    return f"sum{_by(metric, by)} ({select(metric, *matchers)})"


def highest(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """A gauge's highest."""
    return f"max{_by(metric, by)} ({select(metric, *matchers)})"


def per_second(
    metric: CounterOf | HistogramOf | Foreign, *matchers: str, by: tuple[str, ...] = (), over: str = INTERVAL
) -> str:
    """How fast a counter grows, or how many a histogram observes in a second."""
    ending = "_count" if isinstance(metric, HistogramOf) else ""
    return f"sum{_by(metric, by)} (rate({select(metric, *matchers, ending=ending)}[{over}]))"


def increase(metric: CounterOf, *matchers: str, by: tuple[str, ...] = (), over: str = INTERVAL) -> str:
    """By how much a counter grew."""
    return f"sum{_by(metric, by)} (increase({select(metric, *matchers)}[{over}]))"


def quantile(
    q: float, metric: HistogramOf | Foreign, *matchers: str, by: tuple[str, ...] = (), over: str = INTERVAL
) -> str:
    """The value that a share `q` of the observations stays below."""
    buckets = f"rate({select(metric, *matchers, ending='_bucket')}[{over}])"
    return f"histogram_quantile({q:g}, sum{_by(metric, ('le', *by))} ({buckets}))"


def mean(metric: HistogramOf, *matchers: str, by: tuple[str, ...] = (), over: str = INTERVAL) -> str:
    """The observations' mean."""
    summed = f"sum{_by(metric, by)} (rate({select(metric, *matchers, ending='_sum')}[{over}]))"
    return f"{summed} / {per_second(metric, *matchers, by=by, over=over)}"


def known(metric: Metric, label: str) -> None:
    """Raises ValueError unless the metric's series have this label."""
    if label not in (*metric.labels, *TARGET_LABELS, "le"):
        raise ValueError(f"{metric.name} has no label {label}; it has {', '.join(metric.labels) or 'none of its own'}")


def _by(metric: Metric, labels: tuple[str, ...]) -> str:
    for label in labels:
        known(metric, label)
    return f" by ({', '.join(labels)})" if labels else ""


UP = Foreign("up")
"""1 for a target that Prometheus could scrape, else 0."""
ALERTS = Foreign("ALERTS", ("alertname", "alertstate", "severity"))
MEMORY = Foreign("process_resident_memory_bytes")
CPU = Foreign("process_cpu_seconds_total")
OPEN_FILES = Foreign("process_open_fds")
MOST_FILES = Foreign("process_max_fds")
VLLM_CACHE = Foreign("vllm:cache_config_info", ("engine", "block_size", "num_gpu_blocks", "cache_dtype"))
VLLM_RUNNING = Foreign("vllm:num_requests_running")
VLLM_WAITING = Foreign("vllm:num_requests_waiting")
VLLM_ENDED = Foreign("vllm:request_success_total", ("finished_reason",))
VLLM_FIRST_TOKEN = Foreign("vllm:time_to_first_token_seconds")
VLLM_TOKEN = Foreign("vllm:request_time_per_output_token_seconds")
VLLM_REQUEST = Foreign("vllm:e2e_request_latency_seconds")
VLLM_QUEUED = Foreign("vllm:request_queue_time_seconds")
VLLM = (
    *(VLLM_CACHE, VLLM_RUNNING, VLLM_WAITING, VLLM_ENDED),
    *(VLLM_FIRST_TOKEN, VLLM_TOKEN, VLLM_REQUEST, VLLM_QUEUED),
)
RAY_MEMORY_USED = Foreign("ray_node_mem_used", ("SessionName", "ip"))
RAY_MEMORY = Foreign("ray_node_mem_total", ("SessionName", "ip"))
RAY_DISK = Foreign("ray_node_disk_utilization_percentage", ("SessionName", "ip"))
RAY = (RAY_MEMORY_USED, RAY_MEMORY, RAY_DISK)
FOREIGN = (UP, ALERTS, MEMORY, CPU, OPEN_FILES, MOST_FILES, *VLLM, *RAY)
