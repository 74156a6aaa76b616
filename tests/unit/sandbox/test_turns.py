"""Turns: the urgent first, nobody starves, and a cancelled wait loses none."""

from __future__ import annotations

import asyncio
import random

import pytest

from codesieve.workers.sandbox.turns import OTHERS_EVERY, Turns


async def test_the_urgent_go_first_and_the_others_now_and_then() -> None:
    turns, order = Turns(1), list[bool]()

    async def go(urgent: bool) -> None:
        async with turns.turn(urgent):
            order.append(urgent)

    async with turns.turn(False):
        waiting = [asyncio.create_task(go(urgent)) for urgent in [False] * 4 + [True] * 40]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    others = [index for index, urgent in enumerate(order) if not urgent]
    assert others == [OTHERS_EVERY - 1, 2 * OTHERS_EVERY - 1, 42, 43]


@pytest.mark.parametrize("seed", range(5))
async def test_no_turn_is_lost_or_made_whatever_is_cancelled(seed: int) -> None:
    chance, turns, running, most = random.Random(seed), Turns(3), 0, 0

    async def go(urgent: bool) -> None:
        nonlocal running, most
        async with turns.turn(urgent):
            running += 1
            most = max(most, running)
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                running -= 1

    tasks = [asyncio.create_task(go(chance.random() < 0.3)) for _ in range(300)]
    for _ in range(100):
        await asyncio.sleep(0)
        chance.choice(tasks).cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, return_exceptions=True)
        async with turns.turn(False), turns.turn(True), turns.turn(False):
            assert most == 3
