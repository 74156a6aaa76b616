"""Weights that move, with vLLM itself on the small real model: one engine for all.

What only a GPU has (NCCL between trainer and worker, sleep) is refused here. But for the wire, vLLM's own weight transfer
runs: `FromFile` gets the parts out of a file where NCCL would bring them. Jobs over it are in ``test_weights_jobs.py``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import asking
from tests.asking import PROMPT
from tests.checkpoints import digest_by_the_shell, make_adapter, make_checkpoint

from codesieve.workers.errors import AdapterNotLoaded, EngineError, EngineRequestRefused, WeightsVersionChanged
from codesieve.workers.generation import models, vllm_weights
from codesieve.workers.generation.vllm import VllmEngine
from codesieve.workers.types import Generated, GenerationRequest, PauseMode, WeightsState

# Importing torch and vLLM warns of much that isn't ours to mend.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

LONG = 150
RANK = 4


def request(index: int = 0, **changes: Any) -> GenerationRequest:
    return asking.request(index, **{"temperature": 0.0, "max_tokens": 16, "stop": (), **changes})


@pytest.fixture(scope="module")
def first() -> Path:
    return models.resolve("smollm2")


@pytest.fixture(scope="module")
def other(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(first, tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def adapter(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(first, tmp_path_factory.mktemp("adapter"), RANK)


def register_transfer_from_file() -> str:
    """A backend of vLLM's weight transfer that takes the parts of a file where NCCL would receive them; its name."""
    from safetensors.torch import load_file
    from vllm.distributed.weight_transfer.base import (
        WeightTransferEngine,
        WeightTransferInitInfo,
        WeightTransferUpdateInfo,
    )
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
    from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

    @dataclasses.dataclass
    class Part(WeightTransferUpdateInfo):  # type: ignore[misc]
        file: str
        half: int

    class FromFile(WeightTransferEngine[Any, Any]):  # type: ignore[misc]
        init_info_cls = WeightTransferInitInfo
        update_info_cls = Part

        def init_transfer_engine(self, init_info: Any) -> None:
            pass

        def start_weight_update(self) -> None:
            initialize_layerwise_reload(self.model)

        def update_weights(self, update_info: dict[str, Any]) -> None:  # vLLM's own synchronizes a GPU
            self.receive_weights(self.parse_update_info(update_info))

        def receive_weights(self, update_info: Any) -> None:
            weights = list(load_file(update_info.file).items())
            middle = len(weights) // 2
            self.model.load_weights(weights[:middle] if update_info.half == 0 else weights[middle:])

        def finish_weight_update(self) -> None:
            finalize_layerwise_reload(self.model, self.model_config)

        def shutdown(self) -> None:
            pass

    name = "codesieve-test-file"
    if name not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(name, FromFile)
    return name


@pytest.fixture(scope="module")
def engine(first: Path) -> Iterator[VllmEngine]:
    prepare = vllm_weights.prepare

    def prepare_with_transfer(arguments: Any, on_cpu: bool, lora_rank: int) -> None:
        from vllm.config import WeightTransferConfig

        prepare(arguments, on_cpu, lora_rank)
        arguments.weight_transfer_config = WeightTransferConfig(register_transfer_from_file())

    made = VllmEngine(first, lora_rank=RANK)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vllm_weights, "prepare", prepare_with_transfer)
        asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
async def at_first(engine: VllmEngine, first: Path) -> AsyncIterator[VllmEngine]:
    """The engine with the first weights, awake, and no adapter; its version is "first"."""
    await _reset(engine, first)
    yield engine
    await _reset(engine, first)


async def _reset(engine: VllmEngine, first: Path) -> None:
    await engine.weights.load_weights({"directory": str(first), "version": "first"})
    await engine.weights.resume({})
    for name in await engine._running().call(lambda llm: list(engine._running().flight.adapters)):
        await engine.weights.unload_adapter({"adapter": name})


async def _cached_tokens(engine: VllmEngine) -> int:
    """How many tokens of the prompt vLLM finds in its cache now."""

    def look(llm: Any) -> int:
        core = llm.engine_core.engine_core
        given = llm.input_processor.process_inputs(
            "look",
            llm.renderer.render_cmpl([{"prompt": PROMPT * 4}])[0],
            _greedy(),
            supported_tasks=llm.get_supported_tasks(),
        )
        made, _ = core.preprocess_add_request(given)
        return int(core.scheduler.kv_cache_manager.get_computed_blocks(made)[1])

    return int(await engine._running().call(look))


