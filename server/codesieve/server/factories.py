"""What the workers are made of: functions that are called where a worker is to live, so that only plain values travel."""

from __future__ import annotations

from pathlib import Path

from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker

CELLS_PER_CORE = 2
"""More programs at a time than cores: those that wait or sleep must not hold up the others."""


def sandbox_worker(
    sandbox: str,
    image: str | None,
    runtime: str | None,
    isolation: str,
    runtime_dir: Path,
    cells: int,
    *,
    measured: bool = True,
) -> SandboxWorker:
    """A sandbox worker with `cells` cells, `measured` where there is somebody to read it. Raises `SandboxUnavailable`."""
    backend = choose_backend(sandbox, image, runtime, runtime_dir)
    return SandboxWorker(backend, cells, fresh=isolation == "container", measured=measured)


def generation_worker(source: str, tensor_parallel: int = 1, lora_rank: int = 0) -> GenerationWorker:
    """A worker for the model at `source`, which takes LoRA adapters of up to `lora_rank`. Raises `EngineError`."""
    return GenerationWorker(source, tensor_parallel, lora_rank)
