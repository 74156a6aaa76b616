"""Where jobs and their events are kept: the protocol, and its words.

A job is run by one front end at a time, which holds a *lease* on it: the front end renews its leases while it lives, and a
job whose lease has run out is *claimed* by another. Each claim gives the job a higher *epoch*, and what a front end writes
is refused as `LeaseLost` unless its lease is of the job's present epoch. So nothing is recorded twice, whoever was thought
dead.

`memory.MemoryStore` keeps them for as long as the process lives; `sql.store.SqlStore` in SQLite or PostgreSQL. All pass the
same conformance tests. Times are passed in, so that all front ends' leases are compared with a clock that tests can turn.
Every method may raise `StoreUnavailable`; what it was to write may or may not have been written then.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence
from typing import Protocol

from codesieve.server.errors import ServiceError
from codesieve.server.jobs.model import Happening, Job, JobContents, JobEvent, JobKey, Progress


class LeaseLost(ServiceError):
    """Another front end runs the job now, or it was deleted."""

    def __init__(self, key: JobKey) -> None:
        super().__init__(f"another front end runs job {key.job_id} now", reason="LEASE_LOST")


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a job's record."""

    key: JobKey
    epoch: int


@dataclasses.dataclass(frozen=True, slots=True)
class Happened:
    """A happening and its time, before it has its place in the job's sequence."""

    time: datetime.datetime
    happening: Happening


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """What a new job must keep to; None bounds nothing."""

    open_jobs: int | None = None
    """Of all callers, that have not ended."""
    caller_open_jobs: int | None = None
    caller_samples_per_day: int | None = None
    """Counted by `Job.create_time`'s day, UTC; a new job counts with its `samples_total`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """The jobs of all callers that have not ended and that nobody holds."""

    count: int
    oldest: datetime.datetime | None
    """When the one was made that was made first; None where none waits."""
    first: tuple[Job, ...]
    """Some of them, in the order in which they would be claimed if all models were there."""


class JobStore(Protocol):
    """Jobs, their contents and their events, and what callers used of their quotas."""

    async def create(self, job: Job, contents: JobContents, admission: Admission) -> tuple[Job, bool]:
        """Keeps a new job, with the `JobChanged` that says so as its first event.

        The job under this key, and whether it is new.

        All or nothing. Raises `AlreadyExists` where the key is taken by a job of another digest, and `Overloaded` with the
        reason TOO_MANY_JOBS, JOB_QUOTA or SAMPLE_QUOTA. A job that was there already is admitted whatever the bounds.
        """

    async def get(self, key: JobKey) -> Job:
        """Raises `NotFound`."""

    async def contents(self, key: JobKey) -> JobContents:
        """Raises `NotFound`."""

    async def list(self, caller: str, limit: int, before: str | None) -> Sequence[Job]:
        """A caller's jobs, the newest first: at most `limit`, beginning after the job `before`.

        Raises `NotFound` for an unknown `before`.
        """

    async def claim(
        self, front_end: str, now: datetime.datetime, until: datetime.datetime, models: Collection[str], limit: int
    ) -> Sequence[tuple[Job, Lease]]:
        """Leases to `front_end`, until `until`, at most `limit` jobs that have not ended and that nobody holds at `now`.

        Those whose spec asks for a model that isn't in `models` are left to others. Interactive ones come first, then those
        of callers that have the fewest jobs leased, then the oldest. No two front ends ever get the same job.
        """

    async def waiting(self, now: datetime.datetime, limit: int) -> Waiting:
        """What nobody holds at `now`, whatever model it asks for; at most `limit` of them by themselves.

        What it looks through is bounded by how many jobs may be open.
        """

    async def renew(self, front_end: str, keys: Collection[JobKey], until: datetime.datetime) -> Sequence[JobKey]:
        """Prolongs the leases that `front_end` holds on some jobs, those that ran out but nobody claimed too.

        Those of these jobs whose cancelling was asked for. A lease that it was given without learning of it runs out.
        """

    async def release(self, lease: Lease) -> None:
        """Gives a job back before its lease runs out, for another to claim. Does nothing where the lease was lost."""

    async def append(self, lease: Lease, after_sequence: int, happened: Sequence[Happened], progress: Progress) -> None:
        """Adds one event or more in one step and keeps the progress with them.

        A `JobChanged` also replaces the job's snapshot; one that has ended gives the lease back. `after_sequence` is that
        of the job's last event: where these events are there already, nothing is done, so that a step whose answer was
        lost can be repeated. Raises `LeaseLost`.
        """

    async def events(self, key: JobKey, after_sequence: int, limit: int) -> Sequence[JobEvent]:
        """At most `limit` events whose sequence is greater than `after_sequence`. Raises `NotFound`."""

    async def last_sequence(self, key: JobKey) -> int:
        """The sequence of the job's last event. Raises `NotFound`."""

    async def request_cancel(self, key: JobKey, now: datetime.datetime) -> Job:
        """Tells whoever runs the job to stop it; nothing for one that has ended. Raises `NotFound`.

        A PENDING job that nobody holds at `now` is ended here, with its event.
        """

    async def delete(self, key: JobKey) -> None:
        """Removes a job that has ended. Raises `NotFound`, and `PreconditionFailed` (JOB_NOT_ENDED)."""

    async def delete_ended_before(self, time: datetime.datetime) -> int:
        """Removes all jobs that ended before `time`; how many."""

    async def charge(self, caller: str, day: datetime.date, samples: int, limit: int) -> bool:
        """Counts `samples` (negative: gives back) as used on `day`, if they fit in `limit`; whether they do."""

    async def close(self) -> None:
        """Lets go of the database."""
