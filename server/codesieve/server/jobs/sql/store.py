"""`SqlStore`: a `JobStore` in SQLite or PostgreSQL.

Every method is one transaction, or one statement where that is enough, and goes on to its end though its caller is cancelled
meanwhile: a connection is never left in the middle of something. The rows that are looked through (open jobs, a caller's
jobs, a job's events) are found by indexes, and the large columns are read only where they are asked for.

A job is deleted by taking its name away, which is done at once; its rows are removed after that, some at a time, so that
nobody waits for a job of a million events. What a crash leaves of that, the next sweep removes.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import and_, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs.model import Job, JobChanged, JobContents, JobEvent, JobKey, JobState, Progress
from codesieve.server.jobs.rules import (
    job_exists,
    no_such_job,
    not_ended,
    refuse_too_many,
    samples_used_up,
    wrong_sequence,
)
from codesieve.server.jobs.sql import codec, free, tables
from codesieve.server.jobs.sql.database import CREATING, Database
from codesieve.server.jobs.store import Admission, Happened, Lease, LeaseLost, Waiting

log = logging.getLogger(__name__)

_REMOVED = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""The end of a job that was deleted: before that of every other one, so that the index finds it."""
_REMOVED_AT_ONCE = 4096
_HIDDEN_AT_ONCE = 64

_jobs, _events, _contents, _usage = tables.jobs.c, tables.events.c, tables.contents.c, tables.usage.c

P = ParamSpec("P")
T = TypeVar("T")


