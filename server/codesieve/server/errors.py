"""The front end's errors, and what each is as a gRPC status.

    ServiceError
    ├── InvalidRequest        INVALID_ARGUMENT, with every field at fault
    ├── Unauthenticated       UNAUTHENTICATED
    ├── NotAllowed            PERMISSION_DENIED
    ├── NotFound              NOT_FOUND
    ├── AlreadyExists         ALREADY_EXISTS
    ├── PreconditionFailed    FAILED_PRECONDITION
    ├── OutOfRange            OUT_OF_RANGE
    ├── Overloaded            RESOURCE_EXHAUSTED, with when to come back, if that helps
    ├── Draining              UNAVAILABLE
    ├── TooSlow               UNAVAILABLE: the client left the server waiting
    ├── StoreUnavailable      UNAVAILABLE, with when to come back
    ├── WorkersStarting       UNAVAILABLE, with when to come back
    └── WorkerTrouble         INTERNAL: a worker did not do what was asked

Each carries a stable `reason` (google.rpc.ErrorInfo's) and one line for people. Nothing here knows gRPC; the mapping is
``interceptors.status_of``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One field at fault: its path in the request, and what would be right."""

    field: str
    description: str


class ServiceError(Exception):
    """A request that can't be served."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class InvalidRequest(ServiceError):
    """One or more fields are wrong."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"{first.field}: {first.description}{more}", reason="INVALID_FIELD")
        self.violations = tuple(violations)


class Unauthenticated(ServiceError):
    """Nobody knows who calls, or `caller` has been away too long."""

    def __init__(self, message: str, *, reason: str, caller: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.caller = caller


class NotAllowed(ServiceError):
    """The caller may not do this."""

    def __init__(self, message: str, *, reason: str, caller: str) -> None:
        super().__init__(message, reason=reason)
        self.caller = caller


class NotFound(ServiceError):
    """There is no such thing."""


class AlreadyExists(ServiceError):
    """The name is taken by something else."""


class PreconditionFailed(ServiceError):
    """The server is not in a state to do it."""


class OutOfRange(ServiceError):
    """Past the end."""


class Overloaded(ServiceError):
    """Too much is waiting."""

    def __init__(self, message: str, *, reason: str, retry_after_seconds: float | None) -> None:
        """`retry_after_seconds` is None where coming back doesn't help."""
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class TooSlow(ServiceError):
    """The client left the server waiting, and something of the server's with it."""


class Draining(ServiceError):
    """The server is about to stop."""

    def __init__(self) -> None:
        super().__init__("the server is draining; try again on another one or later", reason="DRAINING")


class StoreUnavailable(ServiceError):
    """The jobs' store can't be read or written now: its database is down, its disk is full."""

    def __init__(self, trouble: str) -> None:
        super().__init__(f"the server can't reach its store: {trouble}", reason="STORE_UNAVAILABLE")
        self.retry_after_seconds = 2.0


class WorkersStarting(ServiceError):
    """What every worker has to do can't be done now, since some are being started."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} of the model's workers are being started; try again later", reason="WORKERS_STARTING"
        )
        self.retry_after_seconds = 5.0


class WorkerTrouble(ServiceError):
    """A worker did not do what was asked."""
