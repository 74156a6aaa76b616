"""The generation worker over a replay: work in, results out, and nothing lost."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from codesieve.workers.errors import EngineError, EngineRequestRefused, ModelNotFound
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