def _greedy() -> Any:
    from vllm import SamplingParams

    return SamplingParams(temperature=0.0, max_tokens=1)


async def _digest(engine: VllmEngine, version: str) -> str:
    """Of its checkpoint, once it is known."""
    async with asyncio.timeout(60):
        while not (digest := engine.weights_digest(version)):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.05)
    return digest


def test_a_model_begins_with_version_0(engine: VllmEngine, first: Path) -> None:
    made = asyncio.run(engine.generate(request()))
    assert (made.weights_version, made.adapter) == ("0", None)
    assert asyncio.run(engine.weights.state({})) == WeightsState("0", whole=True)
    assert asyncio.run(_digest(engine, "0")) == digest_by_the_shell(first)
    assert engine.weights_digest("1") == "", "it has no such weights"


async def test_which_checkpoint_it_is_goes_with_the_weights(at_first: VllmEngine, other: Path, tmp_path: Path) -> None:
    calls, file = at_first.weights, str(other / "model.safetensors")
    before = await _digest(at_first, "first")
    with pytest.raises(EngineRequestRefused):
        await calls.load_weights({"directory": str(tmp_path), "version": "x"})
    assert at_first.weights_digest("first") == before
    await calls.load_weights({"directory": str(other), "version": "step-1"})
    assert at_first.weights_digest("first") == "", "these it has no more"
    assert await _digest(at_first, "step-1") == digest_by_the_shell(other) != before
    await calls.init_weight_transfer({"init_info": {}})
    await calls.start_weight_update({})
    for half in (0, 1):
        await calls.update_weights({"update_info": {"file": file, "half": half}})
    # Of the same name even: what a trainer sends is no checkpoint's.
    await calls.finish_weight_update({"version": "step-1"})
    assert at_first.weights_digest("step-1") == ""


async def test_a_directory_takes_the_place_of_the_weights_and_nothing_of_the_old_ones_is_left(
    at_first: VllmEngine, other: Path, first: Path
) -> None:
    before = await at_first.generate(request(prompt=PROMPT * 4))
    assert await _cached_tokens(at_first) > 0
    assert await at_first.weights.load_weights({"directory": str(other), "version": "step-1"}) == WeightsState("step-1")
    assert await _cached_tokens(at_first) == 0
    changed = await at_first.generate(request(prompt=PROMPT * 4))
    assert (before.weights_version, changed.weights_version) == ("first", "step-1")
    assert changed.completion != before.completion
    await at_first.weights.load_weights({"directory": str(first), "version": "step-2"})
    again = await at_first.generate(request(prompt=PROMPT * 4))
    assert again == dataclasses.replace(before, weights_version="step-2")


