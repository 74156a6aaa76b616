"""The pool of cells, with cells that are made of nothing."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.pool import CellPool


class FakeCell:
    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 2
        self.why = "it fell over"
        self.lost = asyncio.Event()
        self.destroyed = False

    async def destroy(self) -> None:
        self.lost.set()
        self.destroyed = True


class Maker:
    """Makes cells until told to fail."""

    def __init__(self) -> None:
        self.made: list[FakeCell] = []
        self.broken = False

    async def __call__(self) -> Cell:
        if self.broken:
            raise SandboxUnavailable("no more cells")
        cell = FakeCell(f"cell {len(self.made)}")
        self.made.append(cell)
        return cast("Cell", cell)


async def test_slots_are_shared_out_evenly_and_bounded() -> None:
    maker = Maker()
    pool = CellPool(maker, 2)
    await pool.start()
    contexts = [pool.slot() for _ in range(4)]
    names = [(await context.__aenter__()).name for context in contexts]
    assert names == ["cell 0", "cell 1", "cell 0", "cell 1"]
    fifth = asyncio.create_task(pool.slot().__aenter__())
    await asyncio.sleep(0)
    assert not fifth.done()
    await contexts[0].__aexit__(None, None, None)
    assert (await fifth).name == "cell 0"
    await pool.stop()
    assert all(cell.destroyed for cell in maker.made)


async def test_a_lost_cell_is_destroyed_and_replaced() -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    maker.made[0].lost.set()
    async with pool.slot() as cell:
        assert cell.name == "cell 1"
    assert maker.made[0].destroyed
    await pool.stop()


async def test_without_any_cell_those_who_wait_are_told_why() -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    maker.broken = True
    maker.made[0].lost.set()
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="no more cells"):
            async with pool.slot():
                pass
    maker.broken = False
    async with asyncio.timeout(10):
        while True:
            try:
                async with pool.slot() as cell:
                    assert cell.name == "cell 1"
                    break
            except SandboxUnavailable:
                await asyncio.sleep(0.05)
    await pool.stop()


async def test_a_start_that_fails_leaves_no_cell() -> None:
    maker = Maker()

    async def make() -> Cell:
        if len(maker.made) == 1:
            raise SandboxUnavailable("no more cells")
        return await maker()

    with pytest.raises(SandboxUnavailable):
        await CellPool(make, 2).start()
    assert [cell.destroyed for cell in maker.made] == [True]
