"""What is done to vLLM's weights while it serves: `WeightCalls`, as commands of the engine's thread between two steps.

An update runs from start to finish under a hold, since vLLM takes the layers apart at its start: nothing is sampled with
weights that aren't whole, whatever fails on the way. vLLM notes which weights made each token (`set_weight_version`), and
`vllm_forms` tells it of each sample.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesieve.workers.errors import AdapterNotLoaded, EngineError, EngineRequestRefused, WorkerError
from codesieve.workers.generation.checkpoint import Checkpoint
from codesieve.workers.generation.vllm_flight import Flight, Hold
from codesieve.workers.types import GenerationRequest, PauseMode, WeightsState

if TYPE_CHECKING:
    from codesieve.workers.generation.vllm import _EngineThread

Options = dict[str, object]

SLEEP_TAGS = ("weights", "kv_cache")
_ADAPTERS_AT_A_TIME = 4
_ADAPTERS_KEPT = 32
"""In the CPU's memory; vLLM reads others again when their turn comes."""
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Those that vLLM makes room for."""


def prepare(arguments: Any, on_cpu: bool, lora_rank: int) -> None:
    """Sets in vLLM's `EngineArgs` what the calls need."""
    if lora_rank:
        arguments.enable_lora = True
        arguments.max_lora_rank = min((rank for rank in _RANKS if rank >= lora_rank), default=lora_rank)
        arguments.max_loras = _ADAPTERS_AT_A_TIME
        arguments.max_cpu_loras = _ADAPTERS_KEPT
    if not on_cpu:
        from vllm.config import WeightTransferConfig
        from vllm.platforms import current_platform

        arguments.weight_transfer_config = WeightTransferConfig("nccl")
        arguments.enable_sleep_mode = (
            current_platform.is_sleep_mode_available() and current_platform.is_cumem_allocator_available()
        )


