"""``codesieve.v1.JudgeService``: a trainer's own completions in, verdicts out as they are ready."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

from codesieve.server.callers import Scope
from codesieve.server.convert import answers, requests
from codesieve.server.door import Door
from codesieve.server.errors import Draining, InvalidRequest
from codesieve.server.interceptors import Call, rpc
from codesieve.server.metrics import Metrics
from codesieve.server.pipeline import Judges
from codesieve.server.sharing import Priority, Share
from codesieve.v1 import judge_pb2, judge_pb2_grpc
from codesieve.workers.types import Program

MAX_UNANSWERED = 512
"""Items of one Judge stream that are accepted before the first of them is answered."""


class JudgeService(judge_pb2_grpc.JudgeServiceServicer):
    """A stream is judged as its items come."""

    def __init__(self, judge: Judges, metrics: Metrics, door: Door) -> None:
        self._judge = judge
        self._draining = False
        self.metrics = metrics
        self.door = door

    def drain(self) -> None:
        """Refuses new streams; those under way go on."""
        self._draining = True

    @rpc(Scope.SUBMIT)
    async def Judge(
        self, request_iterator: AsyncIterator[judge_pb2.JudgeRequest], call: Call
    ) -> AsyncIterator[judge_pb2.JudgeResponse]:
        if self._draining:
            raise Draining
        stream = f"judge/{uuid.uuid4().hex}"  # no job's id has a slash
        first = await anext(request_iterator, None)
        setup = requests.judge_setup(first or judge_pb2.JudgeRequest())
        share = Share(call.caller.name, stream, call.caller.quota.weight, setup.priority)
        urgent = setup.priority is Priority.INTERACTIVE

        answered: asyncio.Queue[judge_pb2.JudgeResponse] = asyncio.Queue()
        room = asyncio.Semaphore(MAX_UNANSWERED)

        async def judge(item_id: str, program: Program) -> None:
            outcome = await self._judge.run(program, share)
            await answered.put(judge_pb2.JudgeResponse(id=item_id, judgement=answers.judgement(outcome)))

        async def read() -> None:
            """Takes items until the client half-closes, and returns when each is answered."""
            seen: set[str] = set()
            trouble: InvalidRequest | None = None
            async with asyncio.TaskGroup() as judging:
                async for request in request_iterator:
                    try:
                        item_id, problem, completion = requests.judge_item(request, len(seen), setup.problems, seen)
                    except InvalidRequest as error:
                        trouble = error  # what was accepted before it is answered first
                        break
                    await room.acquire()
                    work_id = f"{stream}/{len(seen)}"
                    seen.add(item_id)
                    program = Program(work_id, problem, completion, setup.limits, stream, urgent)
                    judging.create_task(judge(item_id, program))
            if trouble is not None:
                raise trouble

        reader = asyncio.create_task(read())
        try:
            while not (reader.done() and answered.empty()):
                next_answer = asyncio.ensure_future(answered.get())
                await asyncio.wait((reader, next_answer), return_when=asyncio.FIRST_COMPLETED)
                if next_answer.done():
                    yield next_answer.result()
                    room.release()
                else:
                    next_answer.cancel()
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
