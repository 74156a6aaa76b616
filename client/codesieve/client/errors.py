"""Every error that the SDK raises, and the one place where a gRPC error becomes one of them.

    CodesieveError
    ├── InvalidRequest          a field is wrong; `violations` names each. Nothing was started
    │   └── InvalidFile         a line of a file is wrong, or the file can't be read
    ├── NotFound                no such job or model
    ├── AlreadyExists           the job id is taken by a job with other contents
    ├── PreconditionFailed      the server lacks what the request needs: an engine, a model
    ├── Unauthenticated         the server doesn't know you: no token, or one that isn't valid
    ├── NotAllowed              the server knows you, and doesn't let you
    ├── TryLater                nothing is wrong with the request
    │   ├── Overloaded          too much is waiting, or a quota is used up
    │   └── Unavailable         no server answers, it is draining, or it can't reach its store
    ├── ServerError             a defect or a failure on the server's side
    └── JobFailed               the job ended without success; `result` holds what was finished
        └── JobCancelled        somebody cancelled it

A `TryLater` is raised only after the retries of `Retry` are spent, or where the server says that they won't help. Each error
has a message of one line for people and, where the server gave one, a stable `reason` for programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    from codesieve.client.types import RunResult


class CodesieveError(Exception):
    """The root of the tree."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class InvalidRequest(CodesieveError):
    """A field is wrong. `violations` holds (field, message) pairs; a field is a path like ``job.k[0]``."""

    def __init__(self, message: str, *, reason: str = "", violations: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, reason=reason)
        self.violations = violations


class InvalidFile(InvalidRequest):
    """A file can't be read, or a line of it is wrong. The message begins with the file's name."""


class NotFound(CodesieveError):
    """There is no such job or model."""


class AlreadyExists(CodesieveError):
    """The job id is taken by a job with other contents."""


class PreconditionFailed(CodesieveError):
    """The server lacks what the request needs."""


class Unauthenticated(CodesieveError):
    """The server doesn't know the caller."""


class NotAllowed(CodesieveError):
    """The server knows the caller, and doesn't let it."""


class TryLater(CodesieveError):
    """Not now. `retry_after` seconds say when to come back; None where the server doesn't say."""

    def __init__(self, message: str, *, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class Overloaded(TryLater):
    """Too much is waiting at the server. Without `retry_after` coming back doesn't help."""


class Unavailable(TryLater):
    """No server answers, it is draining, or it can't reach its store."""


class ServerError(CodesieveError):
    """A defect or a failure on the server's side."""


class JobFailed(CodesieveError):
    """The job ended without success. `result` holds the job and the samples that were finished."""

    def __init__(self, message: str, result: RunResult, *, reason: str = "") -> None:
        super().__init__(message, reason=reason)
        self.result = result


class JobCancelled(JobFailed):
    """Somebody cancelled the job."""


_BY_CODE: dict[str, type[CodesieveError]] = {
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": PreconditionFailed,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": NotAllowed,
}
_NO_ANSWER = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
"""A deadline is the client's own patience, or the server's with an upload that stood still. A call that this side didn't
cancel was cut off by a server, or a proxy, that is stopping."""


_WRITE_FAILED = "Internal error from Core"
"""What grpc.aio makes of a stream's status if a write fails, because the call has ended, before that status is read. The
true one is lost, so trying again is how to learn it: UNAVAILABLE passes, a refusal comes again."""


def from_rpc_error(error: grpc.RpcError, target: str) -> CodesieveError:
    """Builds the error for what a call to `target` raised, from its code, its text and its google.rpc details."""
    code = error.code().name
    message = " ".join((error.details() or "").split())
    if code == "INTERNAL" and message == _WRITE_FAILED:
        return Unavailable(f"the call to the server at {target} ended while a message was being sent")
    reason, violations, retry_after = _details(error.trailing_metadata() or ())
    if code in ("INVALID_ARGUMENT", "OUT_OF_RANGE"):
        return InvalidRequest(message or "the server refuses the request", reason=reason, violations=violations)
    if code == "RESOURCE_EXHAUSTED":
        return Overloaded(message or "the server is overloaded", reason=reason, retry_after=retry_after)
    if code == "UNIMPLEMENTED":
        return ServerError(f"the server at {target} doesn't know this call; is it a codesieve server? ({message})")
    if code in _NO_ANSWER:
        # With a reason it is an answer, of a server that can't serve now.
        told = message if reason else f"no answer from the server at {target}: {message or code}"
        return Unavailable(told, reason=reason, retry_after=retry_after)
    return _BY_CODE.get(code, ServerError)(message or code, reason=reason)


def _details(metadata: object) -> tuple[str, tuple[tuple[str, str], ...], float | None]:
    """What the trailer's google.rpc.Status says: (reason, violations, retry_after in seconds)."""
    # Only an error needs these, and an import of the SDK shouldn't pay for them.
    from google.protobuf.message import DecodeError

    from codesieve.v1 import status_pb2

    reason = ""
    violations: list[tuple[str, str]] = []
    retry_after: float | None = None
    mirrors: dict[str, type[Message]] = {
        "google.rpc.BadRequest": status_pb2.BadRequest,
        "google.rpc.RetryInfo": status_pb2.RetryInfo,
        "google.rpc.ErrorInfo": status_pb2.ErrorInfo,
    }
    for key, value in metadata:  # type: ignore[attr-defined]
        if key != "grpc-status-details-bin":
            continue
        try:
            for packed in status_pb2.Status.FromString(value).details:
                mirror = mirrors.get(packed.type_url.rpartition("/")[2])
                detail = None if mirror is None else mirror.FromString(packed.value)
                if isinstance(detail, status_pb2.BadRequest):
                    violations += [(each.field, " ".join(each.description.split())) for each in detail.field_violations]
                elif isinstance(detail, status_pb2.RetryInfo):
                    retry_after = detail.retry_delay.ToTimedelta().total_seconds()
                elif isinstance(detail, status_pb2.ErrorInfo):
                    reason = detail.reason
        except DecodeError:
            # Something between us and the server spoiled the trailer. The code and the text still stand.
            continue
    return reason, tuple(violations), retry_after
