"""Weights that move under jobs: a real front end, with vLLM on the small real model behind it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.asking import PROMPT
from tests.checkpoints import make_adapter, make_checkpoint
from tests.house import FunctionWorker, judge_by_text

from codesieve.client import (
    AsyncClient,
    FunctionTests,
    Generation,
    JobFailed,
    ModelState,
    PauseMode,
    PreconditionFailed,
    Problem,
)
from codesieve.server.door import OpenDoor
from codesieve.server.factories import generation_worker
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import GenerationPool, ModelRegistry
from codesieve.server.pools import Pool
from codesieve.workers.errors import EngineError
from codesieve.workers.generation import models
from codesieve.workers.types import Judgement, Program

# Importing torch and vLLM warns of much that isn't ours to mend.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

RANK = 4
DOUBLE = Problem("add", PROMPT, FunctionTests("def check(candidate):\n    assert candidate(1, 2) == 3\n"), "add")


@asynccontextmanager
async def a_front_end(lora_rank: int) -> AsyncIterator[tuple[AsyncClient, ModelRegistry]]:
    """One worker with vLLM in this process, which samples of the first weights; judged by a rule."""
    judge: Pool[Program, Judgement] = Pool("sandbox", lambda: FunctionWorker(judge_by_text), 1)

    def make_pool(name: str, source: str) -> GenerationPool:
        return Pool("generation", lambda: generation_worker(source, lora_rank=lora_rank), 1)

    registry = ModelRegistry(make_pool)
    await judge.start()
    front = FrontEnd(judge, "local", registry, Metrics(CollectorRegistry()), MemoryStore(), OpenDoor())
    port = await front.start("127.0.0.1:0")
    try:
        await registry.load("smollm2")
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            yield client, registry
    finally:
        await front.stop(0, asyncio.Event())
        await registry.stop()
        await judge.stop()


async def test_jobs_over_weights_that_move_and_a_worker_that_is_lost(tmp_path: Path) -> None:
    other, adapter = tmp_path / "other", tmp_path / "adapter"
    other.mkdir()
    adapter.mkdir()
    make_checkpoint(models.resolve("smollm2"), other)
    make_adapter(models.resolve("smollm2"), adapter, RANK)
    asked = Generation(samples_per_problem=2, max_tokens=16, temperatures=(0.0,))
    async with a_front_end(RANK) as (client, registry):
        (model,) = await client.models.list()
        assert (model.model_id, model.weights_version, model.state) == ("smollm2", "0", ModelState.READY)
        before = await client.run([DOUBLE], asked)
        assert {sample.weights_version for sample in before.samples} == {"0"}

        model = await client.models.load_weights("smollm2", str(other), version="step-1")
        assert model.weights_version == "step-1"
        with pytest.raises(PreconditionFailed, match="models/smollm2 has the weights step-1 now, not 0"):
            await client.run([DOUBLE], dataclasses.replace(asked, weights_version="0"))
        changed = await client.run([DOUBLE], dataclasses.replace(asked, weights_version="step-1"))
        assert {sample.weights_version for sample in changed.samples} == {"step-1"}
        assert changed.samples[0].completion != before.samples[0].completion
        with pytest.raises(PreconditionFailed, match="can't sleep on this machine"):
            await client.models.sleep("smollm2")
        with pytest.raises(PreconditionFailed, match="on a GPU only"):
            await client.models.init_weight_transfer("smollm2", {})

        with pytest.raises(PreconditionFailed, match="models/smollm2 has no adapter policy; loaded: none"):
            await client.run([DOUBLE], dataclasses.replace(asked, adapter="policy"))
        model = await client.models.load_adapter("smollm2", "policy", str(adapter))
        assert model.adapters == (("policy", str(adapter)),)
        adapted = await client.run([DOUBLE], dataclasses.replace(asked, adapter="policy"))
        assert {(one.adapter, one.weights_version) for one in adapted.samples} == {("policy", "step-1")}
        assert adapted.samples[0].cumulative_logprob != pytest.approx(changed.samples[0].cumulative_logprob, abs=0.5)

        # Its worker is lost over a pause. The one in its place is paused too, and has the same weights and adapter.
        model = await client.models.pause("smollm2", PauseMode.ABORT)
        assert model.state is ModelState.PAUSED
        both = await asyncio.gather(
            client.jobs.create([DOUBLE], dataclasses.replace(asked, weights_version="step-1")),
            client.jobs.create([DOUBLE], dataclasses.replace(asked, adapter="policy", weights_version="step-1")),
        )
        pool = registry.pool("smollm2")
        worker: Any = pool.workers[0]
        await _break(worker)
        while pool.workers in ([worker], []):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.1)
        (model,) = await client.models.list()
        assert (model.state, model.weights_version) == (ModelState.PAUSED, "step-1")
        assert [(await client.jobs.get(job)).progress.generated for job in both] == [0, 0]  # type: ignore[union-attr]
        await client.models.resume("smollm2")
        plain_again, adapted_again = [await client.result(job) for job in both]
        assert [one.completion for one in plain_again.samples] == [one.completion for one in changed.samples]
        assert [one.completion for one in adapted_again.samples] == [one.completion for one in adapted.samples]

        # An adapter that is unloaded under a job, and weights that change under one that demands others.
        await client.models.pause("smollm2")
        waiting = await client.jobs.create([DOUBLE], dataclasses.replace(asked, weights_version="step-1"))
        await client.models.load_weights("smollm2", str(other))
        await client.models.resume("smollm2")
        with pytest.raises(JobFailed) as failed:
            await client.result(waiting)
        assert failed.value.result is not None
        assert {why.reason for _, why in failed.value.result.unmade} == {"WEIGHTS_VERSION_CHANGED"}
        (model,) = await client.models.list()
        assert model.weights_version == "2", "counted: the second that came"


async def _break(worker: Any) -> None:
    """Ends a worker's engine as a dead core does, the next time it is given something to do."""

    def broken(llm: Any) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        raise EngineDeadError

    with pytest.raises(EngineError):
        await worker._engine._running().call(broken)
