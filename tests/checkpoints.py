"""Weights and adapters for the small real model, in the files that trainers write, and the digest of a checkpoint."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

PROVENANCE = Path(__file__).parents[1] / "proto/codesieve/v1/provenance.proto"


def digest_by_the_shell(directory: Path) -> str:
    """What the line in provenance.proto makes: the digest of a checkpoint, by none of our code."""
    found = re.search(r"^ *// +(find \. .*\n(?: *// .*\n)*?.*\| sha256sum)$", PROVENANCE.read_text(), re.MULTILINE)
    assert found
    line = re.sub(r"\n *//", " ", found[1])
    done = subprocess.run(["bash", "-c", line], cwd=directory, capture_output=True, check=True, text=True)
    return done.stdout.split()[0]


def make_checkpoint(model: Path, directory: Path) -> Path:
    """A checkpoint of the model's architecture whose last layer says something else."""
    import torch
    from safetensors.torch import load_file, save_file

    for file in model.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, directory)
    weights = load_file(model / "model.safetensors")
    noise = torch.Generator().manual_seed(1)
    for name, tensor in weights.items():
        if ".layers.29.mlp." in name:
            weights[name] = tensor + 0.2 * torch.randn(tensor.shape, generator=noise).to(tensor.dtype)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def make_adapter(model: Path, directory: Path, rank: int) -> Path:
    """A LoRA adapter in PEFT's files, strong enough to be seen in the samples."""
    import torch
    from safetensors.torch import load_file, save_file

    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 64, "target_modules": ["q_proj", "v_proj"], "bias": "none"}
    (directory / "adapter_config.json").write_text(json.dumps(config))
    noise = torch.Generator().manual_seed(1)
    parts = {}
    for name, tensor in load_file(model / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "v_proj.weight")):
            front = f"base_model.model.{name.removesuffix('.weight')}"
            parts[f"{front}.lora_A.weight"] = torch.randn(rank, tensor.shape[1], generator=noise) * 0.1
            parts[f"{front}.lora_B.weight"] = torch.randn(tensor.shape[0], rank, generator=noise) * 0.1
    save_file(parts, directory / "adapter_model.safetensors")
    return directory
