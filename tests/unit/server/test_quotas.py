"""Quotas while work runs: places in flight, the day's samples, and streams at a time."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from codesieve.server.callers import Quota
from codesieve.server.errors import Overloaded
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.quotas import CHARGE_BLOCK, DayAccount, InFlight, Limit, Quotas


async def turns() -> None:
    """Lets all tasks run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_places_are_given_in_the_order_of_asking() -> None:
    bound: list[int | None] = [2]
    places = InFlight(lambda: bound[0])
    order: list[int] = []
    leave = [asyncio.Event() for _ in range(5)]

    async def work(number: int) -> None:
        async with places.place():
            order.append(number)
            await leave[number].wait()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await turns()
    assert (order, places.taken, places.full) == ([0, 1], 2, True)
    leave[1].set()
    await turns()
    assert (order, places.taken) == ([0, 1, 2], 2)
    bound[0] = None  # the tokens were read again
    leave[0].set()
    await turns()
    assert (order, places.taken, places.full) == ([0, 1, 2, 3, 4], 3, False)
    for event in leave:
        event.set()
    await asyncio.gather(*tasks)
    assert places.taken == 0


async def test_who_stops_waiting_takes_no_place() -> None:
    places = InFlight(lambda: 1)
    await places.take()
    waiting = [asyncio.create_task(places.take()) for _ in range(3)]
    await turns()
    waiting[0].cancel()
    await turns()
    # Its turn comes and it is cancelled in the same moment.
    places.give_back()
    waiting[1].cancel()
    await turns()
    assert [task.cancelled() for task in waiting] == [True, True, False]
    assert places.taken == 1
    places.give_back()
    assert (places.taken, places.full) == (0, False)
    # Cancelled first, and then passed by.
    await places.take()
    late = asyncio.create_task(places.take())
    await turns()
    late.cancel()
    places.give_back()
    await turns()
    assert late.cancelled()
    assert (places.taken, places.full) == (0, False)


def test_a_caller_has_the_same_places_each_time() -> None:
    quotas = Quotas(lambda name: Quota(samples_in_flight=len(name)))
    assert quotas.in_flight("ab") is quotas.in_flight("ab")
    assert quotas.in_flight("ab") is not quotas.in_flight("b")


class Day:
    """A stream's account, over a real store and a clock that is turned by hand."""

    def __init__(self, limit: int | None) -> None:
        self.now = datetime.datetime(2026, 6, 1, 18, tzinfo=datetime.UTC)
        self.store = MemoryStore()
        self.limit = limit

    def account(self) -> DayAccount:
        quotas = Quotas(lambda name: Quota(samples_per_day=self.limit))
        return DayAccount("a", quotas, self.store.charge, lambda: self.now)

    async def left(self) -> int:
        """What the day has left, found by trying."""
        assert self.limit is not None
        for count in range(self.limit, 0, -1):
            if await self.store.charge("a", self.now.date(), count, self.limit):
                return count
        return 0


async def test_a_stream_uses_the_day_up_to_the_last_sample() -> None:
    day = Day(CHARGE_BLOCK + 7)
    first, second = day.account(), day.account()
    for _ in range(CHARGE_BLOCK):
        await first.spend()
    for _ in range(7):
        await second.spend()
    with pytest.raises(Overloaded, match="71 samples a day") as refused:
        await first.spend()
    assert refused.value.reason == "SAMPLE_QUOTA"
    assert refused.value.retry_after_seconds == 6 * 3600
    day.now += datetime.timedelta(hours=6)
    await first.spend()


async def test_what_a_stream_did_not_use_is_given_back() -> None:
    day = Day(200)
    account = day.account()
    for _ in range(3):
        await account.spend()
    await account.settle()
    await account.settle()
    assert await day.left() == 197


async def test_a_stream_over_midnight_is_charged_to_both_days() -> None:
    day = Day(100)
    account = day.account()
    await account.spend()
    day.now += datetime.timedelta(hours=12)
    await account.spend()
    await account.settle()
    assert await day.left() == 99


async def test_without_a_quota_nothing_is_counted() -> None:
    day = Day(None)
    account = day.account()
    await account.spend()
    await account.settle()
    day.limit = 10
    assert await day.left() == 10


def test_streams_are_bounded_for_all_and_for_each() -> None:
    limit = Limit(4, "streams")
    with limit.entered("a"), limit.entered("a"):
        with pytest.raises(Overloaded, match="2 of them yours"), limit.entered("a"):
            pytest.fail("a third stream of a")
        with limit.entered("b"), limit.entered("c"):
            with pytest.raises(Overloaded) as refused, limit.entered("d"):
                pytest.fail("a fifth stream")
            assert refused.value.retry_after_seconds is not None
    assert limit.open == 0
    unnamed = Limit(2, "streams")
    with unnamed.entered(""), unnamed.entered(""):  # an open door tells nobody apart
        assert unnamed.open == 2
