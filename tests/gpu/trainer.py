"""A trainer's side of a weight update, in a process of its own on the engine's GPU.

    python -m tests.gpu.trainer MODEL

Loads a model's weights onto the GPU and sends them once by vLLM's own trainer engine for CUDA IPC (two ranks of NCCL can't
share a GPU). Each call that it makes of the inference side is a line of JSON on stdout, `{"call": …, "options": …}`, and
waits for a line on stdin.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class Caller:
    """vLLM's `VLLMWeightSyncClient` over two streams. Options are in codesieve's form."""

    def __init__(self, answers: TextIO, calls: TextIO) -> None:
        self._answers = answers
        self._calls = calls

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        self._call("init_weight_transfer", {"init_info": init_info})

    def start_weight_update(self) -> None:
        self._call("start_weight_update", {})

    def update_weights(self, update_info: Any) -> None:
        from vllm.distributed.weight_transfer.clients import _json_safe_update_payload

        self._call("update_weights", {"update_info": _json_safe_update_payload(update_info)})

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        self._call("finish_weight_update", {})

    def _call(self, call: str, options: dict[str, Any]) -> None:
        print(json.dumps({"call": call, "options": options}), file=self._calls, flush=True)
        if not self._answers.readline():
            raise SystemExit("nobody answers any more")


def weights_of(model: Path, device: str) -> Iterator[tuple[str, Any]]:
    """A checkpoint's tensors by their names."""
    from safetensors.torch import load_file

    for file in sorted(model.glob("*.safetensors")):
        yield from load_file(file, device=device).items()


def send(model: Path, caller: Caller) -> None:
    """Does one update."""
    from vllm.distributed.weight_transfer.base import ParamMeta, WeightSource
    from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo, IPCTrainerWeightTransferEngine

    held = list(weights_of(model, "cuda"))

    class Held(WeightSource):  # type: ignore[misc]
        def metadata(self) -> list[Any]:
            return [ParamMeta(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in held]

        def __iter__(self) -> Iterator[tuple[str, Any]]:
            return iter(held)

    engine = IPCTrainerWeightTransferEngine.trainer_init(IPCTrainerInitInfo(rank=0), client=caller, source=Held())
    engine.send_weights()


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends a model's weights to an engine on the same GPU.")
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    calls, sys.stdout = sys.stdout, sys.stderr  # vLLM says this and that
    send(options.model, Caller(sys.stdin, calls))


if __name__ == "__main__":
    main()
