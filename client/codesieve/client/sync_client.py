"""`Client`: the calls of codesieve, blocking, on plain grpc."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import grpc

from codesieve.client import convert, flows, requests, server_convert, types
from codesieve.client.channel import DEFAULT_TARGET, Stubs, no_answer, open_channel
from codesieve.client.errors import CodesieveError, Unavailable, from_rpc_error
from codesieve.client.models import Models
from codesieve.client.problems import Problem
from codesieve.client.requests import Generation
from codesieve.client.retry import Retry
from codesieve.client.security import Security
from codesieve.client.tracing import calling
from codesieve.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from types import TracebackType

    from codesieve.client.server_types import Server
    from codesieve.v1 import judge_pb2


class Client:
    """A connection to a codesieve server. Safe to share between threads; close it, or use it in a `with`.

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
        self._channel = open_channel(grpc, target, security)
        self._stubs = Stubs(self._channel, security.metadata)
        self._closed = False
        # Jitter needs no reproducibility, and forked trainers must not share it.
        self._tools = flows.Tools(retry, time.monotonic, random.SystemRandom(), on_outage)
        self.jobs = Jobs(self)
        self.models = Models(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; what is under way on it ends at once, here and at the server, with `Unavailable`."""
        self._closed = True
        self._channel.close()

    def wait_until_ready(self, timeout_seconds: float = 10.0) -> None:
        """Waits until a gRPC server answers at the target. Raises `Unavailable`."""
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=timeout_seconds)
        except grpc.FutureTimeoutError:
            raise Unavailable(no_answer(self.target, timeout_seconds), reason="NO_ANSWER") from None
        finally:
            ready.cancel()

    def run(
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
        job = self.jobs.create(
            problems,
            generation,
            k=k,
            limit=limit,
            limits=limits,
            job_id=job_id,
            priority=priority,
            timeout_seconds=timeout_seconds,
        )
        return self.result(job, on_event)

    def evaluate(
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
        job = self.jobs.create(
            problems,
            samples,
            k=k,
            limits=limits,
            job_id=job_id,
            priority=priority,
            timeout_seconds=timeout_seconds,
        )
        return self.result(job, on_event)

    def result(self, job: str | types.Job, on_event: Callable[[types.Event], None] | None = None) -> types.RunResult:
        """Waits until a job has ended; gives its samples and its report. Raises `JobFailed` where it did not succeed."""
        collector = flows.Collector()
        for event in self.watch(job):
            collector.add(event)
            if on_event is not None:
                on_event(event)
        return collector.result()

    def judge(
        self,
        items: Iterable[types.JudgeItem],
        problems: str | Sequence[Problem] = "humaneval",
        *,
        limits: types.Limits | None = None,
        priority: types.Priority | None = None,
    ) -> Generator[types.Judged, None, None]:
        """Judges completions as `items` brings them; gives each judgement as soon as it is there, in any order.

        `items` is read in a background thread, no faster than the server takes them. Every item is answered exactly
        once; those unanswered when the server goes away are sent again once it is back. What `items` raises is raised
        here, after the answers to what it had brought. Leaving early (`break`, then `close()`) cancels the stream, and the
        judging with it.
        """
        ledger = flows.Ledger(requests.judge_setup(problems, limits, priority))
        return self._drive(flows.judge(self._tools, ledger), _Feeder(ledger, items))

    def watch(self, job: str | types.Job, after_sequence: int = 0) -> Generator[types.Event, None, None]:
        """Every event of a job after a sequence number, those that happened and those to come, each once.

        Ends when the job has ended. Reconnects by itself while that may help.
        """
        return self._drive(flows.watch(self._tools, requests.job_name(job), after_sequence))

    def server(self, timeout_seconds: float = flows.UNARY_TIMEOUT_SECONDS) -> Server:
        """What the server does now, for all its callers. Raises `NotAllowed` without the scope admin."""
        return self.call(server_convert.METHOD, server_convert.request(), server_convert.server, timeout_seconds)

    def call(
        self,
        method: str,
        request: Any,
        convert_answer: Callable[[Any], flows.ValueT],
        timeout_seconds: float = flows.UNARY_TIMEOUT_SECONDS,
    ) -> flows.ValueT:
        """One unary call with its retries. For `jobs`, `models` and `server`."""
        return self.carry_out(flows.unary(self._tools, method, request, convert_answer, timeout_seconds))

    def create_job(self, request: job_pb2.CreateJobRequest) -> types.Job:
        """Makes a job, in pieces where it is large. For `jobs`."""
        return self.carry_out(flows.create_job(self._tools, request))

    def carry_out(self, flow: flows.Flow[flows.ValueT]) -> flows.ValueT:
        """A flow with one answer."""
        (answer,) = self._drive(flow)
        return answer

    def _drive(
        self, flow: flows.Flow[flows.ValueT], feeder: _Feeder | None = None
    ) -> Generator[flows.ValueT, None, None]:
        """Carries out a flow's commands. The async client has the same with `await` in it."""
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
                            time.sleep(seconds)
                        case flows.Call(method=method, request=request, timeout_seconds=timeout):
                            one = request.open() if isinstance(request, flows.Upload) else request
                            with calling(method):
                                answer = self._stubs.call(method, one, timeout)
                        case flows.Open(method=method, request=request):
                            if stream is not None:
                                stream.cancel()
                            sent = request if feeder is None else feeder.open()
                            answer = stream = self._stubs.call(method, sent)
                        case flows.Read(stream=opened):
                            answer = next(opened, None)
                except grpc.RpcError as failed:
                    self._check_open()
                    error = from_rpc_error(failed, self.target)
        finally:
            flow.close()
            if stream is not None:
                stream.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the client was closed", reason="CLIENT_CLOSED")


class _Feeder:
    """Feeds the streams of one Judge call from the caller's iterable, in the threads that grpc reads requests in."""

    def __init__(self, ledger: flows.Ledger, items: Iterable[types.JudgeItem]) -> None:
        self._ledger = ledger
        self._items = items
        self._iterator: Iterator[types.JudgeItem] | None = None
        self._pulling = threading.Lock()

    def open(self) -> Iterator[judge_pb2.JudgeRequest]:
        return self._feed(self._ledger.open())

    def _feed(self, epoch: int) -> Iterator[judge_pb2.JudgeRequest]:
        yield self._ledger.setup
        while self._ledger.wants(epoch):
            request = self._ledger.take(epoch)
            if request is not None:
                yield request
                continue
            # The feeder of a stream that broke may still be waiting in here for the caller's next item. What it gets
            # goes into the ledger, where this one finds it.
            with self._pulling:
                if self._ledger.wants(epoch) and not self._ledger.unsent:
                    self._pull()

    def _pull(self) -> None:
        try:
            if self._iterator is None:
                self._iterator = iter(self._items)
            item = next(self._iterator, None)
            if item is None:
                self._ledger.end()
            else:
                self._ledger.add(item)
        except Exception as failure:  # noqa: BLE001 (the caller's own: it is raised where the caller reads)
            self._ledger.end(failure)


class Jobs:
    """Jobs, one by one. `Client.run` and `Client.evaluate` do the usual in one call."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
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
        return self._client.create_job(request)

    def get(self, job: str | types.Job) -> types.Job:
        """The job, with its report once it has ended. Raises `NotFound`."""
        request = job_pb2.GetJobRequest(name=requests.job_name(job))
        return self._client.call("JobService.GetJob", request, convert.job)

    def list(self, page_size: int = 0, page_token: str = "") -> types.JobPage:
        """One page of jobs, the newest first; 0 takes the server's page size."""
        request = job_pb2.ListJobsRequest(page_size=page_size, page_token=page_token)
        return self._client.call("JobService.ListJobs", request, convert.job_page)

    def cancel(self, job: str | types.Job) -> types.Job:
        """Stops a job; what was finished stays. Raises `NotFound`."""
        request = job_pb2.CancelJobRequest(name=requests.job_name(job))
        return self._client.call("JobService.CancelJob", request, convert.job)

    def delete(self, job: str | types.Job) -> None:
        """Removes a job that has ended, with its samples. Raises `NotFound`, or `PreconditionFailed` before its end."""
        request = job_pb2.DeleteJobRequest(name=requests.job_name(job))
        self._client.call("JobService.DeleteJob", request, lambda _: None)

    def rejudge(self, job: str | types.Job, job_id: str | None = None) -> types.Job:
        """Starts a job of the samples that an ended one has, which keep their ids, and doesn't wait for it.

        Raises `InvalidRequest`, `NotFound`, `AlreadyExists`, or `PreconditionFailed` before the job's end.
        """
        request = requests.rejudge_job(job, job_id)
        return self._client.call("JobService.RejudgeJob", request, convert.job)
