"""The standard services that are open to all: health, because a load balancer has no token, and reflection, because it tells
nothing but the protos, which are public.

They are grpc's own, received and refused as ours are: garbage is the client's error, and streams of those who show no token
can't take all the places that gRPC has.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor

from codesieve.server.errors import ServiceError
from codesieve.server.intake import Context, Incoming, Intake, handler
from codesieve.server.interceptors import DETAILS_KEY, status_of
from codesieve.server.quotas import Limit

MAX_STREAMS = 256


class OpenServices:
    """Makes handlers of standard servicers."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.streams = Limit(MAX_STREAMS, "streams of health and reflection")

    def handler(self, servicer: object, service: ServiceDescriptor) -> grpc.GenericRpcHandler:
        """What gRPC calls for a standard service."""
        methods = {}
        for method in service.methods:
            behaviour = getattr(servicer, method.name)
            if inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour):
                wrap = self._streaming if method.server_streaming else self._unary
                methods[method.name] = wrap(behaviour)  # the others are stubs that say that they aren't implemented
        return handler(types.SimpleNamespace(**methods), service, self._intake)

    def _unary(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def unary(incoming: Incoming, context: Context) -> Any:
            try:
                async with incoming.taken(large=False, whole_stream=False) as request:
                    return await behaviour(request, context)
            except ServiceError as error:
                await _abort(context, error)

        return unary

    def _streaming(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def streaming(incoming: Incoming, context: Context) -> AsyncIterator[Any]:
            try:
                with self.streams.entered(""):
                    async with incoming.taken(large=False, whole_stream=False) as request:
                        answers = behaviour(request, context)
                        if inspect.isawaitable(answers):  # it writes by itself
                            await answers
                            return
                        async for answer in answers:
                            yield answer
            except ServiceError as error:
                await _abort(context, error)

        return streaming


async def _abort(context: Context, error: ServiceError) -> None:
    code, text, status = status_of(error)
    await context.abort(code, text, ((DETAILS_KEY, status.SerializeToString()),))
