"""Where jobs and their events are kept, behind one protocol.

`MemoryStore` keeps them for as long as the process lives, and at most `max_jobs` of them: the oldest that have ended make
room. It is what one front end without a database runs on.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Protocol

from codesieve.server.errors import AlreadyExists, NotFound, Overloaded
from codesieve.server.jobs.model import Happening, Job, JobChanged, JobEvent


class JobStore(Protocol):
    """Jobs and their events."""

    async def create(self, job: Job) -> tuple[Job, bool]:
        """Keeps a new job; the job that is kept under this id, and whether it is new.

        Raises `AlreadyExists` where another job has the id, `Overloaded` where there is no room.
        """

    async def get(self, job_id: str) -> Job:
        """Raises `NotFound`."""

    async def list(self, limit: int, before: str | None) -> Sequence[Job]:
        """The newest first: at most `limit`, beginning after the job `before`. Raises `NotFound` for an unknown `before`."""

    async def append(self, job_id: str, time: datetime.datetime, happenings: Sequence[Happening]) -> None:
        """Adds events in one step; a `JobChanged` also replaces the job's snapshot."""

    async def update(self, job: Job) -> None:
        """Replaces a job's snapshot, without an event."""

    async def events(self, job_id: str, after_sequence: int, limit: int) -> Sequence[JobEvent]:
        """At most `limit` events whose sequence is greater than `after_sequence`."""

    async def last_sequence(self, job_id: str) -> int:
        """The sequence of the job's last event; 0 where there is none."""


class MemoryStore:
    """A `JobStore` in this process's memory."""

    def __init__(self, max_jobs: int) -> None:
        self._max_jobs = max_jobs
        self._jobs: dict[str, Job] = {}  # in order of creation
        self._events: dict[str, list[JobEvent]] = {}

    async def create(self, job: Job) -> tuple[Job, bool]:
        existing = self._jobs.get(job.job_id)
        if existing is not None:
            if existing.spec != job.spec:
                raise AlreadyExists(
                    f"job {job.job_id} exists and asks for something else; choose another job_id", reason="JOB_EXISTS"
                )
            return existing, False
        if len(self._jobs) >= self._max_jobs:
            self._make_room()
        self._jobs[job.job_id] = job
        self._events[job.job_id] = []
        return job, True

    async def get(self, job_id: str) -> Job:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound(f"there is no job {job_id}", reason="JOB_NOT_FOUND") from None

    async def list(self, limit: int, before: str | None) -> Sequence[Job]:
        newest_first = list(reversed(self._jobs.values()))
        start = 0
        if before is not None:
            await self.get(before)
            start = next(i for i, job in enumerate(newest_first) if job.job_id == before) + 1
        return newest_first[start : start + limit]

    async def append(self, job_id: str, time: datetime.datetime, happenings: Sequence[Happening]) -> None:
        events = self._events[job_id]
        for happening in happenings:
            events.append(JobEvent(len(events) + 1, time, happening))
            if isinstance(happening, JobChanged):
                self._jobs[job_id] = happening.job

    async def update(self, job: Job) -> None:
        self._jobs[job.job_id] = job

    async def events(self, job_id: str, after_sequence: int, limit: int) -> Sequence[JobEvent]:
        await self.get(job_id)
        return self._events[job_id][after_sequence : after_sequence + limit]

    async def last_sequence(self, job_id: str) -> int:
        await self.get(job_id)
        return len(self._events[job_id])

    def _make_room(self) -> None:
        for job in self._jobs.values():
            if job.state.ended:
                del self._jobs[job.job_id], self._events[job.job_id]
                return
        raise Overloaded(
            f"{len(self._jobs)} jobs are waiting or running, which is all this server keeps",
            reason="TOO_MANY_JOBS",
            retry_after_seconds=10.0,
        )
