"""ServerService's one question and its answer."""

from __future__ import annotations

from collections.abc import Collection

from codesieve.server.convert.answers import duration, line, progress, timestamp
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.jobs.model import Job
from codesieve.server.jobs.store import Waiting
from codesieve.server.members import MemberSeen
from codesieve.server.overview import ServerSeen, Totals
from codesieve.v1 import server_pb2

NAME = "server"


def check(request: server_pb2.GetServerRequest) -> None:
    """Raises `InvalidRequest`."""
    if request.name != NAME:
        raise InvalidRequest([Violation("name", f'must be "{NAME}", not {request.name[:80]!r}')])


def server(value: ServerSeen) -> server_pb2.Server:
    message = server_pb2.Server(
        name=NAME,
        version=value.version,
        start_time=timestamp(value.start_time),
        read_time=timestamp(value.read_time),
        sandbox=value.sandbox,
        workers=[_worker(one) for one in value.workers],
        queues=[
            server_pb2.Queue(hop=one.hop, depth=one.depth, oldest_age=duration(one.oldest_seconds))
            for one in value.queues
        ],
        jobs=[_job(one, value.ready) for one in value.jobs],
        totals=_totals(value.totals),
        rpcs_in_flight=value.rpcs_in_flight,
    )
    if value.waiting is not None:
        message.waiting.CopyFrom(_waiting(value.waiting, value))
    return message


def _worker(value: MemberSeen) -> server_pb2.Worker:
    return server_pb2.Worker(
        pool=value.pool,
        place=value.place,
        state=value.state.value,
        kind=value.info.kind,
        detail=line(value.info.detail),
        capacity=value.info.capacity,
        in_hand=value.in_hand,
        lost=value.lost,
    )


def _waiting(value: Waiting, seen: ServerSeen) -> server_pb2.WaitingJobs:
    oldest = seen.read_time if value.oldest is None else value.oldest
    return server_pb2.WaitingJobs(
        count=value.count,
        # Another front end's clock may be ahead of ours.
        oldest_age=duration(max((seen.read_time - oldest).total_seconds(), 0.0)),
        jobs=[_job(one, seen.ready) for one in value.first],
    )


def _job(value: Job, ready: Collection[str]) -> server_pb2.ServerJob:
    model = value.spec.generation.model if value.spec.generation is not None else ""
    message = server_pb2.ServerJob(
        name=f"jobs/{value.job_id}",
        caller=value.key.caller,
        state=value.state.value,
        model=model,
        progress=progress(value.progress),
        create_time=timestamp(value.create_time),
        model_ready=not model or model in ready,
    )
    if value.start_time is not None:
        message.start_time.CopyFrom(timestamp(value.start_time))
    return message


def _totals(value: Totals) -> server_pb2.Totals:
    return server_pb2.Totals(
        samples_generated=value.generated,
        verdicts=[
            server_pb2.VerdictCount(verdict=verdict.value, count=count) for verdict, count in value.verdicts.items()
        ],
        samples_unjudged=value.unjudged,
        cache_hits=value.cache_hits,
        tokens=[server_pb2.TokenCount(model=f"models/{model}", count=count) for model, count in value.tokens.items()],
    )
