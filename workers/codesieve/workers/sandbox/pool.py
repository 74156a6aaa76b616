"""The cells of one worker: handed out slot by slot, and replaced when they are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.cell import Cell

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 30.0


class CellPool:
    """Keeps `size` cells alive, made by `make`."""

    def __init__(self, make: Callable[[], Awaitable[Cell]], size: int) -> None:
        self._make = make
        self._size = size
        # A token for each free slot; None wakes those who wait when no cell can be made.
        self._tokens: asyncio.Queue[Cell | None] = asyncio.Queue()
        self._live: set[Cell] = set()
        self._trouble: SandboxUnavailable | None = None
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> list[Cell]:
        """Makes the cells. Raises SandboxUnavailable, with none left behind, where one can't be made."""
        made = await asyncio.gather(*(self._make() for _ in range(self._size)), return_exceptions=True)
        cells = [cell for cell in made if not isinstance(cell, BaseException)]
        for trouble in made:
            if isinstance(trouble, BaseException):
                await asyncio.gather(*(cell.destroy() for cell in cells))
                raise trouble
        for slot in range(max(cell.slots for cell in cells)):  # one of each in turn, so that all are loaded evenly
            for cell in cells:
                if slot < cell.slots:
                    self._tokens.put_nowait(cell)
        self._live.update(cells)
        self._keepers = [asyncio.create_task(self._keep(cell)) for cell in cells]
        return cells

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Cell]:
        """A cell with a free slot. Raises SandboxUnavailable while there is no cell and none can be made."""
        cell = await self._take()
        try:
            yield cell
        finally:
            if not cell.lost.is_set():
                self._tokens.put_nowait(cell)

    async def _take(self) -> Cell:
        while True:
            cell = await self._tokens.get()
            if cell is not None and not cell.lost.is_set():
                return cell
            if cell is None and not self._live and self._trouble is not None:
                self._tokens.put_nowait(None)  # for the next who waits
                raise self._trouble

    async def stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(cell.destroy() for cell in self._live))
        self._live.clear()

    async def _keep(self, cell: Cell) -> None:
        """Waits until the cell is lost, and puts another in its place."""
        while True:
            await cell.lost.wait()
            log.warning("%s is replaced: %s", cell.name, cell.why)
            await cell.destroy()
            self._live.discard(cell)
            cell = await self._replacement()
            self._live.add(cell)
            self._trouble = None
            for _ in range(cell.slots):
                self._tokens.put_nowait(cell)

    async def _replacement(self) -> Cell:
        pause = 0.5
        while True:
            try:
                return await self._make()
            except SandboxUnavailable as error:
                log.error("a lost cell can't be replaced yet: %s", error.message)
                self._trouble = error
                self._tokens.put_nowait(None)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
