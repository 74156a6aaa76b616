"""How the sync and the async client open a channel, and how they find a method on it."""

from __future__ import annotations

from typing import Any

from codesieve.client.requests import MAX_MESSAGE_BYTES
from codesieve.client.security import Security, is_loopback
from codesieve.client.tracing import outgoing
from codesieve.v1 import job_pb2_grpc, judge_pb2_grpc, model_pb2_grpc, server_pb2_grpc

DEFAULT_TARGET = "127.0.0.1:7420"

OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # Our own retries obey RetryInfo and rejoin streams; gRPC's would multiply with them.
    ("grpc.enable_retries", 0),
    # A server that restarts is found again in seconds; gRPC's own backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 5000),
    # A watcher of a quiet job notices that the server's machine is gone. Servers refuse pings more often than
    # every five minutes by default.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


def open_channel(module: Any, target: str, security: Security) -> Any:
    """A channel of `grpc` or `grpc.aio`. Raises `InvalidRequest` for a token that others would see, or a bad file."""
    security.check(target)
    options = list(OPTIONS)
    if is_loopback(target):
        # A proxy of the environment would make another machine of this one.
        options.append(("grpc.enable_http_proxy", 0))
    if security.encrypted:
        return module.secure_channel(target, security.credentials(), options=options)
    return module.insecure_channel(target, options=options)


class Stubs:
    """The methods of a channel, by "Service.Method", called with `metadata`."""

    def __init__(self, channel: Any, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata
        self._services: dict[str, Any] = {
            "JobService": job_pb2_grpc.JobServiceStub(channel),
            "JudgeService": judge_pb2_grpc.JudgeServiceStub(channel),
            "ModelService": model_pb2_grpc.ModelServiceStub(channel),
            "ServerService": server_pb2_grpc.ServerServiceStub(channel),
        }

    def call(self, name: str, request: Any, timeout: float | None = None) -> Any:
        """Begins a call; `request` is a message, or an iterator of them. It goes on in the trace of the current span."""
        service, _, method = name.partition(".")
        metadata = self._metadata + outgoing()
        return getattr(self._services[service], method)(request, timeout=timeout, metadata=metadata)


def no_answer(target: str, seconds: float) -> str:
    """One line for a server that can't be reached."""
    return f"no codesieve server answers at {target} (waited {seconds:g} s); start one with: codesieve serve"