def _whole(
    method: Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]]:
    """Goes on to its end though its caller is cancelled."""

    @functools.wraps(method)
    async def run(self: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(method(self, *args, **kwargs))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return await asyncio.shield(task)

    return run


class SqlStore:
    """A `JobStore` over an open database, which it closes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.under_way: set[asyncio.Task[Any]] = set()
        self._closing = False

    @_whole
    async def create(self, job: Job, contents: JobContents, admission: Admission) -> tuple[Job, bool]:
        async with self._database.read() as connection:
            existing = await self._existing(connection, job)
        if existing is not None:
            return existing, False
        pieces = await asyncio.to_thread(codec.pieces_of, contents)
        async with self._database.write() as connection:
            # What is counted below, and the name, are nobody else's until this is done.
            await self._database.serialize(connection, CREATING)
            existing = await self._existing(connection, job)
            if existing is not None:
                return existing, False
            await self._admit(connection, job, admission)
            row = {
                "caller": job.key.caller,
                "job_id": job.job_id,
                "digest": job.digest,
                "create_time": job.create_time,
                "priority": job.spec.priority.value,
                "model": job.spec.generation.model if job.spec.generation is not None else None,
                "progress": codec.encode(job.progress),
                "last_sequence": 1,
                "epoch": 0,
                "cancel": False,
                **_snapshot(job),
            }
            number = (await connection.execute(insert(tables.jobs).values(row).returning(_jobs.id))).scalar_one()
            for i, (part, data) in enumerate(pieces):
                piece = {"job": number, "piece": i, "part": part.value, "data": data}
                await connection.execute(insert(tables.contents).values(piece))
            await _add(connection, number, 0, [Happened(job.create_time, JobChanged(job))])
        return job, True

    @_whole
    async def get(self, key: JobKey) -> Job:
        async with self._database.read() as connection:
            return _job(await _row(connection, key, _jobs.snapshot, _jobs.progress))

    @_whole
    async def contents(self, key: JobKey) -> JobContents:
        async with self._database.read() as connection:
            number = (await _row(connection, key, _jobs.id)).id
            query = select(_contents.part, _contents.data).where(_contents.job == number).order_by(_contents.piece)
            pieces = [(row.part, row.data) for row in await connection.execute(query)]
        if not pieces:  # deleted between the two
            raise no_such_job(key)
        return await asyncio.to_thread(codec.contents_of, pieces)

    @_whole
    async def list(self, caller: str, limit: int, before: str | None) -> Sequence[Job]:
        query = select(_jobs.snapshot, _jobs.progress).where(_jobs.caller == caller, _jobs.job_id.is_not(None))
        async with self._database.read() as connection:
            if before is not None:
                query = query.where(_jobs.id < (await _row(connection, JobKey(caller, before), _jobs.id)).id)
            return [_job(row) for row in await connection.execute(query.order_by(_jobs.id.desc()).limit(limit))]

    @_whole
    async def claim(
        self, front_end: str, now: datetime.datetime, until: datetime.datetime, models: Collection[str], limit: int
    ) -> Sequence[tuple[Job, Lease]]:
        async with self._database.read() as connection:
            rows, held = await free.looked_for(connection, now)
        chosen = free.chosen([row for row in rows if row.model is None or row.model in models], held, limit)
        if not chosen:
            return []
        # They may have been claimed meanwhile, so they are looked at again; those that somebody else is about to claim
        # are passed over.
        still_free = select(_jobs.id).where(_jobs.id.in_(chosen), *free.is_free(now)).with_for_update(skip_locked=True)
        async with self._database.write() as connection:
            ids = (await connection.execute(still_free)).scalars().all()
            claiming = (
                update(tables.jobs)
                .where(_jobs.id.in_(ids))
                .values(front_end=front_end, lease_until=until, epoch=_jobs.epoch + 1)
                .returning(_jobs.id, _jobs.snapshot, _jobs.progress, _jobs.epoch)
            )
            claimed = {row.id: row for row in await connection.execute(claiming)}
        found = [(_job(row), row.epoch) for row in (claimed[number] for number in chosen if number in claimed)]
        return [(job, Lease(job.key, epoch)) for job, epoch in found]

    @_whole
    async def waiting(self, now: datetime.datetime, limit: int) -> Waiting:
        async with self._database.read() as connection:
            return await free.waiting(connection, now, limit)

    @_whole
    async def renew(self, front_end: str, keys: Collection[JobKey], until: datetime.datetime) -> Sequence[JobKey]:
        if not keys:
            return []
        renewing = (
            update(tables.jobs)
            .where(_jobs.end_time.is_(None), _jobs.front_end == front_end, or_(*(and_(*_is(key)) for key in keys)))
            .values(lease_until=until)
            .returning(_jobs.caller, _jobs.job_id, _jobs.cancel)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(renewing)).all()
        return [JobKey(row.caller, row.job_id) for row in rows if row.cancel]

    @_whole
    async def release(self, lease: Lease) -> None:
        releasing = update(tables.jobs).where(*_is(lease.key), _jobs.epoch == lease.epoch)
        async with self._database.write() as connection:
            await connection.execute(releasing.values(front_end=None, lease_until=None))

    @_whole
    async def append(self, lease: Lease, after_sequence: int, happened: Sequence[Happened], progress: Progress) -> None:
        jobs = [one.happening.job for one in happened if isinstance(one.happening, JobChanged)]
        changes: dict[str, Any] = _snapshot(jobs[-1]) if jobs else {}
        if jobs and jobs[-1].state.ended:
            changes |= {"front_end": None, "lease_until": None}
        last = after_sequence + len(happened)
        mine = (*_is(lease.key), _jobs.epoch == lease.epoch)
        moving = (
            update(tables.jobs)
            .where(*mine, _jobs.front_end.is_not(None), _jobs.last_sequence == after_sequence)
            .values(last_sequence=last, progress=codec.encode(progress), **changes)
            .returning(_jobs.id)
        )
        async with self._database.write() as connection:
            number = (await connection.execute(moving)).scalar_one_or_none()
            if number is not None:
                await _add(connection, number, after_sequence, happened)
                return
            there = select(_jobs.last_sequence, _jobs.front_end).where(*mine)
            row = (await connection.execute(there)).one_or_none()
        if row is not None and row.last_sequence == last:
            return
        if row is None or row.front_end is None:
            raise LeaseLost(lease.key)
        raise wrong_sequence(lease.key, row.last_sequence, after_sequence)

    @_whole
    async def events(self, key: JobKey, after_sequence: int, limit: int) -> Sequence[JobEvent]:
        columns = (_events.sequence, _events.time, _events.kind, _events.sample_id, _events.verdict, _events.payload)
        query = (
            select(*columns)
            .join(tables.jobs, _jobs.id == _events.job)
            .where(*_is(key), _events.sequence > after_sequence)
            .order_by(_events.sequence)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            if not rows:
                await _row(connection, key, _jobs.id)
        return [
            JobEvent(sequence, time, codec.happening_of(kind, sample_id, verdict, payload))
            for sequence, time, kind, sample_id, verdict, payload in rows
        ]

    @_whole
    async def last_sequence(self, key: JobKey) -> int:
        async with self._database.read() as connection:
            return int((await _row(connection, key, _jobs.last_sequence)).last_sequence)

    @_whole
    async def request_cancel(self, key: JobKey, now: datetime.datetime) -> Job:
        columns = (_jobs.id, _jobs.snapshot, _jobs.progress, _jobs.lease_until, _jobs.last_sequence)
        async with self._database.write() as connection:
            row = await _row(connection, key, *columns, lock=True)
            job = _job(row)
            if job.state.ended:
                return job
            changes: dict[str, Any] = {"cancel": True}
            if job.state is JobState.PENDING and not free.is_held(row, now):
                job = job.moved(JobState.CANCELLED, now)
                changes |= {"front_end": None, "lease_until": None, "last_sequence": row.last_sequence + 1}
                changes["epoch"] = _jobs.epoch + 1  # whoever held it writes nothing more
                changes |= _snapshot(job)
                await _add(connection, row.id, row.last_sequence, [Happened(now, JobChanged(job))])
            await connection.execute(update(tables.jobs).where(_jobs.id == row.id).values(changes))
        return job

    @_whole
    async def delete(self, key: JobKey) -> None:
        async with self._database.write() as connection:
            row = await _row(connection, key, _jobs.id, _jobs.end_time, lock=True)
            if row.end_time is None:
                raise not_ended(key)
            await connection.execute(_hiding().where(_jobs.id == row.id))
        await self._remove_hidden()

    @_whole
    async def delete_ended_before(self, time: datetime.datetime) -> int:
        count = 0
        old = (
            select(_jobs.id)
            .where(_jobs.end_time < time, _jobs.end_time > _REMOVED)
            .order_by(_jobs.end_time)
            .limit(_HIDDEN_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        while True:
            async with self._database.write() as connection:
                ids = (await connection.execute(old)).scalars().all()
                await connection.execute(_hiding().where(_jobs.id.in_(ids)))
            count += len(ids)
            await self._remove_hidden()
            if len(ids) < _HIDDEN_AT_ONCE:
                return count

    @_whole
    async def charge(self, caller: str, day: datetime.date, samples: int, limit: int) -> bool:
        async with self._database.write() as connection:
            return await self._charge(connection, caller, day, samples, limit)

    @_whole
    async def void_leases(self) -> None:
        """For a database that nobody else uses: whoever held a lease is dead, so its jobs go on at once."""
        voiding = update(tables.jobs).where(_jobs.end_time.is_(None), _jobs.front_end.is_not(None))
        async with self._database.write() as connection:
            await connection.execute(voiding.values(front_end=None, lease_until=None))

    async def close(self) -> None:
        self._closing = True
        while self.under_way:
            await asyncio.wait(self.under_way)
        await self._database.close()

    async def _existing(self, connection: AsyncConnection, job: Job) -> Job | None:
        """The job that has the name already. Raises `AlreadyExists` where it asks for something else."""
        query = select(_jobs.digest, _jobs.snapshot, _jobs.progress).where(*_is(job.key))
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.digest != job.digest:
            raise job_exists(job.key)
        return _job(row)

    async def _admit(self, connection: AsyncConnection, job: Job, admission: Admission) -> None:
        """Raises `Overloaded`."""
        caller = job.key.caller
        mine = func.coalesce(func.sum(case((_jobs.caller == caller, 1), else_=0)), 0)
        counts = (await connection.execute(select(func.count(), mine).where(_jobs.end_time.is_(None)))).one()
        refuse_too_many(admission, counts[0], counts[1])
        limit = admission.caller_samples_per_day
        if limit is not None:
            day, samples = job.create_time.date(), job.progress.samples_total
            if not await self._charge(connection, caller, day, samples, limit):
                raise samples_used_up(limit, job.create_time)

    async def _charge(
        self, connection: AsyncConnection, caller: str, day: datetime.date, samples: int, limit: int
    ) -> bool:
        row = {"caller": caller, "day": day, "samples": 0}
        if self._database.is_postgresql:
            await connection.execute(postgresql.insert(tables.usage).values(row).on_conflict_do_nothing())
        else:
            await connection.execute(sqlite.insert(tables.usage).values(row).on_conflict_do_nothing())
        used = _usage.samples + samples
        counting = update(tables.usage).where(_usage.caller == caller, _usage.day == day)
        if samples > 0:
            counting = counting.where(used <= limit)
        counted = await connection.execute(counting.values(samples=case((used < 0, 0), else_=used)))
        await connection.execute(delete(tables.usage).where(_usage.caller == caller, _usage.day < day))
        return counted.rowcount == 1

    async def _remove_hidden(self) -> None:
        """Removes the rows of jobs that were deleted. What can't be removed now, a later sweep removes."""
        hidden = select(_jobs.id).where(_jobs.end_time == _REMOVED)
        try:
            async with self._database.read() as connection:
                ids = (await connection.execute(hidden)).scalars().all()
            for number in ids:
                await self._remove(number)
        except StoreUnavailable as error:
            log.warning("deleted jobs keep their rows for now", extra={"error": error.message})

    async def _remove(self, number: int) -> None:
        some = select(_events.sequence).where(_events.job == number).order_by(_events.sequence).limit(_REMOVED_AT_ONCE)
        removing = delete(tables.events).where(_events.job == number, _events.sequence.in_(some))
        removed = _REMOVED_AT_ONCE
        while removed == _REMOVED_AT_ONCE:
            if self._closing:
                return
            async with self._database.write() as connection:
                removed = (await connection.execute(removing)).rowcount
        async with self._database.write() as connection:
            await connection.execute(delete(tables.jobs).where(_jobs.id == number))


def _is(key: JobKey) -> tuple[ColumnElement[bool], ...]:
    return _jobs.caller == key.caller, _jobs.job_id == key.job_id


async def _row(connection: AsyncConnection, key: JobKey, *columns: ColumnElement[Any], lock: bool = False) -> Any:
    """Some columns of a job. Raises `NotFound`."""
    query = select(*columns).where(*_is(key))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise no_such_job(key)
    return row


async def _add(connection: AsyncConnection, number: int, sequence: int, happened: Sequence[Happened]) -> None:
    """Adds events after `sequence`."""
    rows = [
        {"job": number, "sequence": i, "time": one.time, **codec.columns_of(one.happening)}
        for i, one in enumerate(happened, sequence + 1)
    ]
    await connection.execute(insert(tables.events), rows)


def _snapshot(job: Job) -> dict[str, Any]:
    return {"state": job.state.value, "end_time": job.end_time, "snapshot": codec.encode_job(job)}


def _job(row: Any) -> Job:
    return codec.decode_job(row.snapshot, row.progress)


def _hiding() -> Any:
    return update(tables.jobs).values(job_id=None, end_time=_REMOVED)
