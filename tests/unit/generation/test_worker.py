"""The generation worker over a replay: work in, results out, and nothing lost."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter

from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.workers.errors import EngineError, EngineLost, EngineRequestRefused, ModelNotFound
from codesieve.workers.generation.worker import WEIGHT_CALLS, GenerationWorker
from codesieve.workers.types import Generated, GenerationRequest, WorkFailed


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "s.jsonl"
    path.write_text('{"task_id": "P/0", "completion": "a"}\n{"task_id": "P/0", "completion": "b"}\n')
    return f"replay:{path}"


def _request(index: int) -> GenerationRequest:
    return GenerationRequest(f"w{index}", "P/0", "def f():\n", 0.8, index, seed=index)


async def test_every_request_is_answered_once(source: str) -> None:
    worker = pickle.loads(pickle.dumps(GenerationWorker(source)))
    info = await worker.start()
    assert (info.kind, info.capacity > 0) == ("replay", True)
    await worker.submit([_request(0), _request(1), _request(2)])
    answers: dict[str, Generated | WorkFailed] = {}
    while len(answers) < 3:
        answers.update({answer.work_id: answer for answer in await worker.collect(5)})
    await worker.stop()
    assert [answers["w0"], answers["w1"]] == [Generated("w0", b"a"), Generated("w1", b"b")]
    refused = answers["w2"]
    assert isinstance(refused, WorkFailed)
    assert (refused.reason, refused.retryable) == ("ENGINE_REQUEST_REFUSED", False)


async def test_weights_are_refused_where_the_engine_takes_none(source: str) -> None:
    worker = GenerationWorker(source)
    await worker.start()
    for call in WEIGHT_CALLS:
        with pytest.raises(EngineRequestRefused, match="replay engine takes no weight updates"):
            await worker.weights(call, {})
    with pytest.raises(EngineRequestRefused, match="'stop' is none of"):
        await worker.weights("stop", {})
    await worker.stop()


async def test_a_worker_tells_what_its_engine_counted(source: str) -> None:
    worker = GenerationWorker(source)
    with pytest.raises(EngineError, match="not started"):
        await worker.stats()
    await worker.start()
    await worker.submit([_request(0), _request(1), _request(2)])
    left = 3
    while left:
        left -= len(await worker.collect(5))
    stats = await worker.stats()
    await worker.stop()
    assert stats is not None
    assert (stats.finished_stop, stats.finished_failed, stats.requests_running) == (2, 1, 0)
    assert stats.idle_seconds > 0


async def test_a_worker_whose_engine_loads_no_files_tells_no_digest_of_its_weights(source: str) -> None:
    worker = GenerationWorker(source)
    with pytest.raises(EngineError, match="not started"):
        await worker.weights_digest("0")
    await worker.start()
    assert await worker.weights_digest("0") == ""
    await worker.stop()


async def test_a_worker_that_is_not_started_says_so(source: str) -> None:
    worker = GenerationWorker(source)
    with pytest.raises(EngineError, match="not started"):
        await worker.submit([_request(0)])
    with pytest.raises(EngineError, match="not started"):
        await worker.weights(WEIGHT_CALLS[0], {})
    await worker.stop()


async def test_nothing_to_load_is_said_at_start() -> None:
    with pytest.raises(ModelNotFound):
        await GenerationWorker("gpt-17").start()


async def test_a_sample_of_weights_that_were_not_demanded_is_none(source: str) -> None:
    """Here of an engine that tells no version at all."""
    worker = GenerationWorker(source)
    await worker.start()
    await worker.submit([dataclasses.replace(_request(0), weights_version="3"), _request(1)])
    answers: dict[str, Generated | WorkFailed] = {}
    while len(answers) < 2:
        answers.update({answer.work_id: answer for answer in await worker.collect(5)})
    await worker.stop()
    refused = answers["w0"]
    assert isinstance(refused, WorkFailed)
    assert (refused.reason, refused.retryable) == ("WEIGHTS_VERSION_CHANGED", True), "another worker may have them"
    assert answers["w1"] == Generated("w1", b"b")


class MortalEngine:
    """Makes two samples, and is lost over the third and all that follow."""

    name = "mortal"
    capacity = 4

    def __init__(self, made: list[str]) -> None:
        self._made = made
        self._left = 2

    async def start(self) -> str:
        return ""

    async def generate(self, request: GenerationRequest) -> Generated:
        if self._left == 0:
            raise EngineLost("the core died")
        self._left -= 1
        self._made.append(request.work_id)
        return Generated(request.work_id, b"x")

    async def stop(self) -> None:
        pass


async def test_a_lost_engine_is_replaced_and_only_what_it_left_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr("codesieve.workers.generation.worker.engine_for", lambda *source: MortalEngine(made))
    monkeypatch.setattr("codesieve.server.members.FIRST_PAUSE_SECONDS", 0.01)
    pool: Pool[GenerationRequest, Generated] = Pool("generation", lambda: GenerationWorker("mortal"), 1)
    await pool.start()
    try:
        answers = await asyncio.gather(*(pool.run(_request(i), Share("caller", "flow")) for i in range(4)))
    finally:
        await pool.stop()
    assert answers == [Generated(f"w{i}", b"x") for i in range(4)]
    assert sorted(made) == ["w0", "w1", "w2", "w3"]
    assert pool.restarts >= 1


async def test_a_worker_tells_prometheus_of_itself_and_what_its_engine_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Counter("vllm:tests_of_ours", "As vLLM names and registers its own.", registry=REGISTRY)
    other = Counter("not_vllms", "Another's, in the same registry.", registry=REGISTRY)

    class Keeping(MortalEngine):
        def keep_metrics(self) -> None:
            kept.inc()

    monkeypatch.setattr("codesieve.workers.generation.worker.engine_for", lambda *source: Keeping([]))
    try:
        worker = GenerationWorker("keeping")
        await worker.start()
        text = (await worker.metrics()).decode()
        await worker.stop()
    finally:
        REGISTRY.unregister(kept)
        REGISTRY.unregister(other)
    assert re.search(r'^codesieve_build_info\{component="generation",version=".+"\} 1.0$', text, re.MULTILINE)
    assert "\nvllm:tests_of_ours_total 1.0\n" in text
    assert "not_vllms" not in text
    assert text.count("\nprocess_resident_memory_bytes ") == 1  # the default registry has one as well
