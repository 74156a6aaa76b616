"""A collector of traces: a real gRPC server that takes spans by OTLP, as an operator's does, and keeps them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclasses.dataclass(frozen=True)
class Received:
    """A span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """ "" for a root."""
    kind: str
    is_error: bool
    start: int
    end: int
    events: tuple[str, ...]
    attributes: dict[str, Any]
    resource: dict[str, Any]
    state: str

    @property
    def component(self) -> str:
        """What of codesieve sent it; "" for another's."""
        found: str = self.resource.get("codesieve.component", "")
        return found


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Listens from its making to its end. It can be stopped before, and is away then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Received] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._lock:
            self._spans += _received(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> Sequence[Received]:
        """All that came so far."""
        with self._lock:
            return tuple(self._spans)

    def named(self, name: str) -> Sequence[Received]:
        return [one for one in self.spans if one.name == name]

    def way(self, span: Received) -> list[str]:
        """The names from the root down to a span, which must all be there."""
        by_id = {one.span_id: one for one in self.spans}
        way = [span.name]
        while span.parent_id:
            parent = by_id[span.parent_id]
            assert parent.trace_id == span.trace_id
            span = parent
            way.append(span.name)
        return way[::-1]


def _received(request: trace_service_pb2.ExportTraceServiceRequest) -> Iterator[Received]:
    for of_process in request.resource_spans:
        resource = _values(of_process.resource.attributes)
        for of_scope in of_process.scope_spans:
            for span in of_scope.spans:
                yield Received(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.status.code == Status.STATUS_CODE_ERROR,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    tuple(event.name for event in span.events),
                    _values(span.attributes),
                    resource,
                    span.trace_state,
                )


def _values(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if kind is None else getattr(value, kind)
