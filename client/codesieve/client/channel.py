"""What the sync and the async client open a channel with, and how they find a method on it."""

from __future__ import annotations

from typing import Any

from codesieve.client.requests import MAX_MESSAGE_BYTES
from codesieve.v1 import job_pb2_grpc, judge_pb2_grpc, model_pb2_grpc

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


class Stubs:
    """The methods of a channel, by "Service.Method"."""

    def __init__(self, channel: Any) -> None:
        self._services: dict[str, Any] = {
            "JobService": job_pb2_grpc.JobServiceStub(channel),
            "JudgeService": judge_pb2_grpc.JudgeServiceStub(channel),
            "ModelService": model_pb2_grpc.ModelServiceStub(channel),
        }

    def method(self, name: str) -> Any:
        """The callable that makes calls of this method."""
        service, _, method = name.partition(".")
        return getattr(self._services[service], method)


def no_answer(target: str, seconds: float) -> str:
    """One line for a server that can't be reached."""
    return f"no codesieve server answers at {target} (waited {seconds:g} s); start one with: codesieve serve"
