"""What a sandbox worker counts, with cells that are made of nothing and a clock that stands still unless it is moved."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from tests.fake_cells import FakeBackend, FakeCell

from codesieve.workers import catalogue
from codesieve.workers.errors import CellLost
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.inside import cleaning, frames
from codesieve.workers.sandbox.inside.judge import Order, times
from codesieve.workers.sandbox.judge import JudgeDied, Seen
from codesieve.workers.sandbox.metrics import LEFT, RETRIES, SandboxMetrics
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import (
    AssertionTests,
    FunctionTests,
    Limits,
    Problem,
    Program,
    StdioCase,
    StdioTests,
)

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(cpu_time_seconds=2.0, wall_time_seconds=10.0)
PROGRAM = Program("w", Problem("p", "", "f", FunctionTests("def check(f): assert f(1)")), b"", LIMITS, "owner")
WHOLE, FORK, RUN = 1.0, 0.25, 0.5
"""Seconds that a program is in its cell by the host's clock, and what the cell tells of them."""


def seen(kind: int = frames.PASSED, message: str = "", **changes: float) -> Seen:
    report = frames.encode(kind, "", message, -1)
    one = Seen(frames.EXIT, 0, RUN, 0.1, 2**20, 0.0, b"", b"", report, fork_seconds=FORK, run_seconds=RUN)
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TimedCell(FakeCell):
    """Each run takes `WHOLE`."""

    def __init__(self, clock: Clock, *outcomes: Seen | Exception) -> None:
        super().__init__(*outcomes)
        self.clock = clock

    async def run(self, *arguments: Any, **options: Any) -> Seen:
        await asyncio.sleep(0)  # the others come to wait
        self.clock.now += WHOLE
        return await super().run(*arguments, **options)


Values = dict[str, float]


