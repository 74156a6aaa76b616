"""ServerService's one question and its answer."""

from __future__ import annotations

from codesieve.server.convert.answers import duration, line, progress, timestamp
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.jobs.model import Job
from codesieve.server.members import MemberSeen
from codesieve.server.overview import ServerSeen, Totals
from codesieve.v1 import server_pb2

NAME = "server"


def check(request: server_pb2.GetServerRequest) -> None:
    """Raises `InvalidRequest`."""
    if request.name != NAME:
        raise InvalidRequest([Violation("name", f'must be "{NAME}", not {request.name[:80]!r}')])


def server(value: ServerSeen) -> server_pb2.Server:
    return server_pb2.Server(
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
        jobs=[_job(one) for one in value.jobs],
        totals=_totals(value.totals),
        rpcs_in_flight=value.rpcs_in_flight,
    )


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


def _job(value: Job) -> server_pb2.ServerJob:
    message = server_pb2.ServerJob(
        name=f"jobs/{value.job_id}",
        caller=value.key.caller,
        state=value.state.value,
        model=value.spec.generation.model if value.spec.generation is not None else "",
        progress=progress(value.progress),
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
