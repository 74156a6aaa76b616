"""What is the same around every rpc: who calls, its request id, its errors as statuses, its time, its code and its span.

`rpc` is one decorator for a servicer's methods, unary and streaming, which get a `Call` in place of gRPC's context;
`status_of` is the one function that says what an exception is on the wire. A client's ``x-request-id`` metadata is taken
over, or one is made; it comes back in the trailing metadata and stands in the log beside every error.

A refused call leaves one line in the log ``codesieve.audit``: who was refused what, and why. Its fields are the server's own
words. What a client sent is in no log: no token, no text of a request, not even in a message that quotes it. Messages and
details go to the client, as one line each and cut to what gRPC lets through in trailing metadata.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import logging
import re
import time
import traceback
import uuid
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from codesieve.server import errors
from codesieve.server.callers import Caller, Scope
from codesieve.server.door import Door
from codesieve.server.intake import Incoming
from codesieve.server.metrics import Metrics
from codesieve.workers.faults import outline, printable
from codesieve.workers.traceparent import trace_ids

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)
audit = logging.getLogger("codesieve.audit")

DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
PACKAGE = "codesieve.v1"
MAX_LINE = 600
"""Bytes of a message; each may take three on the wire, and clients take 8 KiB of trailing metadata by default."""
MAX_DETAIL = 200
MAX_DETAILS_BYTES = 2048

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""What of a client's may stand in the log."""

_CODES: dict[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotAllowed: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.PreconditionFailed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Draining: grpc.StatusCode.UNAVAILABLE,
    errors.TooSlow: grpc.StatusCode.UNAVAILABLE,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.WorkersStarting: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerTrouble: grpc.StatusCode.INTERNAL,
}


class Servicer(Protocol):
    """What `rpc` can be put on."""

    metrics: Metrics
    door: Door
    traces: Traces | None


Refusal = tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]
"""Code, message and trailing metadata."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """An rpc under way, past the door."""

    caller: Caller
    request_id: str
    context: Context
    trace: str = ""
    """The W3C traceparent of its span, "" where it isn't traced."""


MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def status_of(error: Exception) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    """An exception as a gRPC status: its code, its message, and the details that go with it."""
    if not isinstance(error, errors.ServiceError):
        error = errors.ServiceError("an unexpected error of the server; its log says more", reason="INTERNAL")
    code = _CODES.get(type(error), grpc.StatusCode.INTERNAL)
    text = line(error.message, MAX_LINE)
    details: list[message.Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain="codesieve")]
    if isinstance(error, errors.InvalidRequest):
        found = error_details_pb2.BadRequest()
        for one in error.violations:
            violation = found.field_violations.add()
            violation.field, violation.description = line(one.field, MAX_DETAIL), line(one.description, MAX_DETAIL)
            if found.ByteSize() > MAX_DETAILS_BYTES:
                break  # the first ones; the message says how many there are
        details.append(found)
    later = errors.Overloaded | errors.StoreUnavailable | errors.WorkersStarting
    if isinstance(error, later) and error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        wrapped = any_pb2.Any()
        wrapped.Pack(detail)
        packed.append(wrapped)
    return code, text, status_pb2.Status(code=code.value[0], message=text, details=packed)


def line(text: str, most: int) -> str:
    """One readable line of at most `most` bytes, whatever a client had put into it."""
    cut = printable(text[:most])
    if cut == text and len(cut.encode()) <= most:
        return text
    return cut.encode()[: most - 3].decode(errors="ignore") + "…"


def rpc(scope: Scope, *, large: bool = False, whole_stream: bool = True) -> Callable[[MethodT], MethodT]:
    """Puts the door, request id, error mapping, timing and span around a servicer's method, which needs `scope`.

    `large` and `whole_stream` say how its messages are received: see `intake.Incoming.taken`.
    """

    def around(method: MethodT) -> MethodT:
        wrap = _streaming if inspect.isasyncgenfunction(method) else _unary
        return wrap(method, scope, large, whole_stream)

    return around