class VllmWeights:
    """`WeightCalls` over the thread that `running` gives, or raises for. `model_dir` is what the engine was started with."""

    def __init__(self, running: Callable[[], _EngineThread], model_dir: Path) -> None:
        self._running = running
        self._model_dir = model_dir
        self._adapter_ids = 0
        self._connected = False
        self._updating = False
        self._asleep: set[str] = set()
        self._came_from: tuple[str, Checkpoint] | None = None
        """The version of the weights, and the checkpoint that they were loaded from."""

    def came_from(self, checkpoint: Checkpoint | None, version: str) -> None:
        """The weights of this version were just loaded, from a checkpoint or by transfer (None)."""
        earlier, self._came_from = self._came_from, None if checkpoint is None else (version, checkpoint)
        if checkpoint is not None:
            checkpoint.loaded()
        if earlier is not None:
            earlier[1].stop()

    def digest(self, version: str) -> str:
        """Of the checkpoint that the weights of this version were loaded from; empty where it isn't known."""
        came_from = self._came_from  # the engine's thread may put another in its place
        return came_from[1].digest if came_from is not None and came_from[0] == version else ""

    async def state(self, options: Options) -> WeightsState:
        _only(options)
        return await self._do(lambda llm, flight: None)

    async def init_weight_transfer(self, options: Options) -> WeightsState:
        (info,) = _only(options, "init_info")

        def run(llm: Any, flight: Flight) -> None:
            _check_transfer(llm)
            llm.collective_rpc("init_weight_transfer_engine", kwargs={"init_info": info})
            self._connected = True

        return await self._do(run)

    async def start_weight_update(self, options: Options) -> WeightsState:
        _only(options)

        def run(llm: Any, flight: Flight) -> None:
            _check_transfer(llm)
            self._check_awake()
            if not self._connected:
                raise EngineRequestRefused("no trainer is connected to this worker; call InitWeightTransfer first")
            self._give_up_update(llm, flight)
            with self._taken_apart(flight):
                llm.collective_rpc("start_weight_update")
            self._updating = True

        return await self._do(run)

    async def update_weights(self, options: Options) -> WeightsState:
        (info,) = _only(options, "update_info")

        def run(llm: Any, flight: Flight) -> None:
            self._check_updating(llm)
            with self._taken_apart(flight):
                llm.collective_rpc("update_weights", kwargs={"update_info": info})

        return await self._do(run)

    async def finish_weight_update(self, options: Options) -> WeightsState:
        (version,) = _only(options, "version")

        def run(llm: Any, flight: Flight) -> None:
            self._check_updating(llm)
            with self._taken_apart(flight):
                llm.collective_rpc("finish_weight_update")
            self._updating = False
            self.came_from(None, "")
            flight.new_version(llm, str(version))

        return await self._do(run)

    async def load_weights(self, options: Options) -> WeightsState:
        directory, version = map(str, _only(options, "directory", "version"))
        # What can be known before the present weights are taken apart is found out before.
        await asyncio.to_thread(check_fits, self._model_dir, Path(directory))
        checkpoint = await asyncio.to_thread(Checkpoint, Path(directory))

        def run(llm: Any, flight: Flight) -> None:
            self._check_awake()
            self._give_up_update(llm, flight)
            with self._taken_apart(flight):
                llm.collective_rpc("reload_weights", kwargs={"weights_path": directory})
            self.came_from(checkpoint, version)
            flight.new_version(llm, version)

        try:
            return await self._do(run)
        except WorkerError:
            checkpoint.stop()
            raise

    async def pause(self, options: Options) -> WeightsState:
        (mode,) = _only(options, "mode")
        if mode is PauseMode.WAIT:
            emptied: Future[None] = await self._call(lambda llm, flight: flight.empty())
            await asyncio.wrap_future(emptied)
            return await self.state({})

        def run(llm: Any, flight: Flight) -> None:
            flight.pause(llm)
            if mode is PauseMode.ABORT:
                flight.begin_again(llm)

        return await self._do(run)

    async def resume(self, options: Options) -> WeightsState:
        _only(options)

        def run(llm: Any, flight: Flight) -> None:
            if Hold.WEIGHTS in flight.holds:
                raise EngineRequestRefused("the weights are not whole; finish an update, or load weights, first")
            if self._asleep:
                raise EngineRequestRefused("the model sleeps; wake it up first")
            flight.resume(llm)

        return await self._do(run)

    async def sleep(self, options: Options) -> WeightsState:
        (level,) = _only(options, "level")

        def run(llm: Any, flight: Flight) -> None:
            if not llm.vllm_config.model_config.enable_sleep_mode:
                raise EngineRequestRefused("vLLM can't sleep on this machine; it can on a GPU")
            if self._updating:
                raise EngineRequestRefused("an update was begun; finish it first")
            if self._asleep:
                return
            flight.holds.add(Hold.ASLEEP)
            flight.begin_again(llm)
            if level == 2:
                flight.holds.add(Hold.WEIGHTS)
            self._asleep = set(SLEEP_TAGS)
            llm.sleep(level, mode="keep")

        return await self._do(run)

    async def wake_up(self, options: Options) -> WeightsState:
        (tags,) = _only(options, "tags")

        def run(llm: Any, flight: Flight) -> None:
            assert isinstance(tags, list)
            waking = [tag for tag in tags or SLEEP_TAGS if tag in self._asleep]
            if waking:
                llm.wake_up(waking)
                self._asleep.difference_update(waking)
            if not self._asleep:
                flight.holds.discard(Hold.ASLEEP)

        return await self._do(run)

    async def load_adapter(self, options: Options) -> WeightsState:
        name, directory = map(str, _only(options, "adapter", "directory"))

        def run(llm: Any, flight: Flight) -> None:
            from vllm.lora.request import LoRARequest

            if llm.vllm_config.lora_config is None:
                raise EngineRequestRefused("the server takes no LoRA adapters; start it with --max-lora-rank")
            there = flight.adapters.get(name)
            if there is not None:
                if there.lora_path != directory:
                    raise EngineRequestRefused(f"the adapter {name} is loaded from {there.lora_path}; unload it first")
                return
            _check_adapter(Path(directory))
            self._adapter_ids += 1  # never used again: vLLM keeps what it read by these
            adapter = LoRARequest(name, self._adapter_ids, directory)
            try:
                llm.add_lora(adapter)
            except Exception as error:
                raise EngineRequestRefused(f"vLLM refuses the adapter: {' '.join(str(error).split())[:400]}") from error
            flight.adapters[name] = adapter
            # vLLM finds what it computed with an adapter by the adapter's name and directory.
            llm.reset_prefix_cache(reset_running_requests=True)

        return await self._do(run)

    async def unload_adapter(self, options: Options) -> WeightsState:
        name = str(*_only(options, "adapter"))

        def check(request: GenerationRequest) -> None:
            if request.adapter == name:
                raise AdapterNotLoaded(f"the adapter {name} was unloaded")

        def run(llm: Any, flight: Flight) -> None:
            if name not in flight.adapters:
                raise AdapterNotLoaded(f"no adapter {name} is loaded")
            flight.refuse(llm, check)
            llm.remove_lora(flight.adapters.pop(name).lora_int_id)

        return await self._do(run)

    async def _do(self, run: Callable[[Any, Flight], None]) -> WeightsState:
        def told(llm: Any, flight: Flight) -> WeightsState:
            run(llm, flight)
            return WeightsState(llm.get_weight_version(), Hold.WEIGHTS not in flight.holds)

        state: WeightsState = await self._call(told)
        return state

    async def _call(self, run: Callable[[Any, Flight], Any]) -> Any:
        thread = self._running()
        return await thread.call(lambda llm: run(llm, thread.flight))

    @contextmanager
    def _taken_apart(self, flight: Flight) -> Iterator[None]:
        """Around what leaves weights behind that aren't whole, above all if it fails."""
        flight.holds.add(Hold.WEIGHTS)
        try:
            yield
        except Exception as error:
            self._updating = False  # vLLM ends the update itself
            raise EngineError(
                f"the weights are not whole now, and requests wait until an update is finished or weights are loaded: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
            ) from error

    def _give_up_update(self, llm: Any, flight: Flight) -> None:
        """An update that nobody will finish, since another or other weights come in its place."""
        if self._updating:
            with self._taken_apart(flight):
                llm.collective_rpc("finish_weight_update")  # puts the layers together again, whatever is in them
            self._updating = False

    def _check_awake(self) -> None:
        if "weights" in self._asleep:
            raise EngineRequestRefused('the weights sleep; wake up "weights" first')

    def _check_updating(self, llm: Any) -> None:
        _check_transfer(llm)
        if not self._updating:
            raise EngineRequestRefused("no update was begun; start one first")


