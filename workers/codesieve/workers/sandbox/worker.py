"""The sandbox worker: programs in, judgements out.

A program takes any free cell, an urgent one the next that is free. Where the cell is lost under it, it is judged again
elsewhere; only when that has happened three times does it end without a verdict. A timeout for which the machine's load
could be to blame is judged once more, with no other program running. The worker proves its sandbox when it starts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.origin import CellOrigin
from codesieve.workers.sandbox.backend import Backend, CellSpec
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.judge import (
    CannotSplit,
    CaseResult,
    JudgeDied,
    Seen,
    decide_case,
    died_of_it,
    judge,
    judge_case,
    judge_stdio,
)
from codesieve.workers.sandbox.metrics import SandboxMetrics
from codesieve.workers.sandbox.phases import Phases, Stopwatch
from codesieve.workers.sandbox.plans import checker_payload, prepare, prepare_together, program_of
from codesieve.workers.sandbox.pool import CellPool
from codesieve.workers.sandbox.probes import PROBES, Probe
from codesieve.workers.sandbox.version import judge_version
from codesieve.workers.types import Integrity, Judgement, Limits, Program, StdioTests, Verdict, WorkerInfo
from codesieve.workers.worker import TaskWorker

if TYPE_CHECKING:
    from codesieve.workers.tracing import Span, Tracing

log = logging.getLogger(__name__)

RETRIES = 2
PROOFS = 3
"""Cells in which the sandbox may try to prove itself."""
QUEUED_PER_CELL = 16
"""Programs worth having here for each cell: a cell must not wait for the next batch to come over."""
SPEC = CellSpec(memory_bytes=Limits().memory_bytes + 256 * 2**20, scratch_bytes=64 * 2**20)
OVERTIME = 1.2
"""How much of its CPU time limit a program is given while others run, which make its CPU slower (shared caches). One that
ends between once and this much is judged again alone; one that doesn't would not have ended in time alone either."""
OVERTIME_SHARED_CORE = 1.6
"""The same where two hardware threads share a core, each of which then gets little more than half of it."""
SMT = Path("/sys/devices/system/cpu/smt/active")
BLAMED_ON_LOAD = 0.1
"""A wall time limit is judged again alone if the program waited for a CPU for more than this part of it."""
UNTRACED = nullcontext()

LARGE_OUTPUT = 64 * 1024
"""From here on comparing goes to a thread: it could hold up every other cell's answers."""


def overtime() -> float:
    """What holds on this machine; the cautious one where it doesn't say."""
    return OVERTIME if SMT.exists() and SMT.read_text().strip() == "0" else OVERTIME_SHARED_CORE


class Alone:
    """Lets many run at a time, or one alone. Ending takes no wait, so that no cancellation can come between."""

    def __init__(self) -> None:
        self._running = 0
        self._wanted = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        await self._until(lambda: not self._wanted)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._changed.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        self._wanted += 1
        try:
            await self._until(lambda: not self._running)
            self._running += 1
            try:
                yield
            finally:
                self._running -= 1
        finally:
            self._wanted -= 1
            self._changed.set()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.clear()
            await self._changed.wait()  # all who wait are woken, also where one of them clears it again


