"""The generation worker: an engine behind the `Worker` protocol.

It is made from a source's name alone and builds its engine in `start`, so that it can be sent to another process first.
Once its engine is lost it gives what was finished and then fails, so that its pool starts another in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from codesieve.workers import catalogue
from codesieve.workers.errors import EngineError, EngineLost, EngineRequestRefused, WeightsVersionChanged
from codesieve.workers.generation.choose import engine_for
from codesieve.workers.generation.engine import (
    Engine,
    HasOwnMetrics,
    TakesWeights,
    TellsOrigin,
    TellsStats,
    TellsWeightsDigest,
    WeightCalls,
)
from codesieve.workers.origin import EngineOrigin
from codesieve.workers.types import EngineStats, Generated, GenerationRequest, WeightsState, WorkerInfo, WorkFailed
from codesieve.workers.worker import TaskWorker

if TYPE_CHECKING:
    from codesieve.workers.tracing import Tracing

WEIGHT_CALLS = tuple(name for name in vars(WeightCalls) if not name.startswith("_"))


class GenerationWorker:
    """A `Worker` of `GenerationRequest` and `Generated`. How much is in flight at a time is the caller's to bound."""

    def __init__(
        self, source: str, tensor_parallel: int = 1, lora_rank: int = 0, tracing: Tracing | None = None
    ) -> None:
        """`source` is of one of the forms of `choose`.

        vLLM splits a model over `tensor_parallel` devices, and takes adapters of up to `lora_rank`; 0 for none. `tracing`
        makes spans; None for none.
        """
        self._source = source
        self._tensor_parallel = tensor_parallel
        self._lora_rank = lora_rank
        self._tracing = tracing
        self._engine: Engine | None = None
        self._tasks: TaskWorker[GenerationRequest, Generated] | None = None
        self._lost: EngineLost | None = None

    async def start(self) -> WorkerInfo:
        """Builds and starts the engine. Raises `ModelNotFound` or `EngineUnavailable`."""
        engine = engine_for(self._source, self._tensor_parallel, self._lora_rank)
        detail = await engine.start()
        do = self._generate if self._tracing is None else self._tracing.traced("engine", self._generate)
        self._engine, self._tasks = engine, TaskWorker(do)
        origin = engine.origin() if isinstance(engine, TellsOrigin) else EngineOrigin()
        return WorkerInfo(kind=engine.name, capacity=engine.capacity, detail=detail, origin=origin)

    async def submit(self, work: Sequence[GenerationRequest]) -> None:
        """Takes requests; each is answered once by `collect`."""
        await self._started().submit(work)

    async def cancel(self, work_ids: Sequence[str]) -> None:
        """Stops requests that aren't finished, and frees the engine of them."""
        await self._started().cancel(work_ids)

    async def collect(self, max_wait_seconds: float) -> Sequence[Generated | WorkFailed]:
        """What has finished since the last call; waits up to `max_wait_seconds` for the first of it.

        Raises `EngineLost` once the engine has ended and what it had finished is told.
        """
        finished = await self._started().collect(0.0 if self._lost else max_wait_seconds)
        if self._lost is None:
            return finished
        made = [result for result in finished if isinstance(result, Generated)]
        if not made:
            raise self._lost
        return made

    async def weights(self, call: str, options: dict[str, object]) -> WeightsState:
        """Hands one of `WEIGHT_CALLS` through to the engine; what it has then.

        Raises `EngineRequestRefused` where the engine takes no weights or the options are wrong, `EngineError` where
        the engine failed.
        """
        if self._engine is None:
            raise EngineError("the generation worker is not started")
        if call not in WEIGHT_CALLS:
            raise EngineRequestRefused(f"{call!r} is none of {', '.join(WEIGHT_CALLS)}")
        if not isinstance(self._engine, TakesWeights):
            raise EngineRequestRefused(f"the {self._engine.name} engine takes no weight updates")
        state: WeightsState = await getattr(self._engine.weights, call)(options)
        return state

    async def weights_digest(self, version: str) -> str:
        """Of the checkpoint that the weights of this version were loaded from; empty where that isn't known, or not yet."""
        if self._engine is None:
            raise EngineError("the generation worker is not started")
        return self._engine.weights_digest(version) if isinstance(self._engine, TellsWeightsDigest) else ""

    async def stats(self) -> EngineStats | None:
        """What the engine has counted since it was started; None of an engine that doesn't count."""
        if self._engine is None:
            raise EngineError("the generation worker is not started")
        return self._engine.stats() if isinstance(self._engine, TellsStats) else None

    async def metrics(self) -> bytes:
        """What this process tells Prometheus, in the text exposition; the engine's counts are `stats`."""
        if self._engine is None:
            raise EngineError("the generation worker is not started")
        if isinstance(self._engine, HasOwnMetrics):
            self._engine.keep_metrics()
        return await asyncio.to_thread(_exposition)

    async def stop(self) -> None:
        """Cancels what is in flight and stops the engine."""
        if self._tasks is not None:
            await self._tasks.stop_tasks()
            self._tasks = None
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.stop()
        if self._tracing is not None:
            await self._tracing.stop()

    async def _generate(self, request: GenerationRequest) -> Generated:
        if self._engine is None:
            raise EngineError("the generation worker is not started")
        try:
            made = await self._engine.generate(request)
        except EngineLost as error:
            self._lost = error
            raise
        if request.weights_version and made.weights_version != request.weights_version:
            raise WeightsVersionChanged(
                f"it was made with the weights {made.weights_version or 'of no version'}, not {request.weights_version}"
            )
        return made

    def _started(self) -> TaskWorker[GenerationRequest, Generated]:
        if self._tasks is None:
            raise EngineError("the generation worker is not started")
        return self._tasks


def _exposition() -> bytes:
    # Made anew each time: nothing of it is counted here.
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    catalogue.BUILD_INFO.on(registry).labels("generation", version("codesieve")).set(1)
    registry.register(_EnginesOwn())
    return generate_latest(registry)


class _EnginesOwn(Collector):
    """What an engine in this process keeps in the default registry. What else is there is told by the worker's own."""

    def collect(self) -> Iterator[Metric]:
        return (family for family in REGISTRY.collect() if family.name.startswith("vllm:"))
