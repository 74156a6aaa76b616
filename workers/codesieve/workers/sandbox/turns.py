"""Whose turn it is where only so many may go at a time: who is urgent first, and else who came first.

While both wait, every `OTHERS_EVERY`th turn is for one that isn't urgent, so that these never starve.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OTHERS_EVERY = 16
"""As the front end's queue has it."""


class Turns:
    """`size` turns at a time."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._urgent: collections.deque[asyncio.Future[None]] = collections.deque()
        self._others: collections.deque[asyncio.Future[None]] = collections.deque()
        self._since_others = 0

    @asynccontextmanager
    async def turn(self, urgent: bool) -> AsyncIterator[None]:
        """Waits for a turn and holds it."""
        if self._free:  # then nobody waits
            self._free -= 1
        else:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            (self._urgent if urgent else self._others).append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._urgent or self._others:
            if self._others and (not self._urgent or self._since_others >= OTHERS_EVERY - 1):
                next_one, self._since_others = self._others.popleft(), 0
            else:
                next_one = self._urgent.popleft()
                self._since_others += bool(self._others)
            if not next_one.done():
                next_one.set_result(None)
                return
        self._free += 1
