"""Quotas while work runs: the samples in flight of each caller, and how many calls of a kind are open at a time.

A caller's jobs and Judge streams share one `InFlight`. Who asks for a place when none is left waits, the first come first:
a job's walkers stand, and a Judge stream isn't read any further. The bound is looked up at each turn, so that a changed one
holds at once. All of it counts in this front end alone.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from codesieve.server.callers import Quota
from codesieve.server.errors import Overloaded
from codesieve.server.jobs.rules import samples_used_up

RETRY_SECONDS = 1.0
CHARGE_BLOCK = 64
"""Samples that a Judge stream has counted ahead, so that not each one asks the store."""


class InFlight:
    """One caller's samples in flight; `bound` is asked at each turn, None bounds nothing."""

    def __init__(self, bound: Callable[[], int | None]) -> None:
        self._bound = bound
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self.taken = 0
        """Places in use."""

    @property
    def full(self) -> bool:
        """Whether who asks for a place now has to wait."""
        bound = self._bound()
        return bool(self._waiting) or (bound is not None and self.taken >= bound)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One sample's place; waits for it."""
        await self.take()
        try:
            yield
        finally:
            self.give_back()

    async def take(self) -> None:
        """Takes a place, which `give_back` has to follow."""
        if not self.full:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came at the same time
                self.give_back()
            else:
                with contextlib.suppress(ValueError):  # a place that came free may have passed it by already
                    self._waiting.remove(turn)
            raise

    def give_back(self) -> None:
        """Frees a place for whoever waits longest."""
        self.taken -= 1
        while self._waiting:
            bound = self._bound()
            if bound is not None and self.taken >= bound:
                return
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)


class Quotas:
    """Every caller's present quota, and its places in this front end."""

    def __init__(self, quota_of: Callable[[str], Quota]) -> None:
        self.of = quota_of
        self._in_flight: dict[str, InFlight] = {}  # by names, of which a tokens file has few

    @property
    def taken(self) -> int:
        """All callers' samples in flight."""
        return sum(each.taken for each in self._in_flight.values())

    def in_flight(self, caller: str) -> InFlight:
        """The caller's places, the same ones each time."""
        there = self._in_flight.get(caller)
        if there is None:
            there = self._in_flight[caller] = InFlight(lambda: self.of(caller).samples_in_flight)
        return there


class DayAccount:
    """Counts a Judge stream's samples as used on their day, in blocks ahead; `charge` is the store's.

    A job counts once and as a whole, when it is made; a stream doesn't say how long it will be.
    """

    def __init__(
        self, caller: str, quotas: Quotas, charge: Callable[..., Awaitable[bool]], now: Callable[[], datetime.datetime]
    ) -> None:
        self._caller = caller
        self._quotas = quotas
        self._charge = charge
        self._now = now
        self._day: datetime.date | None = None
        self._left = 0
        """Counted already and not yet used."""
        self._limit = 0

    async def spend(self) -> None:
        """Uses one sample. Raises `Overloaded` where the day has none left, and `StoreUnavailable`."""
        limit = self._quotas.of(self._caller).samples_per_day
        if limit is None:
            return
        now = self._now()
        if self._day != now.date():
            await self.settle()
            self._day = now.date()
        if not self._left:
            block = CHARGE_BLOCK
            while not await self._charge(self._caller, self._day, block, limit):
                block //= 2
                if not block:
                    raise samples_used_up(limit, now)
            self._left, self._limit = block, limit
        self._left -= 1

    async def settle(self) -> None:
        """Gives back what wasn't used."""
        left, self._left = self._left, 0
        if left and self._day is not None:
            await self._charge(self._caller, self._day, -left, self._limit)


class Limit:
    """At most `most` of something at a time, and at most half of them one caller's where callers are told apart."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._open: collections.Counter[str] = collections.Counter()

    @property
    def open(self) -> int:
        """How many there are now."""
        return self._open.total()

    @contextlib.contextmanager
    def entered(self, caller: str) -> Iterator[None]:
        """One more, for as long as the block lasts. Raises `Overloaded`."""
        if self.open >= self._most or (caller and self._open[caller] >= self._most // 2):
            raise Overloaded(
                f"{self.open} {self._what} are open, {self._open[caller]} of them yours, which is all this server takes",
                reason="TOO_MANY_STREAMS",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
