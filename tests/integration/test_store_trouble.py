"""A store in a database through the database's troubles: down, killed, hung, full, damaged, in use, and its own death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.postgres import PASSWORD, Postgres, Stop
from tests.store_jobs import ANY, NOW, a_job, at, ended, happened, judged, running, sample

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs.model import JobEvent, JobKey, Progress, SampleGenerated
from codesieve.server.jobs.sql import database as databases
from codesieve.server.jobs.sql.tables import metadata
from codesieve.server.jobs.store import JobStore
from codesieve.server.jobs.stores import open_store

SECRET = re.compile(re.escape(PASSWORD) + "|p%40ss")


@contextlib.asynccontextmanager
async def opened(url: str | Path) -> AsyncIterator[JobStore]:
    store = await open_store(str(url))
    try:
        yield store
    finally:
        await store.close()


@pytest_asyncio.fixture
async def on_postgres(postgres: Postgres) -> AsyncIterator[JobStore]:
    async with opened(postgres.fresh()) as store:
        yield store
    postgres.stop()
    postgres.start()


async def until_it_answers(store: JobStore, key: JobKey) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(StoreUnavailable):
                await store.get(key)
                return
            await asyncio.sleep(0.1)


@pytest.mark.postgres
@pytest.mark.parametrize("how", [Stop.FAST, Stop.IMMEDIATE, None])
async def test_postgresql_goes_away_and_comes_back(postgres: Postgres, on_postgres: JobStore, how: Stop | None) -> None:
    job, lease = await running(on_postgres)
    postgres.kill() if how is None else postgres.stop(how)
    for _ in range(12):  # more than there are connections in the pool
        with pytest.raises(StoreUnavailable) as refused:
            await on_postgres.append(lease, 2, happened(SampleGenerated(sample(0))), Progress(1, 1))
        assert refused.value.message.startswith("the server can't reach its store: PostgreSQL 127.0.0.1:")
        assert len(refused.value.message) < 200
        assert "\n" not in refused.value.message
        assert not SECRET.search(refused.value.message)
    postgres.start()
    await until_it_answers(on_postgres, job.key)
    await on_postgres.append(lease, 2, happened(SampleGenerated(sample(0))), Progress(1, 1))


@pytest.mark.postgres
async def test_connections_that_postgresql_ended_are_replaced_unnoticed(
    postgres: Postgres, on_postgres: JobStore
) -> None:
    job, _ = await running(on_postgres)
    await asyncio.gather(*(on_postgres.get(job.key) for _ in range(20)))
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'codesieve'")
    assert await on_postgres.get(job.key) == job


@pytest.mark.postgres
async def test_a_postgresql_that_hangs_is_not_waited_for_for_ever(
    postgres: Postgres, on_postgres: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "TRANSACTION_SECONDS", 1.0)
    job, lease = await running(on_postgres)
    family = postgres.family()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            for call in (on_postgres.get(job.key), on_postgres.renew("front", [job.key], at(10))):
                with pytest.raises(StoreUnavailable, match="did not answer in time"):
                    await call
            with pytest.raises(StoreUnavailable):
                await on_postgres.append(lease, 2, happened(judged(0)), Progress(1, 1))
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)
    await until_it_answers(on_postgres, job.key)


@pytest.mark.postgres
async def test_a_postgresql_that_starts_late_is_waited_for(postgres: Postgres) -> None:
    url = postgres.fresh()
    postgres.stop()
    opening = asyncio.ensure_future(open_store(url))
    try:
        await asyncio.sleep(1)
        assert not opening.done()
    finally:
        postgres.start()
    store = await opening
    assert list(await store.list("mine", 1, None)) == []
    await store.close()


@pytest.mark.postgres
async def test_a_postgresql_that_is_not_there_is_waited_for_so_long_only(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "OPEN_SECONDS", 0.0)
    with pytest.raises(StoreUnavailable) as refused:
        await open_store(f"postgresql://me:{PASSWORD.replace('/', '%2F')}@127.0.0.1:1/jobs")
    assert "PostgreSQL 127.0.0.1:1/jobs: " in refused.value.message
    assert not SECRET.search(refused.value.message)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.replace("codesieve:", "codesieve:not"), "password authentication failed"),
        (lambda url: url + "_not", "does not exist"),
    ],
)
async def test_a_postgresql_that_does_not_let_us_in_is_not_waited_for(
    postgres: Postgres, change: Callable[[str], str], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        await open_store(change(postgres.fresh()))
    assert str(refused.value).startswith("--store: PostgreSQL 127.0.0.1:")
    assert not SECRET.search(str(refused.value))


@pytest.mark.postgres
async def test_front_ends_that_start_at_once_make_the_tables_once(postgres: Postgres) -> None:
    url = postgres.fresh()
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    await asyncio.gather(*(store.create(*a_job(f"j{i}"), ANY) for i, store in enumerate(stores)))
    assert len(await stores[0].list("mine", 9, None)) == 4
    claims = await asyncio.gather(*(store.claim(f"f{i}", NOW, at(10), [], 9) for i, store in enumerate(stores)))
    claims += [await stores[0].claim("f", NOW, at(10), [], 9)]
    claimed = [job.job_id for claim in claims for job, _ in claim]
    assert sorted(claimed) == ["j0", "j1", "j2", "j3"]
    for store in stores:
        await store.close()


def differences(connection: Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_the_migrations_make_the_tables_in_sqlite(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine.connect() as connection:
        assert differences(connection) == []
        connection.execute(text("ALTER TABLE usage RENAME TO used"))
        assert differences(connection) != []
    engine.dispose()


@pytest.mark.postgres
async def test_the_migrations_make_the_tables_in_postgresql(postgres: Postgres) -> None:
    url = postgres.fresh()
    async with opened(url):
        pass
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        await connection.execute(text("ALTER TABLE usage RENAME TO used"))
        assert await connection.run_sync(differences) != []
    await engine.dispose()


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ValueError, match="was made by a newer codesieve"):
        await open_store(str(tmp_path / "jobs.db"))


async def test_no_sample_is_recorded_twice_whatever_goes_wrong(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.db") as store:
        job, lease = await running(store)
        for after, happening in ((2, SampleGenerated(sample(0))), (3, judged(0))):
            await store.append(lease, after, happened(happening), Progress(1, 1))
            with pytest.raises(IntegrityError, match="UNIQUE constraint failed"):
                await store.append(lease, after + 1, happened(happening), Progress(1, 1))
        assert await store.last_sequence(job.key) == 4


# SQLite's file


async def test_a_file_has_one_server_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "jobs.db"
    async with opened(path) as store:
        with pytest.raises(ValueError, match=re.escape(f"--store: another server uses {path}")):
            await open_store(str(path))
        await store.create(*a_job("j"), ANY)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    async with opened(f"sqlite:///{path}") as store:
        assert len(await store.list("mine", 9, None)) == 1


async def test_what_a_dead_server_held_is_free_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.db") as store:
        job, lease = await running(store)
        await ended(store, "done")
    async with opened(tmp_path / "jobs.db") as store:
        ((again, second),) = await store.claim("next", NOW, at(10), [], 9)
        assert (again, second.epoch) == (job, lease.epoch + 1)


async def test_a_file_that_somebody_looks_into_with_a_tool_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_SECONDS", 0.1)
    async with opened(tmp_path / "jobs.db") as store:
        job, lease = await running(store)
        with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as tool:
            tool.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match=r"jobs.db: database is locked"):
                await store.append(lease, 2, happened(SampleGenerated(sample(0))), Progress(1, 1))
            assert await store.get(job.key) == job  # readers don't wait
        await store.append(lease, 2, happened(SampleGenerated(sample(0))), Progress(1, 1))


async def test_a_caller_that_goes_away_leaves_nothing_half_done(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.db") as store:
        job, lease = await running(store)
        for i in range(30):
            batch = happened(SampleGenerated(sample(2 * i)), SampleGenerated(sample(2 * i + 1)))
            step = asyncio.ensure_future(store.append(lease, 2 + 2 * i, batch, Progress(99, 2 * i + 2)))
            await asyncio.sleep(0.0003 * i)
            step.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await step
            await store.append(lease, 2 + 2 * i, batch, Progress(99, 2 * i + 2))
        assert await store.last_sequence(job.key) == 62


@pytest.mark.parametrize("what", ["directory", "other"])
async def test_what_is_no_database_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "jobs.db"
    if what == "directory":
        path.mkdir()
    else:
        path.write_text("these are my notes, which are dear to me\n" * 100)
    with pytest.raises(ValueError, match=re.escape(f"{path}") + ".*(Is a directory|is no database)"):
        await open_store(str(path))
    assert what == "directory" or path.read_text().startswith("these are my notes")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two MiB."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(tmp_path)]
    mounted = subprocess.run(mounting, check=False, capture_output=True)
    if mounted.returncode:
        assert os.environ.get("CI") != "true", mounted.stderr
        pytest.skip("no tmpfs can be mounted here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


async def test_a_full_disk_is_waited_for(small_disk: Path) -> None:
    async with opened(small_disk / "jobs.db") as store:
        job, lease = await running(store)
        sequence = 2

        async def write() -> None:
            nonlocal sequence
            one = happened(SampleGenerated(sample(sequence, os.urandom(20_000))))
            await store.append(lease, sequence, one, Progress(99, sequence - 1))
            sequence += 1

        async def fill() -> None:
            for _ in range(100):
                await write()

        (small_disk / "ballast").write_bytes(bytes(1_200_000))
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=r"jobs.db: (database or disk is full|disk I/O error)"):
                await fill()
        assert await store.last_sequence(job.key) == sequence > 3
        (small_disk / "ballast").unlink()
        await write()
        assert len(await store.events(job.key, 0, 1000)) == sequence


_WRITER = """
import asyncio, sys
from codesieve.server.jobs.model import Progress, SampleGenerated
from codesieve.server.jobs.stores import open_store
from tests.store_jobs import happened, running, sample

async def main():
    store = await open_store(sys.argv[1])
    job, lease = await running(store)
    for i in range(0, 10**6, 7):
        batch = happened(*(SampleGenerated(sample(i + j)) for j in range(7)))
        await store.append(lease, 2 + i, batch, Progress(10**6, i + 7))
        print(2 + i + 7, flush=True)

asyncio.run(main())
"""


def killed_writer(url: str) -> list[int]:
    """What a process that was killed while it wrote had said of what is written."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(25)]
        process.kill()
        said += process.stdout.read().splitlines()
    return [int(line) for line in said]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_what_was_written_is_there_after_the_writer_was_killed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = request.getfixturevalue("postgres").fresh() if kind == "postgresql" else str(tmp_path / "jobs.db")
    said = killed_writer(url)
    async with opened(url) as store:
        (job,) = await store.list("mine", 9, None)
        events: list[JobEvent] = []
        while page := await store.events(job.key, len(events), 1000):
            events += page
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert len(events) >= max(said)
        assert (len(events) - 2) % 7 == 0  # whole batches
        assert job.progress.samples_generated == len(events) - 2
