"""What every worker is to the front end, whatever it does: work goes in by `submit`, results come out by `collect`.

Batches travel both ways (one Ray call costs more than judging a program), and `collect` is a long poll that answers with
whatever is finished, so one slow piece of work holds up no other. A worker never blocks in `submit`: the caller bounds
what is in flight by `WorkerInfo.capacity`.

`Worker` is the protocol that ``codesieve.server.pools`` drives; `TaskWorker` is the one implementation of its bookkeeping,
over an async function that does one piece of work. The Ray actors are these classes with ``ray.remote`` around them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from codesieve.workers.errors import EngineRequestRefused, TestsBroken, WorkerError
from codesieve.workers.faults import outline
from codesieve.workers.traceparent import trace_ids
from codesieve.workers.types import WorkerInfo, WorkFailed

log = logging.getLogger(__name__)


class HasWorkId(Protocol):
    """Anything that carries the caller's id for a piece of work."""

    @property
    def work_id(self) -> str: ...


class Work(HasWorkId, Protocol):
    """A piece of work."""

    @property
    def trace(self) -> str:
        """The W3C traceparent of the span that it belongs to, "" where it isn't traced."""


WorkT = TypeVar("WorkT", bound=Work)
ResultT = TypeVar("ResultT", bound=HasWorkId)
WorkT_contra = TypeVar("WorkT_contra", bound=Work, contravariant=True)
ResultT_co = TypeVar("ResultT_co", bound=HasWorkId, covariant=True)


class Worker(Protocol[WorkT_contra, ResultT_co]):
    """A place where work is done, in this process or behind Ray."""

    async def start(self) -> WorkerInfo:
        """Gets ready; raises a `WorkerError` that says why where it can't."""

    async def submit(self, work: Sequence[WorkT_contra]) -> None:
        """Takes work. Each piece is answered exactly once by `collect`, with a result or a `WorkFailed`."""

    async def cancel(self, work_ids: Sequence[str]) -> None:
        """Stops work that isn't finished; it is answered with ``WorkFailed(reason="CANCELLED")``."""

    async def collect(self, max_wait_seconds: float) -> Sequence[ResultT_co | WorkFailed]:
        """What has finished since the last call; waits up to `max_wait_seconds` for the first of it."""

    async def stop(self) -> None:
        """Stops everything, and leaves nothing behind."""


class TaskWorker(Generic[WorkT, ResultT]):
    """The bookkeeping of a `Worker`: one asyncio task for each piece of work, finished ones in an outbox."""

    def __init__(self, do: Callable[[WorkT], Awaitable[ResultT]]) -> None:
        self._do = do
        self._tasks: dict[str, asyncio.Task[ResultT | WorkFailed]] = {}
        self._outbox: list[ResultT | WorkFailed] = []
        self._something_finished = asyncio.Event()

    async def submit(self, work: Sequence[WorkT]) -> None:
        for piece in work:
            task = asyncio.create_task(self._outcome(piece))
            self._tasks[piece.work_id] = task
            task.add_done_callback(functools.partial(self._finished, piece.work_id))

    async def cancel(self, work_ids: Sequence[str]) -> None:
        for work_id in work_ids:
            task = self._tasks.get(work_id)
            if task is not None and not task.cancelling():  # twice would break off its tidying up
                task.cancel()

    async def collect(self, max_wait_seconds: float) -> Sequence[ResultT | WorkFailed]:
        if not self._outbox:
            self._something_finished.clear()
            try:
                async with asyncio.timeout(max_wait_seconds):  # not wait_for, which may swallow a cancellation
                    await self._something_finished.wait()
            except TimeoutError:
                return ()
        finished, self._outbox = self._outbox, []
        return finished

    async def stop_tasks(self) -> None:
        """Cancels what still runs and waits until it has ended."""
        tasks = list(self._tasks.values())
        await self.cancel(list(self._tasks))
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _outcome(self, piece: WorkT) -> ResultT | WorkFailed:
        try:
            return await self._do(piece)
        except (EngineRequestRefused, TestsBroken) as error:
            return WorkFailed(piece.work_id, error.reason, error.message, retryable=False)
        except WorkerError as error:
            return WorkFailed(piece.work_id, error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - a defect of ours: it must not hang the sample, and must be seen
            whose = {"work": piece.work_id, **trace_ids(piece.trace)}
            log.error("a piece of work failed unexpectedly", extra={**whose, "error": outline(error)})
            return WorkFailed(piece.work_id, "INTERNAL", f"{type(error).__name__}: {error}")

    def _finished(self, work_id: str, task: asyncio.Task[ResultT | WorkFailed]) -> None:
        # A callback, because a task that is cancelled before its first step never runs a line of its own.
        if task.cancelled():
            self._outbox.append(WorkFailed(work_id, "CANCELLED", "the work was cancelled", retryable=False))
        else:
            self._outbox.append(task.result())
        del self._tasks[work_id]
        self._something_finished.set()
