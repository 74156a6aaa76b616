"""The open jobs that nobody holds: those that may be claimed, and those that wait.

All open jobs are looked through, by the index that has them in their order; how many there are is bounded where jobs are
made. Their large columns are read only of those that were chosen.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from codesieve.server.jobs.rules import choose
from codesieve.server.jobs.sql import codec, tables
from codesieve.server.jobs.store import Waiting
from codesieve.server.sharing import Priority

_jobs = tables.jobs.c


def is_free(now: datetime.datetime) -> tuple[ColumnElement[bool], ...]:
    """Of a row: the job has not ended, and nobody holds it."""
    return _jobs.end_time.is_(None), _jobs.lease_until.is_(None) | (_jobs.lease_until <= now)


def is_held(row: Any, now: datetime.datetime) -> bool:
    """Of a row that has been read: somebody holds the job."""
    return row.lease_until is not None and row.lease_until > now


async def looked_for(connection: AsyncConnection, now: datetime.datetime) -> tuple[Sequence[Any], Sequence[str]]:
    """Those that are free, the first made first, and the callers of those that aren't."""
    columns = (_jobs.id, _jobs.caller, _jobs.priority, _jobs.model, _jobs.create_time, _jobs.lease_until)
    query = select(*columns).where(_jobs.end_time.is_(None)).order_by(_jobs.id)
    rows = (await connection.execute(query)).all()
    return [row for row in rows if not is_held(row, now)], [row.caller for row in rows if is_held(row, now)]


def chosen(rows: Sequence[Any], held: Sequence[str], limit: int) -> Sequence[int]:
    """The numbers of those that come first, at most `limit`."""
    return choose([(row.id, row.caller, Priority(row.priority)) for row in rows], held, limit)


async def waiting(connection: AsyncConnection, now: datetime.datetime, limit: int) -> Waiting:
    """See `JobStore.waiting`."""
    rows, held = await looked_for(connection, now)
    numbers = chosen(rows, held, limit)
    # One that was claimed or ended since then is counted and not shown.
    query = select(_jobs.id, _jobs.snapshot, _jobs.progress).where(_jobs.id.in_(numbers), *is_free(now))
    found = {row.id: row for row in await connection.execute(query)} if numbers else {}
    first = tuple(codec.decode_job(found[i].snapshot, found[i].progress) for i in numbers if i in found)
    return Waiting(len(rows), min((row.create_time for row in rows), default=None), first)
