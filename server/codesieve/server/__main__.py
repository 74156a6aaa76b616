"""The front end's process: the one place that wires things together.

Order: options -> Ray -> store -> sandbox workers and models, side by side -> gRPC -> announce. On SIGTERM or SIGINT the
health service says NOT_SERVING, no new job is taken, running ones get `--drain-seconds` to end, and then everything started
here is stopped, the last started first. A second signal ends the waiting.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import click
import grpc
from prometheus_client import CollectorRegistry

from codesieve.server.access import Access
from codesieve.server.cache import CachingJudge
from codesieve.server.door import Door
from codesieve.server.errors import ServiceError, StoreUnavailable
from codesieve.server.exposition import Exposition, Pools
from codesieve.server.factories import CELLS_PER_CORE, generation_worker, sandbox_worker
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.retention import sweep_for_ever
from codesieve.server.jobs.store import JobStore
from codesieve.server.jobs.stores import open_store, read_store
from codesieve.server.metrics import Metrics
from codesieve.server.models import GenerationPool, ModelRegistry
from codesieve.server.options import Options, address, default_store, runtime_directory
from codesieve.server.pools import Pool
from codesieve.server.ports import keep_port
from codesieve.server.serve_options import STORE_VARIABLE, serve_options
from codesieve.server.tokens import TokenDoor
from codesieve.server.trace_options import check_tracing, open_traces
from codesieve.workers import logs
from codesieve.workers.errors import WorkerError
from codesieve.workers.generation.choose import engine_for, engine_name
from codesieve.workers.remote import (
    GENERATION_NODE,
    SANDBOX_NODE,
    RemoteWorker,
    exporters,
    gpus,
    start_ray,
    stop_ray,
)
from codesieve.workers.types import Judgement, Program

log = logging.getLogger("codesieve.server")

PARENT_POLL_SECONDS = 1.0


class CannotStart(Exception):
    """The server can't start, for a reason that its user can mend."""


def _sandbox_pool(options: Options, metrics: Metrics) -> Pool[Program, Judgement]:
    runtime_dir = runtime_directory(os.environ, os.getuid())
    factory = functools.partial(
        sandbox_worker,
        options.sandbox,
        options.image,
        options.runtime,
        options.isolation,
        runtime_dir,
        options.cells,
        options.trace_endpoint,
        measured=options.metrics_listen is not None,
    )
    node = SANDBOX_NODE if options.dedicated_nodes else None
    events = metrics.pool("sandbox", hop="judge")
    return Pool("sandbox", lambda: RemoteWorker(factory, node=node), options.sandbox_workers, events)


def _generation_pool(options: Options, metrics: Metrics, model: str, source: str) -> GenerationPool:
    # Where nodes are dedicated, one with a GPU may yet have to be made.
    with_gpus = engine_name(source) == "vllm" and (options.dedicated_nodes or gpus() > 0)
    num_gpus = options.tensor_parallel if with_gpus else 0
    node = GENERATION_NODE if options.dedicated_nodes and not with_gpus else None
    factory = functools.partial(
        generation_worker, source, options.tensor_parallel, options.max_lora_rank, options.trace_endpoint
    )
    name = f"generation-{model}"
    events = metrics.pool(name, hop="generation")
    return Pool(name, lambda: RemoteWorker(factory, num_gpus=num_gpus, node=node), options.replicas, events)


@asynccontextmanager
async def _workers(
    options: Options, metrics: Metrics
) -> AsyncIterator[tuple[Pool[Program, Judgement], str, ModelRegistry]]:
    """The sandbox pool, what it runs on, and the models; all started, and stopped at the end."""
    judge = _sandbox_pool(options, metrics)
    models = ModelRegistry(functools.partial(_generation_pool, options, metrics), metrics.engines)
    try:
        try:
            async with asyncio.TaskGroup() as starting:
                cells = starting.create_task(judge.start())
                for source in options.models:
                    starting.create_task(models.load(source))
        except ExceptionGroup as group:
            ours, others = group.split((WorkerError, ServiceError))
            if others is not None or ours is None:
                raise
            raise CannotStart("; ".join(str(error) for error in ours.exceptions)) from group
        infos = cells.result()
        for info in infos:
            log.info("a sandbox worker is ready", extra={"sandbox": info.kind, "detail": info.detail})
        yield judge, infos[0].kind, models
    finally:
        await asyncio.gather(models.stop(), judge.stop())


@asynccontextmanager
async def _store(options: Options) -> AsyncIterator[JobStore]:
    """The jobs' store, which is swept meanwhile. Raises `CannotStart`."""
    try:
        store = await open_store(options.store)
    except (ValueError, StoreUnavailable) as error:
        raise CannotStart(str(error)) from error
    sweeping = asyncio.create_task(
        sweep_for_ever(store, options.retention_days, now=lambda: datetime.datetime.now(datetime.UTC))
    )
    try:
        yield store
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        await store.close()


@asynccontextmanager
async def _parts(
    options: Options, metrics: Metrics
) -> AsyncIterator[tuple[JobStore, Pool[Program, Judgement], str, ModelRegistry]]:
    """What stands behind the front end."""
    async with _store(options) as store, _workers(options, metrics) as (judge, sandbox, models):
        yield store, judge, sandbox, models


