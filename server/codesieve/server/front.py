"""The front end's gRPC server: its services, health and reflection, and how it stops.

Which workers stand behind it is the caller's business: Ray actors in ``__main__``, workers of this process in tests.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import uuid

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from codesieve.server.door import Door
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.store import JobStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pipeline import Judges
from codesieve.server.services.jobs import JobService
from codesieve.server.services.judge import JudgeService
from codesieve.server.services.models import ModelService
from codesieve.v1 import job_pb2, job_pb2_grpc, judge_pb2, judge_pb2_grpc, model_pb2, model_pb2_grpc

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 2**20
CLOSE_SECONDS = 2.0

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in ((job_pb2, "JobService"), (judge_pb2, "JudgeService"), (model_pb2, "ModelService"))
)


class FrontEnd:
    """The services over what judges, the models and the store of jobs; `door` says who comes in."""

    def __init__(
        self, judge: Judges, sandbox: str, models: ModelRegistry, metrics: Metrics, store: JobStore, door: Door
    ) -> None:
        self._jobs = JobManager(
            store,
            uuid.uuid4().hex,
            models,
            judge,
            sandbox,
            metrics,
            now=lambda: datetime.datetime.now(datetime.UTC),
        )
        self._judging = JudgeService(judge, metrics, door)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a lottery
            ]
        )
        self._health = health.aio.HealthServicer()
        job_pb2_grpc.add_JobServiceServicer_to_server(JobService(self._jobs, models, metrics, door), self._server)
        judge_pb2_grpc.add_JudgeServiceServicer_to_server(self._judging, self._server)
        model_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models, metrics, door), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)

    async def start(self, listen: str) -> int:
        """Listens and serves; the port. Raises OSError where it can't listen."""
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:  # all that gRPC says
            raise OSError(f"{listen} can't be listened on; is another server there?") from error
        self._jobs.start()
        await self._server.start()
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, drain_seconds: float, hurry: asyncio.Event) -> None:
        """Takes nothing new, lets running jobs end within `drain_seconds` or until `hurry` is set, and closes."""
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
