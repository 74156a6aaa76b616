"""Between ``codesieve.v1``'s Server and `codesieve.client.server_types`; the rest of the wire is in `convert`."""

from __future__ import annotations

from codesieve.client import server_types, types
from codesieve.client.convert import enum_value, moment, progress
from codesieve.v1 import job_pb2, server_pb2, types_pb2

METHOD = "ServerService.GetServer"


def request() -> server_pb2.GetServerRequest:
    return server_pb2.GetServerRequest(name="server")


def server(wire: server_pb2.Server) -> server_types.Server:
    return server_types.Server(
        version=wire.version,
        start_time=moment(wire.start_time),
        read_time=moment(wire.read_time),
        sandbox=wire.sandbox,
        workers=tuple(_worker(each) for each in wire.workers),
        queues=tuple(
            server_types.ServerQueue(each.hop, each.depth, each.oldest_age.ToTimedelta().total_seconds())
            for each in wire.queues
        ),
        jobs=tuple(_job(each) for each in wire.jobs),
        totals=_totals(wire.totals),
        rpcs_in_flight=wire.rpcs_in_flight,
        waiting=_waiting(wire.waiting) if wire.HasField("waiting") else None,
    )


def _worker(wire: server_pb2.Worker) -> server_types.ServerWorker:
    return server_types.ServerWorker(
        pool=wire.pool,
        place=wire.place,
        state=enum_value(server_types.WorkerState, server_pb2.Worker.State, wire.state),
        kind=wire.kind,
        detail=wire.detail,
        capacity=wire.capacity,
        in_hand=wire.in_hand,
        lost=wire.lost,
    )


def _waiting(wire: server_pb2.WaitingJobs) -> server_types.ServerWaiting:
    return server_types.ServerWaiting(
        wire.count, wire.oldest_age.ToTimedelta().total_seconds(), tuple(_job(each) for each in wire.jobs)
    )


def _job(wire: server_pb2.ServerJob) -> server_types.ServerJob:
    return server_types.ServerJob(
        job_id=wire.name.removeprefix("jobs/"),
        caller=wire.caller,
        state=enum_value(types.JobState, job_pb2.Job.State, wire.state),
        model=wire.model,
        start_time=moment(wire.start_time) if wire.HasField("start_time") else None,
        progress=progress(wire.progress),
        create_time=moment(wire.create_time) if wire.HasField("create_time") else None,
        model_ready=wire.model_ready,
    )


def _totals(wire: server_pb2.Totals) -> server_types.ServerTotals:
    return server_types.ServerTotals(
        generated=wire.samples_generated,
        verdicts={
            enum_value(types.Verdict, types_pb2.Judgement.Verdict, each.verdict): each.count for each in wire.verdicts
        },
        unjudged=wire.samples_unjudged,
        cache_hits=wire.cache_hits,
        tokens={each.model.removeprefix("models/"): each.count for each in wire.tokens},
    )
