"""The user's OpenTelemetry, where this process has it in use: calls go on in its trace.

Nothing is imported, nor anything done, unless OpenTelemetry is loaded already and a span is current. Then a call's metadata
name that span (W3C `traceparent` and `tracestate`), and a call with one answer is made in a client span of its own below it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

Metadata = tuple[tuple[str, str], ...]


def _in_use() -> bool:
    if "opentelemetry.trace" not in sys.modules:
        return False
    from opentelemetry.trace import get_current_span

    return get_current_span().get_span_context().is_valid


def outgoing() -> Metadata:
    """What tells the server of the current span; nothing where there is none."""
    if not _in_use():
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)  # the only form that the server reads, whatever else the user sends
    return tuple(carrier.items())


@contextmanager
def calling(method: str) -> Iterator[None]:
    """A client span around one call of "Service.Method", which is current meanwhile; nothing where no span is."""
    if not _in_use():
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer

    name = f"codesieve.v1.{method.replace('.', '/')}"
    attributes = {"rpc.system.name": "grpc", "rpc.method": name}
    with get_tracer("codesieve").start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except Exception as error:
            code = getattr(error, "code", None)  # gRPC's errors have one
            told = code().name if callable(code) else type(error).__name__
            span.set_attribute("rpc.response.status_code" if callable(code) else "error.type", told)
            span.set_status(Status(StatusCode.ERROR))
            raise
