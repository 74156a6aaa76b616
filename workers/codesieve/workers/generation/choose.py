"""Which engine a model's source stands for. The one place that knows all the forms of a source.

smollm2                      the small model of `models`, by vLLM
DIRECTORY                    a model in Hugging Face's form, by vLLM
http(s)://HOST/v1[#MODEL]    an OpenAI-compatible endpoint; without #MODEL its first model
replay:FILE                  recorded samples, JSON Lines
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from codesieve.workers.errors import ModelNotFound
from codesieve.workers.generation import models
from codesieve.workers.generation.engine import Engine

FORMS = '"smollm2", a model\'s directory, "http(s)://HOST/v1" (with "#MODEL" to name one), or "replay:FILE"'
_REPLAY = "replay:"


def engine_name(source: str) -> str:
    """ "vllm", "openai" or "replay"; whether anything is there to load isn't looked at."""
    if source.startswith(_REPLAY):
        return "replay"
    return "openai" if source.startswith(("http://", "https://")) else "vllm"


def engine_for(source: str, tensor_parallel: int = 1, lora_rank: int = 0) -> Engine:
    """The engine for a source, not yet started. Raises `ModelNotFound` where the source is of no known form.

    vLLM splits the model over `tensor_parallel` devices, and takes LoRA adapters of up to `lora_rank`.
    """
    name = engine_name(source)
    if name == "replay":
        file = source.removeprefix(_REPLAY)
        if not file:
            raise ModelNotFound(f"{source!r} names no file; a source is {FORMS}")
        from codesieve.workers.generation.replay import ReplayEngine

        return ReplayEngine(Path(file).expanduser())
    if name == "openai":
        url, model = urldefrag(source)
        if not urlsplit(url).hostname:
            raise ModelNotFound(f"{source!r} names no host; a source is {FORMS}")
        from codesieve.workers.generation.openai import OpenAIEngine

        return OpenAIEngine(url, model, os.environ.get("OPENAI_API_KEY"))
    try:
        directory = models.resolve(source)
    except ModelNotFound as error:
        if models.is_prepared_name(source):
            raise
        raise ModelNotFound(f"{error.message}; a source is {FORMS}") from error
    from codesieve.workers.generation.vllm import VllmEngine

    return VllmEngine(directory, tensor_parallel, lora_rank)


def model_id(source: str) -> str:
    """A short id for "models/{id}", of letters, digits, ".", "_" and "-"; the same for the same source.

    Raises `ModelNotFound` for what no file system and no URL can hold.
    """
    name = engine_name(source)
    try:
        if name == "replay":
            text = "replay-" + Path(source.removeprefix(_REPLAY)).stem
        elif name == "openai":
            url, model = urldefrag(source)
            text = model or urlsplit(url).netloc.rpartition("@")[2]
        elif models.is_prepared_name(source):
            text = "smollm2"
        else:
            # A trailing slash or "." must not make another id.
            text = Path(source).expanduser().resolve().name
    except (ValueError, OSError, RuntimeError) as error:
        raise ModelNotFound(f"{source[:200]!r} is no source; a source is {FORMS}") from error
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or name
