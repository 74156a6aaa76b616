"""Servers made up for the tests of `codesieve top`."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from codesieve.client import (
    JobState,
    Progress,
    Server,
    ServerJob,
    ServerQueue,
    ServerTotals,
    ServerWaiting,
    ServerWorker,
    Verdict,
    WorkerState,
)

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def a_job(job_id: str = "job", judged: int = 10, caller: str = "", unjudged: int = 0) -> ServerJob:
    verdicts = {"PASSED": (judged - unjudged) // 2, "FAILED": judged - unjudged - (judged - unjudged) // 2}
    return ServerJob(
        job_id, caller, JobState.RUNNING, "tiny", START, Progress(1000, judged + 5, judged, unjudged, verdicts)
    )


def that_waits(job_id: str, made: float, **other: Any) -> ServerJob:
    """A job that was made so many seconds after the server's start."""
    created = START + datetime.timedelta(seconds=made)
    progress = Progress(1000, 0, 0, 0, {})
    job = ServerJob(job_id, "somebody", JobState.PENDING, "tiny", None, progress, created, model_ready=True)
    return dataclasses.replace(job, **other)


def a_worker(place: int = 0, state: WorkerState = WorkerState.RUNNING, **other: Any) -> ServerWorker:
    worker = ServerWorker("sandbox", place, state, "docker", "python:3.12-slim", capacity=4, in_hand=7, lost=0)
    return dataclasses.replace(worker, **other)


def a_server(seconds: float = 100.0, **other: Any) -> Server:
    server = Server(
        version="1.2.3",
        start_time=START,
        read_time=START + datetime.timedelta(seconds=seconds),
        sandbox="docker",
        workers=(a_worker(),),
        queues=(ServerQueue("generation", 3, 1.5), ServerQueue("judge", 0, 0.0)),
        jobs=(a_job(),),
        totals=ServerTotals(20, {Verdict.PASSED: 4, Verdict.FAILED: 6}, 1, 5, {"tiny": 500}),
        rpcs_in_flight=2,
        waiting=ServerWaiting(0, 0.0, ()),
    )
    return dataclasses.replace(server, **other)
