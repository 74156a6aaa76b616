"""Pools of workers: work goes in one piece at a time, and comes back as a result or a `WorkFailed`.

Each member has three loops. *Feed* hands it waiting work in batches, *cancel* tells it what nobody waits for any more, and
*drain* takes back what is finished. Three kinds of trouble are told apart:

- **An outage** (`OUTAGES`, a worker that can't be started): whatever the piece, it could not have been done now. It goes
  back to the front of the queue, and the member rests, longer each time. Only after `PATIENCE_SECONDS` it ends undone.
- **A failure that the piece may have caused** (a cell was lost under it): it is tried again after a pause, `MAX_ATTEMPTS`
  times in all.
- **A worker is lost.** Each piece that was in hand is suspected, and `Backlog` hands it out so that the innocent are
  cleared. One that was alone in hand at `MAX_ATTEMPTS` losses is to blame, and ends.

A pool never decides what a result means; in particular a failure of the infrastructure stays a `WorkFailed`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from codesieve.server.backlog import Backlog
from codesieve.server.members import Member, MemberSeen, Piece, PoolEvents, growing_pause, stopped, told
from codesieve.server.sharing import Share
from codesieve.workers.errors import OUTAGES, WorkerError, WorkerLost
from codesieve.workers.faults import outline
from codesieve.workers.traceparent import trace_ids
from codesieve.workers.types import WorkerInfo, WorkFailed
from codesieve.workers.worker import HasWorkId, Work, Worker

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
PATIENCE_SECONDS = 600.0
COLLECT_SECONDS = 20.0
ANSWER_SECONDS = 60.0
"""A worker that does not even say that nothing is finished is lost. More than `COLLECT_SECONDS`."""
STOP_SECONDS = 30.0
"""How long a worker may take to stop before it is left to its fate."""

WorkT = TypeVar("WorkT", bound=Work)
ResultT = TypeVar("ResultT", bound=HasWorkId)


class Pool(Generic[WorkT, ResultT]):
    """`size` workers of one kind."""

    def __init__(
        self,
        name: str,
        make_worker: Callable[[], Worker[WorkT, ResultT]],
        size: int,
        events: PoolEvents = PoolEvents(),  # noqa: B008 - it keeps nothing
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._make_worker = make_worker
        self._size = size
        self._events = events
        self._now = now
        self._sleep = sleep
        self._by_id: dict[str, Piece[WorkT, ResultT]] = {}
        self._backlog: Backlog[WorkT, ResultT] = Backlog()
        self._places: list[Member[WorkT, ResultT]] = []
        self._members: list[Member[WorkT, ResultT]] = []
        """The places whose worker runs."""
        self._tasks: list[asyncio.Task[None]] = []
        self._outage_since: float | None = None
        """Since when no member works."""
        self._stopped = False
        self.prepare: Callable[[Worker[WorkT, ResultT]], Awaitable[None]] | None = None
        """Awaited for each worker that was started, before it is given work. What it raises is as if it could not start."""
        self.restarts = 0
        """Workers lost and replaced so far."""

    async def start(self) -> Sequence[WorkerInfo]:
        """Starts every worker. Raises the first one's `WorkerError`, and then leaves none running."""
        workers = [self._make_worker() for _ in range(self._size)]
        starting = [asyncio.ensure_future(self._start_worker(worker)) for worker in workers]
        try:
            infos = await asyncio.gather(*starting)
        except BaseException:
            for start in starting:
                start.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            await asyncio.gather(*(self._stop_worker(worker) for worker in workers))
            raise
        self._places = [Member(worker, info) for worker, info in zip(workers, infos, strict=True)]
        self._tasks = [asyncio.create_task(self._keep_running(member)) for member in self._places]
        self._events.started(self)
        return infos

    async def stop(self) -> None:
        """Stops every worker; work that isn't finished is answered as failed."""
        self._stopped = True
        tasks = [*self._tasks, *(piece.returning for piece in self._by_id.values() if piece.returning)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for piece in list(self._by_id.values()):
            self._answer(piece, stopped(piece.work))

    @property
    def capacity(self) -> int:
        """What all workers can do at a time, those included that are being started again."""
        return sum(member.info.capacity for member in self._places)

    @property
    def size(self) -> int:
        """How many workers there are to be."""
        return self._size

    @property
    def waiting(self) -> int:
        """Pieces that no worker has now."""
        return len(self._backlog)

    def waits(self) -> tuple[int, float]:
        """The same, and the age of the oldest of them."""
        now = self._now()
        return self.waiting, max((now - piece.came for piece in self._backlog), default=0.0)

    @property
    def workers(self) -> Sequence[Worker[WorkT, ResultT]]:
        """The workers that run now."""
        return [member.worker for member in self._members]

    @property
    def places(self) -> Sequence[Worker[WorkT, ResultT] | None]:
        """The worker in each place, or None in one whose worker is being started again."""
        return [member.worker if member in self._members else None for member in self._places]

    def seen(self) -> Sequence[MemberSeen]:
        """Each place as it is now."""
        return [member.seen(self.name, place, member in self._members) for place, member in enumerate(self._places)]

    async def run(self, work: WorkT, share: Share) -> ResultT | WorkFailed:
        """Has one piece done, in the turn that its share gives it. Cancelling the call stops the work."""
        if work.work_id in self._by_id:
            raise ValueError(f"{self.name}: work {work.work_id} is already under way")
        if self._stopped:
            return stopped(work)
        piece: Piece[WorkT, ResultT] = Piece(work, share, asyncio.get_running_loop().create_future(), self._now())
        self._by_id[work.work_id] = piece
        self._backlog.push(piece)
        self._wake()
        try:
            return await piece.answer
        except asyncio.CancelledError:
            self._forget(piece)
            raise

    def _about(self, **what: object) -> dict[str, object]:
        """What a line of the log carries."""
        return {"pool": self.name, **what}

    # --- one member ---

    async def _keep_running(self, member: Member[WorkT, ResultT]) -> None:
        """One place in the pool, for as long as the pool lives."""
        try:
            while True:
                error = await self._serve(member)
                log.warning("a worker was lost", extra=self._about(error=str(error)))
                self.restarts += 1
                self._events.lost()
                self._take_back(member, error)
                await self._stop_worker(member.worker)
                await self._start_again(member)
        finally:
            await self._stop_worker(member.worker)

    async def _serve(self, member: Member[WorkT, ResultT]) -> BaseException | None:
        """Has the member work until its worker is lost; why it is."""
        loops = [asyncio.create_task(loop(member)) for loop in (self._drain, self._feed, self._cancel)]
        self._members.append(member)
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).exception()
        finally:
            self._members.remove(member)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _feed(self, member: Member[WorkT, ResultT]) -> None:
        while True:
            if member.rest_seconds:
                await self._sleep(member.rest_seconds)
                member.rest_seconds = 0.0
            member.woken.clear()
            async with member.calls:
                batch = self._take(member)
                if batch:
                    await member.worker.submit(batch)
            if not batch:
                await member.woken.wait()

    async def _cancel(self, member: Member[WorkT, ResultT]) -> None:
        while True:
            await member.cancelling.wait()
            async with member.calls:
                member.cancelling.clear()
                work_ids, member.to_cancel = member.to_cancel, []
                await member.worker.cancel(work_ids)

    async def _drain(self, member: Member[WorkT, ResultT]) -> None:
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    finished = await member.worker.collect(COLLECT_SECONDS)
            except TimeoutError:
                raise WorkerLost(f"it has not answered for {ANSWER_SECONDS:g} s") from None
            for result in finished:
                self._settle(member, result)
            if finished:
                self._wake()

    async def _start_again(self, member: Member[WorkT, ResultT]) -> None:
        while True:
            await self._sleep(growing_pause(member.failures))
            try:
                member.worker = self._make_worker()
                member.info = await self._start_worker(member.worker)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the place must not stay empty
                if not isinstance(error, WorkerError):
                    log.error("a worker failed unexpectedly as it started", extra=self._about(error=outline(error)))
                await self._stop_worker(member.worker)
                member.failures += 1
                log.warning("a worker can't be started", extra=self._about(error=str(error), failures=member.failures))
                self._lose_patience(*told(error))

    async def _start_worker(self, worker: Worker[WorkT, ResultT]) -> WorkerInfo:
        info = await worker.start()
        if self.prepare is not None:
            await self.prepare(worker)
        return info

    async def _stop_worker(self, worker: Worker[WorkT, ResultT]) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await worker.stop()
        except WorkerError as error:
            log.warning("a worker did not stop cleanly", extra=self._about(error=str(error)))
        except Exception as error:  # noqa: BLE001 - its place is filled again all the same
            log.error("a worker did not stop", extra=self._about(error=outline(error)))

    def _take(self, member: Member[WorkT, ResultT]) -> list[WorkT]:
        """What waits and is for this member now; it is in its hand then."""
        taken = self._backlog.take(member, self._members)
        for piece in taken:
            if piece.is_new:
                self._events.taken(self._now() - piece.came)
                piece.is_new = False
        return [piece.work for piece in taken]

    def _wake(self) -> None:
        for member in self._members:
            member.woken.set()

    # --- what becomes of it ---

    def _settle(self, member: Member[WorkT, ResultT], result: ResultT | WorkFailed) -> None:
        """One piece came back."""
        piece = member.drop(result.work_id)
        if piece is None or piece.answer.done():
            return  # it was cancelled
        if not isinstance(result, WorkFailed) or not result.retryable:
            self._backlog.finished += 1
            self._outage_since = None
            member.failures = 0
            self._answer(piece, result)
        elif result.reason in OUTAGES:
            if self._has_patience(piece, result.reason, result.message):
                self._events.retried(result.reason)
                self._backlog.put_back(piece)
            if not member.rest_seconds:
                self._rest(member, result)
        else:
            piece.attempts += 1
            if piece.attempts >= MAX_ATTEMPTS:
                self._answer(piece, result)
            else:
                whose = {"work": result.work_id, **trace_ids(piece.work.trace)}
                log.info("work is done again", extra=self._about(**whose, reason=result.reason))
                self._events.retried(result.reason)
                piece.returning = asyncio.create_task(self._return(piece, growing_pause(piece.attempts)))

    def _rest(self, member: Member[WorkT, ResultT], failed: WorkFailed) -> None:
        member.failures += 1
        member.rest_seconds = growing_pause(member.failures)
        log.warning("a worker rests", extra=self._about(error=failed.message, seconds=member.rest_seconds))
        self._backlog.rests(member)
        self._lose_patience(failed.reason, failed.message)

    async def _return(self, piece: Piece[WorkT, ResultT], pause: float) -> None:
        await self._sleep(pause)
        piece.returning = None
        self._backlog.put_back(piece)
        self._wake()

    def _take_back(self, member: Member[WorkT, ResultT], error: BaseException | None) -> None:
        """The member's worker is lost."""
        reason, message = told(error)
        member.failures += 1
        member.rest_seconds = 0.0
        member.to_cancel.clear()
        member.cancelling.clear()
        self._backlog.lost(member)
        member.lost += 1
        held = [member.drop(work_id) for work_id in list(member.in_hand)]
        for piece in held:
            if piece is None or not self._has_patience(piece, reason, message):
                continue
            piece.losses += 1
            if len(held) == 1:
                piece.lone_losses += 1
                piece.finished_then = self._backlog.finished
            if piece.lone_losses >= MAX_ATTEMPTS:
                text = f"{piece.lone_losses} workers were lost while doing it and nothing else; the last: {message}"
                self._answer(piece, WorkFailed(piece.work.work_id, reason, text))
            else:
                self._events.retried(reason)
                self._backlog.put_back(piece)
        self._lose_patience(reason, message)
        self._wake()

    def _has_patience(self, piece: Piece[WorkT, ResultT], reason: str, message: str) -> bool:
        """Whether a piece that met with an outage is to be tried again; it is answered if not."""
        if piece.answer.done():
            return False
        if piece.trouble_since is None:
            piece.trouble_since = self._now()
        return not self._answered_late([piece], piece.trouble_since, reason, message)

    def _lose_patience(self, reason: str, message: str) -> None:
        """Answers what has waited too long, if no member works."""
        if any(not member.failures for member in self._members):
            return
        if self._outage_since is None:
            self._outage_since = self._now()
        for piece in self._answered_late(self._backlog, self._outage_since, reason, message):
            self._backlog.discard(piece)

    def _answered_late(
        self, pieces: Iterable[Piece[WorkT, ResultT]], since: float, reason: str, message: str
    ) -> list[Piece[WorkT, ResultT]]:
        """Those of `pieces` that have waited too long for an outage to end; they are answered now."""
        late = [piece for piece in pieces if self._now() - max(since, piece.came) >= PATIENCE_SECONDS]
        for piece in late:
            text = f"it could not be done for {PATIENCE_SECONDS:g} s; the last trouble: {message}"
            self._answer(piece, WorkFailed(piece.work.work_id, reason, text))
        return late

    def _answer(self, piece: Piece[WorkT, ResultT], result: ResultT | WorkFailed) -> None:
        if not piece.answer.done():  # else it was cancelled, and is forgotten already
            del self._by_id[piece.work.work_id]
            piece.answer.set_result(result)

    def _forget(self, piece: Piece[WorkT, ResultT]) -> None:
        """Nobody waits for this piece any more."""
        if self._by_id.get(piece.work.work_id) is not piece:
            return  # it was answered in the same moment
        del self._by_id[piece.work.work_id]
        if piece.returning is not None:
            piece.returning.cancel()
        elif piece.member is not None:
            piece.member.to_cancel.append(piece.work.work_id)
            piece.member.cancelling.set()
        elif self._backlog.discard(piece):
            self._wake()  # who emptied its hand for it needn't
