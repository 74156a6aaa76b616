"""What a pool keeps of each piece of work and of each of its workers, and how much a worker is given.

A worker has up to twice what it can do at a time, so that it always has a next piece. Batch work fills three quarters of
that: an interactive piece always finds room, and passes in front of the batch ones inside the worker. Less is given after
trouble: to a worker that failed, until it has done something well, and in the company of a piece that was in hand when a
worker was lost, until that piece is done.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codesieve.server.sharing import Priority, Share
from codesieve.workers.errors import WorkerError, WorkerLost
from codesieve.workers.types import WorkerInfo, WorkFailed
from codesieve.workers.worker import HasWorkId, Work, Worker

if TYPE_CHECKING:
    from codesieve.server.pools import Pool

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0

WorkT = TypeVar("WorkT", bound=Work)
ResultT = TypeVar("ResultT", bound=HasWorkId)


@dataclasses.dataclass(slots=True, eq=False)
class Piece(Generic[WorkT, ResultT]):
    """A piece of work from its coming to its answer."""

    work: WorkT
    share: Share
    answer: asyncio.Future[ResultT | WorkFailed]
    came: float
    member: Member[WorkT, ResultT] | None = None
    """Whose hand it is in."""
    returning: asyncio.Task[None] | None = None
    """Puts it back into the queue after a pause."""
    attempts: int = 0
    """Failures that it may have caused."""
    trouble_since: float | None = None
    """When it first met with an outage."""
    losses: int = 0
    """Workers that were lost with it in hand."""
    lone_losses: int = 0
    """Those of them that had nothing else in hand."""
    finished_then: int = 0
    """What the pool had finished at the last of these."""
    is_new: bool = True
    """No worker ever had it."""


class PoolEvents:
    """What a pool tells of its work, for the metrics; this one is told in vain."""

    def started(self, pool: Pool[Any, Any]) -> None:
        """Its workers run. Told once."""

    def taken(self, seconds: float) -> None:
        """A worker took a piece for the first time, so many seconds after that came."""

    def retried(self, reason: str) -> None:
        """A piece is to be done again, through no fault of its own that is known."""

    def lost(self) -> None:
        """A worker was lost, and is replaced."""


class MemberState(enum.StrEnum):
    """What a place's worker is about."""

    STARTING = "STARTING"
    """The one before it was lost."""
    RUNNING = "RUNNING"
    RESTING = "RESTING"
    """It failed at something that wasn't the work's fault, and is given nothing for a while."""


@dataclasses.dataclass(frozen=True, slots=True)
class MemberSeen:
    """A place in a pool, as an operator sees it."""

    pool: str
    place: int
    state: MemberState
    info: WorkerInfo
    in_hand: int
    lost: int
    """Workers that were lost in this place."""


class Member(Generic[WorkT, ResultT]):
    """A place in the pool: the worker that is in it now, and what that one has in hand."""

    def __init__(self, worker: Worker[WorkT, ResultT], info: WorkerInfo) -> None:
        self.worker = worker
        self.info = info
        self.in_hand: dict[str, Piece[WorkT, ResultT]] = {}
        self.failures = 0
        """Times that it could not work, since it last did something well."""
        self.lost = 0
        """Workers that were lost in this place."""
        self.rest_seconds = 0.0
        """How long it is to be given nothing."""
        self.to_cancel: list[str] = []
        self.calls = asyncio.Lock()
        """Held by who hands over or cancels work: what is cancelled has arrived."""
        self.woken = asyncio.Event()
        self.cancelling = asyncio.Event()
        self._batch = 0
        self._suspects = 0

    @property
    def most(self) -> int:
        """How much is ever in hand."""
        return 2 * self.info.capacity

    @property
    def room(self) -> int:
        """How much more it may be given now."""
        worst = max((piece.losses for piece in self.in_hand.values()), default=0) if self._suspects else 0
        return min(company(self.failures, self.most), company(worst, self.most)) - len(self.in_hand)

    @property
    def takes_batch(self) -> bool:
        """Whether batch work may fill some of the room."""
        return self._batch < self.most - self.most // 4

    def seen(self, pool: str, place: int, runs: bool) -> MemberSeen:
        """The place as it is now; `runs` says whether its worker does."""
        state = MemberState.RESTING if self.rest_seconds else MemberState.RUNNING
        return MemberSeen(pool, place, state if runs else MemberState.STARTING, self.info, len(self.in_hand), self.lost)

    def hold(self, piece: Piece[WorkT, ResultT]) -> None:
        """Takes a piece in hand."""
        self.in_hand[piece.work.work_id] = piece
        piece.member = self
        self._batch += piece.share.priority is Priority.BATCH
        self._suspects += piece.losses > 0

    def drop(self, work_id: str) -> Piece[WorkT, ResultT] | None:
        """Lets go of a piece."""
        piece = self.in_hand.pop(work_id, None)
        if piece is not None:
            piece.member = None
            self._batch -= piece.share.priority is Priority.BATCH
            self._suspects -= piece.losses > 0
        return piece


def company(troubles: int, most: int) -> int:
    """How many pieces may be in hand together after so many troubles, where there were `most` before the first."""
    if troubles == 0:
        return most
    return math.isqrt(most) if troubles == 1 else 1


def fair_share(waiting: int, members: int, room: int) -> int:
    """How much of what waits one member takes now: never more than its part, so that the last pieces spread out."""
    return min(room, -(-waiting // max(members, 1)))


def growing_pause(failures: int) -> float:
    """Seconds to wait after `failures` in a row."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_SECONDS)


def stopped(work: HasWorkId) -> WorkFailed:
    """The answer to work that a pool which stops will not do."""
    return WorkFailed(work.work_id, "SERVER_STOPPED", "the server stopped", retryable=False)


def told(error: BaseException | None) -> tuple[str, str]:
    """The reason and the message of what ended a worker."""
    if isinstance(error, WorkerError):
        return error.reason, error.message
    return WorkerLost.reason, f"{type(error).__name__}: {error}"
