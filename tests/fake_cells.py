"""Cells that are made of nothing and say what they are told to, for tests of what a sandbox worker does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codesieve.workers.sandbox.backend import MadeOf
from codesieve.workers.sandbox.judge import Seen
from codesieve.workers.types import Limits


class FakeCell:
    """Gives what it is told to, one run after another."""

    def __init__(self, *outcomes: Seen | Exception) -> None:
        self.outcomes = list(outcomes)
        self.given: list[tuple[int, float, str]] = []
        self.lost = asyncio.Event()
        self.name, self.why, self.dirty = "fake", "", False
        self.on_end: Callable[[Seen, bool], None] | None = None

    async def run(
        self, mode: int, program: bytes, payload: bytes, limits: Limits, *, owner: str, stdin: bytes = b""
    ) -> Seen:
        self.given.append((mode, limits.cpu_time_seconds, owner))
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def destroy(self) -> None:
        self.lost.set()


class FakeBackend:
    """Has one cell."""

    name = "fake"

    def __init__(self, cell: FakeCell) -> None:
        self.cell = cell

    async def start(self) -> MadeOf:
        return MadeOf("fakes")

    async def make_cell(self, spec: object) -> FakeCell:
        return self.cell

    async def stop(self) -> None:
        pass
