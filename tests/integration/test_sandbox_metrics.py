"""What a sandbox worker counts of real programs in real cells, on both backends: phases, leaks, cells and retries."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.agents import agents_of, make_file

from codesieve.workers import catalogue
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import (
    FunctionTests,
    Judgement,
    Limits,
    Problem,
    Program,
    StdioCase,
    StdioTests,
    Verdict,
    WorkFailed,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

Judged = Callable[[Program], Awaitable[Judgement]]
RunAll = Callable[[Sequence[Program]], Awaitable[dict[str, Judgement | WorkFailed]]]
Values = dict[str, float]
LIMITS = Limits(cpu_time_seconds=5, wall_time_seconds=30)
NO_TESTS = FunctionTests("def check(candidate): pass")
SLEEP = 0.3


def program(
    source: str, *, tests: FunctionTests | StdioTests = NO_TESTS, work_id: str = "w", **limits: float
) -> Program:
    problem = Problem("p", "", "", tests)
    if isinstance(tests, FunctionTests):
        problem = dataclasses.replace(problem, entry_point="None")
    given = dataclasses.replace(LIMITS, **limits)  # type: ignore[arg-type]
    return Program(work_id, problem, source.encode(), given)


async def metrics(worker: SandboxWorker) -> Values:
    """By name without our prefix, and the one label's value."""
    found = {}
    for family in text_string_to_metric_families((await worker.metrics()).decode()):
        for sample in family.samples:
            if sample.name.startswith(catalogue.PREFIX) and not sample.name.endswith("_created"):
                found[" ".join([sample.name.removeprefix(catalogue.PREFIX), *sample.labels.values()])] = sample.value
    return found


async def since(worker: SandboxWorker, before: Values) -> Values:
    """By how much they have grown."""
    return {name: value - before[name] for name, value in (await metrics(worker)).items()}


def phases(grown: Values) -> list[float]:
    return [grown[f"judge_phase_duration_seconds_sum {phase}"] for phase in catalogue.PHASES]


def leaks(grown: Values) -> set[str]:
    """The kinds; each was seen once."""
    found = {kind: grown[f"cell_leaks_total {kind}"] for kind in catalogue.LEAKS}
    assert set(found.values()) <= {0, 1}, found
    return {kind for kind, count in found.items() if count}


def cells(now: Values) -> Values:
    return {state: now[f"cells {state}"] for state in catalogue.CELL_STATES}


def destroyed(now: Values) -> Values:
    return {reason: now[f"cells_destroyed_total {reason}"] for reason in catalogue.DESTROYED}


@asynccontextmanager
async def started(backend_name: str, runtime_dir: Path, *, fresh: bool = False) -> AsyncIterator[SandboxWorker]:
    """A worker with one cell, which the test may do with as it likes."""
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1, fresh=fresh)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def outcome(worker: SandboxWorker, piece: Program) -> Judgement:
    await worker.submit([piece])
    async with asyncio.timeout(60):
        (result,) = await worker.collect(60)
    assert isinstance(result, Judgement), result
    return result


async def another_is_made(worker: SandboxWorker) -> None:
    async with asyncio.timeout(30):
        while not (await metrics(worker))["cells idle"]:  # noqa: ASYNC110  (a cell sets no event for us)
            await asyncio.sleep(0.05)


async def test_proving_the_sandbox_counts_as_no_program(backend_name: str, runtime_dir: Path) -> None:
    async with started(backend_name, runtime_dir) as worker:
        found = await metrics(worker)
    assert {name: value for name, value in found.items() if value and not name.startswith("build_info")} == {
        "cells idle": 1
    }


SLEEPING = f"import time\ntime.sleep({SLEEP})\nprint(1)"
CASES = StdioTests(tuple(StdioCase(b"", b"1\n") for _ in range(3)))
CALLBACK = FunctionTests("def check(candidate):\n    assert candidate(len) == 3\n")


@pytest.mark.parametrize(
    ("piece", "runs"),
    [
        (program(SLEEPING), 1),
        (program(SLEEPING, tests=CASES), 3),
        (program(SLEEPING + "\n1 / 0"), 1),
        (program("import time\ntime.sleep(60)", wall_time_seconds=SLEEP), 1),
        (dataclasses.replace(
            program(f"import time\ntime.sleep({SLEEP})\ndef f(g): return g('abc')", tests=CALLBACK),
            problem=Problem("p", "", "f", CALLBACK)), 1),
    ],
    ids=["tests apart", "three cases", "raises", "is stopped", "a second time with its tests"],
)  # fmt: skip
async def test_a_programs_phases_are_within_its_time_and_its_sleep_is_in_run(
    worker: SandboxWorker, judged: Judged, piece: Program, runs: int
) -> None:
    before = await metrics(worker)
    began = time.monotonic()
    await judged(piece)
    took = time.monotonic() - began
    grown = await since(worker, before)
    assert {grown[f"judge_phase_duration_seconds_count {phase}"] for phase in catalogue.PHASES} == {1}
    wait, fork, run, compare = phases(grown)
    assert min(wait, fork, run, compare) >= 0
    assert fork > 0
    assert compare > 0
    assert fork + run >= SLEEP * runs
    assert run >= SLEEP * runs / 2  # on a busy machine it sleeps for a while before the judge comes to see it ready
    assert wait + fork + run + compare <= took


async def test_a_program_waits_for_the_one_before_it(worker: SandboxWorker, run_all: RunAll) -> None:
    before = await metrics(worker)
    await run_all([program(SLEEPING, work_id="first"), program("pass", work_id="second")])
    wait, fork, run, _ = phases(await since(worker, before))
    assert wait >= SLEEP
    assert fork + run >= SLEEP


