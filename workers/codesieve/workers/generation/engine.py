"""What an engine is: it turns one `GenerationRequest` into one completion.

The caller offers many requests at a time and the engine does its own batching. Every engine (vLLM, an OpenAI-compatible
endpoint, a replay of recorded samples) passes ``tests/integration/test_engine_conformance.py``.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from codesieve.workers.origin import EngineOrigin
from codesieve.workers.types import EngineStats, Generated, GenerationRequest, WeightsState


class Engine(Protocol):
    """Turns prompts into completions."""

    name: str
    """"vllm", "openai" or "replay"."""
    capacity: int
    """How many requests are worth having in flight."""

    async def start(self) -> str:
        """Gets ready, and says in one line what it runs. Raises `EngineUnavailable` or `ModelNotFound`."""

    async def generate(self, request: GenerationRequest) -> Generated:
        """Makes one sample. Cancelling the call frees the engine of it.

        Raises `EngineRequestRefused`, `EngineLost` once the engine has ended, or another `EngineError`.
        """

    async def stop(self) -> None:
        """Frees what the engine holds."""


class WeightCalls(Protocol):
    """What can be done to an engine's weights while it serves, between two of its steps. Options are plain data.

    Each call raises `EngineRequestRefused` for wrong options, for what the engine can't do and for calls out of order, and
    `EngineError` where the engine failed over it.
    """

    async def state(self, options: dict[str, object]) -> WeightsState:
        """What is there. No options."""

    async def init_weight_transfer(self, options: dict[str, object]) -> WeightsState:
        """Connects to the trainer. Options: ``init_info``, as vLLM's `WeightTransferInitRequest` has it."""

    async def start_weight_update(self, options: dict[str, object]) -> WeightsState:
        """Begins an update; nothing is sampled until it is finished. No options."""

    async def update_weights(self, options: dict[str, object]) -> WeightsState:
        """Receives a part of the weights. Options: ``update_info``, as vLLM's `WeightTransferUpdateRequest` has it."""

    async def finish_weight_update(self, options: dict[str, object]) -> WeightsState:
        """Ends an update. Options: ``version``, of the new weights."""

    async def load_weights(self, options: dict[str, object]) -> WeightsState:
        """Loads a checkpoint in place of the present weights. Options: ``directory``, ``version``."""

    async def pause(self, options: dict[str, object]) -> WeightsState:
        """Samples no more. Options: ``mode``, a `PauseMode`, for what is in flight."""

    async def resume(self, options: dict[str, object]) -> WeightsState:
        """Goes on. No options."""

    async def sleep(self, options: dict[str, object]) -> WeightsState:
        """Frees the GPU's memory. Options: ``level``, 1 or 2."""

    async def wake_up(self, options: dict[str, object]) -> WeightsState:
        """Takes it back. Options: ``tags``, of what; none for all."""

    async def load_adapter(self, options: dict[str, object]) -> WeightsState:
        """Loads a LoRA adapter. Options: ``adapter``, its name, and ``directory``."""

    async def unload_adapter(self, options: dict[str, object]) -> WeightsState:
        """Forgets one; requests that sample with it end with `AdapterNotLoaded`. Options: ``adapter``."""


@runtime_checkable
class TakesWeights(Protocol):
    """An engine whose weights can be replaced while it serves."""

    @property
    def weights(self) -> WeightCalls: ...


@runtime_checkable
class TellsWeightsDigest(Protocol):
    """An engine that loads its weights from files."""

    def weights_digest(self, version: str) -> str:
        """Of the checkpoint that the weights of this version were loaded from, as ``provenance.proto`` has it.

        Empty where it isn't known (yet), or where the engine has weights of another version. Never waits.
        """


@runtime_checkable
class HasOwnMetrics(Protocol):
    """An engine with metrics of its own in prometheus_client's default registry, named ``vllm:…``."""

    def keep_metrics(self) -> None:
        """Has them kept up from now on, because somebody reads them. Never waits."""


@runtime_checkable
class TellsStats(Protocol):
    """An engine that counts what it does. Every engine here is one."""

    def stats(self) -> EngineStats:
        """What it has counted by now. Never waits."""


@runtime_checkable
class TellsOrigin(Protocol):
    """An engine that says how it is set. Every engine here is one."""

    def origin(self) -> EngineOrigin:
        """What it is, once it was started."""
