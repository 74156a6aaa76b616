"""Pools of workers: work goes in one piece at a time, and comes back as a result or a `WorkFailed`.

Each member has two loops. *Feed* hands it waiting work in batches, no more than twice what it can do at a time, so that it
always has a next piece and a lost worker never holds much. *Drain* takes back what is finished. When a worker is lost, its
work goes back to the front of the queue for the others, up to `MAX_ATTEMPTS` times in all, and the member starts a new
worker, with growing pauses while that fails.

A pool never decides what a result means; in particular a failure of the infrastructure stays a `WorkFailed`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from codesieve.server.fair import FairQueue
from codesieve.server.sharing import Share
from codesieve.workers.errors import WorkerError
from codesieve.workers.types import WorkerInfo, WorkFailed
from codesieve.workers.worker import HasWorkId, Worker

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
COLLECT_SECONDS = 20.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0

WorkT = TypeVar("WorkT", bound=HasWorkId)
ResultT = TypeVar("ResultT", bound=HasWorkId)


@dataclasses.dataclass(slots=True, eq=False)
class _Piece(Generic[WorkT, ResultT]):
    work: WorkT
    share: Share
    answer: asyncio.Future[ResultT | WorkFailed]
    attempts: int = 0


class _Member(Generic[WorkT, ResultT]):
    """A place in the pool: the worker that is in it now, and what that one has in hand."""

    def __init__(self, worker: Worker[WorkT, ResultT], info: WorkerInfo) -> None:
        self.worker = worker
        self.info = info
        self.in_hand: dict[str, _Piece[WorkT, ResultT]] = {}

    @property
    def room(self) -> int:
        return 2 * self.info.capacity - len(self.in_hand)


def fair_share(waiting: int, members: int, room: int) -> int:
    """How much of what waits one member takes now: never more than its part, so that the last pieces spread out."""
    return min(room, -(-waiting // max(members, 1)))


def pause_before_restart(failures: int) -> float:
    """Seconds to wait before starting a worker again after `failures` in a row."""
    return min(FIRST_PAUSE_SECONDS * 2.0**failures, LONGEST_PAUSE_SECONDS)


class Pool(Generic[WorkT, ResultT]):
    """`size` workers of one kind."""

    def __init__(self, name: str, make_worker: Callable[[], Worker[WorkT, ResultT]], size: int) -> None:
        self.name = name
        self._make_worker = make_worker
        self._size = size
        self._waiting: FairQueue[_Piece[WorkT, ResultT]] = FairQueue()
        self._by_id: dict[str, _Piece[WorkT, ResultT]] = {}
        self._members: list[_Member[WorkT, ResultT]] = []
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._loose: set[asyncio.Task[None]] = set()
        self.restarts = 0
        """Workers lost and replaced so far."""

    async def start(self) -> Sequence[WorkerInfo]:
        """Starts every worker. Raises the first one's `WorkerError`, and then leaves none running."""
        workers = [self._make_worker() for _ in range(self._size)]
        try:
            infos = await asyncio.gather(*(worker.start() for worker in workers))
        except BaseException:
            await asyncio.gather(*(self._stop_worker(worker) for worker in workers))
            raise
        for worker, info in zip(workers, infos, strict=True):
            self._tasks.append(asyncio.create_task(self._keep_running(_Member(worker, info))))
        return infos

    async def stop(self) -> None:
        """Stops every worker; work that isn't finished is answered as failed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for piece in list(self._by_id.values()):
            self._answer(piece, WorkFailed(piece.work.work_id, "SERVER_STOPPED", "the server stopped", retryable=False))

    @property
    def capacity(self) -> int:
        """What all workers that run can do at a time."""
        return sum(member.info.capacity for member in self._members)

    @property
    def size(self) -> int:
        """How many workers there are to be."""
        return self._size

    @property
    def waiting(self) -> int:
        """Pieces that no worker has taken yet."""
        return len(self._waiting)

    async def run(self, work: WorkT, share: Share) -> ResultT | WorkFailed:
        """Has one piece done, in the turn that its share gives it. Cancelling the call stops the work."""
        piece: _Piece[WorkT, ResultT] = _Piece(work, share, asyncio.get_running_loop().create_future())
        if work.work_id in self._by_id:
            raise ValueError(f"{self.name}: work {work.work_id} is already under way")
        self._by_id[work.work_id] = piece
        self._waiting.push(piece, piece.share)
        try:
            await self._wake()
            return await piece.answer
        except asyncio.CancelledError:
            self._forget(piece)
            raise

    @property
    def workers(self) -> Sequence[Worker[WorkT, ResultT]]:
        """The workers that run now."""
        return [member.worker for member in self._members]

    # --- how it works ---

    async def _keep_running(self, member: _Member[WorkT, ResultT]) -> None:
        """One place in the pool, for as long as the pool lives."""
        try:
            while True:
                self._members.append(member)
                await self._wake()
                feed = asyncio.create_task(self._feed(member))
                drain = asyncio.create_task(self._drain(member))
                try:
                    done, _ = await asyncio.wait((feed, drain), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    feed.cancel()
                    drain.cancel()
                    await asyncio.gather(feed, drain, return_exceptions=True)
                    self._members.remove(member)
                error = next(iter(done)).exception()
                log.warning("%s: a worker was lost: %s", self.name, error)
                self.restarts += 1
                await self._give_back(member, error)
                await self._stop_worker(member.worker)
                member = await self._start_again()
        finally:
            await self._stop_worker(member.worker)

    async def _feed(self, member: _Member[WorkT, ResultT]) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting and member.room > 0)
                count = fair_share(len(self._waiting), len(self._members), member.room)
                batch = [self._waiting.pop() for _ in range(count)]
            for piece in batch:
                piece.attempts += 1
                member.in_hand[piece.work.work_id] = piece
            await member.worker.submit([piece.work for piece in batch])

    async def _drain(self, member: _Member[WorkT, ResultT]) -> None:
        while True:
            finished = await member.worker.collect(COLLECT_SECONDS)
            for result in finished:
                piece = member.in_hand.pop(result.work_id, None)
                if piece is None or piece.answer.done():
                    continue  # it was cancelled here while it finished there
                if isinstance(result, WorkFailed) and result.retryable and piece.attempts < MAX_ATTEMPTS:
                    log.info("%s: %s is tried again: %s", self.name, result.work_id, result.reason)
                    self._waiting.push(piece, piece.share)
                else:
                    self._answer(piece, result)
            if finished:
                await self._wake()

    async def _give_back(self, member: _Member[WorkT, ResultT], error: BaseException | None) -> None:
        for piece in reversed(member.in_hand.values()):
            if piece.answer.done():
                continue
            if piece.attempts < MAX_ATTEMPTS:
                self._waiting.push_front(piece, piece.share)
            else:
                reason = error.reason if isinstance(error, WorkerError) else "WORKER_LOST"
                message = f"{piece.attempts} workers were lost while doing it; the last: {error}"
                self._answer(piece, WorkFailed(piece.work.work_id, reason, message))
        member.in_hand.clear()
        await self._wake()

    async def _start_again(self) -> _Member[WorkT, ResultT]:
        failures = 0
        while True:
            await asyncio.sleep(pause_before_restart(failures))
            worker = self._make_worker()
            try:
                return _Member(worker, await worker.start())
            except BaseException as error:
                await self._stop_worker(worker)  # also where the pool is stopped meanwhile: it is in nobody's hands yet
                if not isinstance(error, WorkerError):
                    raise
                failures += 1
                log.warning("%s: a worker can't be started (%d times now): %s", self.name, failures, error)
                if not self._members and failures >= MAX_ATTEMPTS:
                    self._give_up(error)

    def _give_up(self, error: WorkerError) -> None:
        """No worker runs and none can be started: what waits is answered rather than kept for ever."""
        while self._waiting:
            piece = self._waiting.pop()
            self._answer(piece, WorkFailed(piece.work.work_id, error.reason, error.message))

    async def _stop_worker(self, worker: Worker[WorkT, ResultT]) -> None:
        try:
            await worker.stop()
        except WorkerError as error:
            log.warning("%s: a worker did not stop cleanly: %s", self.name, error)

    def _answer(self, piece: _Piece[WorkT, ResultT], result: ResultT | WorkFailed) -> None:
        self._by_id.pop(piece.work.work_id, None)
        if not piece.answer.done():
            piece.answer.set_result(result)

    def _forget(self, piece: _Piece[WorkT, ResultT]) -> None:
        """Nobody waits for this piece any more."""
        self._by_id.pop(piece.work.work_id, None)
        if self._waiting.discard(piece):
            return
        for member in self._members:
            if member.in_hand.get(piece.work.work_id) is piece:
                task = asyncio.create_task(self._cancel_at(member, piece.work.work_id))
                self._loose.add(task)
                task.add_done_callback(self._loose.discard)

    async def _cancel_at(self, member: _Member[WorkT, ResultT], work_id: str) -> None:
        try:
            await member.worker.cancel([work_id])
        except WorkerError as error:
            log.info("%s: %s could not be cancelled, its worker is lost: %s", self.name, work_id, error)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
