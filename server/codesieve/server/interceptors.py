"""What is the same around every rpc: who calls, its request id, its errors as statuses, its time and its code.

`rpc` is one decorator for a servicer's methods, unary and streaming, which get a `Call` in place of gRPC's context;
`status_of` is the one function that says what an exception is on the wire. A client's ``x-request-id`` metadata is taken
over, or one is made; it comes back in the trailing metadata and stands in the log beside every error.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from codesieve.server import errors
from codesieve.server.callers import Caller, Scope
from codesieve.server.door import Door
from codesieve.server.metrics import Metrics

Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)

DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
MAX_REQUEST_ID = 128

_CODES: dict[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotAllowed: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.PreconditionFailed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooSlow: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Draining: grpc.StatusCode.UNAVAILABLE,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerTrouble: grpc.StatusCode.INTERNAL,
}


class Servicer(Protocol):
    """What `rpc` can be put on."""

    metrics: Metrics
    door: Door


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """An rpc under way, past the door."""

    caller: Caller
    request_id: str
    context: Context


MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def status_of(error: Exception) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    """An exception as a gRPC status: its code, its message, and the details that go with it."""
    if not isinstance(error, errors.ServiceError):
        error = errors.ServiceError("an unexpected error of the server; its log says more", reason="INTERNAL")
    code = _CODES.get(type(error), grpc.StatusCode.INTERNAL)
    details: list[message.Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain="codesieve")]
    if isinstance(error, errors.InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=one.field, description=one.description)
            for one in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, errors.Overloaded | errors.StoreUnavailable) and error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        one = any_pb2.Any()
        one.Pack(detail)
        packed.append(one)
    return code, error.message, status_pb2.Status(code=code.value[0], message=error.message, details=packed)


def rpc(scope: Scope) -> Callable[[MethodT], MethodT]:
    """Puts the door, request id, error mapping and timing around a servicer's method, which needs `scope`."""

    def around(method: MethodT) -> MethodT:
        return _streaming(method, scope) if inspect.isasyncgenfunction(method) else _unary(method, scope)

    return around


def _streaming(method: MethodT, scope: Scope) -> MethodT:
    @functools.wraps(method)
    async def streaming(self: Servicer, request: Any, context: Context) -> Any:
        around = _Around(self, method.__name__, context)
        answers: AsyncIterator[Any] | None = None
        try:
            call = await around.enter(scope)
            answers = method(self, request, call)
            async for answer in answers:
                yield answer
            around.ended(grpc.StatusCode.OK)
        except (asyncio.CancelledError, GeneratorExit):
            around.ended(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - every one becomes a status, and is logged
            await around.abort(error)
        finally:
            if answers is not None:
                await answers.aclose()  # type: ignore[attr-defined]  # an async generator, as was asked above

    return streaming  # type: ignore[return-value]


def _unary(method: MethodT, scope: Scope) -> MethodT:
    @functools.wraps(method)
    async def unary(self: Servicer, request: Any, context: Context) -> Any:
        around = _Around(self, method.__name__, context)
        try:
            answer = await method(self, request, await around.enter(scope))
        except asyncio.CancelledError:
            around.ended(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - every one becomes a status, and is logged
            await around.abort(error)
        around.ended(grpc.StatusCode.OK)
        return answer

    return unary  # type: ignore[return-value]


class _Around:
    """One call."""

    def __init__(self, servicer: Servicer, method: str, context: Context) -> None:
        self._metrics = servicer.metrics
        self._door = servicer.door
        self._method = method
        self._context = context
        self._start = time.monotonic()
        self._metadata = {
            key: str(value) for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        self.request_id = self._metadata.get(REQUEST_ID_KEY, "")[:MAX_REQUEST_ID] or uuid.uuid4().hex
        context.set_trailing_metadata(((REQUEST_ID_KEY, self.request_id),))

    async def enter(self, scope: Scope) -> Call:
        """Raises what the door does."""
        caller = await self._door.enter(self._method, scope, self._metadata)
        return Call(caller, self.request_id, self._context)

    def ended(self, code: grpc.StatusCode) -> None:
        self._metrics.rpcs.labels(self._method, code.name).inc()
        self._metrics.rpc_seconds.labels(self._method).observe(time.monotonic() - self._start)

    async def abort(self, error: Exception) -> None:
        """Ends the call with the error's status."""
        code, text, status = status_of(error)
        if code is grpc.StatusCode.INTERNAL:
            log.error("%s failed, request %s", self._method, self.request_id, exc_info=error)
        else:
            log.info("%s refused with %s, request %s: %s", self._method, code.name, self.request_id, text)
        self.ended(code)
        metadata = ((REQUEST_ID_KEY, self.request_id), (DETAILS_KEY, status.SerializeToString()))
        await self._context.abort(code, text, metadata)
