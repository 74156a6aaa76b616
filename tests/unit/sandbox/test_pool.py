"""The pool of cells, with cells that are made of nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from codesieve.workers.catalogue import CELL_STATES, DESTROYED
from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.pool import CellPool

if TYPE_CHECKING:
    from codesieve.workers.sandbox.cell import Cell


class FakeCell:
    def __init__(self, name: str, destroying: asyncio.Event) -> None:
        self.name = name
        self.why = "it fell over"
        self.lost = asyncio.Event()
        self.dirty = False
        self.destroyed = False
        self._destroying = destroying

    async def destroy(self) -> None:
        self.lost.set()
        await self._destroying.wait()
        self.destroyed = True


class Maker:
    """Makes cells until told to fail."""

    def __init__(self) -> None:
        self.made: list[FakeCell] = []
        self.broken = False
        self.destroying = asyncio.Event()
        self.destroying.set()

    async def __call__(self) -> Cell:
        if self.broken:
            raise SandboxUnavailable("no more cells")
        cell = FakeCell(f"cell {len(self.made)}", self.destroying)
        self.made.append(cell)
        return cast("Cell", cell)

    def alive(self) -> list[str]:
        return [cell.name for cell in self.made if not cell.lost.is_set()]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_cell_holds_one_program_at_a_time_and_is_used_again() -> None:
    maker = Maker()
    pool = CellPool(maker, 2)
    await pool.start()
    async with pool.cell(urgent=False) as first, pool.cell(urgent=False) as second:
        assert [first.name, second.name] == ["cell 0", "cell 1"]
        third = asyncio.create_task(pool.cell(urgent=False).__aenter__())
        await settle()
        assert not third.done()
    assert (await third).name == "cell 1"
    assert maker.alive() == ["cell 0", "cell 1"]
    await pool.stop()
    assert all(cell.destroyed for cell in maker.made)


async def test_who_waits_gets_the_next_free_cell_in_turn() -> None:
    pool = CellPool(Maker(), 1)
    await pool.start()
    order: list[int] = []

    async def use(number: int) -> None:
        async with pool.cell(urgent=False):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(use, range(5)))
    assert order == list(range(5))
    await pool.stop()


async def test_a_cancelled_wait_loses_no_cell() -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    maker.broken = True
    maker.made[0].lost.set()
    await settle()
    maker.broken = False
    async with asyncio.timeout(10):
        while len(maker.made) < 2:
            waiting = asyncio.create_task(pool.cell(urgent=False).__aenter__())
            await settle()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await asyncio.sleep(0.05)
    async with pool.cell(urgent=False) as cell:
        assert cell.name == "cell 1"
    await pool.stop()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_lost_cell_is_destroyed_and_replaced(busy: bool) -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    if busy:
        async with pool.cell(urgent=False):
            maker.made[0].lost.set()
    else:
        maker.made[0].lost.set()
    async with pool.cell(urgent=False) as cell:
        assert cell.name == "cell 1"
    assert maker.made[0].destroyed
    await pool.stop()
    assert maker.alive() == []


async def test_destroying_a_cell_holds_up_nobody() -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    maker.destroying.clear()
    maker.made[0].lost.set()
    async with asyncio.timeout(5), pool.cell(urgent=False) as cell:
        assert cell.name == "cell 1"
    assert not maker.made[0].destroyed
    maker.destroying.set()
    await pool.stop()
    assert all(cell.destroyed for cell in maker.made)


async def test_a_fresh_pool_never_uses_a_cell_twice_and_makes_ahead() -> None:
    maker = Maker()
    pool = CellPool(maker, 2, fresh=True)
    await pool.start()
    used = []
    for _ in range(4):
        async with pool.cell(urgent=False) as cell:
            used.append(cell.name)
            await settle()
            # The next ones stand ready while this one holds its program.
            assert len(maker.alive()) == 3
        await settle()
        assert cell.name not in maker.alive()
    assert used == ["cell 0", "cell 1", "cell 2", "cell 3"]
    assert len(maker.alive()) == 2
    await pool.stop()
    assert all(cell.destroyed for cell in maker.made)


async def test_a_fresh_pool_runs_no_more_programs_than_it_has_cells() -> None:
    maker = Maker()
    pool = CellPool(maker, 2, fresh=True)
    await pool.start()
    running = most = 0

    async def use() -> None:
        nonlocal running, most
        async with pool.cell(urgent=False):
            running += 1
            most = max(most, running)
            await settle()
            running -= 1

    await asyncio.gather(*(use() for _ in range(8)))
    assert most == 2
    assert len(maker.made) == 10  # eight used, two ready
    await pool.stop()


async def test_without_any_cell_those_who_wait_are_told_why() -> None:
    maker = Maker()
    pool = CellPool(maker, 1)
    await pool.start()
    maker.broken = True
    maker.made[0].lost.set()
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="no more cells"):
            async with pool.cell(urgent=False):
                pass
    maker.broken = False
    async with asyncio.timeout(10):
        while True:
            try:
                async with pool.cell(urgent=False) as cell:
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


async def test_cells_are_counted_by_state_through_their_lives() -> None:
    maker = Maker()
    pool = CellPool(maker, 2)

    def counted() -> tuple[int, ...]:
        count = pool.count()
        assert tuple(count) == CELL_STATES
        return tuple(count.values())

    states = {"before": counted()}
    starting = asyncio.create_task(pool.start())
    await asyncio.sleep(0)
    states["starting"] = counted()
    await starting
    states["started"] = counted()
    async with pool.cell(urgent=False):
        states["one at work"] = counted()
        maker.broken = True
        maker.destroying.clear()
        maker.made[0].lost.set()
        await settle()
        states["that one is lost"] = counted()
    maker.destroying.set()
    await settle()
    states["it is gone"] = counted()
    await pool.stop()
    await settle()
    states["stopped"] = counted()
    assert states == {  # idle, busy, making, destroying
        "before": (0, 0, 0, 0),
        "starting": (0, 0, 2, 0),
        "started": (2, 0, 0, 0),
        "one at work": (1, 1, 0, 0),
        "that one is lost": (1, 0, 1, 1),
        "it is gone": (1, 0, 1, 0),
        "stopped": (0, 0, 0, 0),
    }


async def test_why_a_cell_goes_is_told_once_for_each() -> None:
    maker, reasons = Maker(), list[str]()
    pool = CellPool(maker, 2, on_give_up=reasons.append)
    await pool.start()
    async with pool.cell(urgent=False):
        maker.made[0].lost.set()
        await settle()
    maker.made[1].dirty = True
    maker.made[1].lost.set()
    await settle()
    assert reasons == ["lost", "dirty"]
    await pool.stop()
    assert reasons == ["lost", "dirty", "stopped", "stopped"]


@pytest.mark.parametrize("lost", [False, True])
async def test_a_fresh_cell_goes_because_it_was_used_unless_it_is_lost_first(lost: bool) -> None:
    maker, reasons = Maker(), list[str]()
    pool = CellPool(maker, 1, fresh=True, on_give_up=reasons.append)
    await pool.start()
    async with pool.cell(urgent=False):
        if lost:
            maker.made[0].lost.set()
            await settle()
    await settle()
    assert reasons == ["lost" if lost else "used"]
    await pool.stop()
    assert set(reasons) <= set(DESTROYED)
