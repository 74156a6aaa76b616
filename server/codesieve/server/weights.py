"""A model's weights over all of its workers: which version they have, their adapters, and whether they stand still.

One call at a time is carried to every worker. What is the case then is kept here, and a worker that is started again is
brought to it before it takes work (`prepare`): it loads the directory that was loaded last, and the adapters, and is paused
or put to sleep. Weights that came by transfer it can't have. It samples with what it has, under the version of that.

The versions are the workers' own word: each tells what it has after a call, as it does with each sample.
"""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from collections.abc import Sequence
from typing import Any, Protocol, cast

from codesieve.server.errors import NotFound, PreconditionFailed, WorkersStarting, WorkerTrouble
from codesieve.workers.errors import EngineRequestRefused, EngineUnavailable, ModelNotFound, WorkerError
from codesieve.workers.types import FIRST_WEIGHTS, PauseMode, WeightsState


class TakesWeightCalls(Protocol):
    """What a generation worker is beyond a `Worker`."""

    async def weights(self, call: str, options: dict[str, object]) -> WeightsState: ...
    async def weights_digest(self, version: str) -> str: ...


class HasWorkers(Protocol):
    """A model's pool."""

    @property
    def workers(self) -> Sequence[Any]: ...
    @property
    def size(self) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True)
class _Sleep:
    level: int
    awake: frozenset[str] = frozenset()
    """The tags that were woken since."""


SLEEP_TAGS = frozenset({"weights", "kv_cache"})
ANSWER_SECONDS = 5.0
"""How long a job's provenance waits for a worker to tell which checkpoint it has."""


