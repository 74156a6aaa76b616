"""A small codesieve server for the client's tests: the wire's contract without engines and sandboxes.

It keeps jobs and their events, is idempotent on the job id, and judges by a rule of its own (a completion that says
"pass" has passed). Tests plan its outages: streams that break after so many messages, calls that are refused so often.
It runs on grpc.aio in a thread of its own, so that the sync client, the async one and a child process can all reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from tests.unit.client.fake_state import DRAINING, Context, FakeServer, Refusal, judgement

from codesieve.v1 import (
    job_pb2,
    job_pb2_grpc,
    judge_pb2,
    judge_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
    types_pb2,
)


class Jobs(job_pb2_grpc.JobServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def _begin(self, name: str, request: Any, context: Context) -> None:
        self.fake.calls.append(name)
        self.fake.requests.append(request)
        self.fake.sent_metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        if self.fake.refusals:
            await self.fake.refusals.pop(0).abort(context)

    async def CreateJob(self, request: job_pb2.CreateJobRequest, context: Context) -> job_pb2.Job:
        await self._begin("CreateJob", request, context)
        return await self._create(request, context)

    async def UploadJob(
        self, request_iterator: AsyncIterator[job_pb2.UploadJobRequest], context: Context
    ) -> job_pb2.Job:
        whole = job_pb2.CreateJobRequest()
        await self._begin("UploadJob", whole, context)
        async for piece in request_iterator:
            assert piece.ByteSize() <= 2**20 + 1024
            whole.MergeFrom(piece.create)
            if piece.HasField("problems"):
                whole.job.problems.inline.MergeFrom(piece.problems)
            if piece.HasField("samples"):
                whole.job.recorded.MergeFrom(piece.samples)
        return await self._create(whole, context)

    async def DeleteJob(self, request: job_pb2.DeleteJobRequest, context: Context) -> empty_pb2.Empty:
        await self._begin("DeleteJob", request, context)
        await self._job(request.name, context)
        del self.fake.jobs[request.name]
        return empty_pb2.Empty()

    async def RejudgeJob(self, request: job_pb2.RejudgeJobRequest, context: Context) -> job_pb2.Job:
        await self._begin("RejudgeJob", request, context)
        await self._job(request.name, context)
        job = job_pb2.Job(name=f"jobs/{request.job_id}", state=job_pb2.Job.RUNNING, rejudge_of=request.name)
        asked = job_pb2.Job(recorded=job_pb2.RecordedSamples(samples=self.fake.samples[request.name]))
        return self._start(asked, job, self.fake.today)

    async def _create(self, request: job_pb2.CreateJobRequest, context: Context) -> job_pb2.Job:
        name = f"jobs/{request.job_id}"
        if name in self.fake.jobs:
            asked, there = self.fake.jobs[name]
            if asked != request.job:
                taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, f"job {request.job_id} asks for something else")
                await taken.abort(context)
            return there
        job = job_pb2.Job(name=name, state=job_pb2.Job.RUNNING, priority=request.job.priority)
        if request.job.HasField("timeout"):
            job.timeout.CopyFrom(request.job.timeout)
        job.generation.model = request.job.generation.model
        if self.fake.provenance is not None:
            job.provenance.CopyFrom(self.fake.provenance)
        return self._start(request.job, job, {})

    def _start(self, asked: job_pb2.Job, job: job_pb2.Job, otherwise: dict[str, types_pb2.Judgement]) -> job_pb2.Job:
        self.fake.events[job.name] = []
        self.fake.jobs[job.name] = (asked, job)
        self._run(asked, job, otherwise)
        return job

    def _run(self, asked: job_pb2.Job, job: job_pb2.Job, otherwise: dict[str, types_pb2.Judgement]) -> None:
        samples = list(asked.recorded.samples)
        if asked.HasField("generation"):
            ids = [each.problem_id for each in asked.problems.inline.problems] or ["HumanEval/0", "HumanEval/1"]
            samples = [
                types_pb2.Sample(
                    problem_id=problem_id,
                    temperature=temperature,
                    completion=b"    pass\n" if index % 2 == 0 else b"    return \x1b]0;pwned\x07\n",
                    token_count=3,
                    cumulative_logprob=-1.5,
                    finish_reason="STOP",
                )
                for problem_id in ids
                for temperature in asked.generation.temperatures
                for index in range(asked.generation.samples_per_problem)
            ]
        self.fake.samples[job.name] = samples
        counts: dict[tuple[str, str], int] = {}
        happenings: list[dict[str, Any]] = [{"job": self._now(job, samples, 0)}]
        passed = 0
        for place, sample in enumerate(samples):
            temperature = f"{sample.temperature:g}" if sample.HasField("temperature") else "-"
            sample.index = counts.get((sample.problem_id, temperature), 0)
            counts[sample.problem_id, temperature] = sample.index + 1
            sample.sample_id = f"{sample.problem_id}@{temperature}#{sample.index}"
            lost = place >= len(samples) - self.fake.unmade
            told = otherwise.get(sample.sample_id) or judgement(b"outage" if lost else sample.completion)
            passed += told.verdict == types_pb2.Judgement.PASSED
            if not lost:
                happenings.append({"sample_generated": sample})
            happenings.append({"sample_judged": job_pb2.SampleJudged(sample_id=sample.sample_id, judgement=told)})
        if not self.fake.hold:
            job.state = self.fake.end_state
            if self.fake.provenance_at_end is not None:
                job.provenance.CopyFrom(self.fake.provenance_at_end)
            if job.state == job_pb2.Job.FAILED:
                job.failure.CopyFrom(job_pb2.Failure(reason="NOTHING_JUDGED", message="no sandbox \x1b[2J"))
            share = passed / len(samples)
            job.report.CopyFrom(
                job_pb2.Report(
                    temperatures=[
                        job_pb2.TemperatureReport(
                            temperature=0.2,
                            samples=len(samples),
                            pass_at_k=[job_pb2.PassAtK(k=1, value=share, interval_low=0.1, interval_high=0.9)],
                            ranking=job_pb2.Ranking(mean_logprob=0.5, random=share, oracle=1.0),
                        )
                    ],
                    judge=job_pb2.JudgeReport(programs_per_second=123.4, wall_seconds=2.0, sandbox="docker"),
                )
            )
            happenings.append({"job": self._now(job, samples, len(samples))})
        for place, happening in enumerate(happenings, 1):
            self.fake.events[job.name].append(job_pb2.JobEvent(sequence=place, **happening))

    def _now(self, job: job_pb2.Job, samples: list[types_pb2.Sample], judged: int) -> job_pb2.Job:
        now = job_pb2.Job()
        now.CopyFrom(job)
        now.progress.samples_total, now.progress.samples_judged = len(samples), judged
        return now

    async def _job(self, name: str, context: Context) -> job_pb2.Job:
        if name not in self.fake.jobs:
            await Refusal(grpc.StatusCode.NOT_FOUND, f"there is no job {name}", "JOB_NOT_FOUND").abort(context)
        return self.fake.jobs[name][1]

    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        await self._begin("GetJob", request, context)
        return await self._job(request.name, context)

    async def ListJobs(self, request: job_pb2.ListJobsRequest, context: Context) -> job_pb2.ListJobsResponse:
        await self._begin("ListJobs", request, context)
        there = [job for _, job in reversed(self.fake.jobs.values())]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 50)
        return job_pb2.ListJobsResponse(jobs=there[start:end], next_page_token=str(end) if end < len(there) else "")

    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: Context) -> job_pb2.Job:
        await self._begin("CancelJob", request, context)
        job = await self._job(request.name, context)
        if job.state == job_pb2.Job.RUNNING:
            job.state = job_pb2.Job.CANCELLED
            events = self.fake.events[request.name]
            events.append(job_pb2.JobEvent(sequence=len(events) + 1, job=job))
        return job

    async def WatchJob(self, request: job_pb2.WatchJobRequest, context: Context) -> AsyncIterator[job_pb2.JobEvent]:
        # The handler itself may see no more than that its requests end.
        context.add_done_callback(lambda _: self.fake.ended.append("WatchJob"))  # type: ignore[arg-type]
        async for event in self._watch(request, context):
            yield event

    async def _watch(self, request: job_pb2.WatchJobRequest, context: Context) -> AsyncIterator[job_pb2.JobEvent]:
        self.fake.calls.append("WatchJob")
        self.fake.sent_metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        self.fake.watched_after.append(request.after_sequence)
        job = await self._job(request.name, context)
        breaks = self.fake.watch_breaks.pop(0) if self.fake.watch_breaks else None
        seen = request.after_sequence
        while True:
            for event in self.fake.events[request.name][seen:]:
                if breaks is not None and seen - request.after_sequence >= breaks:
                    await DRAINING.abort(context)
                seen += 1
                if event.sequence != self.fake.skip_sequence:
                    yield event
            if breaks is not None:
                await DRAINING.abort(context)
            if job.state not in (job_pb2.Job.PENDING, job_pb2.Job.RUNNING):
                return
            await asyncio.sleep(0.01)


class Judge(judge_pb2_grpc.JudgeServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def Judge(
        self, request_iterator: AsyncIterator[judge_pb2.JudgeRequest], context: Context
    ) -> AsyncIterator[judge_pb2.JudgeResponse]:
        # The handler itself may see no more than that its requests end.
        context.add_done_callback(lambda _: self.fake.ended.append("Judge"))  # type: ignore[arg-type]
        async for answer in self._judge(request_iterator, context):
            yield answer

    async def _judge(
        self, request_iterator: AsyncIterator[judge_pb2.JudgeRequest], context: Context
    ) -> AsyncIterator[judge_pb2.JudgeResponse]:
        self.fake.calls.append("Judge")
        breaks = self.fake.judge_breaks.pop(0) if self.fake.judge_breaks else None
        got: list[str] = []
        self.fake.judged_ids.append(got)
        answered = 0
        first = await anext(aiter(request_iterator))
        assert first.WhichOneof("request") == "setup"
        self.fake.requests.append(first)
        async for request in request_iterator:
            item = request.item
            if item.problem_id == "unknown":
                wrong = (("items[0].problem_id", "there is no problem 'unknown'"),)
                await Refusal(grpc.StatusCode.INVALID_ARGUMENT, "items[0]: no such problem", "X", wrong).abort(context)
            got.append(item.id)
            if breaks is not None and answered >= breaks:
                await DRAINING.abort(context)
            if item.id not in self.fake.judge_unanswered:
                answered += 1
                yield judge_pb2.JudgeResponse(id=item.id, judgement=judgement(item.completion))


class Models(model_pb2_grpc.ModelServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def ListModels(self, request: model_pb2.ListModelsRequest, context: Context) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse(
            models=[model_pb2.Model(name="models/m", source="/m", engine="vllm", state="READY", workers=1)]
        )

    async def LoadModel(self, request: model_pb2.LoadModelRequest, context: Context) -> model_pb2.Model:
        self.fake.calls.append(f"LoadModel {request.source}")
        if "nothing" in request.source:
            missing = Refusal(grpc.StatusCode.NOT_FOUND, f"nothing is at {request.source}", "MODEL_NOT_FOUND")
            await missing.abort(context)
        return model_pb2.Model(name="models/loaded", source=request.source, engine="openai", state="READY", workers=1)

    async def _changed(self, request: Any, context: Context) -> model_pb2.Model:
        """Any call about a model's weights."""
        self.fake.calls.append(type(request).__name__.removesuffix("Request"))
        self.fake.requests.append(request)
        if request.name == "models/none":
            await Refusal(grpc.StatusCode.NOT_FOUND, "there is no model none", "MODEL_NOT_FOUND").abort(context)
        model = model_pb2.Model(name=request.name, engine="vllm", state="PAUSED", workers=1, weights_version="step-1")
        model.adapters.add(adapter="a", directory="/a")
        return model

    async def _transferred(
        self, request: model_pb2.WeightTransferRequest, context: Context
    ) -> model_pb2.WeightTransferResponse:
        self.fake.requests.append(request)
        return model_pb2.WeightTransferResponse(weights_version=request.weights_version or "0")

    LoadWeights = PauseGeneration = ResumeGeneration = Sleep = WakeUp = LoadAdapter = UnloadAdapter = _changed
    InitWeightTransfer = StartWeightUpdate = UpdateWeights = FinishWeightUpdate = _transferred


class Overview(server_pb2_grpc.ServerServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def GetServer(self, request: server_pb2.GetServerRequest, context: Context) -> server_pb2.Server:
        self.fake.calls.append("GetServer")
        self.fake.requests.append(request)
        if self.fake.refusals:
            await self.fake.refusals.pop(0).abort(context)
        if self.fake.server_hangs:
            await asyncio.sleep(3600)
        return self.fake.server


@contextlib.contextmanager
def serving(credentials: grpc.ServerCredentials | None) -> Iterator[FakeServer]:
    """A server of its own, perhaps with TLS."""
    state = FakeServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    size = [("grpc.max_receive_message_length", 64 * 2**20)]

    async def start() -> grpc.aio.Server:
        server = grpc.aio.server(options=size)
        job_pb2_grpc.add_JobServiceServicer_to_server(Jobs(state), server)
        judge_pb2_grpc.add_JudgeServiceServicer_to_server(Judge(state), server)
        model_pb2_grpc.add_ModelServiceServicer_to_server(Models(state), server)
        server_pb2_grpc.add_ServerServiceServicer_to_server(Overview(state), server)
        if credentials is None:
            state.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        else:
            state.target = f"localhost:{server.add_secure_port('localhost:0', credentials)}"
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
