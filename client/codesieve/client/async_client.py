"""`AsyncClient`: the calls of codesieve for asyncio, on grpc.aio. What they do is the same as `Client`'s, in flows."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio

from codesieve.client import convert, flows, requests, server_convert, types
from codesieve.client.channel import DEFAULT_TARGET, Stubs, no_answer, open_channel
from codesieve.client.errors import CodesieveError, Unavailable, from_rpc_error
from codesieve.client.models import AsyncModels
from codesieve.client.problems import Problem
from codesieve.client.requests import Generation
from codesieve.client.retry import Retry
from codesieve.client.security import Security
from codesieve.client.tracing import calling
from codesieve.v1 import job_pb2

if TYPE_CHECKING:
    from types import TracebackType

    from codesieve.client.server_types import Server
    from codesieve.v1 import judge_pb2


class AsyncClient:
    """A connection to a codesieve server, made and used in one event loop; close it, or use it in an `async with`.

    `target` is "HOST:PORT", or any name that gRPC resolves. `security` holds the token and the encryption. `on_outage` is
    called with what went wrong each time before something is tried again, and with None once the server answers after that.
    Each call raises a `CodesieveError`; see ``codesieve.client.errors`` for the tree.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        security: Security = Security(),  # noqa: B008 (frozen)
        retry: Retry = Retry(),  # noqa: B008 (frozen)
        on_outage: flows.OnOutage | None = None,
    ) -> None:
        self.target = target
        self._channel = open_channel(grpc.aio, target, security)
        self._stubs = Stubs(self._channel, security.metadata)
        self._closed = False
        # Jitter needs no reproducibility, and forked trainers must not share it.
        self._tools = flows.Tools(retry, time.monotonic, random.SystemRandom(), on_outage)
        self.jobs = AsyncJobs(self)
        self.models = AsyncModels(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; what is under way on it ends at once, here and at the server, with `Unavailable`."""
        self._closed = True
        await self._channel.close()

    async def wait_until_ready(self, timeout_seconds: float = 10.0) -> None:
        """Waits until a gRPC server answers at the target. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._channel.channel_ready()
        except TimeoutError:
            raise Unavailable(no_answer(self.target, timeout_seconds), reason="NO_ANSWER") from None

    async def run(
        self,
        problems: str | Sequence[Problem],
        generation: Generation = Generation(),  # noqa: B008 (frozen)
        *,
        k: Sequence[int] = (),
        limit: int = 0,
        limits: types.Limits | None = None,
        job_id: str | None = None,
        priority: types.Priority | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[types.Event], None] | None = None,
    ) -> types.RunResult:
        """Has samples made, judged and scored, and waits for the result.

        `problems` is a data set of the server's ("humaneval") or a list; only the first `limit` are taken, 0 takes
        all. Calling it again with the same `job_id` and the same rest comes back to the same job, whatever became of
        the first caller. `on_event` sees each event as it comes. Raises `JobFailed` where the job does not succeed, which it
        doesn't if it takes longer than `timeout_seconds`; what was finished then is in the error's `result`.
        """
        job = await self.jobs.create(
            problems,
            generation,
            k=k,
            limit=limit,
            limits=limits,
            job_id=job_id,
            priority=priority,
            timeout_seconds=timeout_seconds,
        )
        return await self.result(job, on_event)

    async def evaluate(
        self,
        samples: Sequence[types.RecordedSample],
        problems: str | Sequence[Problem] = "humaneval",
        *,
        k: Sequence[int] = (),
        limits: types.Limits | None = None,
        job_id: str | None = None,
        priority: types.Priority | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[types.Event], None] | None = None,
    ) -> types.RunResult:
        """Has samples that were made before judged and scored, and waits for the result. See `run`."""
        job = await self.jobs.create(
            problems,
            samples,
            k=k,
            limits=limits,
            job_id=job_id,
            priority=priority,
            timeout_seconds=timeout_seconds,
        )
        return await self.result(job, on_event)

    async def result(
        self, job: str | types.Job, on_event: Callable[[types.Event], None] | None = None
    ) -> types.RunResult:
        """Waits until a job has ended; gives its samples and its report. Raises `JobFailed` where it did not succeed."""
        collector = flows.Collector()
        async with aclosing(self._drive(flows.watch(self._tools, requests.job_name(job), 0))) as events:
            async for event in events:
                collector.add(event)
                if on_event is not None:
                    on_event(event)
        return collector.result()

    def judge(
        self,
        items: Iterable[types.JudgeItem] | AsyncIterable[types.JudgeItem],
        problems: str | Sequence[Problem] = "humaneval",
        *,
        limits: types.Limits | None = None,
        priority: types.Priority | None = None,
    ) -> AsyncGenerator[types.Judged, None]:
        """Judges completions as `items` brings them; gives each judgement as soon as it is there, in any order.

        `items` is read no faster than the server takes them. Every item is answered exactly once; those unanswered
        when the server goes away are sent again once it is back. What `items` raises is raised here, after the
        answers to what it had brought. Leaving early cancels the stream, and the judging with it: close the generator
        (`contextlib.aclosing`), or cancel the task that reads it.
        """
        ledger = flows.Ledger(requests.judge_setup(problems, limits, priority))
        return self._drive(flows.judge(self._tools, ledger), _AsyncFeeder(ledger, items))

    def watch(self, job: str | types.Job, after_sequence: int = 0) -> AsyncGenerator[types.Event, None]:
        """Every event of a job after a sequence number, those that happened and those to come, each once.

        Ends when the job has ended. Reconnects by itself while that may help.
        """
        return self._drive(flows.watch(self._tools, requests.job_name(job), after_sequence))

    async def server(self, timeout_seconds: float = flows.UNARY_TIMEOUT_SECONDS) -> Server:
        """What the server does now, for all its callers. Raises `NotAllowed` without the scope admin."""
        return await self.call(server_convert.METHOD, server_convert.request(), server_convert.server, timeout_seconds)

    async def call(
        self,
        method: str,
        request: Any,
        convert_answer: Callable[[Any], flows.ValueT],
        timeout_seconds: float = flows.UNARY_TIMEOUT_SECONDS,
    ) -> flows.ValueT:
        """One unary call with its retries. For `jobs`, `models` and `server`."""
        return await self.carry_out(flows.unary(self._tools, method, request, convert_answer, timeout_seconds))

    async def create_job(self, request: job_pb2.CreateJobRequest) -> types.Job:
        """Makes a job, in pieces where it is large. For `jobs`."""
        return await self.carry_out(flows.create_job(self._tools, request))

    async def carry_out(self, flow: flows.Flow[flows.ValueT]) -> flows.ValueT:
        """A flow with one answer."""
        (answer,) = [each async for each in self._drive(flow)]
        return answer

    async def _drive(
        self, flow: flows.Flow[flows.ValueT], feeder: _AsyncFeeder | None = None
    ) -> AsyncGenerator[flows.ValueT, None]:
        """Carries out a flow's commands. The sync client has the same without `await` in it."""
        stream: Any = None
        answer: Any = None
        error: CodesieveError | None = None
        try:
            while True:
                try:
                    command = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration:
                    return
                answer = error = None
                self._check_open()
                try:
                    match command:
                        case flows.Emit(value=value):
                            yield value
                        case flows.Sleep(seconds=seconds):
                            await asyncio.sleep(seconds)
                        case flows.Call(method=method, request=request, timeout_seconds=timeout):
                            one = request.open() if isinstance(request, flows.Upload) else request
                            with calling(method):
                                answer = await self._stubs.call(method, one, timeout)
                        case flows.Open(method=method, request=request):
                            if stream is not None:
                                stream.cancel()
                            sent = request if feeder is None else feeder.open()
                            answer = stream = self._stubs.call(method, sent)
                        case flows.Read(stream=opened):
                            message = await opened.read()
                            answer = None if message is grpc.aio.EOF else message
                except grpc.aio.AioRpcError as failed:
                    self._check_open()
                    error = from_rpc_error(failed, self.target)
                except asyncio.CancelledError:
                    task = asyncio.current_task()
                    if task is None or not task.cancelling():
                        self._check_open()  # a channel that is closed cancels its calls, not whoever waits for them
                    raise
        finally:
            flow.close()
            if stream is not None:
                stream.cancel()
            if feeder is not None:
                feeder.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the client was closed", reason="CLIENT_CLOSED")


