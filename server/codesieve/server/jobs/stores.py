"""Opens the store that `--store` names."""

from __future__ import annotations

from pathlib import Path

from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.store import JobStore

FORMS = "memory, a file, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


async def open_store(url: str) -> JobStore:
    """The store, made or brought up to date where it has to be.

    Raises ValueError that says what is wrong with `url` or what it names, and `StoreUnavailable` for a database that could
    not be reached for a minute.
    """
    if url == "memory":
        return MemoryStore()
    # Not before they are needed: a server without a database starts without them.
    from codesieve.server.jobs.sql.database import open_postgresql, open_sqlite
    from codesieve.server.jobs.sql.store import SqlStore, open_leases_voided

    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        return SqlStore(await open_postgresql(url))
    if separator and scheme != "sqlite":
        raise ValueError(f"--store: {scheme}:// is no store; it must be {FORMS}")
    if separator and "?" in rest:
        raise ValueError("--store: sqlite:///FILE takes no parameters")
    file = rest.removeprefix("/") if separator else url
    if not file or "\0" in file or (separator and not rest.startswith("/")):
        raise ValueError(f"--store: it names no file; it must be {FORMS}")
    return await open_leases_voided(await open_sqlite(Path(file)))
