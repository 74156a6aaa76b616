"""`serve`'s options for tracing, and what they switch on. OpenTelemetry is loaded here if it is wanted, and nowhere else."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from codesieve.server.factories import tracing, tracing_class

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def trace_options(command: CommandT) -> CommandT:
    """The options, under the names of `Options`' fields."""
    for option in (
        click.option(
            "--trace-samples",
            type=click.FloatRange(0, 1),
            default=0.01,
            show_default=True,
            metavar="RATIO",
            help="The share of samples that have spans of their own in their job's trace. Rpcs and jobs all have.",
        ),
        click.option(
            "--trace-endpoint",
            metavar="URL",
            help="Send OpenTelemetry spans to this collector, by OTLP over gRPC, for example http://127.0.0.1:4317. Each "
            "worker sends its own, from its own machine. Off unless given; needs codesieve[tracing].",
        ),
    ):
        command = option(command)
    return command


def check_tracing(endpoint: str | None) -> None:
    """Raises ValueError that says what is wrong, and `WorkerError` where OpenTelemetry isn't there."""
    if endpoint is None:
        return
    try:
        parts = urllib.parse.urlsplit(endpoint)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port is not None
        more = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
    except ValueError:
        whole, more = False, ""
    if not whole or more:
        raise ValueError(
            "--trace-endpoint: it must be http://HOST:PORT, or https:// for TLS, of a collector that takes OTLP over gRPC, "
            "for example http://127.0.0.1:4317"
        )
    tracing_class()


@asynccontextmanager
async def open_traces(endpoint: str | None, ratio: float) -> AsyncIterator[Traces | None]:
    """The front end's spans, the last of which are sent at the end; None without an endpoint."""
    made = tracing(endpoint, "front-end")
    if made is None:
        yield None
        return
    from codesieve.server.tracing import Traces

    try:
        yield Traces(made, ratio)
    finally:
        await made.stop()
