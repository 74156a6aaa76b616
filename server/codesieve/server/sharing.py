"""What the queues share by: whose work it is, and how urgent. Frozen, and carried by every piece of work that waits."""

from __future__ import annotations

import dataclasses
import enum


class Priority(enum.StrEnum):
    """Interactive work passes in front of batch work."""

    INTERACTIVE = "INTERACTIVE"
    BATCH = "BATCH"


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """Whose a piece of work is. Callers share a priority by their weights, a caller's flows share evenly."""

    caller: str
    flow: str
    """A job or a Judge stream."""
    weight: float = 1.0
    """The caller's, greater than 0."""
    priority: Priority = Priority.BATCH
