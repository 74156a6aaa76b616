"""The tables. `migrations/` makes them and changes them; a test holds the two together.

Text that clients chose is in columns only where rows are found by it, and then exact (`ExactText`); all else is in binary
payloads (`codec`), where neither database objects to it.
"""

from __future__ import annotations

import datetime
import re

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()

_UNKEPT = re.compile("[\0\\\\\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class ExactText(TypeDecorator[str]):
    r"""Any str: what PostgreSQL's text can't hold (NULs, lone surrogates) is written as \uXXXX, and so is a backslash."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or _UNKEPT.search(value) is None:
            return value
        return _UNKEPT.sub(lambda found: f"\\u{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class Moment(TypeDecorator[datetime.datetime]):
    """A time with its zone, which SQLite doesn't know: kept and given in UTC, exact to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=datetime.UTC)


# SQLite numbers rows by itself only where the type is INTEGER, which holds 64 bits there.
_Number = BigInteger().with_variant(Integer(), "sqlite")

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("caller", ExactText, nullable=False),
    Column("job_id", ExactText),  # NULL: deleted, and its rows are about to be removed
    Column("digest", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("model", ExactText),
    Column("create_time", Moment, nullable=False),
    Column("end_time", Moment),
    Column("snapshot", LargeBinary, nullable=False),
    Column("progress", LargeBinary, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("front_end", Text),
    Column("lease_until", Moment),
    Column("epoch", BigInteger, nullable=False),
    Column("cancel", Boolean, nullable=False),
    UniqueConstraint("caller", "job_id", name="jobs_by_key"),
    Index("jobs_by_caller", "caller", "id"),
    Index("jobs_by_end", "end_time", "id"),  # NULL: has not ended
    sqlite_autoincrement=True,  # the id of a deleted job is never another's
)

contents = Table(
    "contents",
    metadata,
    Column("job", _Number, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("piece", Integer, primary_key=True),
    Column("part", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("job", _Number, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sample_id", ExactText),
    Column("verdict", Text),
    Column("payload", LargeBinary, nullable=False),
    # A sample is made once and judged once, whatever goes wrong. Events of the job itself have no sample.
    UniqueConstraint("job", "sample_id", "kind", name="events_once"),
)

usage = Table(
    "usage",
    metadata,
    Column("caller", ExactText, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("samples", BigInteger, nullable=False),
)
