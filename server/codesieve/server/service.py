"""The servicers: thin. Each reads its request (`convert.requests`), asks the domain, and writes the answer."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from codesieve.server.convert import answers, requests
from codesieve.server.errors import Draining, InvalidRequest, Violation
from codesieve.server.interceptors import rpc
from codesieve.server.jobs.manager import JobManager
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pipeline import Judges
from codesieve.v1 import (
    job_pb2,
    job_pb2_grpc,
    judge_pb2,
    judge_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
)
from codesieve.workers.types import Program

Context = grpc.aio.ServicerContext[Any, Any]

MAX_UNANSWERED = 512
"""Items of one Judge stream that are accepted before the first of them is answered."""


class JobService(job_pb2_grpc.JobServiceServicer):
    """``codesieve.v1.JobService``."""

    def __init__(self, jobs: JobManager, models: ModelRegistry, metrics: Metrics) -> None:
        self._jobs = jobs
        self._models = models
        self.metrics = metrics

    @rpc
    async def CreateJob(self, request: job_pb2.CreateJobRequest, context: Context) -> job_pb2.Job:
        job_id, spec = requests.create_job(request, self._models)
        return answers.job(await self._jobs.create(job_id, spec))

    @rpc
    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        return answers.job(await self._jobs.get(requests.job_id_of(request.name)))

    @rpc
    async def ListJobs(self, request: job_pb2.ListJobsRequest, context: Context) -> job_pb2.ListJobsResponse:
        size, before = requests.page(request)
        return answers.page(await self._jobs.list(size, before), size)

    @rpc
    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: Context) -> job_pb2.Job:
        return answers.job(await self._jobs.cancel(requests.job_id_of(request.name)))

    @rpc
    async def WatchJob(self, request: job_pb2.WatchJobRequest, context: Context) -> AsyncIterator[job_pb2.JobEvent]:
        job_id = requests.job_id_of(request.name)
        if request.after_sequence < 0:
            raise InvalidRequest([Violation("after_sequence", f"must be at least 0, not {request.after_sequence}")])
        async for event in self._jobs.watch(job_id, request.after_sequence):
            yield answers.event(event)


class JudgeService(judge_pb2_grpc.JudgeServiceServicer):
    """``codesieve.v1.JudgeService``."""

    def __init__(self, judge: Judges, metrics: Metrics) -> None:
        self._judge = judge
        self._draining = False
        self.metrics = metrics

    def drain(self) -> None:
        """Refuses new streams; those under way go on."""
        self._draining = True

    @rpc
    async def Judge(
        self, request_iterator: AsyncIterator[judge_pb2.JudgeRequest], context: Context
    ) -> AsyncIterator[judge_pb2.JudgeResponse]:
        if self._draining:
            raise Draining
        stream = f"judge/{uuid.uuid4().hex}"  # no job's id has a slash
        first = await anext(request_iterator, None)
        problems, limits = requests.judge_setup(first or judge_pb2.JudgeRequest())

        answered: asyncio.Queue[judge_pb2.JudgeResponse] = asyncio.Queue()
        room = asyncio.Semaphore(MAX_UNANSWERED)

        async def judge(item_id: str, program: Program) -> None:
            outcome = await self._judge.run(program)
            await answered.put(judge_pb2.JudgeResponse(id=item_id, judgement=answers.judgement(outcome)))

        async def read() -> None:
            """Takes items until the client half-closes, and returns when each is answered."""
            seen: set[str] = set()
            trouble: InvalidRequest | None = None
            async with asyncio.TaskGroup() as judging:
                async for request in request_iterator:
                    try:
                        item_id, problem, completion = requests.judge_item(request, len(seen), problems, seen)
                    except InvalidRequest as error:
                        trouble = error  # what was accepted before it is answered first
                        break
                    await room.acquire()
                    work_id = f"{stream}/{len(seen)}"
                    seen.add(item_id)
                    judging.create_task(judge(item_id, Program(work_id, problem, completion, limits, stream)))
            if trouble is not None:
                raise trouble

        reader = asyncio.create_task(read())
        try:
            while not (reader.done() and answered.empty()):
                next_answer = asyncio.ensure_future(answered.get())
                await asyncio.wait((reader, next_answer), return_when=asyncio.FIRST_COMPLETED)
                if next_answer.done():
                    yield next_answer.result()
                    room.release()
                else:
                    next_answer.cancel()
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """``codesieve.v1.ModelService``."""

    def __init__(self, models: ModelRegistry, metrics: Metrics) -> None:
        self._models = models
        self.metrics = metrics

    @rpc
    async def ListModels(self, request: model_pb2.ListModelsRequest, context: Context) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse(models=[answers.model(one) for one in self._models.list()])

    @rpc
    async def LoadModel(self, request: model_pb2.LoadModelRequest, context: Context) -> model_pb2.Model:
        if not request.source.strip():
            raise InvalidRequest([Violation("source", "must be a directory, a URL or replay:FILE")])
        return answers.model(await self._models.load(request.source))

    @rpc
    async def InitWeightTransfer(
        self, request: model_pb2.WeightTransferRequest, context: Context
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("init_weight_transfer", request)

    @rpc
    async def StartWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, context: Context
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("start_weight_update", request)

    @rpc
    async def UpdateWeights(
        self, request: model_pb2.WeightTransferRequest, context: Context
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("update_weights", request)

    @rpc
    async def FinishWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, context: Context
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("finish_weight_update", request)

    async def _weights(self, call: str, request: model_pb2.WeightTransferRequest) -> model_pb2.WeightTransferResponse:
        try:
            options = json.loads(request.options_json or b"{}")
        except ValueError as error:
            raise InvalidRequest([Violation("options_json", f"is not JSON: {error}")]) from error
        if not isinstance(options, dict):
            raise InvalidRequest([Violation("options_json", "must be a JSON object")])
        await self._models.weights(request.name.removeprefix("models/"), call, options)
        return model_pb2.WeightTransferResponse()
