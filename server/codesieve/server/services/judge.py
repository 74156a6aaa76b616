"""``codesieve.v1.JudgeService``: a trainer's own completions in, verdicts out as they are ready."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from codesieve.server.callers import Scope
from codesieve.server.convert import answers, requests
from codesieve.server.door import Door
from codesieve.server.errors import Draining, Overloaded, ServiceError, StoreUnavailable
from codesieve.server.interceptors import Call, rpc
from codesieve.server.metrics import Metrics
from codesieve.server.pipeline import Judges
from codesieve.server.quotas import RETRY_SECONDS, DayAccount, InFlight, Limit, Quotas
from codesieve.server.sharing import Priority, Share
from codesieve.server.waits import Line
from codesieve.v1 import judge_pb2, judge_pb2_grpc
from codesieve.workers.traceparent import trace_ids
from codesieve.workers.types import Program

if TYPE_CHECKING:
    from codesieve.server.tracing import Samples, Traces

log = logging.getLogger(__name__)

MAX_UNANSWERED = 512
"""Items of one Judge stream that are accepted before the first of them is answered."""
MAX_UNANSWERED_BYTES = 8 * 2**20
"""The same for what they hold; one item is always accepted."""
ALL_UNANSWERED = 16_384
"""Items of all streams together: each has its even part of them, so that memory is bounded however many there are."""
ALL_UNANSWERED_BYTES = 512 * 2**20
MAX_STREAMS = 512


class JudgeService(judge_pb2_grpc.JudgeServiceServicer):
    """A stream is judged as its items come."""

    def __init__(
        self,
        judge: Judges,
        metrics: Metrics,
        door: Door,
        quotas: Quotas,
        charge: Callable[..., Awaitable[bool]],
        now: Callable[[], datetime.datetime],
        traces: Traces | None,
    ) -> None:
        """`charge` is the store's; it counts what callers use of a day's samples."""
        self._judge = judge
        self._quotas = quotas
        self._charge = charge
        self._now = now
        self._draining = False
        self.streams = Limit(MAX_STREAMS, "Judge streams")
        self.metrics = metrics
        self.door = door
        self.traces = traces

    def drain(self) -> None:
        """Refuses new streams; those under way go on."""
        self._draining = True

    @rpc(Scope.SUBMIT, large=True, whole_stream=False)
    async def Judge(
        self, request_iterator: AsyncIterator[judge_pb2.JudgeRequest], call: Call
    ) -> AsyncIterator[judge_pb2.JudgeResponse]:
        if self._draining:
            raise Draining
        caller = call.caller.name
        in_flight = self._quotas.in_flight(caller)
        if in_flight.full:
            raise Overloaded(
                f"{in_flight.taken} of your samples are in flight, which is your quota",
                reason="IN_FLIGHT_QUOTA",
                retry_after_seconds=RETRY_SECONDS,
            )
        with self.streams.entered(caller), self.metrics.hops["client"].line() as line:
            name = f"judge/{uuid.uuid4().hex}"  # no job's id has a slash
            first = await anext(request_iterator)
            setup = requests.judge_setup(first)
            share = Share(caller, name, call.caller.quota.weight, setup.priority)
            account = DayAccount(caller, self._quotas, self._charge, self._now)
            samples = None if self.traces is None else self.traces.samples_of_stream(call.trace)
            stream = _Stream(
                name, setup, share, self._judge, in_flight, account, self.streams, self.metrics, line, samples
            )
            del first
            reader = asyncio.create_task(stream.read(request_iterator))
            try:
                async with contextlib.aclosing(stream.answers(reader)) as given:
                    async for answer in given:
                        yield answer
                await reader
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
                await _settle(account, call)


class _Stream:
    """One Judge stream's items, from their coming to their answers."""

    def __init__(
        self,
        name: str,
        setup: requests.JudgeSetup,
        share: Share,
        judge: Judges,
        in_flight: InFlight,
        account: DayAccount,
        streams: Limit,
        metrics: Metrics,
        line: Line,
        samples: Samples | None,
    ) -> None:
        """Answers that are ready wait in `line` until gRPC has taken them."""
        self._name = name
        self._setup = setup
        self._share = share
        self._judge = judge
        self._in_flight = in_flight
        self._account = account
        self._streams = streams
        self._samples = samples
        self._urgent = share.priority is Priority.INTERACTIVE
        self._unanswered: dict[str, int] = {}
        """Items by their ids: the bytes that they hold."""
        self._bytes = 0
        self._ended = metrics.stream_samples.ended
        self._took = metrics.reward_seconds(share.priority).observe
        self._line = line
        self._answered: asyncio.Queue[tuple[float, judge_pb2.JudgeResponse]] = asyncio.Queue()
        """Each with the time when its item came."""
        self._room = asyncio.Event()

    async def read(self, incoming: AsyncIterator[judge_pb2.JudgeRequest]) -> None:
        """Takes items until the client half-closes, and returns when each is answered.

        Raises what is wrong with an item, or what there is too much of, when those before it are answered.
        """
        trouble: ServiceError | None = None
        number = 0
        async with asyncio.TaskGroup() as judging:
            try:
                async for request in incoming:
                    came = time.monotonic()
                    item_id, problem, completion = requests.judge_item(
                        request, number, self._setup.problems, self._unanswered
                    )
                    await self._account.spend()
                    while self._full(len(completion)):
                        self._room.clear()
                        await self._room.wait()
                    await self._in_flight.take()
                    self._unanswered[item_id] = len(completion)
                    self._bytes += len(completion)
                    work_id = f"{self._name}/{number}"
                    program = Program(work_id, problem, completion, self._setup.limits, self._name, self._urgent)
                    # Also of a task that is cancelled before its first step, which runs no line of its own.
                    task = judging.create_task(self._judge_one(item_id, program, came))
                    task.add_done_callback(lambda _: self._in_flight.give_back())
                    number += 1
            except ServiceError as error:
                trouble = error
        if trouble is not None:
            raise trouble

    async def answers(self, reader: asyncio.Task[None]) -> AsyncGenerator[judge_pb2.JudgeResponse, None]:
        """Each item's, as it comes, until `reader` has ended and all are given out."""
        while not (reader.done() and self._answered.empty()):
            next_answer = asyncio.ensure_future(self._answered.get())
            try:
                await asyncio.wait((reader, next_answer), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not next_answer.done():
                    next_answer.cancel()
            if next_answer.done() and not next_answer.cancelled():
                came, answer = next_answer.result()
                # Its id may come again as soon as the client has it.
                self._bytes -= self._unanswered.pop(answer.id)
                self._took(time.monotonic() - came)
                yield answer
                self._line.go()
                self._room.set()

    async def _judge_one(self, item_id: str, program: Program, came: float) -> None:
        if self._samples is not None and self._samples.chosen(item_id):
            with self._samples.span(item_id) as span:
                outcome = await self._judge.run(dataclasses.replace(program, trace=span.trace), self._share)
        else:
            outcome = await self._judge.run(program, self._share)
        self._ended(outcome)
        self._line.come()
        self._answered.put_nowait((came, judge_pb2.JudgeResponse(id=item_id, judgement=answers.judgement(outcome))))

    def _full(self, more: int) -> bool:
        count, streams = len(self._unanswered), max(self._streams.open, 1)
        most_bytes = min(MAX_UNANSWERED_BYTES, ALL_UNANSWERED_BYTES // streams)
        return count >= min(MAX_UNANSWERED, ALL_UNANSWERED // streams) or (
            count > 0 and self._bytes + more > most_bytes
        )


async def _settle(account: DayAccount, call: Call) -> None:
    try:
        await account.settle()
    except StoreUnavailable:
        whose = {"rpc": "Judge", "request_id": call.request_id, **trace_ids(call.trace)}
        log.warning("a Judge stream's unused samples stay counted: the store can't be reached", extra=whose)
