"""The front end's gRPC server: its services, health and reflection, and how it stops.

Which workers stand behind it is the caller's business: Ray actors in ``__main__``, workers of this process in tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from codesieve.server.door import Door
from codesieve.server.intake import Intake, handler
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.store import JobStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.open_services import OpenServices
from codesieve.server.overview import HasMembers, Overview
from codesieve.server.pipeline import Judges
from codesieve.server.quotas import Quotas
from codesieve.server.services.jobs import JobService
from codesieve.server.services.judge import JudgeService
from codesieve.server.services.models import ModelService
from codesieve.server.services.server import ServerService
from codesieve.v1 import job_pb2, judge_pb2, model_pb2, server_pb2
from codesieve.workers.types import WorkerInfo

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 2**20
LOOKAHEAD_BYTES = 128 * 2**10
"""Of a connection, received before it is asked for."""
CLOSE_SECONDS = 2.0
HEALTH_SECONDS = 1.0
MAX_RPCS = 4096
"""At a time, streams among them; gRPC refuses more with RESOURCE_EXHAUSTED."""

_DESCRIPTORS = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (job_pb2, "JobService"),
        (judge_pb2, "JudgeService"),
        (model_pb2, "ModelService"),
        (server_pb2, "ServerService"),
    )
)
SERVICES = tuple(each.full_name for each in _DESCRIPTORS)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class FrontEnd:
    """The services over what judges, the models and the store of jobs; `door` says who comes in.

    `traces` makes the spans; None for none.
    """

    def __init__(
        self,
        judge: Judges,
        sandbox: str,
        models: ModelRegistry,
        metrics: Metrics,
        store: JobStore,
        door: Door,
        pools: Sequence[HasMembers] = (),
        traces: Traces | None = None,
    ) -> None:
        """`pools` are the sandbox's: they are shown to who asks for the server, and what they are stands in provenances."""
        if traces is not None:
            judge = traces.hop("judge", judge)

        def cells() -> Sequence[WorkerInfo]:
            return [member.info for pool in pools for member in pool.seen()]

        self._quotas = quotas = Quotas(door.quota_of)
        self._intake = Intake()
        self._jobs = JobManager(
            store,
            uuid.uuid4().hex,
            models,
            judge,
            sandbox,
            metrics,
            quotas,
            now=_now,
            cells=cells,
            traces=traces,
        )
        self._judging = JudgeService(judge, metrics, door, quotas, store.charge, _now, traces)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                # What a client has sent and nobody has read yet is held here. Left to itself gRPC lets that grow with
                # the bandwidth, for each connection.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
                ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a lottery
            ],
            maximum_concurrent_rpcs=MAX_RPCS,
        )
        self._health = health.aio.HealthServicer()
        self._job_service = JobService(self._jobs, models, metrics, door, traces)
        overview = Overview(
            sandbox,
            lambda: (*pools, *models.pools()),
            lambda: (model.model_id for model in models.ready()),
            self._jobs,
            metrics,
            _now,
        )
        servicers = (
            self._job_service,
            self._judging,
            ModelService(models, metrics, door, traces),
            ServerService(overview, metrics, door, traces),
        )
        self._server.add_generic_rpc_handlers(
            [handler(servicer, each, self._intake) for servicer, each in zip(servicers, _DESCRIPTORS, strict=True)]
        )
        self._open = OpenServices(self._intake)
        names = [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME]
        standard = (
            (self._health, health_pb2.DESCRIPTOR.services_by_name["Health"]),
            (reflection.aio.ReflectionServicer(names), reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]),
        )
        self._server.add_generic_rpc_handlers([self._open.handler(servicer, each) for servicer, each in standard])

    async def start(self, listen: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listens and serves, by TLS with `credentials`; the port. Raises OSError where it can't listen."""
        try:
            if credentials is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:  # all that gRPC says
            raise OSError(f"{listen} can't be listened on; is another server there?") from error
        self._jobs.start()
        await self._server.start()
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    def held(self) -> dict[str, int]:
        """What calls and jobs hold now, by what it is; all 0 while nothing goes on."""
        return {
            "bytes": self._intake.held_bytes,
            "places to receive": self._intake.receiving,
            "Judge streams": self._judging.streams.open,
            "open streams": self._open.streams.open,
            "bytes uploaded": self._job_service.uploads.taken,
            "WatchJob streams": self._job_service.watchers.open,
            "samples in flight": self._quotas.taken,
        }

    async def stop(self, drain_seconds: float, hurry: asyncio.Event) -> None:
        """Takes nothing new, lets running jobs end within `drain_seconds` or until `hurry` is set, and closes."""
        with contextlib.suppress(TimeoutError):  # a watcher that takes no answer holds it up
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._health.enter_graceful_shutdown()
        self._judging.drain()
        draining = asyncio.create_task(self._jobs.drain(drain_seconds))
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        if not draining.done():
            draining.cancel()
            await self._jobs.drain(0)
        await self._server.stop(CLOSE_SECONDS)
