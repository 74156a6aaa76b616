"""The cells of one worker: handed out whole, one program at a time, and replaced in the background.

A cell that is lost (its agent died, or could not prove it clean) is destroyed and another is made in its place. With
`fresh` every cell is: it holds one program and goes, and as many as there may be programs stand ready, made ahead of need.
Destroying and making never happen on the caller's path.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.faults import outline
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.turns import Turns

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
"""Short: an engine that is there again has to be found before its programs' patience ends, and asking costs little."""


class CellPool:
    """Keeps `size` cells ready, made by `make`. `on_give_up` is told of each that goes, and why: one of DESTROYED."""

    def __init__(
        self,
        make: Callable[[], Awaitable[Cell]],
        size: int,
        fresh: bool = False,
        on_give_up: Callable[[str], None] | None = None,
    ) -> None:
        self._make = make
        self._size = size
        self._fresh = fresh
        self._on_give_up = on_give_up
        self._turns = Turns(size)
        self._idle: collections.deque[Cell] = collections.deque()
        self._live: set[Cell] = set()
        """Those that are idle and those that hold a program."""
        self._making = 0
        self._waiting: collections.deque[asyncio.Future[Cell]] = collections.deque()
        self._trouble: SandboxUnavailable | None = None
        self._keepers: set[asyncio.Task[None]] = set()
        self._destroying: set[asyncio.Task[None]] = set()

    async def start(self) -> list[Cell]:
        """Makes the cells. Raises SandboxUnavailable, with none left behind, where one can't be made."""
        self._making = self._size
        made = await asyncio.gather(*(self._make() for _ in range(self._size)), return_exceptions=True)
        self._making = 0
        cells = [cell for cell in made if not isinstance(cell, BaseException)]
        for trouble in made:
            if isinstance(trouble, BaseException):
                await asyncio.gather(*(cell.destroy() for cell in cells))
                raise trouble
        for cell in cells:
            self._add(cell)
        return cells

    @asynccontextmanager
    async def cell(self, urgent: bool) -> AsyncIterator[Cell]:
        """A cell for one program, urgent ones first. Raises SandboxUnavailable while none is there or can be made."""
        async with self._turns.turn(urgent):
            cell = await self._take()
            try:
                yield cell
            finally:
                if self._fresh:
                    self._give_up(cell)
                elif not cell.lost.is_set():  # else its keeper sees to it
                    self._offer(cell)

    def count(self) -> Mapping[str, int]:
        """How many cells there are in each of the catalogue's CELL_STATES."""
        idle = len(self._idle)
        return {
            "idle": idle,
            "busy": len(self._live) - idle,
            "making": self._making,
            "destroying": len(self._destroying),
        }

    async def stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for cell in self._live:
            self._destroy(cell, "stopped")
        self._live.clear()
        self._idle.clear()
        await asyncio.gather(*self._destroying)

    async def _take(self) -> Cell:
        while self._idle:
            cell = self._idle.popleft()
            if not cell.lost.is_set():
                self._refill()
                return cell
        if not self._live and self._trouble is not None:
            raise self._trouble
        waiter: asyncio.Future[Cell] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._offer(waiter.result())
            raise

    def _offer(self, cell: Cell) -> None:
        """Gives a live cell to who has waited longest, or keeps it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(cell)
                self._refill()
                return
        self._idle.append(cell)

    def _add(self, cell: Cell) -> None:
        self._live.add(cell)
        self._start(self._keepers, self._keep(cell))
        self._offer(cell)

    async def _keep(self, cell: Cell) -> None:
        await cell.lost.wait()
        if cell in self._live:
            log.warning("a cell is replaced", extra={"cell": cell.name, "error": cell.why})
            self._give_up(cell)

    def _give_up(self, cell: Cell) -> None:
        """Has a cell destroyed, and another made if one is needed."""
        if cell not in self._live:
            return  # its keeper was here already
        self._live.discard(cell)
        if cell in self._idle:
            self._idle.remove(cell)
        reason = "dirty" if cell.dirty else "lost" if cell.lost.is_set() else "used"
        self._destroy(cell, reason)
        self._refill()

    def _destroy(self, cell: Cell, reason: str) -> None:
        if self._on_give_up is not None:
            self._on_give_up(reason)
        self._start(self._destroying, cell.destroy())

    def _refill(self) -> None:
        ready = len(self._idle) if self._fresh else len(self._live)
        for _ in range(self._size - ready - self._making):
            self._making += 1
            self._start(self._keepers, self._make_one())

    async def _make_one(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        try:
            while True:
                try:
                    cell = await self._make()
                    break
                except Exception as error:  # noqa: BLE001 - whatever it is, the pool must not stay smaller
                    if isinstance(error, SandboxUnavailable):
                        log.error("a cell can't be made yet", extra={"error": error.message})
                        self._trouble = error
                    else:
                        log.error("a cell can't be made yet", extra={"error": outline(error)})
                        self._trouble = SandboxUnavailable(f"a cell can't be made: {type(error).__name__}: {error}")
                    self._tell_those_who_wait(self._trouble)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        finally:
            self._making -= 1
        self._trouble = None
        self._add(cell)

    def _tell_those_who_wait(self, trouble: SandboxUnavailable) -> None:
        while self._waiting and not self._live:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(trouble)

    @staticmethod
    def _start(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
