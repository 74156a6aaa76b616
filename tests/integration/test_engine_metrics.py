"""What vLLM did, by what the engine counted: exact, with the small real model."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from codesieve.workers.generation import vllm_counts
from codesieve.workers.generation.choose import engine_for
from codesieve.workers.generation.tally import Tally
from codesieve.workers.generation.vllm import VllmEngine
from codesieve.workers.types import EngineStats, GenerationRequest, PauseMode

# Importing torch and vLLM warns of much that isn't ours to mend.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

PROMPT = "".join(f"def add_{i}(a: int, b: int) -> int:\n    return a + b + {i}\n\n\n" for i in range(12))
"""Longer than a block of the cache, which holds whole blocks only."""


TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def request(index: int, **changes: Any) -> GenerationRequest:
    made = GenerationRequest(f"w{index}", "P/0", PROMPT, 0.8, index, seed=index, max_tokens=24, stop=())
    return dataclasses.replace(made, **changes)


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    engine = engine_for("smollm2")
    assert isinstance(engine, VllmEngine)
    asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """vLLM's own outputs, as they pass."""
    passed: list[Any] = []
    count = vllm_counts.count_finished

    def seen(tally: Tally, output: Any) -> None:
        passed.append(output)
        count(tally, output)

    monkeypatch.setattr(vllm_counts, "count_finished", seen)
    return passed


async def once(engine: VllmEngine, holds: Callable[[EngineStats], bool]) -> EngineStats:
    """The first counts of which this holds."""
    async with asyncio.timeout(60):
        while not holds(stats := engine.stats()):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
    return stats


async def at_rest(engine: VllmEngine) -> EngineStats:
    """The counts once nothing is in flight: a sample is answered before its step is over."""
    return await once(engine, lambda stats: not stats.requests_running and not stats.requests_waiting)