def check_fits(model_dir: Path, directory: Path) -> None:
    """Raises `EngineRequestRefused` where a directory's weights are not those of the model by name and shape."""
    there = _shapes(directory)
    if not there:
        raise EngineRequestRefused(f"there are no weights (*.safetensors) in {directory}")
    wanted = _shapes(model_dir)
    for name, shape in wanted.items():
        if name not in there:
            raise EngineRequestRefused(f"{directory} has no weight {name}, which the model has")
        if there[name] != shape:
            raise EngineRequestRefused(f"{directory} has {name} with the shape {there[name]}, the model with {shape}")
    extra = next((name for name in there if wanted and name not in wanted), None)
    if extra is not None:
        raise EngineRequestRefused(f"{directory} has a weight {extra}, which the model has not")


def _shapes(directory: Path) -> dict[str, list[int]]:
    """Those of all tensors in a directory's safetensors files, read from their headers."""
    shapes: dict[str, list[int]] = {}
    for file in sorted(directory.glob("*.safetensors")):
        try:
            with file.open("rb") as opened:
                header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
            shapes |= {name: told["shape"] for name, told in header.items() if name != "__metadata__"}
        except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
            raise EngineRequestRefused(f"{file} is no safetensors file ({type(error).__name__})") from error
    return shapes


def _check_adapter(directory: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (directory / name).is_file():
            raise EngineRequestRefused(f"there is no {name} in {directory}")


def _check_transfer(llm: Any) -> None:
    if llm.vllm_config.weight_transfer_config is None:
        raise EngineRequestRefused(
            "vLLM takes weights from a trainer on a GPU only (by NCCL); this worker runs on a CPU, where LoadWeights works"
        )


def _only(options: Options, *names: str) -> tuple[Any, ...]:
    """The values of the options that a call takes."""
    if set(options) != set(names):
        raise EngineRequestRefused(
            f"the options are {', '.join(sorted(options)) or 'none'} where {', '.join(names) or 'none'} are taken"
        )
    return tuple(options[name] for name in names)