async def serve(
    options: Options,
    door: Door,
    credentials: grpc.ServerCredentials | None,
    announce: Callable[[dict[str, object]], None],
) -> None:
    """Serves until it is told to stop. Raises `CannotStart`."""
    stop = asyncio.Event()
    hurry = asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    if isinstance(door, TokenDoor):
        loop.add_signal_handler(signal.SIGHUP, door.reload)

    metrics = Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        traces = await stack.enter_async_context(open_traces(options.trace_endpoint, options.trace_samples))
        if options.parent is not None:
            watcher = asyncio.create_task(_stop_with_parent(options.parent, (stop, hurry)))
            stack.callback(watcher.cancel)
        starting = asyncio.ensure_future(stack.enter_async_context(_parts(options, metrics)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # told to stop while starting
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        store, judge, sandbox, models = await starting
        cached = CachingJudge(judge, options.cache_mib * 2**20, metrics.cache_hits.inc)
        judging = cached if options.cache_mib else judge
        front = FrontEnd(judging, sandbox, models, metrics, store, door, (judge,), traces)
        try:
            port = await front.start(options.listen, credentials)
        except OSError as error:
            raise CannotStart(f"--listen: {error}") from error
        host = options.listen.rpartition(":")[0]
        listens = options.listen if options.listen.startswith("unix:") else f"{host}:{port}"
        where: dict[str, object] = {"listen": listens, "sandbox": sandbox, "pid": os.getpid(), "metrics": None}
        if options.metrics_listen:
            exposition = Exposition(metrics.exposition, lambda: _places(judge, models), _exporters)
            where["metrics"] = await _serve_metrics(options.metrics_listen, exposition, stack)
        announce(where)
        serving = {"listen": where["listen"], "sandbox": sandbox, "models": [m.model_id for m in models.list()]}
        log.info("serving", extra=serving)
        await stop.wait()
        log.info("draining")
        await front.stop(options.drain_seconds, hurry)


async def _serve_metrics(listen: str, exposition: Exposition, stack: AsyncExitStack) -> str:
    host, port = address(listen)
    try:
        port = await stack.enter_async_context(exposition.serving(host, port))
    except OSError as error:
        raise CannotStart(f"--metrics-listen: {listen} can't be listened on: {error.strerror}") from error
    return f"{host}:{port}"


def _places(judge: Pool[Program, Judgement], models: ModelRegistry) -> Pools:
    """All workers by pool and place; each is a `RemoteWorker`, which can be asked for its metrics."""
    pools: Sequence[Pool[Any, Any]] = (judge, *models.pools())
    return {pool.name: cast("Sequence[RemoteWorker[Any, Any] | None]", pool.places) for pool in pools}


async def _exporters() -> Sequence[str]:
    return await asyncio.to_thread(exporters)


async def _stop_with_parent(parent: int, stop: Sequence[asyncio.Event]) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(PARENT_POLL_SECONDS)
    log.info("the process that started this server is gone")
    for event in stop:  # nobody is left to wait for a job's end
        event.set()


@click.command(
    name="codesieve serve",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""Example: codesieve serve --listen 127.0.0.1:7420 --model smollm2 --metrics-listen 127.0.0.1:9464

    Exit codes: 0 stopped when told to, 1 failed while running, 2 bad usage, or it can't start as asked.""",
)
@serve_options
def main(announce: Path | None, log_format: logs.Form, log_level: str, exit_with_parent: bool, **values: Any) -> None:
    """Serve jobs over gRPC: sample with vLLM, judge in sandboxes, stream verdicts back."""
    parent = os.getppid()
    logs.configure(sys.stderr, log_format, log_level)

    def say(what: dict[str, object]) -> None:
        if announce is not None:
            # Renamed into place: whoever waits for the file never reads half a line.
            part = announce.with_name(announce.name + ".part")
            part.write_text(json.dumps(what) + "\n", encoding="utf-8")
            part.rename(announce)

    try:
        access = Access(**{field.name: values.pop(field.name) for field in dataclasses.fields(Access)})
        values["cells"] = values["cells"] or CELLS_PER_CORE * (os.cpu_count() or 1)
        os.environ.pop(STORE_VARIABLE, None)  # no worker and no cell is to inherit a password
        values["store"] = values["store"] or str(default_store(os.environ, os.getuid()))
        options = Options(**values, parent=parent if exit_with_parent else None)
        for place in filter(None, (options.listen, options.metrics_listen)):
            if not place.startswith("unix:"):
                address(place)
        access.check(options.listen)
        door, credentials = access.door(lambda: datetime.datetime.now(datetime.UTC)), access.credentials()
        if options.dedicated_nodes and options.ray_address is None:
            raise ValueError("--dedicated-nodes needs --ray-address: a Ray started here has one node for everything")
        read_store(options.store)
        check_tracing(options.trace_endpoint)
        for source in options.models:
            if options.ray_address is None:
                engine_for(source)  # what isn't there is refused before anything is started
        with keep_port("--listen", options.listen), keep_port("--metrics-listen", options.metrics_listen):
            start_ray(options.ray_address, export=options.metrics_listen is not None)
            try:
                asyncio.run(serve(options, door, credentials, say))
            finally:
                stop_ray()
    except (CannotStart, WorkerError, ValueError, OSError) as error:
        say({"error": str(error), "exit": 2})
        click.echo(f"codesieve serve: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main(prog_name="codesieve serve")