class SandboxWorker(TaskWorker[Program, Judgement]):
    """Judges programs in cells of one backend. Implements `Worker[Program, Judgement]`."""

    def __init__(
        self,
        backend: Backend,
        cells: int,
        *,
        fresh: bool = False,
        measured: bool = True,
        tracing: Tracing | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fresh`: a new cell for each program, instead of a fork in a warm one. `measured`: keeps `SandboxMetrics`.

        `tracing` makes spans; None for none.
        """
        super().__init__(self._judge)
        self._tracing = tracing
        self._backend = backend
        self._cells = cells
        self._fresh = fresh
        self._now = now
        self._metrics = SandboxMetrics(CollectorRegistry()) if measured else None
        on_give_up = self._metrics.destroyed if self._metrics else None
        self._pool = CellPool(lambda: backend.make_cell(SPEC), cells, fresh, on_give_up)
        if self._metrics is not None:
            self._metrics.watch_cells(self._pool.count)
        self._order = Alone()
        self._overtime = OVERTIME_SHARED_CORE

    async def start(self) -> WorkerInfo:
        """Makes the cells and proves the sandbox. Raises SandboxUnavailable that names what doesn't hold."""
        try:
            self._overtime = overtime()
            made_of = await self._backend.start()
            cells = await self._pool.start()
            await self._prove()
        except BaseException:
            await self.stop()
            raise
        details = [made_of.line, f"Python {cells[0].python_version} in the cell", cells[0].notes]
        origin = CellOrigin(
            await asyncio.to_thread(judge_version),
            made_of.image,
            made_of.image_digest,
            cells[0].python_version,
            made_of.runtime,
            "container" if self._fresh else "fork",
        )
        return WorkerInfo(
            kind=self._backend.name,
            capacity=self._cells * QUEUED_PER_CELL,
            detail="; ".join(detail for detail in details if detail),
            origin=origin,
        )

    async def _prove(self) -> None:
        """A cell that is lost meanwhile proves nothing: on a very busy machine tests run out of time."""
        for left in reversed(range(PROOFS)):
            try:
                async with self._pool.cell(urgent=False) as cell:
                    await prove(cell)
                return
            except CellLost as error:
                if not left:
                    text = (
                        f"this sandbox loses its cells while its limits are tried, so it takes no work: {error.message}"
                    )
                    raise SandboxUnavailable(text) from error
                log.warning("a cell was lost while its limits were tried", extra={"error": error.message})

    async def stop(self) -> None:
        await self.stop_tasks()
        await self._pool.stop()
        await self._backend.stop()
        if self._tracing is not None:
            await self._tracing.stop()

    async def metrics(self) -> bytes:
        """What this process has to say, in Prometheus' text format 0.0.4; nothing where it isn't measured."""
        return self._metrics.exposition() if self._metrics is not None else b""

    async def _judge(self, program: Program) -> Judgement:
        stopwatch = Stopwatch(self._now)
        with self._span("program", program) as span:
            below = program if span is None else dataclasses.replace(program, trace=span.trace)
            judgement = await self._until_judged(below, stopwatch)
            self._observe(judgement, stopwatch.phases(), span)
            return judgement

    def _span(self, name: str, program: Program) -> AbstractContextManager[Span | None]:
        """A span below the program's, which isn't there for one that isn't traced."""
        if self._tracing is None or not program.trace:
            return UNTRACED
        return self._tracing.span(name, program.trace)

    def _observe(self, judgement: Judgement, phases: Phases, span: Span | None) -> None:
        """The one place that knows of each program where its time went."""
        if self._metrics is not None:
            self._metrics.judged(judgement, phases)
        if span is not None:
            span.outcome(judgement)
            span.tell(**dataclasses.asdict(phases))

    async def _until_judged(self, program: Program, stopwatch: Stopwatch) -> Judgement:
        attempt = died = 0
        while True:
            try:
                return await self._attempt(program, stopwatch)
            except CellLost as error:
                died += isinstance(error, JudgeDied)
                if died > RETRIES:
                    return died_of_it(program)
                if attempt == RETRIES:
                    raise
            attempt += 1
            self._note_retry("cell_lost")

    async def _attempt(self, program: Program, stopwatch: Stopwatch) -> Judgement:
        busy = len(self._tasks) > 1
        async with self._cell(program, self._order.together(), stopwatch) as cell:
            run = Run(cell, program, self._overtime if busy else 1.0, stopwatch)
            judgement = await run.judge()
        if not (busy and run.blames_load):
            return judgement
        self._note_retry("alone")
        async with self._cell(program, self._order.alone(), stopwatch) as cell:
            return await Run(cell, program, 1.0, stopwatch).judge()

    @asynccontextmanager
    async def _cell(
        self, program: Program, order: AbstractAsyncContextManager[None], stopwatch: Stopwatch
    ) -> AsyncIterator[Cell]:
        """A cell, once it is this program's turn."""
        asked = self._now()
        async with self._pool.cell(program.urgent) as cell, order:
            stopwatch.waited(since=asked)
            if self._metrics is not None:
                cell.on_end = self._metrics.ended
            with self._span("cell", program):
                yield cell

    def _note_retry(self, reason: str) -> None:
        if self._metrics is not None:
            self._metrics.judged_again(reason)


class Run:
    """One go at a program in one cell."""

    def __init__(self, cell: Cell, program: Program, leniency: float, stopwatch: Stopwatch | None = None) -> None:
        self._cell = cell
        self._program = program
        self._stopwatch = stopwatch
        limits = program.limits
        self._given = dataclasses.replace(limits, cpu_time_seconds=limits.cpu_time_seconds * leniency)
        self._source = program_of(program.problem, program.completion)
        self.blames_load = False
        """Whether a timeout might not have been one with nothing else running."""

    async def judge(self) -> Judgement:
        """Raises CellLost, and TestsBroken."""
        problem = self._program.problem
        if isinstance(problem.tests, StdioTests):
            return await self._judge_cases(problem.tests)
        plan = prepare(problem)
        seen = await self._run(plan.mode, plan.payload)
        try:
            split = Integrity.SPLIT if plan.mode == frames.SPLIT else Integrity.SHARED
            return judge(self._program, plan, seen, split)
        except CannotSplit:
            return await self.judge_together()

    async def judge_together(self) -> Judgement:
        """Function tests or assertions in the program's own process."""
        plan = prepare_together(self._program.problem)
        seen = await self._run(plan.mode, plan.payload)
        return judge(self._program, plan, seen, Integrity.SHARED)

    async def _judge_cases(self, tests: StdioTests) -> Judgement:
        """One after the other, up to the first that doesn't pass."""
        limits = self._program.limits
        runs: list[CaseResult] = []
        for case in tests.cases:
            seen = await self._run(frames.STDIO, b"", case.stdin)
            checked = None
            if tests.checker and decide_case(seen, limits)[0] is Verdict.PASSED:
                payload = checker_payload(tests, case.stdin, seen.stdout, case.stdout)
                checked = await self._run(frames.CHECKER, payload)
            if len(seen.stdout) > LARGE_OUTPUT:
                runs.append(await asyncio.to_thread(judge_case, tests, case, seen, checked, limits))
            else:
                runs.append(judge_case(tests, case, seen, checked, limits))
            if runs[-1].verdict is not Verdict.PASSED:
                break
        return judge_stdio(self._program, tests, runs)

    async def _run(self, mode: int, payload: bytes, stdin: bytes = b"") -> Seen:
        seen = await self._cell.run(mode, self._source, payload, self._given, owner=self._program.owner, stdin=stdin)
        if self._stopwatch is not None:
            self._stopwatch.ran(seen)
        limits = self._program.limits
        if seen.end == frames.WALL_LIMIT:
            self.blames_load = seen.waited_seconds > BLAMED_ON_LOAD * limits.wall_time_seconds
        elif seen.end == frames.JUDGE_CPU_LIMIT:
            self.blames_load = True
        elif seen.end != frames.CPU_LIMIT:
            self.blames_load = seen.cpu_seconds >= limits.cpu_time_seconds
        return seen


async def prove(cell: Cell) -> None:
    """Runs the probes in `cell`. Raises SandboxUnavailable that names every limit that doesn't hold, or CellLost."""

    async def run(probe: Probe) -> str:
        try:
            judgement = await Run(cell, probe.program(), 1.0).judge()
        except CellLost as error:
            raise CellLost(f"{probe.name}: {error.message}") from error
        if judgement.verdict in (probe.verdict, probe.also):
            return ""
        return f"{probe.name} ({judgement.verdict}, {judgement.detail or 'no detail'}; expected {probe.verdict})"

    broken = [line for line in [await run(probe) for probe in PROBES] if line]
    if broken:
        raise SandboxUnavailable(f"this sandbox doesn't hold, so it takes no work: {'; '.join(broken)}")