async def test_the_counts_are_those_of_the_samples(engine: VllmEngine, outputs: list[Any]) -> None:
    before = await at_rest(engine)
    await engine.generate(request(0))
    # Some end at a stop sequence, whose tokens stand in no completion.
    made = await asyncio.gather(*(engine.generate(request(i, stop=("\n",) if i % 2 else ())) for i in range(1, 7)))
    now = await at_rest(engine)

    sampled = sum(len(output.outputs[0].token_ids) for output in outputs)
    assert len(outputs) == 7
    assert now.generation_tokens - before.generation_tokens == sampled
    assert sampled > 24 + sum(sample.token_count or 0 for sample in made)
    prompt = len(outputs[0].prompt_token_ids)
    assert now.prompt_tokens - before.prompt_tokens == 7 * prompt
    assert now.first_tokens - before.first_tokens == 7
    assert now.finished_stop - before.finished_stop == 3
    assert now.finished_length - before.finished_length == 4
    assert now.finished_failed == now.retries_failure == 0
    block = await engine._running().call(lambda llm: int(llm.vllm_config.cache_config.block_size))
    assert prompt > block
    assert now.prefix_cache_queries - before.prefix_cache_queries == 7 * prompt
    assert now.prefix_cache_hits - before.prefix_cache_hits == 6 * (prompt // block * block)
    assert 24 <= now.steps - before.steps <= sampled
    assert 0 <= now.queue_seconds - before.queue_seconds < now.first_token_seconds - before.first_token_seconds
    assert (now.requests_running, now.requests_waiting, now.kv_cache_usage_ratio) == (0, 0, 0.0)


async def test_what_runs_is_shown_and_what_is_given_up_is_counted(engine: VllmEngine) -> None:
    before = await at_rest(engine)
    waiting = [asyncio.create_task(engine.generate(request(i, max_tokens=1000))) for i in range(3)]
    shown = await once(engine, lambda stats: stats.requests_running == 3)
    assert 0 < shown.kv_cache_usage_ratio <= 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    now = await at_rest(engine)
    assert now.finished_aborted - before.finished_aborted == 3
    assert now.finished_length == before.finished_length
    assert now.generation_tokens - before.generation_tokens >= 3


async def test_preemptions_are_counted(engine: VllmEngine) -> None:
    before = await at_rest(engine)
    waiting = [asyncio.create_task(engine.generate(request(i, max_tokens=40))) for i in range(3)]
    await once(engine, lambda stats: stats.requests_running == 3)
    # As after a weight update: whoever runs loses its place and is computed anew.
    await engine._running().call(lambda llm: llm.reset_prefix_cache(reset_running_requests=True))
    await asyncio.gather(*waiting)
    now = await at_rest(engine)
    assert now.preemptions - before.preemptions == 3
    assert now.generation_tokens - before.generation_tokens == 3 * 40
    assert now.first_tokens - before.first_tokens == 3


async def test_the_step_of_a_traced_requests_first_token_is_told(engine: VllmEngine) -> None:
    thread = engine._running()
    await at_rest(engine)
    before = time.time_ns()
    made = await engine.generate(request(0, trace=TRACE))
    assert made.first_token_ns is not None
    assert before < made.first_token_ns < time.time_ns()

    def step() -> int:
        return round(engine.stats().steps)

    thread.first_tokens.now = step  # each step's number is its time
    try:
        before = round((await at_rest(engine)).steps)
        made = await engine.generate(request(0, trace=TRACE))
        assert (made.first_token_ns, made.token_count) == (before + 1, 24)
        assert (await at_rest(engine)).steps == before + 24
        assert (await engine.generate(request(1))).first_token_ns is None
        # One that is made from its beginning again has another one; one that is computed anew has the one it had.
        for again in (True, False):
            before = round((await at_rest(engine)).steps)
            going_on = asyncio.create_task(engine.generate(request(2, trace=TRACE, max_tokens=60)))
            given_up = asyncio.create_task(engine.generate(request(3, trace=TRACE, max_tokens=60)))
            await once(engine, lambda stats: stats.requests_running == 2)
            given_up.cancel()
            await engine.weights.pause({"mode": PauseMode.ABORT if again else PauseMode.KEEP})
            paused = step()
            await thread.call(lambda llm: llm.reset_prefix_cache(reset_running_requests=True))
            await engine.weights.resume({})
            first = (await going_on).first_token_ns
            assert first is not None
            assert before < first
            assert (first > paused) is again
        await at_rest(engine)
        assert (thread.first_tokens._awaited, thread.first_tokens._came) == (set(), {})
    finally:
        thread.first_tokens.now = time.time_ns


async def test_no_clock_is_read_while_nothing_is_traced(engine: VllmEngine) -> None:
    thread = engine._running()
    thread.first_tokens.now = lambda: pytest.fail("nobody asked")
    try:
        assert (await engine.generate(request(0))).first_token_ns is None
    finally:
        thread.first_tokens.now = time.time_ns


def vllms(name: str, **labels: str) -> float:
    """What vLLM's own series of this name, with these labels at least, say together."""
    samples = [one for family in REGISTRY.collect() for one in family.samples if one.name == f"vllm:{name}"]
    assert samples, name
    return sum(one.value for one in samples if labels.items() <= one.labels.items())


async def test_vllms_own_metrics_are_kept_once_somebody_reads_them(engine: VllmEngine) -> None:
    waiting = asyncio.create_task(engine.generate(request(0, max_tokens=60)))
    await once(engine, lambda stats: stats.requests_running == 1)
    assert vllms("generation_tokens_total") == 0  # whatever was done before
    engine.keep_metrics()
    await waiting
    before = await at_rest(engine)
    assert vllms("request_success_total") == 0  # when its first token came is not known
    tokens, queries = vllms("generation_tokens_total"), vllms("prefix_cache_queries_total")
    assert 0 < tokens < 60

    await asyncio.gather(*(engine.generate(request(i, stop=("\n",) if i % 2 else ())) for i in range(6)))
    now = await at_rest(engine)
    assert vllms("generation_tokens_total") - tokens == now.generation_tokens - before.generation_tokens
    assert vllms("prompt_tokens_total") == now.prompt_tokens - before.prompt_tokens
    assert vllms("prefix_cache_queries_total") - queries == now.prefix_cache_queries - before.prefix_cache_queries
    assert vllms("request_success_total", finished_reason="stop") == 3
    assert vllms("request_success_total", finished_reason="length") == 3
    assert vllms("request_generation_tokens_sum") == now.generation_tokens - before.generation_tokens
    for name in ("time_to_first_token_seconds", "e2e_request_latency_seconds", "request_decode_time_seconds"):
        assert vllms(f"{name}_count") == 6, name
        assert 0 < vllms(f"{name}_sum") < 600, name
    assert 0 <= vllms("request_queue_time_seconds_sum") < vllms("e2e_request_latency_seconds_sum")
    assert vllms("inter_token_latency_seconds_count") == 0  # what it costs is saved
    assert vllms("num_requests_running") == 0


async def test_what_vllms_logger_raises_costs_no_sample(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine.keep_metrics()
    own = engine._running().own
    monkeypatch.setattr(own, "_loggers", [None])
    assert (await engine.generate(request(0))).token_count == 24
    await at_rest(engine)
    (record,) = caplog.records  # said once
    assert "AttributeError at vllm_own.py" in record.error  # type: ignore[attr-defined]
    assert not own._kept


async def test_an_engine_without_work_is_idle(engine: VllmEngine) -> None:
    first = await at_rest(engine)
    later = await once(engine, lambda stats: stats.idle_seconds > first.idle_seconds + 0.05)
    assert later.steps == first.steps
    await engine.generate(request(0, max_tokens=8))
    assert engine.stats().steps == first.steps + 8
