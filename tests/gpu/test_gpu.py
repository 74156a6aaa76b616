"""On a GPU: throughput beside vLLM's own `LLM.generate`, weights that are updated under load, sleeping and waking.

NOT YET RUN: no GPU was to be had when this was written. Its parts that need none are tested by `test_gpu_check.py` in
`tests/integration`. `run.py` runs it on a lent machine and writes down what it measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.sampling import KINDS, greedy, requests_of
from tests.gpu.sampling import parser as sampling_parser

from codesieve.workers.generation.vllm import VllmEngine
from codesieve.workers.types import Generated

# Importing torch and vLLM warns of much that isn't ours to mend.
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1500)]


def sampled(kind: str, model: Path, *options: str) -> dict[str, Any]:
    """What `tests.gpu.sampling` tells. A process of its own, since vLLM takes nine tenths of the GPU's memory."""
    command = [sys.executable, "-m", "tests.gpu.sampling", kind, str(model), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_tokens_a_second_beside_vllm_alone(model: Path, figures: dict[str, Any]) -> None:
    told = {kind: sampled(kind, model) for kind in KINDS}
    rates = {
        kind: statistics.median(one["tokens"] / one["seconds"] for one in kind_told["rounds"])
        for kind, kind_told in told.items()
    }
    best = max(rates[kind] for kind in KINDS if kind != "codesieve")
    figures["throughput"] = {
        "tokens_per_second": {kind: round(rate, 1) for kind, rate in rates.items()},
        "codesieve_to_best_of_vllm": round(rates["codesieve"] / best, 3),
        "tokens": {kind: [one["tokens"] for one in kind_told["rounds"]] for kind, kind_told in told.items()},
    }
    # The speed is written down, not judged here. What was sampled has to be the same work.
    assert told["codesieve"]["greedy"] == told["vllm-one-process"]["greedy"]
    assert all(one["tokens"] > 0 for kind_told in told.values() for one in kind_told["rounds"])


@pytest.fixture(scope="module")
def before_and_after(model: Path, trained: Path) -> tuple[bytes, bytes]:
    """What is sampled at temperature 0 with the first weights and with the new ones, by engines that loaded them."""
    options = ("--problems", "1", "--samples", "1", "--rounds", "0")
    first, second = (bytes.fromhex(sampled("codesieve", path, *options)["greedy"]) for path in (model, trained))
    return first, second


@pytest.fixture(scope="module")
def engine(model: Path, before_and_after: tuple[bytes, bytes]) -> Iterator[VllmEngine]:
    """An engine that takes weights by CUDA IPC, since its trainer shares its GPU."""
    os.environ["VLLM_ALLOW_INSECURE_SERIALIZATION"] = "1"  # handles come pickled, from a process of this test's own
    import vllm.config

    chosen = vllm.config.WeightTransferConfig
    with pytest.MonkeyPatch.context() as patch:
        # The engine has no option for vLLM's backend yet; "nccl" is what it asks for.
        patch.setattr(vllm.config, "WeightTransferConfig", lambda backend: chosen("ipc"))
        engine = VllmEngine(model)
        asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())


async def call(engine: VllmEngine, name: str, options: dict[str, object]) -> None:
    """One of the calls that are made of an engine's weights."""
    await getattr(getattr(engine, "weights", engine), name)(options)


def weights_bytes(model: Path) -> int:
    return sum(file.stat().st_size for file in model.glob("*.safetensors"))


async def said(engine: VllmEngine) -> bytes:
    """What is sampled at temperature 0."""
    return (await engine.generate(greedy()[0])).completion


async def test_weights_are_updated_under_load(
    engine: VllmEngine, trained: Path, before_and_after: tuple[bytes, bytes], figures: dict[str, Any]
) -> None:
    before, after = before_and_after
    assert await said(engine) == before
    options = sampling_parser().parse_args(["codesieve", str(trained), "--problems", "32", "--samples", "32"])
    load = [asyncio.create_task(engine.generate(request)) for request in requests_of(options, 1)]
    while not engine.stats().generation_tokens:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)
    trainer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gpu.trainer", str(trained)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**30,  # one line tells of every tensor
    )
    assert trainer.stdin is not None
    assert trainer.stdout is not None
    seconds: dict[str, float] = {}
    try:
        while line := await trainer.stdout.readline():
            asked = json.loads(line)
            if asked["call"] == "finish_weight_update":
                asked["options"] = {"version": "updated"}
            began = time.perf_counter()
            await call(engine, asked["call"], asked["options"])
            seconds[asked["call"]] = seconds.get(asked["call"], 0.0) + time.perf_counter() - began
            trainer.stdin.write(b"done\n")
            await trainer.stdin.drain()
        assert await trainer.wait() == 0
    finally:
        if trainer.returncode is None:
            trainer.kill()
            await trainer.wait()
    in_flight = sum(not task.done() for task in load)
    made = await asyncio.gather(*load)
    assert all(isinstance(one, Generated) for one in made)
    assert await said(engine) == after
    figures["weight_update"] = {
        "seconds": {name: round(took, 4) for name, took in seconds.items()},
        "weights_bytes": weights_bytes(trained),
        "samples_in_flight_after": in_flight,
        "preemptions": engine.stats().preemptions,
    }
    assert in_flight, "all samples were finished before the update was, so that it met no load"


async def test_a_model_sleeps_and_wakes(engine: VllmEngine, figures: dict[str, Any]) -> None:
    import torch

    before = await said(engine)
    free, _ = torch.cuda.mem_get_info()
    began = time.perf_counter()
    await call(engine, "sleep", {"level": 1})
    slept = time.perf_counter()
    free_asleep, _ = torch.cuda.mem_get_info()
    waking = time.perf_counter()
    await call(engine, "wake_up", {"tags": []})
    woken = time.perf_counter()
    assert free_asleep > free
    assert await said(engine) == before
    figures["sleep"] = {
        "sleep_seconds": round(slept - began, 3),
        "wake_up_seconds": round(woken - waking, 3),
        "freed_bytes": free_asleep - free,
    }