CHILD = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)\n"


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("pass", set()),
        ("open('file', 'w').close()\nimport os\nos.unlink('file')", set()),
        ("import os\nif os.fork(): os.wait()\nelse: os._exit(0)", set()),
        (
            "import os\nif not os.fork(): os._exit(0)\nos.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)",
            set(),
        ),  # a zombie
        ("open('file', 'w').close()", {"files"}),
        ("open('/tmp/file', 'w').close()", {"files"}),
        ("open('/dev/shm/segment', 'w').close()", {"ipc"}),
        (CHILD, {"processes"}),
        (CHILD + "raise SystemExit", {"processes"}),
        (CHILD + "1 / 0", {"processes"}),
        (CHILD + "open('/tmp/file', 'w').close()\nopen('/dev/shm/segment', 'w').close()", set(catalogue.LEAKS)),
    ],
)
async def test_what_a_program_leaves_is_a_leak_of_its_kind(
    worker: SandboxWorker, judged: Judged, source: str, kinds: set[str]
) -> None:
    before = await metrics(worker)
    await judged(program(source))
    grown = await since(worker, before)
    assert leaks(grown) == kinds
    assert grown["cell_resets_total"] == 1


async def test_what_is_stopped_with_its_children_leaves_nothing(worker: SandboxWorker, judged: Judged) -> None:
    before = await metrics(worker)
    judgement = await judged(program(CHILD + "while True: pass", cpu_time_seconds=0.3))
    assert judgement.verdict is Verdict.TIMED_OUT
    assert leaks(await since(worker, before)) == set()


async def test_what_a_cancelled_program_leaves_is_counted_too(worker: SandboxWorker) -> None:
    before = await metrics(worker)
    await worker.submit([program("import time\nopen('/tmp/file', 'w').close()\ntime.sleep(25)")])
    await asyncio.sleep(0.3)
    await worker.cancel(["w"])
    async with asyncio.timeout(20):
        (result,) = await worker.collect(20)
    assert isinstance(result, WorkFailed)
    grown = await since(worker, before)
    assert leaks(grown) == {"files"}
    assert grown["cell_resets_total"] == 1
    assert grown["judge_phase_duration_seconds_count run"] == 0


TAMPERING = """
import os, time
for fd in range(3, 256):
    try:
        os.write(fd, b'\\xff' * 64)
    except OSError:
        pass
time.sleep(20)
"""


async def test_a_program_that_reaches_for_the_judge_counts_once(worker: SandboxWorker, judged: Judged) -> None:
    before = await metrics(worker)
    assert (await judged(program("pass"))).verdict is Verdict.PASSED
    assert (await judged(program(TAMPERING))).verdict is Verdict.TAMPERED
    assert (await since(worker, before))["tamper_attempts_total"] == 1


async def test_cells_by_state_over_a_programs_life(worker: SandboxWorker) -> None:
    nothing = dict.fromkeys(catalogue.CELL_STATES, 0.0)
    assert cells(await metrics(worker)) == nothing | {"idle": 1}
    await worker.submit([program("import time\ntime.sleep(1)")])
    await asyncio.sleep(0.1)
    assert cells(await metrics(worker)) == nothing | {"busy": 1}
    async with asyncio.timeout(30):
        await worker.collect(30)
    assert cells(await metrics(worker)) == nothing | {"idle": 1}


async def test_a_killed_agent_is_a_lost_cell_and_a_retry(backend_name: str, runtime_dir: Path) -> None:
    before = agents_of(runtime_dir)
    async with started(backend_name, runtime_dir) as worker:
        (agent_pid,) = agents_of(runtime_dir) - before
        running = asyncio.create_task(outcome(worker, program("import time\ntime.sleep(1)")))
        await asyncio.sleep(0.4)
        os.kill(agent_pid, signal.SIGKILL)
        assert (await running).verdict is Verdict.PASSED
        found = await metrics(worker)
    assert destroyed(found) == dict.fromkeys(catalogue.DESTROYED, 0.0) | {"lost": 1}
    assert (found["program_retries_total cell_lost"], found["program_retries_total alone"]) == (1, 0)
    assert (found["cell_resets_total"], found["judge_phase_duration_seconds_count run"]) == (1, 1)


async def test_a_cell_that_cannot_be_proved_clean_is_destroyed_as_dirty(backend_name: str, runtime_dir: Path) -> None:
    before = agents_of(runtime_dir)
    async with started(backend_name, runtime_dir) as worker:
        (agent_pid,) = agents_of(runtime_dir) - before
        make_file(agent_pid, "/tmp", "alien")
        assert (await outcome(worker, program("pass"))).verdict is Verdict.PASSED
        await another_is_made(worker)
        found = await metrics(worker)
    assert destroyed(found) == dict.fromkeys(catalogue.DESTROYED, 0.0) | {"dirty": 1}
    assert (found["cell_resets_total"], found["program_retries_total cell_lost"]) == (0, 0)


async def test_a_fresh_cell_is_destroyed_because_it_was_used(backend_name: str, runtime_dir: Path) -> None:
    async with started(backend_name, runtime_dir, fresh=True) as worker:
        used = destroyed(await metrics(worker))["used"]  # the one in which the sandbox was proved
        assert (await outcome(worker, program("pass"))).verdict is Verdict.PASSED
        found = await metrics(worker)
        assert destroyed(found) == dict.fromkeys(catalogue.DESTROYED, 0.0) | {"used": used + 1}
        assert found["cell_resets_total"] == 1
        await another_is_made(worker)
    assert destroyed(await metrics(worker))["stopped"] >= 1
