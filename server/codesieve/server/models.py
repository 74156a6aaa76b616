"""The models a server samples from: each has a pool of generation workers of its own.

A model is loaded when the server starts (`--model`) or by LoadModel, and stays until the server stops.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import cast

from codesieve.server.engines import EngineWatch, TellsStats
from codesieve.server.errors import NotFound, PreconditionFailed
from codesieve.server.metrics import EngineMetrics
from codesieve.server.pools import Pool
from codesieve.server.weights import TakesWeightCalls, Weights, as_service_error
from codesieve.workers.errors import AdapterNotLoaded, WeightsVersionChanged, WorkerError
from codesieve.workers.generation.choose import engine_name, model_id
from codesieve.workers.types import Generated, GenerationRequest

GenerationPool = Pool[GenerationRequest, Generated]

MAX_FAILED = 16
"""Models that couldn't be loaded and are listed still."""


class ModelState(enum.StrEnum):
    """Where a model is on its way."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"
    PAUSED = "PAUSED"
    """Requests wait: for the end of a pause, or for weights that are whole."""
    ASLEEP = "ASLEEP"
    """Requests wait to be woken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A model as ModelService shows it."""

    model_id: str
    source: str
    engine: str
    state: ModelState
    workers: int
    weights_version: str = ""
    """Of the weights that the workers have; those of all where they have different ones, with commas."""
    adapters: tuple[tuple[str, str], ...] = ()
    """The LoRA adapters' names, and where each was loaded from."""


class ModelRegistry:
    """The models by their ids."""

    def __init__(
        self, make_pool: Callable[[str, str], GenerationPool], engine_metrics: EngineMetrics | None = None
    ) -> None:
        """`engine_metrics` are kept up with what the engines count, while their models are loaded."""
        self._make_pool = make_pool
        self._engine_metrics = engine_metrics
        self._watching: list[asyncio.Task[None]] = []
        self._models: dict[str, Model] = {}
        self._pools: dict[str, GenerationPool] = {}
        self._weights: dict[str, Weights] = {}
        self._loading = asyncio.Lock()

    def list(self) -> Sequence[Model]:
        """All there are, in the order in which they were loaded."""
        return tuple(self._shown(model) for model in self._models.values())

    def ready(self) -> Sequence[Model]:
        """Those that can be sampled from, though requests may have to wait."""
        return tuple(model for model in self._models.values() if model.state is ModelState.READY)

    def default(self) -> str:
        """The only model's id. Raises `PreconditionFailed` where there is none, or more than one."""
        ready = [model.model_id for model in self.ready()]
        if len(ready) == 1:
            return ready[0]
        if not ready:
            raise PreconditionFailed(
                "this server has no model; start it with --model, or call LoadModel", reason="NO_MODEL"
            )
        raise PreconditionFailed(f"generation.model must be one of {', '.join(ready)}", reason="MODEL_NOT_CHOSEN")

    def pool(self, model: str) -> GenerationPool:
        """A model's workers. Raises `PreconditionFailed` where it isn't loaded."""
        pool = self._pools.get(model)
        if pool is None:
            there = ", ".join(self._pools) or "none"
            raise PreconditionFailed(f"this server has no model {model!r}; loaded: {there}", reason="MODEL_NOT_LOADED")
        return pool

    def pools(self) -> Sequence[GenerationPool]:
        """The workers of each model that is loaded."""
        return tuple(self._pools.values())

    async def load(self, source: str) -> Model:
        """Loads a model and waits until it is ready; one that is loaded from this source is returned as it is."""
        async with self._loading:
            try:
                name = model_id(source)
            except WorkerError as error:
                raise as_service_error(error) from error
            existing = self._models.get(name)
            if existing is not None and existing.state is ModelState.READY:
                if existing.source != source:
                    raise PreconditionFailed(
                        f"models/{name} is loaded from {existing.source}, not from {source}", reason="MODEL_ID_TAKEN"
                    )
                return self._shown(existing)
            pool = self._make_pool(name, source)
            model = Model(name, source, engine_name(source), ModelState.LOADING, pool.size)
            weights = self._weights[name] = Weights()
            if model.engine == "vllm":  # the others' can't be changed
                pool.prepare = lambda worker: weights.prepare(cast(TakesWeightCalls, worker))
            self._models[name] = model
            try:
                await pool.start()
            except BaseException as error:
                self._models[name] = dataclasses.replace(model, state=ModelState.FAILED)
                self._forget_failed()
                if isinstance(error, WorkerError):
                    raise as_service_error(error) from error
                raise
            self._pools[name] = pool
            self._watch(name, pool)
            self._models[name] = dataclasses.replace(model, state=ModelState.READY)
            return self.get(name)

    def weights(self, model: str) -> tuple[Weights, GenerationPool]:
        """A model's weights, and its workers. Raises `NotFound`, or `PreconditionFailed` before it is loaded."""
        if model not in self._models:
            raise NotFound(f"there is no model {model[:80]}", reason="MODEL_NOT_FOUND")
        return self._weights[model], self.pool(model)

    def get(self, model: str) -> Model:
        """A model as it is now. Raises `NotFound`."""
        if model not in self._models:
            raise NotFound(f"there is no model {model[:80]}", reason="MODEL_NOT_FOUND")
        return self._shown(self._models[model])

    def check(self, model: str, weights_version: str, adapter: str) -> None:
        """Raises `PreconditionFailed` where a model can't be sampled from with these; "" demands nothing."""
        self.pool(model)
        there = self.get(model)
        if weights_version and not there.weights_version:
            raise PreconditionFailed(
                f"models/{model} can't be asked for a version of its weights: the {there.engine} engine tells none",
                reason="NO_WEIGHTS_VERSION",
            )
        if weights_version and there.weights_version != weights_version:
            raise PreconditionFailed(
                f"models/{model} has the weights {there.weights_version} now, not {weights_version}",
                reason=WeightsVersionChanged.reason,
            )
        if adapter and adapter not in dict(there.adapters):
            loaded = ", ".join(dict(there.adapters)) or "none"
            raise PreconditionFailed(
                f"models/{model} has no adapter {adapter}; loaded: {loaded}", reason=AdapterNotLoaded.reason
            )

    def _shown(self, model: Model) -> Model:
        """A model with what its workers have."""
        pool = self._pools.get(model.model_id)
        if pool is None or model.engine != "vllm":
            return model
        weights = self._weights[model.model_id]
        state = model.state
        if weights.asleep:
            state = ModelState.ASLEEP
        elif weights.paused or not weights.whole(pool):
            state = ModelState.PAUSED
        return dataclasses.replace(model, state=state, weights_version=weights.version(pool), adapters=weights.adapters)

    def _watch(self, name: str, pool: GenerationPool) -> None:
        if self._engine_metrics is not None:
            watch = EngineWatch(name, lambda: cast("Sequence[TellsStats | None]", pool.places), self._engine_metrics)
            self._watching.append(asyncio.create_task(watch.run()))

    def _forget_failed(self) -> None:
        failed = [name for name, model in self._models.items() if model.state is ModelState.FAILED]
        for name in failed[:-MAX_FAILED]:
            del self._models[name], self._weights[name]

    async def stop(self) -> None:
        """Stops every model's workers."""
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))
