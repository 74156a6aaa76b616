"""Spans, where tracing is on: the one module of the workers that imports OpenTelemetry.

A process that traces is given a `Tracing`, which makes spans and sends them to an OTLP endpoint. It is nobody's global:
whatever else here uses OpenTelemetry (vLLM may) keeps its own. From one process to another a span is its W3C traceparent, a
plain str: work that carries one is traced, and for work that carries none that is all there is to look at.

Spans leave in batches, from a thread of OpenTelemetry's and through a queue that is bounded. A collector that is away costs
its spans, one line in the log, and at most `STOP_SECONDS` at the end.

A span says ids, counts, times, verdicts and reasons. It never says what a program, a prompt or a completion reads, nor the
message of an exception, which may quote them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from codesieve.workers.errors import WorkerError
from codesieve.workers.types import Generated, GenerationRequest, Judgement, Program, WorkFailed

log = logging.getLogger(__name__)

STOP_SECONDS = 2.0
"""How long a process that stops waits for its last spans to be taken; not at all for a collector that was away."""
EXPORT_SECONDS = 5.0
"""How long a batch may take, attempts to send it again included."""
EVERY_SECONDS = 1.0
"""How often spans are sent. What a process that is killed had not sent is lost."""
QUEUED = 4096
LONGEST_VALUE = 256
_NOISY = (
    "opentelemetry.exporter.otlp.proto.grpc",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
)

Value = str | int | float | bool | Sequence[str]
WorkT = TypeVar("WorkT", bound=Program | GenerationRequest)
ResultT = TypeVar("ResultT")


class Span:
    """A span that has begun, and is sent once it ends."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace = f"00-{context.trace_id:032x}-{context.span_id:016x}-01" if context.trace_flags.sampled else ""
        """The traceparent of what is done below it; "" where the trace isn't recorded."""

    def tell(self, **values: Value | None) -> None:
        """Sets attributes, under the name ``codesieve.``; None says nothing."""
        for name, value in values.items():
            if value is not None:
                self._span.set_attribute(f"codesieve.{name}", value)

    def attribute(self, name: str, value: Value) -> None:
        """Sets an attribute that OpenTelemetry's conventions name."""
        self._span.set_attribute(name, value)

    def event(self, name: str, time_ns: int) -> None:
        """Something that happened meanwhile."""
        self._span.add_event(name, timestamp=time_ns)

    def failed(self, reason: str) -> None:
        """It went wrong; `reason` is one of ours or an exception's class."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR))

    def outcome(self, outcome: object) -> None:
        """Says how a piece of work ended."""
        if isinstance(outcome, Judgement):
            self.tell(verdict=outcome.verdict.value, integrity=outcome.integrity.value, cached=outcome.cached)
            self.tell(wall_seconds=outcome.wall_seconds, cpu_seconds=outcome.cpu_seconds)
            self.tell(peak_memory_bytes=outcome.peak_memory_bytes, tests=len(outcome.tests))
        elif isinstance(outcome, Generated):
            why = outcome.finish_reason
            self.tell(tokens=outcome.token_count, finish_reason=None if why is None else why.value)
            if outcome.first_token_ns is not None:
                self.event("first_token", outcome.first_token_ns)
        elif isinstance(outcome, WorkFailed):
            self.failed(outcome.reason)

    def end(self, time_ns: int | None = None) -> None:
        self._span.end(time_ns)


class Tracing:
    """One process's spans. `component` says what it is: front-end, sandbox or generation."""

    def __init__(self, endpoint: str, component: str, exporter: SpanExporter | None = None) -> None:
        """`endpoint` is http://HOST:PORT or https://HOST:PORT; `exporter` stands in for what sends there, in tests."""
        for name in _NOISY:  # a line for every batch that isn't taken, and for every span that finds the queue full
            logging.getLogger(name).setLevel(logging.CRITICAL)
        sent = exporter if exporter is not None else OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)
        self._exporter = _Patient(sent, endpoint)
        self._ids = _Ids()
        resource = {
            "service.name": "codesieve",
            "service.instance.id": uuid.uuid4().hex,
            "codesieve.component": component,
        }
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),
            resource=Resource.create(resource),
            id_generator=self._ids,
            span_limits=SpanLimits(max_span_attribute_length=LONGEST_VALUE),
            shutdown_on_exit=False,  # it would wait for a collector that is away
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, max_queue_size=QUEUED, schedule_delay_millis=EVERY_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("codesieve")
        self._stopped = False

    def begin(
        self,
        name: str,
        parent: str = "",
        state: str = "",
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        start_ns: int | None = None,
        span_id: int | None = None,
    ) -> Span:
        """A span below the one that the traceparent `parent` and the tracestate `state` name.

        Of a new trace where they name none, as where they can't be read: they may come from anybody.
        """
        self._ids.next = span_id
        span = self._tracer.start_span(name, _context(parent, state), kind, start_time=start_ns)
        self._ids.next = None
        return Span(span)

    @contextmanager
    def span(self, name: str, parent: str, **values: Value | None) -> Iterator[Span]:
        """A span around what is done in the block. An exception goes through, and its reason is told."""
        span = self.begin(name, parent)
        span.tell(**values)
        try:
            yield span
        except asyncio.CancelledError:
            span.tell(cancelled=True)
            raise
        except Exception as error:
            span.failed(error.reason if isinstance(error, WorkerError) else type(error).__name__)
            raise
        finally:
            span.end()

    async def around(self, name: str, work: WorkT, do: Callable[[WorkT], Awaitable[ResultT]]) -> ResultT:
        """Does a piece of work in a span below its own, which it carries on."""
        with self.span(name, work.trace) as span:
            outcome = await do(dataclasses.replace(work, trace=span.trace))
            span.outcome(outcome)
            return outcome

    def traced(self, name: str, do: Callable[[WorkT], Awaitable[ResultT]]) -> Callable[[WorkT], Awaitable[ResultT]]:
        """`do`, with a span around each piece of work that is traced."""

        async def run(work: WorkT) -> ResultT:
            return await (self.around(name, work, do) if work.trace else do(work))

        return run

    async def stop(self) -> None:
        """Sends what is left, if that doesn't take long. Doing it twice does no harm."""
        if not self._stopped:
            self._stopped = True
            await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(0 if self._exporter.away else STOP_SECONDS)
        self._exporter.give_up()


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id was decided before."""

    next: int | None = None

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.next is None else self.next


class _Patient(SpanExporter):
    """Sends through another exporter, and says in the log when that begins to fail and when it works again."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._whose = {"endpoint": endpoint}
        self.away = False
        """Whether the last batch could not be sent."""
        self._over = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._over.is_set():
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self.away:
            log.warning("the collector takes no spans; they are thrown away until it does", extra=self._whose)
        elif self.away and not away:
            log.info("the collector takes spans again", extra=self._whose)
        self.away = away
        return result

    def shutdown(self) -> None:
        self.give_up()

    def give_up(self) -> None:
        """Breaks off what is being sent."""
        if not self._over.is_set():
            self._over.set()
            self._exporter.shutdown()


def _context(parent: str, state: str) -> Context:
    carrier: Mapping[str, str] = {"traceparent": parent, "tracestate": state}
    return TraceContextTextMapPropagator().extract(carrier, Context())