def values(text: bytes) -> Values:
    """What was exposed, by its name without our prefix and its one label's value."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name.startswith(catalogue.PREFIX):
                found[" ".join([sample.name.removeprefix(catalogue.PREFIX), *sample.labels.values()])] = sample.value
    return found


def phases(found: Values) -> list[float]:
    return [found[f"judge_phase_duration_seconds_sum {phase}"] for phase in catalogue.PHASES]


def counts(found: Values) -> set[float]:
    return {found[f"judge_phase_duration_seconds_count {phase}"] for phase in catalogue.PHASES}


async def judged(
    *outcomes: Seen | Exception, programs: tuple[Program, ...] = (PROGRAM,), measured: bool = True, busy: bool = False
) -> bytes:
    """What a worker with one cell tells of its metrics once these programs were judged there."""
    clock = Clock()
    backend = FakeBackend(TimedCell(clock, *outcomes))
    worker = SandboxWorker(backend, 1, measured=measured, now=clock)  # type: ignore[arg-type]
    await worker._pool.start()
    if busy:  # more work than one program
        worker._tasks["other"] = asyncio.create_task(asyncio.sleep(60))  # type: ignore[arg-type]
    await worker.submit(programs)
    finished = 0
    while finished < len(programs):
        finished += len(await worker.collect(5))
    text = await worker.metrics()
    await worker.stop()
    return text


async def test_a_programs_phases_add_up_to_its_time() -> None:
    found = values(await judged(seen()))
    assert phases(found) == [0.0, FORK, RUN, WHOLE - FORK - RUN]
    assert counts(found) == {1}


async def test_who_waits_for_a_cell_waits_for_as_long_as_the_others_take() -> None:
    programs = tuple(dataclasses.replace(PROGRAM, work_id=str(number)) for number in range(3))
    found = values(await judged(seen(), seen(), seen(), programs=programs))
    assert phases(found) == [WHOLE + 2 * WHOLE, 3 * FORK, 3 * RUN, 3 * (WHOLE - FORK - RUN)]
    assert counts(found) == {3}


async def test_the_runs_of_a_programs_cases_are_summed() -> None:
    tests = StdioTests((StdioCase(b"", b""), StdioCase(b"", b"")))
    program = dataclasses.replace(PROGRAM, problem=Problem("p", "", "", tests))
    found = values(await judged(seen(), seen(), programs=(program,)))
    assert phases(found) == [0.0, 2 * FORK, 2 * RUN, 2 * (WHOLE - FORK - RUN)]
    assert counts(found) == {1}


async def test_a_program_that_is_judged_again_counts_once_with_all_its_time() -> None:
    found = values(await judged(CellLost("gone"), seen()))
    assert phases(found) == [0.0, FORK, RUN, 2 * WHOLE - FORK - RUN]
    assert counts(found) == {1}
    assert (found["program_retries_total cell_lost"], found["program_retries_total alone"]) == (1, 0)


async def test_one_that_is_judged_alone_is_a_retry_of_its_kind() -> None:
    found = values(await judged(seen(end=frames.JUDGE_CPU_LIMIT), seen(), busy=True))
    assert phases(found) == [0.0, 2 * FORK, 2 * RUN, 2 * (WHOLE - FORK - RUN)]
    assert (found["program_retries_total cell_lost"], found["program_retries_total alone"]) == (0, 1)


async def test_one_that_gets_no_verdict_has_no_phases_but_its_retries_count() -> None:
    found = values(await judged(*[CellLost("gone")] * 3))
    assert counts(found) == {0}
    assert found["program_retries_total cell_lost"] == 2


async def test_one_that_ends_its_judge_each_time_has_its_verdict_and_its_phases() -> None:
    found = values(await judged(*[JudgeDied("dead")] * 3))
    assert counts(found) == {1}
    assert phases(found) == [0.0, 0.0, 0.0, 3 * WHOLE]


async def test_a_program_that_tampers_counts_once_however_often_it_runs() -> None:
    for honest in (frames.PASSED, frames.ASSERTION, frames.RAISED):
        assert values(await judged(seen(honest)))["tamper_attempts_total"] == 0
    cannot, forged = seen(frames.CANNOT_SPLIT, "a function"), seen(frames.FORGED)
    program = dataclasses.replace(PROGRAM, problem=Problem("p", "", "", AssertionTests(("assert f(1)",))))
    assert values(await judged(CellLost("gone"), cannot, forged, programs=(program,)))["tamper_attempts_total"] == 1


async def test_a_worker_that_is_not_measured_tells_nothing() -> None:
    assert await judged(seen(), measured=False) == b""


async def test_every_kind_is_there_before_the_first_of_it() -> None:
    found = values(SandboxMetrics(CollectorRegistry()).exposition())
    for described, labels in (
        (catalogue.CELLS_DESTROYED, catalogue.DESTROYED),
        (catalogue.CELL_LEAKS, catalogue.LEAKS),
        (catalogue.PROGRAM_RETRIES, RETRIES),
    ):
        name = described.name.removeprefix(catalogue.PREFIX)
        assert {label: found.get(f"{name} {label}") for label in labels} == dict.fromkeys(labels, 0.0)
    assert counts(found) == {0}
    assert [value for name, value in found.items() if name.startswith("build_info sandbox ")] == [1]


def test_what_a_program_left_counts_by_kind_and_each_clean_cell_as_a_reset() -> None:
    metrics = SandboxMetrics(CollectorRegistry())
    assert tuple(LEFT) == catalogue.LEAKS
    metrics.ended(seen(), True)
    metrics.ended(seen(left=frames.LEFT_FILES | frames.LEFT_IPC), True)
    metrics.ended(seen(left=frames.LEFT_FILES | frames.LEFT_PROCESSES), False)
    found = values(metrics.exposition())
    assert [found[f"cell_leaks_total {kind}"] for kind in ("files", "processes", "ipc")] == [2, 1, 1]
    assert found["cell_resets_total"] == 2


# -- what a cell tells --


Ended = list[tuple[int, bool]]


async def cell_and_agent() -> tuple[Cell, socket.socket, Ended]:
    """A cell at this end of a socket, the other end, and what the cell tells of the ends of programs."""

    async def tear_down() -> None:
        pass

    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    theirs.sendall(frames.encode(frames.HELLO, frames.PROTOCOL, "3.12.0", ""))
    cell = await Cell.connect(ours, "a cell", tear_down)
    ended: Ended = []
    cell.on_end = lambda seen, clean: ended.append((seen.left, clean))
    return cell, theirs, ended


def done(number: int, left: int, dirty: str) -> bytes:
    return frames.encode(
        frames.DONE, number, frames.EXIT, 0, 0.2, 0.1, 2**20, 0.0, b"", b"", b"", FORK, RUN, left, dirty
    )


@pytest.mark.parametrize("dirty", ["", "a file of user 7 lies in /tmp"])
async def test_a_cell_tells_of_each_program_that_ended_and_whether_it_is_clean(dirty: str) -> None:
    cell, agent, ended = await cell_and_agent()
    running = asyncio.create_task(cell.run(frames.SPLIT, b"", b"", LIMITS, owner="owner"))
    await asyncio.get_running_loop().sock_recv(agent, 4096)
    agent.sendall(done(1, frames.LEFT_FILES, dirty))
    outcome = await running
    assert (outcome.fork_seconds, outcome.run_seconds, outcome.left) == (FORK, RUN, frames.LEFT_FILES)
    assert ended == [(frames.LEFT_FILES, not dirty)]
    assert (cell.lost.is_set(), cell.dirty) == (bool(dirty), bool(dirty))
    await cell.destroy()
    agent.close()


async def test_a_cell_tells_of_a_cancelled_program_too() -> None:
    cell, agent, ended = await cell_and_agent()
    running = asyncio.create_task(cell.run(frames.SPLIT, b"", b"", LIMITS, owner="owner"))
    await asyncio.get_running_loop().sock_recv(agent, 4096)
    running.cancel()
    await asyncio.get_running_loop().sock_recv(agent, 4096)
    agent.sendall(done(1, frames.LEFT_IPC, ""))
    await asyncio.wait([running])
    assert running.cancelled()
    assert ended == [(frames.LEFT_IPC, True)]
    await cell.destroy()
    agent.close()


@pytest.mark.parametrize(("reason", "dirty"), [("Dirty", True), ("JudgeDied", False), ("OSError", False)])
async def test_a_cell_that_gives_up_says_whether_it_is_dirty(reason: str, dirty: bool) -> None:
    cell, agent, ended = await cell_and_agent()
    agent.sendall(frames.encode(frames.DIRTY, reason, "why"))
    async with asyncio.timeout(5):
        await cell.lost.wait()
    assert (cell.dirty, ended) == (dirty, [])
    await cell.destroy()
    agent.close()


# -- what the inside tells --


def order(mode: int) -> Order:
    one = Order((frames.RUN, 1, mode, 1.0, 1.0, 1, 1, 1, 1, b"", b"", frames.encode(1)))
    one.came_at = 10.0
    return one


@pytest.mark.parametrize(
    ("mode", "ready_at", "ended_at", "told"),
    [
        (frames.SPLIT, 10.5, 12.0, (0.5, 1.5)),
        (frames.STDIO, 12.5, 12.0, (2.0, 0.0)),  # it had ended before the judge came to see it ready
        (frames.SPLIT, 0.0, 12.0, (2.0, 0.0)),  # it never was ready
        (frames.CHECKER, 0.0, 12.0, (0.0, 0.0)),  # there was none
    ],
)
def test_fork_and_run_are_told_by_what_the_judge_and_the_agent_saw(
    mode: int, ready_at: float, ended_at: float, told: tuple[float, float]
) -> None:
    assert times(order(mode), ready_at, ended_at) == told


def test_what_is_left_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, shared = tmp_path / "tmp", tmp_path / "shm"
    monkeypatch.setattr(cleaning, "POSIX_IPC", (str(shared),))
    files.mkdir()
    shared.mkdir()
    places, ours = (str(files), str(shared)), (files.stat().st_uid,)
    assert cleaning.find_leftovers(str(files / "scratch"), places, ours) == (set(), 0)
    (shared / "segment").touch()
    assert cleaning.find_leftovers(str(files / "scratch"), places, ours) == (set(ours), frames.LEFT_IPC)
    (files / "file").touch()
    assert cleaning.find_leftovers(str(files / "scratch"), places, ours)[1] == frames.LEFT_IPC | frames.LEFT_FILES
