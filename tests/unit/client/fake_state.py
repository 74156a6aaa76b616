"""What the client's tests plan of their small server and what they look at, and how it refuses and judges."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from codesieve.v1 import job_pb2, provenance_pb2, server_pb2, types_pb2

Context = grpc.aio.ServicerContext[Any, Any]


@dataclasses.dataclass
class Refusal:
    """A status as the real server sends it."""

    code: grpc.StatusCode
    message: str
    reason: str = "REASON"
    violations: tuple[tuple[str, str], ...] = ()
    retry_after: float | None = None

    async def abort(self, context: Context) -> None:
        details: list[message.Message] = [error_details_pb2.ErrorInfo(reason=self.reason, domain="codesieve")]
        if self.violations:
            wrong = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in self.violations]
            details.append(error_details_pb2.BadRequest(field_violations=wrong))
        if self.retry_after is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(round(self.retry_after * 1e9))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        packed = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=packed)
        await context.abort(self.code, self.message, (("grpc-status-details-bin", status.SerializeToString()),))


DRAINING = Refusal(grpc.StatusCode.UNAVAILABLE, "the server is draining", "DRAINING")


@dataclasses.dataclass
class FakeServer:
    """What tests plan and what they look at."""

    target: str = ""
    refusals: list[Refusal] = dataclasses.field(default_factory=list)
    """For the next unary calls, one each."""
    watch_breaks: list[int] = dataclasses.field(default_factory=list)
    """How many events the next WatchJob streams send before they break."""
    judge_breaks: list[int] = dataclasses.field(default_factory=list)
    """How many answers the next Judge streams send before they break."""
    judge_unanswered: frozenset[str] = frozenset()
    """Items that are read and never answered."""
    end_state: job_pb2.Job.State = job_pb2.Job.SUCCEEDED
    provenance: provenance_pb2.Provenance | None = None
    """What it tells of how its jobs come about."""
    provenance_at_end: provenance_pb2.Provenance | None = None
    """The same once they have ended, where that is another."""
    unmade: int = 0
    """How many samples at the end of a job no engine makes."""
    skip_sequence: int = 0
    """An event that is left out."""
    hold: bool = False
    """Whether jobs stay RUNNING."""
    calls: list[str] = dataclasses.field(default_factory=list)
    requests: list[Any] = dataclasses.field(default_factory=list)
    watched_after: list[int] = dataclasses.field(default_factory=list)
    judged_ids: list[list[str]] = dataclasses.field(default_factory=list)
    """The items that each Judge stream got."""
    jobs: dict[str, tuple[job_pb2.Job, job_pb2.Job]] = dataclasses.field(default_factory=dict)
    """What was asked for and what it is now, by name."""
    events: dict[str, list[job_pb2.JobEvent]] = dataclasses.field(default_factory=dict)
    samples: dict[str, list[types_pb2.Sample]] = dataclasses.field(default_factory=dict)
    today: dict[str, types_pb2.Judgement] = dataclasses.field(default_factory=dict)
    """What samples are judged when they are judged again, by their ids, where that is another."""
    sent_metadata: list[dict[str, str]] = dataclasses.field(default_factory=list)
    """What came with each call."""
    server: server_pb2.Server = dataclasses.field(default_factory=server_pb2.Server)
    """What GetServer answers."""
    server_hangs: bool = False
    """Whether GetServer answers no more."""
    ended: list[str] = dataclasses.field(default_factory=list)
    """Streams that are over, in whatever way."""

    def refuse(self, code: str, **details: Any) -> None:
        """Refuses the next unary call that isn't planned for yet."""
        self.refusals.append(Refusal(grpc.StatusCode[code], "the reason in words", **details))

    def until(self, happened: Callable[[], bool]) -> None:
        """Waits until something has become true."""
        deadline = time.monotonic() + 10
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def judgement(completion: bytes) -> types_pb2.Judgement:
    if b"outage" in completion:
        return types_pb2.Judgement(unjudged=types_pb2.Unjudged(reason="SANDBOX_UNAVAILABLE", message="no cell"))
    if b"loop" in completion:
        return types_pb2.Judgement(verdict="TIMED_OUT", integrity="SPLIT", detail="used 3.0 s of CPU time")
    if b"pass" in completion:
        return types_pb2.Judgement(verdict="PASSED", integrity="SPLIT", stdout=b"\xff\x00out")
    return types_pb2.Judgement(verdict="FAILED", integrity="SPLIT", detail="assert 1 == 2 \x1b[31m")
