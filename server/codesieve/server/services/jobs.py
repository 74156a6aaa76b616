"""``codesieve.v1.JobService``: thin. Reads a request (`convert.requests`), asks the domain, and writes the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2

from codesieve.server.callers import Scope
from codesieve.server.convert import answers, requests
from codesieve.server.door import Door
from codesieve.server.errors import InvalidRequest, NotFound, Violation
from codesieve.server.interceptors import Call, rpc
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.model import JobKey
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.quotas import Limit
from codesieve.server.uploads import Uploads
from codesieve.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

MAX_WATCHERS = 1024


class JobService(job_pb2_grpc.JobServiceServicer):
    """A caller's own jobs."""

    def __init__(
        self, jobs: JobManager, models: ModelRegistry, metrics: Metrics, door: Door, traces: Traces | None
    ) -> None:
        self._jobs = jobs
        self._models = models
        self.watchers = Limit(MAX_WATCHERS, "WatchJob streams")
        self.uploads = Uploads()
        self.metrics = metrics
        self.door = door
        self.traces = traces

    @rpc(Scope.SUBMIT, large=True)
    async def CreateJob(self, request: job_pb2.CreateJobRequest, call: Call) -> job_pb2.Job:
        job_id, spec, contents = requests.create_job(request, self._models)
        return answers.job(await self._jobs.create(call.caller, job_id, spec, contents, call.trace))

    @rpc(Scope.SUBMIT, large=True, whole_stream=False)
    async def UploadJob(self, request_iterator: AsyncIterator[job_pb2.UploadJobRequest], call: Call) -> job_pb2.Job:
        with self.uploads.begin(call.caller.name) as upload:
            reader: requests.JobReader | None = None
            async for piece in self.uploads.pieces(aiter(request_iterator)):
                upload.take(piece.ByteSize(), requests.objects_in(piece))
                if reader is None:
                    reader = requests.JobReader(requests.upload_start(piece))
                else:
                    reader.add(piece)
            if reader is None:
                raise requests.no_start()
            job_id, spec, contents = reader.result(self._models)
            return answers.job(await self._jobs.create(call.caller, job_id, spec, contents, call.trace))

    @rpc(Scope.SUBMIT)
    async def RejudgeJob(self, request: job_pb2.RejudgeJobRequest, call: Call) -> job_pb2.Job:
        source, job_id = requests.rejudge_job(request)
        return answers.job(await self._jobs.rejudge(call.caller, source, job_id, call.trace))

    @rpc(Scope.SUBMIT)
    async def DeleteJob(self, request: job_pb2.DeleteJobRequest, call: Call) -> empty_pb2.Empty:
        await self._jobs.delete(_key(call, request.name))
        return empty_pb2.Empty()

    @rpc(Scope.READ)
    async def GetJob(self, request: job_pb2.GetJobRequest, call: Call) -> job_pb2.Job:
        return answers.job(await self._jobs.get(_key(call, request.name)))

    @rpc(Scope.READ)
    async def ListJobs(self, request: job_pb2.ListJobsRequest, call: Call) -> job_pb2.ListJobsResponse:
        size, before = requests.page(request)
        try:
            return answers.page(await self._jobs.list(call.caller.name, size, before), size)
        except NotFound:
            raise InvalidRequest([Violation("page_token", "points to a job that isn't there; begin anew")]) from None

    @rpc(Scope.SUBMIT)
    async def CancelJob(self, request: job_pb2.CancelJobRequest, call: Call) -> job_pb2.Job:
        return answers.job(await self._jobs.cancel(_key(call, request.name)))

    @rpc(Scope.READ)
    async def WatchJob(self, request: job_pb2.WatchJobRequest, call: Call) -> AsyncIterator[job_pb2.JobEvent]:
        key = _key(call, request.name)
        if request.after_sequence < 0:
            raise InvalidRequest([Violation("after_sequence", f"must be at least 0, not {request.after_sequence}")])
        with self.watchers.entered(call.caller.name):
            async for event in self._jobs.watch(key, request.after_sequence):
                yield answers.event(event)


def _key(call: Call, name: str) -> JobKey:
    return JobKey(call.caller.name, requests.job_id_of(name))
