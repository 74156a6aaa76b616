"""Opens the store that `--store` names."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.store import JobStore

FORMS = "memory, a file, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
PARAMETERS = ("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs")
"""What may stand behind a PostgreSQL URL's question mark. They mean what they mean to psql."""


def read_store(text: str) -> str | Path | None:
    """A PostgreSQL URL, SQLite's file, or None for memory. Raises ValueError that says what is wrong with `text`."""
    if text == "memory":
        return None
    scheme, separator, rest = text.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        _check_postgresql(text)
        return text
    if separator and scheme != "sqlite":
        raise ValueError(f"--store: {scheme}:// is no store; it must be {FORMS}")
    if separator and "?" in rest:
        raise ValueError("--store: sqlite:///FILE takes no parameters")
    file = rest.removeprefix("/") if separator else text
    if not file or "\0" in file or (separator and not rest.startswith("/")):
        raise ValueError(f"--store: it names no file; it must be {FORMS}")
    return Path(file).absolute()


def _check_postgresql(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:  # what it says may show the password
        text = "--store: the URL's host or port can't be read; @, : and / in a password are written %40, %3A and %2F"
        raise ValueError(text) from None
    for name, _ in urllib.parse.parse_qsl(parts.query, keep_blank_values=True):
        if name not in PARAMETERS:
            raise ValueError(f"--store: there is no parameter {name!r}; there are {', '.join(PARAMETERS)}")
    if not parts.path.strip("/"):
        raise ValueError("--store: the URL names no database; it must be postgresql://USER:PASSWORD@HOST/DATABASE")


async def open_store(text: str) -> JobStore:
    """The store, made or brought up to date where it has to be.

    Raises ValueError that says what is wrong with what `text` names, and `StoreUnavailable` for a database that could not
    be reached for a minute.
    """
    place = read_store(text)
    if place is None:
        return MemoryStore()
    # Not before they are needed: a server without a database starts without them.
    from codesieve.server.jobs.sql.database import open_postgresql, open_sqlite
    from codesieve.server.jobs.sql.store import SqlStore

    if not isinstance(place, Path):
        return SqlStore(await open_postgresql(place))
    store = SqlStore(await open_sqlite(place))
    try:
        await store.void_leases()
    except BaseException:
        await store.close()
        raise
    return store
