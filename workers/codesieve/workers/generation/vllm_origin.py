"""How a vLLM engine came to be set, read from what it settled on: its defaults differ by device and by model.

A setting that another version of vLLM keeps elsewhere is left out: it must not keep a model from being served.
"""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from codesieve.workers.origin import EngineOrigin, settings

SETTINGS = {
    "dtype": "model_config.dtype",
    "max_model_len": "model_config.max_model_len",
    "quantization": "model_config.quantization",
    "tensor_parallel_size": "parallel_config.tensor_parallel_size",
    "max_num_seqs": "scheduler_config.max_num_seqs",
    "max_num_batched_tokens": "scheduler_config.max_num_batched_tokens",
    "enable_chunked_prefill": "scheduler_config.enable_chunked_prefill",
    "enforce_eager": "model_config.enforce_eager",
    "enable_prefix_caching": "cache_config.enable_prefix_caching",
    "max_lora_rank": "lora_config.max_lora_rank",
    "engine_seed": "model_config.seed",
}
"""Where each stands in a `VllmConfig`."""


def origin(config: Any, version: str, device: str) -> EngineOrigin:
    """`config` is the engine's `VllmConfig`, `version` vLLM's, `device` what its platform calls the device."""
    told = {name: _at(config, place) for name, place in SETTINGS.items()}
    told["dtype"] = str(told["dtype"]).removeprefix("torch.")
    return EngineOrigin(
        f"vLLM {version}",
        settings(**told, torch=metadata.version("torch"), device=device, machine=platform.machine()),
    )


def _at(value: Any, place: str) -> Any:
    for name in place.split("."):
        value = getattr(value, name, None)
    return value