def _streaming(method: MethodT, scope: Scope, large: bool, whole_stream: bool) -> MethodT:
    async def answers(self: Servicer, incoming: Incoming, around: _Around) -> AsyncGenerator[Any, None]:
        call = await around.enter(scope)
        async with (
            incoming.taken(large, whole_stream) as request,
            contextlib.aclosing(method(self, request, call)) as given,
        ):
            async for answer in given:
                yield answer

    @functools.wraps(method)
    async def streaming(self: Servicer, incoming: Incoming, context: Context) -> Any:
        around = _Around(self, method.__name__, context)
        refusal: Refusal | None = None
        try:
            async with contextlib.aclosing(answers(self, incoming, around)) as given:
                async for answer in given:
                    yield answer
            around.ended(grpc.StatusCode.OK)
        except (asyncio.CancelledError, GeneratorExit):
            around.ended(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - every one becomes a status, and is logged
            refusal = around.refused(error)
        if refusal is not None:
            await incoming.drain()
            await context.abort(*refusal)

    return streaming  # type: ignore[return-value]


def _unary(method: MethodT, scope: Scope, large: bool, whole_stream: bool) -> MethodT:
    async def answer_to(self: Servicer, incoming: Incoming, around: _Around) -> Any:
        call = await around.enter(scope)
        async with incoming.taken(large, whole_stream) as request:
            return await method(self, request, call)

    @functools.wraps(method)
    async def unary(self: Servicer, incoming: Incoming, context: Context) -> Any:
        around = _Around(self, method.__name__, context)
        try:
            answer = await answer_to(self, incoming, around)
        except asyncio.CancelledError:
            around.ended(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - every one becomes a status, and is logged
            refusal = around.refused(error)
        else:
            around.ended(grpc.StatusCode.OK)
            return answer
        await incoming.drain()
        return await context.abort(*refusal)

    return unary  # type: ignore[return-value]


class _Around:
    """One call."""

    def __init__(self, servicer: Servicer, method: str, context: Context) -> None:
        self._metrics = servicer.metrics.rpc(method)
        self._door = servicer.door
        self._method = method
        self._context = context
        self._start = time.monotonic()
        self._caller: str | None = None
        self._metadata = {
            key: str(value) for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        given = self._metadata.get(REQUEST_ID_KEY, "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        context.set_trailing_metadata(((REQUEST_ID_KEY, self.request_id),))
        self._traces = servicer.traces
        if self._traces is not None:
            name = f"{PACKAGE}.{type(servicer).__name__}/{method}"
            self._span = self._traces.rpc(name, self.request_id, self._metadata)
        self._metrics.begun()  # the last thing here: from now on it ends

    @property
    def _trace(self) -> str:
        """The traceparent of its span, "" where it isn't traced."""
        return "" if self._traces is None else self._span.trace

    async def enter(self, scope: Scope) -> Call:
        """Raises what the door does."""
        caller = await self._door.enter(self._method, scope, self._metadata)
        self._caller = caller.name
        return Call(caller, self.request_id, self._context, self._trace)

    def ended(self, code: grpc.StatusCode) -> None:
        self._metrics.ended()
        self._metrics.ended_with(code.name)()
        self._metrics.took(time.monotonic() - self._start)
        if self._traces is not None:
            self._traces.rpc_ended(self._span, code.name)

    def refused(self, error: Exception) -> Refusal:
        """What gRPC is to end the call with; counted and logged.

        gRPC keeps the exception that its `abort` raises for as long as the call's context, in a circle. So nothing large may
        hang on it: it is raised outside of the error's handling, and what the error's frames hold (the request, perhaps of
        64 MiB) is let go here rather than at some later round of the garbage collector.
        """
        code, text, status = status_of(error)
        if code is grpc.StatusCode.INTERNAL:
            whose = {"rpc": self._method, "request_id": self.request_id, **trace_ids(self._trace)}
            log.error("a call failed", extra={**whose, "error": outline(error)})
        else:
            self._audit(code, error)
        self.ended(code)
        known: BaseException | None = error
        while known is not None:
            traceback.clear_frames(known.__traceback__)
            known = known.__cause__ or known.__context__
        return code, text, ((REQUEST_ID_KEY, self.request_id), (DETAILS_KEY, status.SerializeToString()))

    def _audit(self, code: grpc.StatusCode, error: Exception) -> None:
        known = error.caller if isinstance(error, errors.Unauthenticated | errors.NotAllowed) else self._caller
        refused = {
            "peer": self._context.peer(),
            "caller": known,
            "rpc": self._method,
            "code": code.name,
            "reason": error.reason if isinstance(error, errors.ServiceError) else "INTERNAL",
            "request_id": self.request_id,
            **trace_ids(self._trace),
        }
        audit.info("a call was refused", extra=refused)
