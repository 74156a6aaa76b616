"""The front end's spans: of each rpc, of jobs, and of the samples of a job or a Judge stream that are chosen.

    rpc                 its parent is the client's span, where the call's metadata names one
    └── job             from its making to its end; with a Judge stream the samples are below the rpc
        └── sample      one of those that are chosen
            ├── generate        as the front end sees it: the wait for a worker, and
            │   └── engine      what the generation worker does; vLLM's first token is an event of both
            └── judge           the same
                └── program     in the sandbox worker: the wait for a cell, and
                    └── cell    each go at it in a cell

What carries all of a job's spans is kept with the job: the traceparent of the rpc that made it, from which the id of the
span "job" follows. So whichever front end ends the job sends that span, and those that had it before only what is below.
Which samples are chosen follows from the trace's id and theirs, so every front end chooses the same.

Nothing imports this module, nor OpenTelemetry, unless tracing is on; what is traced elsewhere is by an object of this one's
that is None when it is off.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Awaitable, Mapping
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

from opentelemetry.trace import SpanKind

from codesieve.server.jobs.model import Job
from codesieve.server.sharing import Share
from codesieve.workers.traceparent import trace_id
from codesieve.workers.tracing import Span, Tracing
from codesieve.workers.types import GenerationRequest, Program

OUR_FAULT = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""The codes with which a server's span is an error, by OpenTelemetry's conventions; the others are the client's affair."""

WorkT = TypeVar("WorkT", bound=Program | GenerationRequest)
WorkT_contra = TypeVar("WorkT_contra", contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Does(Protocol[WorkT_contra, ResultT_co]):
    """A pool of workers, or what stands before one."""

    @property
    def capacity(self) -> int: ...
    def run(self, work: WorkT_contra, share: Share) -> Awaitable[ResultT_co]: ...


class Hop(Generic[WorkT, ResultT]):
    """A pool, with a span called `name` around each piece of work that is traced: its wait there and its doing."""

    def __init__(self, name: str, pool: Does[WorkT, ResultT], tracing: Tracing) -> None:
        self._name = name
        self._pool = pool
        self._tracing = tracing

    @property
    def capacity(self) -> int:
        return self._pool.capacity

    async def run(self, work: WorkT, share: Share) -> ResultT:
        if not work.trace:
            return await self._pool.run(work, share)
        return await self._tracing.around(self._name, work, lambda inner: self._pool.run(inner, share))


class Samples:
    """The samples of one job or Judge stream, of which `ratio` are chosen. `parent` is the traceparent of its span."""

    def __init__(self, tracing: Tracing, parent: str, ratio: float, job_id: str | None) -> None:
        self._tracing = tracing
        self._parent = parent
        self._job_id = job_id
        self._bound = round(ratio * 2**64)

    def chosen(self, sample_id: str) -> bool:
        """Whether this sample has spans: the same answer in every front end, and at any time."""
        digest = hashlib.sha256(f"{trace_id(self._parent)}/{sample_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self._bound

    def span(self, sample_id: str) -> AbstractContextManager[Span]:
        """The span of a chosen one, around all that is done for it."""
        return self._tracing.span("sample", self._parent, sample_id=sample_id, job_id=self._job_id)


class Traces:
    """The spans of this front end. `ratio` is the share of samples that have spans of their own."""

    def __init__(self, tracing: Tracing, ratio: float) -> None:
        self._tracing = tracing
        self._ratio = ratio

    def hop(self, name: str, pool: Does[WorkT, ResultT]) -> Hop[WorkT, ResultT]:
        """`pool`, with its work in spans."""
        return Hop(name, pool, self._tracing)

    def rpc(self, name: str, request_id: str, metadata: Mapping[str, str]) -> Span:
        """Begins the span of an rpc, below the client's if `metadata` names that. `name` is "package.Service/Method"."""
        parent, state = metadata.get("traceparent", ""), metadata.get("tracestate", "")
        span = self._tracing.begin(name, parent, state, kind=SpanKind.SERVER)
        # The names are those of OpenTelemetry's conventions for rpcs.
        span.attribute("rpc.system.name", "grpc")
        span.attribute("rpc.method", name)
        span.attribute("rpc.response.metadata.x-request-id", (request_id,))
        return span

    def rpc_ended(self, span: Span, code: str) -> None:
        """Ends the span of an rpc with the name of its status code."""
        span.attribute("rpc.response.status_code", code)
        if code in OUR_FAULT:
            span.failed(code)
        span.end()

    def samples_of_job(self, job: Job) -> Samples | None:
        """None for a job that isn't traced."""
        if not job.trace:
            return None
        parent = f"00-{trace_id(job.trace)}-{_job_span_id(job.trace):016x}-01"
        return Samples(self._tracing, parent, self._ratio, job.job_id)

    def samples_of_stream(self, trace: str) -> Samples | None:
        """Of a Judge stream whose rpc's span has the traceparent `trace`; None where it isn't traced."""
        return Samples(self._tracing, trace, self._ratio, None) if trace else None

    def job_ended(self, job: Job) -> None:
        """Sends the span of a job that has ended; by whoever ended it, and once."""
        if not job.trace or job.end_time is None:
            return
        start, span_id = _nanoseconds(job.create_time), _job_span_id(job.trace)
        span = self._tracing.begin("job", job.trace, start_ns=start, span_id=span_id)
        span.tell(job_id=job.job_id, state=job.state.value, samples=job.progress.samples_total)
        span.tell(samples_judged=job.progress.samples_judged, samples_unjudged=job.progress.samples_unjudged)
        if job.spec.generation is not None:
            span.tell(model=job.spec.generation.model)
        if job.start_time is not None:
            span.event("running", _nanoseconds(job.start_time))
        if job.failure is not None:
            span.failed(job.failure.reason)
        span.end(_nanoseconds(job.end_time))


def _job_span_id(trace: str) -> int:
    """Of the job that the rpc with this traceparent made. Never 0, which is no id."""
    return int.from_bytes(hashlib.sha256(f"job/{trace}".encode()).digest()[:8], "big") or 1


def _nanoseconds(time: datetime.datetime) -> int:
    return (time - datetime.datetime.fromtimestamp(0, datetime.UTC)) // datetime.timedelta(microseconds=1) * 1000
