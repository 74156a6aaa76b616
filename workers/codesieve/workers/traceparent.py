"""What is read of a span's W3C traceparent ("00-TRACE-SPAN-01", or "" where nothing is traced) without OpenTelemetry."""

from __future__ import annotations


def trace_id(trace: str) -> str:
    """The trace's id in a traceparent: 32 hexadecimal digits."""
    return trace.split("-")[1]


def trace_ids(trace: str) -> dict[str, str]:
    """What a line of the log carries that is about something with this traceparent: nothing where that isn't traced."""
    return {"trace_id": trace_id(trace)} if trace else {}
