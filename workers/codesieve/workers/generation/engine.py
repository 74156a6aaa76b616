"""What an engine is: it turns one `GenerationRequest` into one completion.

The caller offers many requests at a time and the engine does its own batching. Every engine (vLLM, an OpenAI-compatible
endpoint, a replay of recorded samples) passes ``tests/integration/test_engine_conformance.py``.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from codesieve.workers.types import EngineStats, Generated, GenerationRequest


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


@runtime_checkable
class TakesWeights(Protocol):
    """An engine whose weights can be replaced while it serves: vLLM's RL API, with its options as plain data."""

    async def init_weight_transfer(self, options: dict[str, object]) -> None: ...
    async def start_weight_update(self, options: dict[str, object]) -> None: ...
    async def update_weights(self, options: dict[str, object]) -> None: ...
    async def finish_weight_update(self, options: dict[str, object]) -> None: ...


@runtime_checkable
class TellsStats(Protocol):
    """An engine that counts what it does. Every engine here is one."""

    def stats(self) -> EngineStats:
        """What it has counted by now. Never waits."""
