"""`MemoryStore`: a `JobStore` in this process's memory. Its jobs end with it.

It keeps at most `max_jobs`: the oldest that have ended make room.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence

from codesieve.server.jobs.model import Job, JobChanged, JobContents, JobEvent, JobKey, JobState, Progress
from codesieve.server.jobs.rules import (
    choose,
    job_exists,
    no_such_job,
    not_ended,
    refuse_too_many,
    samples_used_up,
    too_many_jobs,
    wrong_sequence,
)
from codesieve.server.jobs.store import Admission, Happened, Lease, LeaseLost, Waiting

MAX_JOBS = 256


@dataclasses.dataclass(slots=True)
class _Row:
    """A job, and all that is kept with it."""

    job: Job
    contents: JobContents
    events: list[JobEvent]
    front_end: str | None = None
    until: datetime.datetime | None = None
    epoch: int = 0
    cancel: bool = False

    def add(self, happened: Happened) -> None:
        self.events.append(JobEvent(len(self.events) + 1, happened.time, happened.happening))
        if isinstance(happened.happening, JobChanged):
            self.job = happened.happening.job

    def held(self, now: datetime.datetime) -> bool:
        return self.until is not None and self.until > now


class MemoryStore:
    """A `JobStore` for one front end without a database."""

    def __init__(self, max_jobs: int = MAX_JOBS) -> None:
        self._max_jobs = max_jobs
        self._rows: dict[JobKey, _Row] = {}  # in order of creation
        self._used: dict[tuple[str, datetime.date], int] = {}

    async def create(self, job: Job, contents: JobContents, admission: Admission) -> tuple[Job, bool]:
        existing = self._rows.get(job.key)
        if existing is not None:
            if existing.job.digest != job.digest:
                raise job_exists(job.key)
            return existing.job, False
        running = [row.job for row in self._rows.values() if not row.job.state.ended]
        refuse_too_many(admission, len(running), sum(one.key.caller == job.key.caller for one in running))
        forgotten = self._oldest_ended() if len(self._rows) >= self._max_jobs else None
        if admission.caller_samples_per_day is not None:
            total, limit = job.progress.samples_total, admission.caller_samples_per_day
            if not await self.charge(job.key.caller, job.create_time.date(), total, limit):
                raise samples_used_up(limit, job.create_time)
        if forgotten is not None:
            del self._rows[forgotten]
        row = _Row(job, contents, [])
        row.add(Happened(job.create_time, JobChanged(job)))
        self._rows[job.key] = row
        return job, True

    async def get(self, key: JobKey) -> Job:
        return self._row(key).job

    async def contents(self, key: JobKey) -> JobContents:
        return self._row(key).contents

    async def list(self, caller: str, limit: int, before: str | None) -> Sequence[Job]:
        newest_first = [row.job for key, row in reversed(self._rows.items()) if key.caller == caller]
        start = 0
        if before is not None:
            self._row(JobKey(caller, before))
            start = next(i for i, job in enumerate(newest_first) if job.job_id == before) + 1
        return newest_first[start : start + limit]

    async def claim(
        self, front_end: str, now: datetime.datetime, until: datetime.datetime, models: Collection[str], limit: int
    ) -> Sequence[tuple[Job, Lease]]:
        free, held = self._free(now)
        able = [row for row in free if row.job.spec.generation is None or row.job.spec.generation.model in models]
        chosen = _choose(able, held, limit)
        for row in chosen:
            row.front_end, row.until, row.epoch = front_end, until, row.epoch + 1
        return [(row.job, Lease(row.job.key, row.epoch)) for row in chosen]

    async def waiting(self, now: datetime.datetime, limit: int) -> Waiting:
        free, held = self._free(now)
        oldest = min((row.job.create_time for row in free), default=None)
        return Waiting(len(free), oldest, tuple(row.job for row in _choose(free, held, limit)))

    async def renew(self, front_end: str, keys: Collection[JobKey], until: datetime.datetime) -> Sequence[JobKey]:
        rows = [self._rows[key] for key in keys if key in self._rows]
        mine = [row for row in rows if row.front_end == front_end]
        for row in mine:
            row.until = until
        return [row.job.key for row in mine if row.cancel]

    async def release(self, lease: Lease) -> None:
        row = self._rows.get(lease.key)
        if row is not None and row.epoch == lease.epoch:
            row.front_end = row.until = None

    async def append(self, lease: Lease, after_sequence: int, happened: Sequence[Happened], progress: Progress) -> None:
        row = self._rows.get(lease.key)
        if row is not None and row.epoch == lease.epoch and len(row.events) == after_sequence + len(happened):
            return
        if row is None or row.epoch != lease.epoch or row.front_end is None:
            raise LeaseLost(lease.key)
        if len(row.events) != after_sequence:
            raise wrong_sequence(lease.key, len(row.events), after_sequence)
        for one in happened:
            row.add(one)
        row.job = dataclasses.replace(row.job, progress=progress)
        if row.job.state.ended:
            row.front_end = row.until = None

    async def events(self, key: JobKey, after_sequence: int, limit: int) -> Sequence[JobEvent]:
        return self._row(key).events[after_sequence : after_sequence + limit]

    async def last_sequence(self, key: JobKey) -> int:
        return len(self._row(key).events)

    async def request_cancel(self, key: JobKey, now: datetime.datetime) -> Job:
        row = self._row(key)
        row.cancel = True
        if row.job.state is JobState.PENDING and not row.held(now):
            row.add(Happened(now, JobChanged(row.job.moved(JobState.CANCELLED, now))))
            row.front_end, row.until, row.epoch = None, None, row.epoch + 1  # whoever held it writes nothing more
        return row.job

    async def delete(self, key: JobKey) -> None:
        if not self._row(key).job.state.ended:
            raise not_ended(key)
        del self._rows[key]

    async def delete_ended_before(self, time: datetime.datetime) -> int:
        old = [key for key, row in self._rows.items() if row.job.end_time is not None and row.job.end_time < time]
        for key in old:
            del self._rows[key]
        return len(old)

    async def charge(self, caller: str, day: datetime.date, samples: int, limit: int) -> bool:
        used = self._used.get((caller, day), 0) + samples
        if samples > 0 and used > limit:
            return False
        for old in [key for key in self._used if key[0] == caller and key[1] < day]:
            del self._used[old]
        self._used[caller, day] = max(used, 0)
        return True

    async def close(self) -> None:
        """Nothing is held."""

    def _free(self, now: datetime.datetime) -> tuple[Sequence[_Row], Sequence[str]]:
        """The open jobs that nobody holds, the oldest first, and the callers of those that somebody does."""
        rows = [row for row in self._rows.values() if not row.job.state.ended]
        return [row for row in rows if not row.held(now)], [row.job.key.caller for row in rows if row.held(now)]

    def _row(self, key: JobKey) -> _Row:
        try:
            return self._rows[key]
        except KeyError:
            raise no_such_job(key) from None

    def _oldest_ended(self) -> JobKey:
        oldest = next((key for key, row in self._rows.items() if row.job.state.ended), None)
        if oldest is None:
            raise too_many_jobs(len(self._rows))
        return oldest


def _choose(free: Sequence[_Row], held: Sequence[str], limit: int) -> Sequence[_Row]:
    return choose([(row, row.job.key.caller, row.job.spec.priority) for row in free], held, limit)
