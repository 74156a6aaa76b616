"""What the workers are made of: functions that are called where a worker is to live, so that only plain values travel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codesieve.workers.errors import WorkerError
from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker

if TYPE_CHECKING:
    from codesieve.workers.tracing import Tracing

CELLS_PER_CORE = 2
"""More programs at a time than cores: those that wait or sleep must not hold up the others."""


def sandbox_worker(
    sandbox: str,
    image: str | None,
    runtime: str | None,
    isolation: str,
    runtime_dir: Path,
    cells: int,
    trace_endpoint: str | None = None,
    *,
    measured: bool = True,
) -> SandboxWorker:
    """A sandbox worker with `cells` cells, `measured` where there is somebody to read it. Raises `SandboxUnavailable`."""
    backend = choose_backend(sandbox, image, runtime, runtime_dir)
    spans = tracing(trace_endpoint, "sandbox")
    return SandboxWorker(backend, cells, fresh=isolation == "container", measured=measured, tracing=spans)


def generation_worker(
    source: str, tensor_parallel: int = 1, lora_rank: int = 0, trace_endpoint: str | None = None
) -> GenerationWorker:
    """A worker for the model at `source`, which takes LoRA adapters of up to `lora_rank`. Raises `EngineError`."""
    return GenerationWorker(source, tensor_parallel, lora_rank, tracing(trace_endpoint, "generation"))


def tracing(endpoint: str | None, component: str) -> Tracing | None:
    """What makes this process's spans; None without an endpoint. Raises what `tracing_class` does."""
    return None if endpoint is None else tracing_class()(endpoint, component)


def tracing_class() -> type[Tracing]:
    """`Tracing`, which isn't imported before it is wanted. Raises `WorkerError` where OpenTelemetry isn't there."""
    try:
        from codesieve.workers.tracing import Tracing
    except ImportError as error:
        what = f"--trace-endpoint needs OpenTelemetry ({error}); install it with: pip install 'codesieve[tracing]'"
        raise WorkerError(what) from error
    return Tracing
