"""What engines count as it is seen in the metrics, over workers that only count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from codesieve.server import engines
from codesieve.server.engines import EngineWatch
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.workers.errors import WorkerLost
from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.types import EngineStats


class Counting:
    """A worker that counts what it is told to."""

    def __init__(self, stats: EngineStats | Exception | None) -> None:
        self.says = stats

    async def stats(self) -> EngineStats | None:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Silent:
    """A worker that never answers."""

    async def stats(self) -> EngineStats | None:
        await asyncio.Event().wait()
        return None


class Seen:
    """A watch over places that a test fills, and what is in the registry."""

    def __init__(self, *places: Counting | Silent | None) -> None:
        self.registry = CollectorRegistry()
        self.places: list[Counting | Silent | None] = list(places)
        self.watch = EngineWatch("tiny", self._now, Metrics(self.registry).engines)

    def _now(self) -> Sequence[Counting | Silent | None]:
        return list(self.places)

    def value(self, name: str, worker: int = 0, **labels: str) -> float | None:
        where = {"model": "tiny", "worker": str(worker), **labels}
        return self.registry.get_sample_value(f"codesieve_engine_{name}", where)


async def test_each_count_is_in_its_metric() -> None:
    first = EngineStats(*range(10, 29))
    seen = Seen(Counting(first))
    await seen.watch.ask()
    assert seen.value("prompt_tokens_total") == first.prompt_tokens
    assert seen.value("generation_tokens_total") == first.generation_tokens
    assert seen.value("prefix_cache_queries_total") == first.prefix_cache_queries
    assert seen.value("prefix_cache_hits_total") == first.prefix_cache_hits
    assert seen.value("preemptions_total") == first.preemptions
    assert seen.value("steps_total") == first.steps
    assert seen.value("first_tokens_total") == first.first_tokens
    assert seen.value("queue_seconds_total") == first.queue_seconds
    assert seen.value("first_token_seconds_total") == first.first_token_seconds
    assert seen.value("idle_seconds_total") == first.idle_seconds
    assert seen.value("requests_finished_total", reason="stop") == first.finished_stop
    assert seen.value("requests_finished_total", reason="length") == first.finished_length
    assert seen.value("requests_finished_total", reason="aborted") == first.finished_aborted
    assert seen.value("requests_finished_total", reason="failed") == first.finished_failed
    assert seen.value("retries_total", reason="rate_limit") == first.retries_rate_limit
    assert seen.value("retries_total", reason="failure") == first.retries_failure
    assert seen.value("requests_running") == first.requests_running
    assert seen.value("requests_waiting") == first.requests_waiting
    assert seen.value("kv_cache_usage_ratio") == first.kv_cache_usage_ratio


async def test_counters_go_on_where_they_were_when_a_worker_is_replaced() -> None:
    worker = Counting(EngineStats(generation_tokens=100, requests_running=4))
    seen = Seen(worker)
    await seen.watch.ask()
    worker.says = EngineStats(generation_tokens=130, requests_running=5)
    await seen.watch.ask()
    assert (seen.value("generation_tokens_total"), seen.value("requests_running")) == (130, 5)
    seen.places = [None]
    await seen.watch.ask()
    assert (seen.value("generation_tokens_total"), seen.value("requests_running")) == (130, 0)
    # The new one has counted more already than the old one had: it is told apart by who it is.
    seen.places = [Counting(EngineStats(generation_tokens=200, requests_running=1))]
    await seen.watch.ask()
    assert (seen.value("generation_tokens_total"), seen.value("requests_running")) == (330, 1)


async def test_workers_are_told_apart_by_their_places() -> None:
    seen = Seen(Counting(EngineStats(steps=1)), Counting(EngineStats(steps=2)))
    await seen.watch.ask()
    assert [seen.value("steps_total", place) for place in (0, 1, 2)] == [1, 2, None]


async def test_a_worker_that_does_not_answer_keeps_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "ANSWER_SECONDS", 0.05)
    lost, broken = Counting(WorkerLost("gone")), Counting(RuntimeError("a defect"))
    seen = Seen(Silent(), lost, broken, Counting(None), Counting(EngineStats(steps=7)))
    await seen.watch.ask()
    assert [seen.value("steps_total", place) for place in range(5)] == [None, None, None, None, 7]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "RuntimeError at test_engines.py" in vars(caplog.records[0])["error"]
    lost.says = EngineStats(steps=3)
    await seen.watch.ask()
    assert seen.value("steps_total", 1) == 3


async def test_a_loaded_model_is_watched_until_the_models_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ASK_EVERY_SECONDS", 0.01)
    (tmp_path / "s.jsonl").write_text('{"task_id": "P/0", "completion": "a"}\n')
    registry = CollectorRegistry()
    before = asyncio.all_tasks()
    models = ModelRegistry(
        lambda name, source: Pool(name, lambda: GenerationWorker(source), 2), Metrics(registry).engines
    )
    await models.load(f"replay:{tmp_path}/s.jsonl")
    where = 'codesieve_engine_idle_seconds_total{model="replay-s",worker="1"}'
    async with asyncio.timeout(30):
        while where not in generate_latest(registry).decode():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
    await models.stop()
    assert asyncio.all_tasks() == before
