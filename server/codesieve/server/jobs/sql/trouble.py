"""Which of a database's errors are troubles that pass, and what is said of them.

A trouble is the database's: it is down, full, busy, or doesn't answer. It becomes `StoreUnavailable`, with one short line
that holds no statement, no value and no password. Every other error is a mistake of ours, or somebody changed the tables,
and stays what it is.
"""

from __future__ import annotations

import asyncio
import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

_LONGEST = 200

# SQLSTATE's classes. Their messages tell of the server and not of what is in its tables.
_PASSING = frozenset(
    {
        "28",  # who we are: its rules were changed
        "3D",  # there is no such database now
        "08",  # the connection
        "25",  # a transaction that stood idle too long; a server that only reads, as after a failover
        "40",  # a deadlock
        "53",  # no space, no memory, too many connections
        "55",  # somebody holds a lock
        "57",  # shutting down, starting, told to stop; a statement that took too long
        "58",  # the disk
        "XX",  # damage
    }
)
_REFUSED = frozenset({"28", "3D", "42"})
"""The user, its password or its rights; a database that isn't there."""


def trouble_of(error: BaseException) -> str | None:
    """One line for a trouble that may pass by itself; None for any other error."""
    if isinstance(error, NoConnection):
        return "no connection was free in time"
    if isinstance(error, DBAPIError):
        cause = error.orig
        if error.connection_invalidated and _state(cause) is None:
            return "the connection broke"
        return None if cause is None else trouble_of(cause)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return _line(error.strerror or str(error))
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection broke"
    if isinstance(error, sqlite3.Error):
        passing = type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError)
        return _line(str(error)) if passing and "no such" not in str(error) else None
    state = _state(error)
    if state is not None and state[:2] in _PASSING:
        return _line(_message(error))
    # asyncpg's and SQLAlchemy's are two; other ones tell of wrong values.
    if type(error).__name__ == "InterfaceError" and "connection" in str(error):
        return "the connection broke"
    return None


def refusal_of(error: BaseException) -> str | None:
    """One line where the database is there and doesn't let us in, or isn't a store: nothing that passes by itself."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.DatabaseError) and cause.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
        return "it is no database"
    state = _state(cause)
    return _line(_message(cause)) if state is not None and state[:2] in _REFUSED else None


def _state(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error, of asyncpg's class or of SQLAlchemy's around it."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def _message(error: BaseException | None) -> str:
    """The server's message without the detail."""
    return str(error.args[0]) if error is not None and error.args else type(error).__name__


def _line(text: str) -> str:
    return text.partition("\n")[0][:_LONGEST]