class _AsyncFeeder:
    """Feeds the streams of one Judge call from the caller's iterable.

    A stream that breaks cancels its feeding. The wait for the caller's next item must outlive that, or the cancellation
    would end the caller's generator: it is a task of its own, which the next stream's feeding takes over.
    """

    def __init__(self, ledger: flows.Ledger, items: Iterable[types.JudgeItem] | AsyncIterable[types.JudgeItem]) -> None:
        self._ledger = ledger
        self._items = items
        self._iterator: AsyncIterator[types.JudgeItem] | None = None
        self._pull: asyncio.Task[None] | None = None

    def open(self) -> AsyncIterator[judge_pb2.JudgeRequest]:
        return self._feed(self._ledger.open())

    def close(self) -> None:
        if self._pull is not None:
            self._pull.cancel()

    async def _feed(self, epoch: int) -> AsyncIterator[judge_pb2.JudgeRequest]:
        yield self._ledger.setup
        while self._ledger.wants(epoch):
            request = self._ledger.take(epoch)
            if request is not None:
                yield request
                continue
            if self._pull is None or self._pull.done():
                self._pull = asyncio.create_task(self._pull_one())
            await asyncio.wait({self._pull})

    async def _pull_one(self) -> None:
        try:
            if self._iterator is None:
                self._iterator = aiter(self._items) if isinstance(self._items, AsyncIterable) else _async(self._items)
            item = await anext(self._iterator, None)
            if item is None:
                self._ledger.end()
            else:
                self._ledger.add(item)
        except Exception as failure:  # noqa: BLE001 (the caller's own: it is raised where the caller reads)
            self._ledger.end(failure)


