"""What a pool's workers have yet to do, and whose turn it is: the queue, and the suspects.

Each piece that was in hand when a worker was lost is suspected. Suspects are done before other work, by one member at a
time, in smaller company at first and alone once two workers were lost with them, so that the innocent are cleared. Between
the tries of one that was alone in hand others have their turn: it is handed out again only when something was finished
since, or nothing else waits.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator
from typing import Generic, TypeVar

from codesieve.server.fair import FairQueue
from codesieve.server.members import Member, Piece, company, fair_share
from codesieve.server.routing import Routes
from codesieve.workers.worker import HasWorkId, Work

WorkT = TypeVar("WorkT", bound=Work)
ResultT = TypeVar("ResultT", bound=HasWorkId)


class Backlog(Generic[WorkT, ResultT]):
    """Pieces that no member has in hand. The length is how many; iterated over they come in no order that counts."""

    def __init__(self) -> None:
        self._waiting: FairQueue[Piece[WorkT, ResultT]] = FairQueue()
        self._suspects: collections.deque[Piece[WorkT, ResultT]] = collections.deque()
        self._routes = Routes()
        self._clearing: Member[WorkT, ResultT] | None = None
        """Who does the suspects now."""
        self.finished = 0
        """Pieces that the pool has finished so far."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._suspects)

    def __iter__(self) -> Iterator[Piece[WorkT, ResultT]]:
        yield from self._waiting
        yield from self._suspects

    def push(self, piece: Piece[WorkT, ResultT]) -> None:
        """A piece came."""
        self._waiting.push(piece, piece.share)

    def put_back(self, piece: Piece[WorkT, ResultT]) -> None:
        """A piece is to be done again, before what has never been done; it is a suspect if a worker was lost with it."""
        if piece.losses:
            self._suspects.append(piece)
        else:
            self._waiting.push_front(piece, piece.share)

    def discard(self, piece: Piece[WorkT, ResultT]) -> bool:
        """Takes a piece out; whether it was a suspect."""
        if self._waiting.discard(piece):
            return False
        self._suspects.remove(piece)
        return True

    def take(
        self, member: Member[WorkT, ResultT], members: Collection[Member[WorkT, ResultT]]
    ) -> list[Piece[WorkT, ResultT]]:
        """What is for this member now, one of `members` that run; it is in its hand then."""
        taken: list[Piece[WorkT, ResultT]] = []
        if self._clearing in (None, member):
            self._clearing = None
            while (suspect := self._next_suspect()) is not None:
                self._clearing = member
                if member.room < 1 or len(member.in_hand) >= company(suspect.losses, member.most):
                    return taken  # nothing else either: it empties its hand first
                self._suspects.remove(suspect)
                member.hold(suspect)
                taken.append(suspect)
        in_order = sum(not one.failures for one in members)
        for _ in range(fair_share(len(self._waiting), in_order, member.room)):
            if not member.takes_batch and not self._waiting.interactive:
                break
            try:
                piece = self._waiting.pop(
                    not member.takes_batch,
                    lambda one: self._routes.suits(one.work, member),
                    # Another member takes it soon, if one is there; who would stand idle isn't choosy.
                    choosy=in_order > 1 and len(member.in_hand) >= member.info.capacity,
                )
            except IndexError:
                break
            self._routes.note(piece.work, member)
            member.hold(piece)
            taken.append(piece)
        return taken

    def rests(self, member: Member[WorkT, ResultT]) -> None:
        """The member takes nothing for a while: another may do the suspects."""
        if self._clearing is member:
            self._clearing = None

    def lost(self, member: Member[WorkT, ResultT]) -> None:
        """The member's worker is lost, and what it had in its cache."""
        self.rests(member)
        self._routes.forget(member)

    def _next_suspect(self) -> Piece[WorkT, ResultT] | None:
        for piece in self._suspects:
            if not piece.lone_losses or self.finished > piece.finished_then:
                return piece
        return self._suspects[0] if self._suspects and not self._waiting else None
