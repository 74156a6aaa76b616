"""Workers behind Ray: the one module that imports it.

`RemoteWorker` makes an actor out of a picklable factory and is itself a `Worker`, so that the pools drive a worker in this
process (unit tests) and one on another machine alike. An actor is never restarted by Ray: a worker holds cells or a model,
and whoever owns it must know that they are gone. Ray ends an actor when the process that made it ends.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import ray
import ray.exceptions

from codesieve.workers import logs
from codesieve.workers.errors import WorkerError, WorkerLost
from codesieve.workers.types import EngineStats, WeightsState, WorkerInfo, WorkFailed
from codesieve.workers.worker import HasWorkId, Work, Worker

log = logging.getLogger(__name__)

SANDBOX_NODE = "codesieve_sandbox"
"""Ray's custom resource of a node that is there for sandbox workers: as many as it offers of it."""
GENERATION_NODE = "codesieve_generation"
"""The same for models that need no GPU, as those behind an endpoint."""

WorkT = TypeVar("WorkT", bound=Work)
ResultT = TypeVar("ResultT", bound=HasWorkId)
ValueT = TypeVar("ValueT")


def start_ray(address: str | None, *, export: bool = False) -> None:
    """Joins the Ray cluster at `address`, or starts one of this machine alone.

    That one tells Prometheus of itself with `export`, if ``ray[default]`` is installed: on a port of all of the machine's
    addresses, since Ray knows no other way. A cluster that is joined does as it was started.
    """
    if address is not None:
        ray.init(address=address, log_to_driver=False, logging_level="warning")
    else:
        # Ray gives an actor that reserves no CPU one OpenMP thread unless this is set; an engine on the CPU needs all.
        os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
            _system_config={"enable_metrics_collection": export},
        )


def stop_ray() -> None:
    """Leaves the cluster; ends it if it was started here."""
    ray.shutdown()


def gpus() -> int:
    """The GPUs of the cluster."""
    return int(ray.cluster_resources().get("GPU", 0))


def exporters() -> Sequence[str]:
    """Where the cluster's nodes tell Prometheus of themselves: HOST:PORT of each that does. Raises `WorkerError`."""
    try:
        nodes = ray.nodes()
    except (ray.exceptions.RayError, RuntimeError, OSError) as error:
        raise WorkerError(f"Ray can't be asked for its nodes ({type(error).__name__})") from error
    found = ((node["NodeManagerAddress"], node.get("MetricsExportPort", -1)) for node in nodes if node["Alive"])
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found if port > 0]


class _Host:
    """What runs in the actor's process: the worker that the factory makes there."""

    def __init__(self, factory: Callable[[], Worker[Any, Any]]) -> None:
        self._factory = factory
        self._worker: Any = None

    async def start(self) -> WorkerInfo:
        logs.configure(sys.stderr, worker=str(os.getpid()))  # which Ray keeps in a file
        self._worker = self._factory()
        info: WorkerInfo = await self._worker.start()
        return info

    async def call(self, method: str, *arguments: object) -> Any:
        if self._worker is None:
            raise WorkerError(f"the worker has not been started, so it can't {method}")
        return await getattr(self._worker, method)(*arguments)


class RemoteWorker(Generic[WorkT, ResultT]):
    """A `Worker` in a Ray actor of its own.

    With a `node`, only where the cluster offers that resource, one of it for each worker. Until there is such a node Ray
    keeps the actor waiting, and its autoscaler makes one.
    """

    def __init__(
        self, factory: Callable[[], Worker[WorkT, ResultT]], *, num_gpus: int = 0, node: str | None = None
    ) -> None:
        self._factory = factory
        self._num_gpus = num_gpus
        self._node = node
        self._actor: Any = None

    async def start(self) -> WorkerInfo:
        # No CPUs are reserved: cells and engines bound their own use, and on a small machine the sum of what they
        # might use is more than there is.
        resources = {} if self._node is None else {self._node: 1}
        wanted = resources | ({"GPU": self._num_gpus} if self._num_gpus else {})
        offered = ray.cluster_resources()
        if missing := [name for name, amount in wanted.items() if offered.get(name, 0) < amount]:
            log.info("waiting for a Ray node", extra={"offering": " and ".join(missing)})
        actor_class = ray.remote(
            num_cpus=0, num_gpus=self._num_gpus, resources=resources, max_restarts=0, max_concurrency=64
        )(_Host)
        self._actor = actor_class.options(scheduling_strategy="SPREAD").remote(self._factory)
        return await self._answer(self._actor.start.remote())

    async def submit(self, work: Sequence[WorkT]) -> None:
        await self._call("submit", work)

    async def cancel(self, work_ids: Sequence[str]) -> None:
        await self._call("cancel", work_ids)

    async def collect(self, max_wait_seconds: float) -> Sequence[ResultT | WorkFailed]:
        finished: Sequence[ResultT | WorkFailed] = await self._call("collect", max_wait_seconds)
        return finished

    async def stop(self) -> None:
        if self._actor is None:
            return
        actor = self._actor
        try:
            await self._call("stop")
        except WorkerLost:
            pass  # it is gone, which is all that was asked
        finally:
            self._actor = None
            ray.kill(actor)

    async def weights(self, call: str, options: dict[str, object]) -> WeightsState:
        """Hands a call about the weights to a generation worker."""
        state: WeightsState = await self._call("weights", call, options)
        return state

    async def weights_digest(self, version: str) -> str:
        """Of the checkpoint that a generation worker's weights of this version were loaded from."""
        digest: str = await self._call("weights_digest", version)
        return digest

    async def stats(self) -> EngineStats | None:
        """What a generation worker's engine has counted."""
        counted: EngineStats | None = await self._call("stats")
        return counted

    async def metrics(self) -> bytes:
        """What the worker's process tells Prometheus, in the text exposition."""
        text: bytes = await self._call("metrics")
        return text

    async def _call(self, method: str, *arguments: object) -> Any:
        if self._actor is None:
            raise WorkerLost("the worker isn't running")
        return await self._answer(self._actor.call.remote(method, *arguments))

    @staticmethod
    async def _answer(reference: Awaitable[ValueT]) -> ValueT:
        try:
            return await reference
        except ray.exceptions.RayTaskError as error:
            # Ray dresses the worker's exception; ours are shown as they were raised.
            if isinstance(error.cause, WorkerError):
                raise error.cause from None
            raise WorkerError(f"{type(error.cause).__name__}: {error.cause}") from error
        except ray.exceptions.RayError as error:
            raise WorkerLost(f"the worker's process is gone ({type(error).__name__})") from error
