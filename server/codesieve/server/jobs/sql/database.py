"""A database: how its URL is read, how it is opened and brought up to date, and transactions in it.

Both kinds are reached through SQLAlchemy's asyncio engine. What differs is here: SQLite has one writer at a time, which
waits its turn in this process, and one server to a file, which a lock beside the file sees to; PostgreSQL has bounds on how
long it may take to answer, so that no hung connection hangs a job.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import time
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from codesieve.server.errors import ServiceError, StoreUnavailable
from codesieve.server.jobs.sql.trouble import refusal_of, trouble_of

log = logging.getLogger(__name__)

OPEN_SECONDS = 60.0
"""How long a database may be out of reach when the server starts."""
_LOG_EVERY_SECONDS = 5.0
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0
"""How long PostgreSQL may take for one statement."""
TRANSACTION_SECONDS = 30.0
BUSY_SECONDS = 5.0
_CONNECTIONS = 8

_MIGRATIONS = Path(__file__).with_name("migrations")
_NAMESPACE = 0x636F6465
"""Of our advisory locks on PostgreSQL: "code"."""
MIGRATING, CREATING = 1, 2


class Database:
    """One database. `name` tells people which, without a password."""

    def __init__(self, engine: AsyncEngine, name: str, lock: int | None) -> None:
        self._engine = engine
        self._reading = engine
        self.name = name
        self._lock = lock
        self._turn = asyncio.Lock()
        self.is_postgresql = engine.dialect.name == "postgresql"
        if self.is_postgresql:
            # One statement is a transaction by itself, without two more round trips.
            self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement sees the database as it is then. Raises `StoreUnavailable`."""
        with self._told():
            async with self._in_time(), self._reading.connect() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, kept if nothing is raised. Raises `StoreUnavailable`: it may have been kept or not then."""
        with self._told():
            if self.is_postgresql:
                async with self._in_time(), self._engine.begin() as connection:
                    yield connection
            else:
                async with self._turn, self._engine.connect() as plain:
                    connection = await plain.execution_options(immediate=True)
                    async with connection.begin():
                        yield connection

    async def serialize(self, connection: AsyncConnection, what: int) -> None:
        """Waits until no other transaction, of any front end, does the same. SQLite's writers never overlap."""
        if self.is_postgresql:
            lock = text("SELECT pg_advisory_xact_lock(:namespace, :what)")
            await connection.execute(lock, {"namespace": _NAMESPACE, "what": what})

    async def open(self) -> None:
        """Makes the tables, or brings them up to date. Raises ValueError and `StoreUnavailable`."""
        try:
            async with self.write() as connection:
                await self.serialize(connection, MIGRATING)
                await connection.run_sync(_migrate)
        except CommandError as error:
            raise ValueError(f"--store: {self.name} was made by a newer codesieve ({error})") from error
        except (StoreUnavailable, DBAPIError) as error:
            refusal = refusal_of(error.__cause__ or error)
            if refusal is None:
                raise
            raise ValueError(f"--store: {self.name}: {refusal}") from error

    async def close(self) -> None:
        """Lets go of the database, and of its file."""
        await self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ServiceError:
            raise
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise
            raise StoreUnavailable(f"{self.name}: {trouble}") from error

    def _in_time(self) -> asyncio.Timeout:
        # A statement has a bound of its own; this one is for a connection that breaks without a word.
        return asyncio.timeout(TRANSACTION_SECONDS if self.is_postgresql else None)


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def open_sqlite(path: Path) -> Database:
    """The database in a file, which is made where there is none. Raises ValueError and `StoreUnavailable`."""
    lock = _take(path)
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # it begins no transactions by itself
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get("immediate"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return await _opened(Database(engine, f"SQLite {path}", lock))


def _take(path: Path) -> int:
    """Makes the file if need be; a lock on it, which goes with this process, however that ends. Raises ValueError."""
    held = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # SQLite gives its other files the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if held is not None:
            os.close(held)
        if isinstance(error, BlockingIOError):
            raise ValueError(f"--store: another server uses {path}; one at a time may") from error
        raise ValueError(f"--store: {path} can't be used: {error.strerror}") from error
    return held


async def open_postgresql(url: str) -> Database:
    """The database that a URL names. Raises ValueError and `StoreUnavailable`."""
    import asyncpg

    parts = urllib.parse.urlsplit(url)

    async def connect() -> Any:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": "codesieve",
                # A front end that hangs in the middle of a transaction holds up the others no longer than this.
                "idle_in_transaction_session_timeout": f"{TRANSACTION_SECONDS:.0f}s",
            },
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS + COMMAND_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    where = parts.netloc.rpartition("@")[2] or "this machine"
    return await _opened(Database(engine, f"PostgreSQL {where}{parts.path}", None))


async def _opened(database: Database) -> Database:
    """The database once it can be reached. Raises ValueError, and `StoreUnavailable` after `OPEN_SECONDS`."""
    begin = said = time.monotonic()
    try:
        while True:
            try:
                await database.open()
                log.info("jobs are kept", extra={"store": database.name})
                return database
            except StoreUnavailable as error:
                now = time.monotonic()
                if now - begin > OPEN_SECONDS:
                    raise
                if said == begin or now - said > _LOG_EVERY_SECONDS:
                    said = now
                    log.warning("waiting for the store", extra={"error": error.message})
            await asyncio.sleep(0.5)
    except BaseException:
        await database.close()
        raise