async def _async(items: Iterable[types.JudgeItem]) -> AsyncIterator[types.JudgeItem]:
    for item in items:
        yield item


class AsyncJobs:
    """Jobs, one by one. `AsyncClient.run` and `AsyncClient.evaluate` do the usual in one call."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create(
        self,
        problems: str | Sequence[Problem],
        samples: Generation | Sequence[types.RecordedSample],
        *,
        k: Sequence[int] = (),
        limit: int = 0,
        limits: types.Limits | None = None,
        job_id: str | None = None,
        priority: types.Priority | None = None,
        timeout_seconds: float | None = None,
    ) -> types.Job:
        """Starts a job, and doesn't wait for it. Raises `InvalidRequest`, `AlreadyExists`, `PreconditionFailed`."""
        request = requests.create_job(
            problems,
            samples,
            k=k,
            limit=limit,
            limits=limits,
            job_id=job_id,
            priority=priority,
            timeout_seconds=timeout_seconds,
        )
        return await self._client.create_job(request)

    async def get(self, job: str | types.Job) -> types.Job:
        """The job, with its report once it has ended. Raises `NotFound`."""
        request = job_pb2.GetJobRequest(name=requests.job_name(job))
        return await self._client.call("JobService.GetJob", request, convert.job)

    async def list(self, page_size: int = 0, page_token: str = "") -> types.JobPage:
        """One page of jobs, the newest first; 0 takes the server's page size."""
        request = job_pb2.ListJobsRequest(page_size=page_size, page_token=page_token)
        return await self._client.call("JobService.ListJobs", request, convert.job_page)

    async def cancel(self, job: str | types.Job) -> types.Job:
        """Stops a job; what was finished stays. Raises `NotFound`."""
        request = job_pb2.CancelJobRequest(name=requests.job_name(job))
        return await self._client.call("JobService.CancelJob", request, convert.job)

    async def delete(self, job: str | types.Job) -> None:
        """Removes a job that has ended, with its samples. Raises `NotFound`, or `PreconditionFailed` before its end."""
        request = job_pb2.DeleteJobRequest(name=requests.job_name(job))
        await self._client.call("JobService.DeleteJob", request, lambda _: None)

    async def rejudge(self, job: str | types.Job, job_id: str | None = None) -> types.Job:
        """Starts a job of the samples that an ended one has, which keep their ids, and doesn't wait for it.

        Raises `InvalidRequest`, `NotFound`, `AlreadyExists`, or `PreconditionFailed` before the job's end.
        """
        request = requests.rejudge_job(job, job_id)
        return await self._client.call("JobService.RejudgeJob", request, convert.job)