class Weights:
    """Those of one model."""

    def __init__(self) -> None:
        self._calling = asyncio.Lock()
        self._calls: set[asyncio.Task[None]] = set()
        self._states: weakref.WeakKeyDictionary[object, WeightsState] = weakref.WeakKeyDictionary()
        self._used = {FIRST_WEIGHTS}
        self._loaded: tuple[str, str] | None = None
        """The directory and the version of the last LoadWeights: what a worker that is started again has."""
        self._adapters: dict[str, str] = {}
        self._sleep: _Sleep | None = None
        self.paused = False

    @property
    def asleep(self) -> bool:
        return self._sleep is not None

    @property
    def adapters(self) -> tuple[tuple[str, str], ...]:
        """Their names and directories."""
        return tuple(self._adapters.items())

    def version(self, pool: HasWorkers) -> str:
        """What the workers have; with commas where that differs."""
        states = self._states_of(pool)
        versions = {state.version for state in states} or {self._loaded[1] if self._loaded else FIRST_WEIGHTS}
        return ", ".join(sorted(versions))

    async def digest(self, pool: HasWorkers) -> str:
        """Of the checkpoint that the weights of `version` were loaded from, as the workers tell now; with commas as there.

        Empty where a worker doesn't know it (yet): what the others have says nothing of its weights.
        """
        there = [(worker, state.version) for worker in pool.workers if (state := self._states.get(worker)) is not None]
        told = await asyncio.gather(*(_digest(worker, version) for worker, version in there))
        return ", ".join(sorted(set(told))) if all(told) else ""

    def whole(self, pool: HasWorkers) -> bool:
        """Whether no worker waits for weights."""
        return all(state.whole for state in self._states_of(pool))

    async def prepare(self, worker: TakesWeightCalls) -> None:
        """Brings a worker that was just started to what the others are. Raises a `WorkerError` where that can't be."""
        async with self._calling:  # what a call changes is decided by then
            state = await worker.weights("state", {})
            if self._loaded is not None:
                directory, version = self._loaded
                state = await worker.weights("load_weights", {"directory": directory, "version": version})
            for name, directory in self._adapters.items():
                await worker.weights("load_adapter", {"adapter": name, "directory": directory})
            if self.paused:
                await worker.weights("pause", {"mode": PauseMode.KEEP})
            if self._sleep is not None:
                state = await worker.weights("sleep", {"level": self._sleep.level})
                if self._sleep.awake:
                    state = await worker.weights("wake_up", {"tags": sorted(self._sleep.awake)})
            self._states[worker] = state

    async def transfer(self, pool: HasWorkers, call: str, options: dict[str, object]) -> None:
        """One of the calls of a weight update, but for its end."""

        async def run() -> None:
            each = options.get("init_info")
            if isinstance(each, list) and len(each) != pool.size:
                raise PreconditionFailed(
                    f"options_json has {len(each)} init_info, and the model {pool.size} worker(s)",
                    reason="WORKERS_DIFFER",
                )
            await self._all(pool, call, options)

        await self._one_at_a_time(run())

    async def finish_update(self, pool: HasWorkers, options: dict[str, object], version: str) -> None:
        """Ends a weight update; the new weights are called `version`, or by the next number."""

        async def run() -> None:
            await self._all(pool, "finish_weight_update", {**options, "version": self._name(version)})

        await self._one_at_a_time(run())

    async def load(self, pool: HasWorkers, directory: str, version: str) -> None:
        """Loads a directory's weights."""

        async def run() -> None:
            name = self._name(version)
            await self._all(pool, "load_weights", {"directory": directory, "version": name})
            self._loaded = directory, name

        await self._one_at_a_time(run())

    async def pause(self, pool: HasWorkers, mode: PauseMode) -> None:
        async def run() -> None:
            self.paused = True  # first: a worker that is started again meanwhile has to be paused, too
            await self._all(pool, "pause", {"mode": mode})

        await self._one_at_a_time(run())

    async def resume(self, pool: HasWorkers) -> None:
        async def run() -> None:
            await self._all(pool, "resume", {})
            self.paused = False

        await self._one_at_a_time(run())

    async def sleep(self, pool: HasWorkers, level: int) -> None:
        async def run() -> None:
            await self._all(pool, "sleep", {"level": level})
            self._sleep = self._sleep or _Sleep(level)

        await self._one_at_a_time(run())

    async def wake_up(self, pool: HasWorkers, tags: Sequence[str]) -> None:
        """Wakes some of `SLEEP_TAGS`, or all."""

        async def run() -> None:
            await self._all(pool, "wake_up", {"tags": list(tags)})
            if self._sleep is not None:
                awake = self._sleep.awake | (frozenset(tags) or SLEEP_TAGS)
                self._sleep = None if awake == SLEEP_TAGS else _Sleep(self._sleep.level, awake)

        await self._one_at_a_time(run())

    async def load_adapter(self, pool: HasWorkers, name: str, directory: str) -> None:
        async def run() -> None:
            await self._all(pool, "load_adapter", {"adapter": name, "directory": directory})
            self._adapters[name] = directory

        await self._one_at_a_time(run())

    async def unload_adapter(self, pool: HasWorkers, name: str) -> None:
        async def run() -> None:
            # First: a worker that is started again meanwhile is to have it no more.
            self._adapters.pop(name, None)
            await self._all(pool, "unload_adapter", {"adapter": name})

        await self._one_at_a_time(run())

    async def _one_at_a_time(self, call: Any) -> None:
        """Carries a call to its end, even if the caller goes: the workers do too."""

        async def alone() -> None:
            async with self._calling:
                await call

        task = asyncio.create_task(alone())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever asked may have gone
        await asyncio.shield(task)

    async def _all(self, pool: HasWorkers, call: str, options: dict[str, object]) -> None:
        """Has every worker do it. Raises a `ServiceError` where one doesn't."""
        workers = cast("Sequence[TakesWeightCalls]", pool.workers)
        if len(workers) < pool.size:
            raise WorkersStarting(pool.size - len(workers))
        given = [dict(options) for _ in workers]
        if isinstance(infos := options.get("init_info"), list):
            given = [{**options, "init_info": info} for info in infos]
        outcomes = await asyncio.gather(
            *(worker.weights(call, one) for worker, one in zip(workers, given, strict=True)), return_exceptions=True
        )
        failed: list[WorkerError] = []
        for worker, outcome in zip(workers, outcomes, strict=True):
            if isinstance(outcome, WeightsState):
                self._states[worker] = outcome
            elif isinstance(outcome, WorkerError):
                failed.append(outcome)
                if not isinstance(outcome, EngineRequestRefused) and worker in self._states:
                    self._states[worker] = await _state(worker, self._states[worker])
            else:
                raise outcome
        if failed:
            raise as_service_error(failed[0], self._which(workers, outcomes))

    def _which(self, workers: Sequence[object], outcomes: Sequence[object]) -> str:
        """Which worker did not do it and what each has, where they are several."""
        if len(workers) == 1:
            return ""
        told = []
        for number, (worker, outcome) in enumerate(zip(workers, outcomes, strict=True)):
            state = self._states.get(worker)
            version = f" (weights {state.version}{'' if state.whole else ', not whole'})" if state else ""
            told.append(f"worker {number}: {outcome if isinstance(outcome, WorkerError) else 'done'}{version}")
        return "; ".join(told)

    def _name(self, wanted: str) -> str:
        """What new weights are called."""
        name, number = wanted, len(self._used)
        while not name:
            name = "" if str(number) in self._used else str(number)
            number += 1
        self._used.add(name)
        return name

    def _states_of(self, pool: HasWorkers) -> list[WeightsState]:
        return [state for worker in pool.workers if (state := self._states.get(worker)) is not None]


async def _digest(worker: TakesWeightCalls, version: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await worker.weights_digest(version)
    except (WorkerError, TimeoutError):
        return ""


async def _state(worker: TakesWeightCalls, known: WeightsState) -> WeightsState:
    """What a worker has after a call that failed; what was known where it can't tell."""
    try:
        return await worker.weights("state", {})
    except WorkerError:
        return known


def as_service_error(error: WorkerError, detail: str = "") -> NotFound | PreconditionFailed | WorkerTrouble:
    """What a worker's trouble is to the client who asked for something of it; `detail` says more than its message."""
    message = detail or error.message
    if isinstance(error, ModelNotFound):
        return NotFound(message, reason=error.reason)
    if isinstance(error, EngineUnavailable | EngineRequestRefused):
        return PreconditionFailed(message, reason=error.reason)
    return WorkerTrouble(message, reason=error.reason)
