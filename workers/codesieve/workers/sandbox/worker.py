"""The sandbox worker: programs in, judgements out.

A program takes a slot of any live cell. Where the cell is lost under it, it is judged again elsewhere; only when that has
happened three times does it end without a verdict. The worker proves its sandbox when it starts.
"""

from __future__ import annotations

import asyncio

from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.sandbox.backend import Backend, CellSpec
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.judge import judge
from codesieve.workers.sandbox.pool import CellPool
from codesieve.workers.sandbox.probes import PROBES, Probe
from codesieve.workers.types import Judgement, Limits, Program, WorkerInfo
from codesieve.workers.worker import TaskWorker

RETRIES = 2
QUEUED_PER_SLOT = 8
"""Programs worth having here for each slot: a slot must not wait for the next batch to come over."""
MEMORY_PER_SLOT = Limits().memory_bytes
MEMORY_OF_AGENT = 128 * 2**20
SCRATCH_PER_SLOT = 32 * 2**20


class SandboxWorker(TaskWorker[Program, Judgement]):
    """Judges programs in cells of one backend. Implements `Worker[Program, Judgement]`."""

    def __init__(self, backend: Backend, cells: int, slots_per_cell: int) -> None:
        super().__init__(self._judge)
        self._backend = backend
        self._slots = cells * slots_per_cell
        spec = CellSpec(
            slots=slots_per_cell,
            memory_bytes=slots_per_cell * MEMORY_PER_SLOT + MEMORY_OF_AGENT,
            scratch_bytes=slots_per_cell * SCRATCH_PER_SLOT,
        )
        self._pool = CellPool(lambda: backend.make_cell(spec), cells)

    async def start(self) -> WorkerInfo:
        """Makes the cells and proves the sandbox. Raises SandboxUnavailable that names what doesn't hold."""
        try:
            made_of = await self._backend.start()
            cells = await self._pool.start()
            await prove(cells[0])
        except BaseException:
            await self.stop()
            raise
        details = [made_of, f"Python {cells[0].python_version} in the cell", cells[0].notes]
        return WorkerInfo(
            kind=self._backend.name,
            capacity=self._slots * QUEUED_PER_SLOT,
            detail="; ".join(detail for detail in details if detail),
        )

    async def stop(self) -> None:
        await self.stop_tasks()
        await self._pool.stop()
        await self._backend.stop()

    async def _judge(self, program: Program) -> Judgement:
        attempt = 0
        while True:
            async with self._pool.slot() as cell:
                try:
                    return judge(program, await cell.run(program))
                except CellLost:
                    if attempt == RETRIES:
                        raise
            attempt += 1


async def prove(cell: Cell) -> None:
    """Runs the probes in `cell`. Raises SandboxUnavailable that names every limit that doesn't hold."""

    async def run(probe: Probe) -> str:
        try:
            judgement = judge(probe.program(), await cell.run(probe.program()))
        except CellLost as error:
            return f"{probe.name} ({error.message})"
        if judgement.verdict is probe.verdict:
            return ""
        return f"{probe.name} ({judgement.verdict}, {judgement.detail or 'no detail'}; expected {probe.verdict})"

    broken = [line for line in await asyncio.gather(*map(run, PROBES)) if line]
    if broken:
        raise SandboxUnavailable(f"this sandbox doesn't hold, so it takes no work: {'; '.join(broken)}")
