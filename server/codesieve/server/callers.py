"""Who calls: a name, what it may do, and how much of the service it may take. Frozen, and known to every layer."""

from __future__ import annotations

import dataclasses
import enum


class Scope(enum.StrEnum):
    """What a token allows."""

    SUBMIT = "submit"
    """Jobs and Judge streams."""
    READ = "read"
    """What became of one's own jobs, and which models there are."""
    ADMIN = "admin"
    """Loading models and updating their weights; seeing what the server does, for all callers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quota:
    """How much of the service a caller may take at a time. None: no bound of its own."""

    jobs: int | None = None
    """Jobs that have not ended."""
    samples_in_flight: int | None = None
    """Samples of all its jobs and Judge streams that are being made or judged, in each front end."""
    samples_per_day: int | None = None
    """Samples asked for between two midnights, UTC."""
    weight: float = 1.0
    """Its part of the machine beside the others', where there is more work than places."""


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """A client of the service. Its jobs are its own; no other caller learns of them."""

    name: str
    scopes: frozenset[Scope]
    quota: Quota = Quota()


ANYONE = Caller("", frozenset(Scope))
"""Every caller of a server that asks for no tokens."""
