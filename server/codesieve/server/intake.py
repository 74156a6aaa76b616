"""How requests come in: after the door, in bounded memory, and with what can't be read told to the client.

gRPC's own servers read and parse a call's message before they ask anybody. Here each method is registered as one that takes
a stream of bytes, so that nothing is kept for a caller whom the door refuses; that a message which is none (random bytes, a
lone surrogate) becomes INVALID_ARGUMENT, which gRPC calls an unknown error; and that memory is bounded when many large
messages come at once:

- large first messages (a job, a Judge stream's setup) are received `RECEIVING` at a time, the others wait in gRPC's flow
  control, on the client's side;
- what calls hold of received bytes is at most `MAX_HELD_BYTES`; beyond it they are told to come back.

Parsed and turned into the domain's values a message takes about four times its bytes, for as long as the call lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from codesieve.server.errors import InvalidRequest, Overloaded, TooSlow, Violation

RECEIVING = 8
RECEIVE_SECONDS = 60.0
"""How long a place to receive is waited for, and how long a first message may take once it has one."""
DRAINING = 8
DRAIN_SECONDS = 0.5
MAX_HELD_BYTES = 256 * 2**20
RETRY_SECONDS = 2.0

Context = grpc.aio.ServicerContext[Any, Any]


class Intake:
    """What all calls of a front end receive."""

    def __init__(self, receiving: int = RECEIVING, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._places = asyncio.Semaphore(receiving)
        self._max_held_bytes = max_held_bytes
        self.held_bytes = 0
        """Of the messages of calls under way."""
        self.receiving = 0
        """Large messages that are being received."""
        self.draining = 0
        """Refused streams that are being read to their end."""

    def hold(self, count: int) -> None:
        """Counts received bytes. Raises `Overloaded` where they are too many beside those of others."""
        if self.held_bytes and self.held_bytes + count > self._max_held_bytes:
            raise Overloaded(
                f"requests of {self.held_bytes} bytes are being worked on, which leaves no room for {count} more",
                reason="TOO_MANY_BYTES",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.held_bytes += count

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place to receive a large message. Raises `Overloaded` if none comes free."""
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded(
                "too many large requests are being received", reason="TOO_MANY_BYTES", retry_after_seconds=RETRY_SECONDS
            ) from None
        self.receiving += 1
        try:
            yield
        finally:
            self.receiving -= 1
            self._places.release()


class Incoming:
    """One call's messages, unread."""

    def __init__(self, context: Context, method: MethodDescriptor, intake: Intake) -> None:
        # Not by gRPC's iterator: it keeps the last message in a circle until the garbage collector comes by.
        self._read = context.read
        self._kind = message_factory.GetMessageClass(method.input_type)
        self._is_stream = method.client_streaming
        self._intake = intake
        self._held = 0
        self._reading = False
        """A read is under way, or was broken off; another one would be an error."""
        self._ended = False

    @contextlib.asynccontextmanager
    async def taken(self, large: bool, whole_stream: bool) -> AsyncIterator[Any]:
        """The message, or where the client streams an iterator over its messages.

        `large`: the first one is received in its turn. `whole_stream`: a stream's later messages are held until its end,
        too. Raises `InvalidRequest`, `Overloaded` and `TooSlow`, from the iterator as well.
        """
        try:
            if self._is_stream:
                yield self._stream(large, whole_stream)
            else:
                yield await self._first(large)
        finally:
            self._intake.held_bytes -= self._held

    async def _first(self, large: bool) -> Message:
        async with self._intake.place() if large else contextlib.nullcontext():
            try:
                async with asyncio.timeout(RECEIVE_SECONDS):
                    raw = await self._next()
            except TimeoutError:
                text = f"the request didn't arrive within {RECEIVE_SECONDS:g} s"
                raise TooSlow(text, reason="REQUEST_TOO_SLOW") from None
        if raw is grpc.aio.EOF:
            raise InvalidRequest([Violation("request", "is missing")])
        return self._parse(raw)

    async def _stream(self, large: bool, whole_stream: bool) -> AsyncIterator[Message]:
        yield await self._first(large)
        while (raw := await self._next()) is not grpc.aio.EOF:
            yield self._parse(raw, hold=whole_stream)

    async def drain(self) -> None:
        """Throws away what a client that is refused still sends on its stream, for a moment.

        A grpc.aio client whose stream ends while it writes is told of an internal error, and its status is lost.
        """
        if not self._is_stream or self._reading or self._ended or self._intake.draining >= DRAINING:
            return
        self._intake.draining += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    while await self._next() is not grpc.aio.EOF:
                        pass
        finally:
            self._intake.draining -= 1

    async def _next(self) -> Any:
        self._reading = True
        raw = await self._read()
        self._reading = False
        self._ended = raw is grpc.aio.EOF
        return raw

    def _parse(self, raw: bytes, hold: bool = True) -> Message:
        if hold:
            self._intake.hold(len(raw))
            self._held += len(raw)
        try:
            return self._kind.FromString(raw)
        except DecodeError:
            name = self._kind.DESCRIPTOR.full_name
            raise InvalidRequest([Violation("request", f"is no {name}, or a string in it is not UTF-8")]) from None


def handler(servicer: object, service: ServiceDescriptor, intake: Intake) -> grpc.GenericRpcHandler:
    """What gRPC calls for a service whose methods are those of `servicer`, each under `interceptors.rpc`.

    gRPC says of those that it lacks that they are unimplemented.
    """
    methods = {
        method.name: _method(getattr(servicer, method.name), method, intake)
        for method in service.methods
        if hasattr(servicer, method.name)
    }
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _method(behaviour: Callable[..., Any], method: MethodDescriptor, intake: Intake) -> grpc.RpcMethodHandler[Any, Any]:
    async def unary(requests: object, context: Context) -> Any:
        return await behaviour(Incoming(context, method, intake), context)

    async def streaming(requests: object, context: Context) -> AsyncIterator[Any]:
        answers = behaviour(Incoming(context, method, intake), context)
        try:
            async for answer in answers:
                yield answer
        finally:
            await answers.aclose()

    serializer = message_factory.GetMessageClass(method.output_type).SerializeToString
    if method.server_streaming:
        return grpc.stream_stream_rpc_method_handler(streaming, response_serializer=serializer)
    return grpc.stream_unary_rpc_method_handler(unary, response_serializer=serializer)