async def test_what_doesnt_fit_is_refused_and_the_weights_stay(
    at_first: VllmEngine, adapter: Path, other: Path, tmp_path: Path
) -> None:
    before = await at_first.generate(request())
    for directory, says in (
        (tmp_path / "none", r"no weights \(\*.safetensors\)"),
        (adapter, "has no weight model.embed_tokens.weight, which the model has"),
    ):
        with pytest.raises(EngineRequestRefused, match=says):
            await at_first.weights.load_weights({"directory": str(directory), "version": "x"})
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(EngineRequestRefused, match="is no safetensors file"):
        await at_first.weights.load_weights({"directory": str(tmp_path), "version": "x"})
    header = json.dumps({"model.embed_tokens.weight": {"shape": [2, 2]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(EngineRequestRefused, match=r"with the shape \[2, 2\], the model with"):
        await at_first.weights.load_weights({"directory": str(tmp_path), "version": "x"})
    assert await at_first.generate(request()) == before


async def _under_way(engine: VllmEngine, count: int) -> list[asyncio.Task[Generated]]:
    """Long samples, each of which has some of its tokens."""
    tasks = [asyncio.create_task(engine.generate(request(i, max_tokens=LONG))) for i in range(count)]

    def fewest(llm: Any) -> int:
        states = llm.output_processor.request_states.values()
        return (
            min((state.detokenizer.num_output_tokens() for state in states), default=0) if len(states) == count else 0
        )

    while await engine._running().call(fewest) < 3:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)
    return tasks


@pytest.mark.parametrize(
    ("mode", "versions"),
    [(PauseMode.ABORT, "new"), (PauseMode.WAIT, "first"), (PauseMode.KEEP, "first..new")],
)
async def test_what_a_pause_does_to_samples_in_flight(
    at_first: VllmEngine, other: Path, mode: PauseMode, versions: str
) -> None:
    tasks = await _under_way(at_first, 3)
    await at_first.weights.pause({"mode": mode})
    later = asyncio.create_task(at_first.generate(request(9)))
    await at_first.weights.load_weights({"directory": str(other), "version": "new"})
    await asyncio.wait([later], timeout=0.5)
    assert not later.done(), "it waits for the pause's end"
    assert [task.done() for task in tasks] == [mode is PauseMode.WAIT] * 3
    await at_first.weights.resume({})
    made = await asyncio.gather(*tasks)
    assert [one.weights_version for one in made] == [versions] * 3
    assert {one.token_count for one in made} == {LONG}
    assert (await later).weights_version == "new"


async def test_a_sample_that_is_cancelled_during_a_pause_leaves_nothing(at_first: VllmEngine) -> None:
    tasks = await _under_way(at_first, 2)
    await at_first.weights.pause({"mode": PauseMode.ABORT})
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    await at_first.weights.resume({})
    assert (await tasks[1]).token_count == LONG
    assert await at_first._running().call(lambda llm: llm.get_num_unfinished_requests()) == 0


async def test_an_update_without_a_pause_is_told_by_the_samples_that_it_came_over(
    at_first: VllmEngine, other: Path
) -> None:
    tasks = await _under_way(at_first, 2)
    demanding = asyncio.create_task(at_first.generate(request(5, max_tokens=LONG, weights_version="first")))
    await at_first.generate(request(6, weights_version="first"))  # so that the one before is in there
    await at_first.weights.load_weights({"directory": str(other), "version": "new"})
    with pytest.raises(WeightsVersionChanged, match="the weights are new now, not first"):
        await demanding
    with pytest.raises(WeightsVersionChanged):
        await at_first.generate(request(7, weights_version="first"))
    assert {one.weights_version for one in await asyncio.gather(*tasks)} == {"first..new"}
    assert (await at_first.generate(request(7, weights_version="new"))).weights_version == "new"


async def test_weights_are_transferred_in_parts_while_samples_stand_still(at_first: VllmEngine, other: Path) -> None:
    calls, file = at_first.weights, str(other / "model.safetensors")
    with pytest.raises(EngineRequestRefused, match="no update was begun"):
        await calls.update_weights({"update_info": {"file": file, "half": 0}})
    with pytest.raises(EngineRequestRefused, match="the options are master where init_info are taken"):
        await calls.init_weight_transfer({"master": "here"})
    if not calls._connected:
        with pytest.raises(EngineRequestRefused, match="InitWeightTransfer first"):
            await calls.start_weight_update({})
    await calls.init_weight_transfer({"init_info": {}})
    before = await at_first.generate(request())
    tasks = await _under_way(at_first, 2)
    assert await calls.start_weight_update({}) == WeightsState("first", whole=False)
    waiting = asyncio.create_task(at_first.generate(request(3)))
    with pytest.raises(EngineRequestRefused, match="the weights are not whole"):
        await calls.resume({})
    await calls.update_weights({"update_info": {"file": file, "half": 0}})
    await asyncio.wait([waiting, *tasks], timeout=0.5)
    assert not any(task.done() for task in (waiting, *tasks))
    await calls.update_weights({"update_info": {"file": file, "half": 1}})
    assert await calls.finish_weight_update({"version": "step-1"}) == WeightsState("step-1", whole=True)
    assert [one.weights_version for one in await asyncio.gather(*tasks)] == ["first..step-1"] * 2
    changed = await at_first.generate(request())
    assert (await waiting).weights_version == changed.weights_version == "step-1"
    assert changed.completion != before.completion
    await calls.load_weights({"directory": str(other), "version": "same"})
    assert await at_first.generate(request()) == dataclasses.replace(changed, weights_version="same")


async def test_an_update_that_fails_or_is_left_has_requests_wait_for_whole_weights(
    at_first: VllmEngine, other: Path, first: Path
) -> None:
    calls, file = at_first.weights, str(other / "model.safetensors")
    before = await at_first.generate(request())
    await calls.init_weight_transfer({"init_info": {}})
    await calls.start_weight_update({})
    await calls.update_weights({"update_info": {"file": file, "half": 0}})
    with pytest.raises(EngineError, match="the weights are not whole now") as failed:
        await calls.update_weights({"update_info": {"file": "/none", "half": 1}})
    assert not isinstance(failed.value, EngineRequestRefused)
    waiting = asyncio.create_task(at_first.generate(request()))
    await asyncio.wait([waiting], timeout=0.5)
    assert not waiting.done()
    await calls.start_weight_update({})
    await calls.update_weights({"update_info": {"file": file, "half": 0}})
    # Its trainer is gone; another one begins anew.
    await calls.start_weight_update({})
    for half in (0, 1):
        await calls.update_weights({"update_info": {"file": str(first / "model.safetensors"), "half": half}})
    await calls.finish_weight_update({"version": "whole"})
    assert await waiting == dataclasses.replace(before, weights_version="whole")
    await calls.start_weight_update({})
    await calls.update_weights({"update_info": {"file": file, "half": 1}})
    await calls.load_weights({"directory": str(first), "version": "loaded"})
    assert await at_first.generate(request()) == dataclasses.replace(before, weights_version="loaded")


async def test_adapters_are_sampled_with_by_name(at_first: VllmEngine, adapter: Path, other: Path, first: Path) -> None:
    calls = at_first.weights
    plain = await at_first.generate(request())
    with pytest.raises(AdapterNotLoaded, match="no adapter policy is loaded"):
        await at_first.generate(request(adapter="policy"))
    await calls.load_adapter({"adapter": "policy", "directory": str(adapter)})
    await calls.load_adapter({"adapter": "policy", "directory": str(adapter)})
    with pytest.raises(EngineRequestRefused, match=f"the adapter policy is loaded from {adapter}; unload it first"):
        await calls.load_adapter({"adapter": "policy", "directory": str(first.parent)})
    with_it, without = await asyncio.gather(
        at_first.generate(request(0, adapter="policy")), at_first.generate(request(1))
    )
    assert (with_it.adapter, with_it.weights_version) == ("policy", "first")
    assert (without.adapter, without.completion) == (None, plain.completion)
    assert with_it.completion != plain.completion
    await calls.load_weights({"directory": str(other), "version": "new"})
    moved = await at_first.generate(request(adapter="policy"))
    assert moved.weights_version == "new"
    assert moved.completion != with_it.completion
    await calls.load_weights({"directory": str(first), "version": "back"})
    assert (await at_first.generate(request(adapter="policy"))).completion == with_it.completion
    under_way = asyncio.create_task(at_first.generate(request(adapter="policy", max_tokens=LONG)))
    await at_first.generate(request(1))
    await calls.unload_adapter({"adapter": "policy"})
    with pytest.raises(AdapterNotLoaded, match="the adapter policy was unloaded"):
        await under_way
    with pytest.raises(AdapterNotLoaded, match="no adapter policy is loaded"):
        await calls.unload_adapter({"adapter": "policy"})


async def test_adapters_that_cant_be_are_refused(at_first: VllmEngine, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineRequestRefused, match=r"there is no adapter_config.json in"):
        await at_first.weights.load_adapter({"adapter": "a", "directory": str(tmp_path)})
    config = json.loads((adapter / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "r": 64}))
    shutil.copy(adapter / "adapter_model.safetensors", tmp_path)
    with pytest.raises(EngineRequestRefused, match=r"vLLM refuses the adapter: .*rank"):
        await at_first.weights.load_adapter({"adapter": "a", "directory": str(tmp_path)})
    assert (await at_first.generate(request())).completion


async def test_a_cpu_refuses_to_sleep(at_first: VllmEngine) -> None:
    if not at_first._on_cpu:
        pytest.skip("this is vLLM's GPU build")
    with pytest.raises(EngineRequestRefused, match="vLLM can't sleep on this machine; it can on a GPU"):
        await at_first.weights.sleep({"level": 1})
    assert (await at_first.generate(request())).completion
