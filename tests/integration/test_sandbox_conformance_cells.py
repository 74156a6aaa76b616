"""What every sandbox backend must hold to, with real cells: how cells begin and end, whoever dies or gives up meanwhile.

What programs can do in them is in ``test_sandbox_conformance.py``. One suite, both backends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.agents import agents_of, make_file
from tests.groups import groups_of
from tests.integration.programs import DAEMON, PROCESSES, program

from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.sandbox import probes
from codesieve.workers.sandbox import worker as worker_module
from codesieve.workers.sandbox.backend import CellSpec
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.uids import identity_of
from codesieve.workers.sandbox.worker import Run, SandboxWorker
from codesieve.workers.types import Judgement, Verdict, WorkFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codesieve.workers.sandbox.backend import Backend
    from codesieve.workers.sandbox.cell import Cell

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEC = CellSpec(memory_bytes=2**30, scratch_bytes=2**25)


@pytest_asyncio.fixture(loop_scope="module")
async def backend(backend_name: str, runtime_dir: Path) -> AsyncIterator[Backend]:
    backend = choose_backend(backend_name, None, None, runtime_dir)
    await backend.start()
    yield backend
    await backend.stop()


async def test_programs_of_two_cells_cannot_reach_each_other(backend: Backend) -> None:
    cells = [await backend.make_cell(SPEC) for _ in range(2)]
    victim = program("import time\nopen('/tmp/secret', 'w').write('x')\ntime.sleep(1.5)")
    spy = program(
        f"import os, time\ntime.sleep(0.5)\n{PROCESSES}assert len(found) == 3, found\n"
        "assert not os.path.exists('/tmp/secret') and not os.listdir('/dev/shm')\n"
    )
    judgements = await asyncio.gather(Run(cells[0], victim, 1.0).judge(), Run(cells[1], spy, 1.0).judge())
    assert [judgement.verdict for judgement in judgements] == [Verdict.PASSED] * 2, judgements


async def test_a_killed_agent_loses_its_cell_and_the_program_is_judged_on_another(
    backend_name: str, runtime_dir: Path
) -> None:
    before = agents_of(runtime_dir)
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1)
    await worker.start()
    try:
        (agent_pid,) = agents_of(runtime_dir) - before
        await worker.submit([program("import time\ntime.sleep(1)", work_id=name) for name in ("a", "b", "c")])
        await asyncio.sleep(0.4)
        os.kill(agent_pid, signal.SIGKILL)
        found: dict[str, Judgement | WorkFailed] = {}
        while len(found) < 3:
            found.update({result.work_id: result for result in await worker.collect(60)})
        assert [getattr(result, "verdict", result) for result in found.values()] == [Verdict.PASSED] * 3
    finally:
        await worker.stop()
    assert agents_of(runtime_dir) <= before


async def test_a_cell_that_cannot_be_cleaned_is_given_up(backend: Backend, runtime_dir: Path) -> None:
    before = agents_of(runtime_dir)
    cell = await backend.make_cell(SPEC)
    (agent_pid,) = agents_of(runtime_dir) - before
    piece = program("pass")
    assert (await Run(cell, piece, 1.0).judge()).verdict is Verdict.PASSED
    make_file(agent_pid, "/tmp", "alien")
    assert (await Run(cell, piece, 1.0).judge()).verdict is Verdict.PASSED
    await asyncio.wait_for(cell.lost.wait(), 10)
    assert "a file of user" in cell.why
    with pytest.raises(CellLost):
        await Run(cell, piece, 1.0).judge()


async def test_a_program_cancelled_while_it_waits_for_a_fresh_judge_does_no_harm(backend: Backend) -> None:
    cell = await backend.make_cell(SPEC)
    try:
        for owner in ("one", "another"):
            piece = dataclasses.replace(program("pass"), owner=owner)
            async with asyncio.timeout(20):
                assert (await Run(cell, piece, 1.0).judge()).verdict is Verdict.PASSED
            leaving = asyncio.create_task(Run(cell, dataclasses.replace(piece, owner="gone"), 1.0).judge())
            await asyncio.sleep(0)  # far enough to have asked for the judge
            leaving.cancel()
            await asyncio.wait([leaving])
            await asyncio.sleep(0.3)  # the fresh judge is there now, and nobody waits for it
        async with asyncio.timeout(20):
            assert (await Run(cell, program("pass"), 1.0).judge()).verdict is Verdict.PASSED
        assert not cell.lost.is_set()
    finally:
        await cell.destroy()


async def test_a_killed_agent_is_no_verdict(backend: Backend, runtime_dir: Path) -> None:
    before = agents_of(runtime_dir)
    cell = await backend.make_cell(SPEC)
    (agent_pid,) = agents_of(runtime_dir) - before
    running = asyncio.create_task(Run(cell, program("import time\ntime.sleep(30)"), 1.0).judge())
    await asyncio.sleep(0.3)
    os.kill(agent_pid, signal.SIGKILL)
    with pytest.raises(CellLost):
        await running
    with pytest.raises(CellLost):
        await Run(cell, program("pass"), 1.0).judge()


async def test_a_cancelled_program_is_killed_and_its_cell_used_again(worker: SandboxWorker) -> None:
    await worker.submit([program("import time\ntime.sleep(25)", work_id="long"), program("pass", work_id="next")])
    await asyncio.sleep(0.3)
    await worker.cancel(["long"])
    found: dict[str, Judgement | WorkFailed] = {}
    while len(found) < 2:
        found.update({result.work_id: result for result in await worker.collect(10)})
    assert isinstance(found["long"], WorkFailed)
    assert found["long"].reason == "CANCELLED"
    following = found["next"]
    assert isinstance(following, Judgement)
    assert following.verdict is Verdict.PASSED


async def test_stop_leaves_nothing_behind(backend_name: str, runtime_dir: Path) -> None:
    def everything() -> list[object]:
        identity = identity_of(runtime_dir)
        containers: list[str] = []
        if backend_name == "docker":
            command = ["docker", "ps", "-aq", "--filter", f"label=codesieve.worker={identity}"]
            containers = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        groups = groups_of(identity)
        cells = sorted((runtime_dir / "cells").glob("*"))
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(runtime_dir) in line]
        return [containers, groups, cells, mounts, agents_of(runtime_dir)]

    before = everything()
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=2)
    await worker.start()
    assert everything() != before
    await worker.submit([program(DAEMON + "\ntime.sleep(30)", work_id=str(number)) for number in range(6)])
    await asyncio.sleep(0.3)
    await worker.stop()
    assert everything() == before


async def test_a_limit_that_does_not_hold_stops_the_worker(
    backend_name: str, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = probes.Probe("moon limit", "pass", Verdict.OUT_OF_MEMORY)
    monkeypatch.setattr("codesieve.workers.sandbox.worker.PROBES", (*probes.PROBES, loose))
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1)
    with pytest.raises(SandboxUnavailable, match="moon limit"):
        await worker.start()


async def test_a_cell_lost_while_limits_are_tried_proves_nothing(
    backend_name: str, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven = worker_module.prove
    losses = 0

    async def lossy(cell: Cell) -> None:
        nonlocal losses
        losses -= 1
        if losses >= 0:
            raise CellLost("moon limit: the machine was busy")
        await proven(cell)

    monkeypatch.setattr(worker_module, "prove", lossy)
    losses = worker_module.PROOFS - 1
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1)
    await worker.start()
    await worker.stop()
    losses = worker_module.PROOFS
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1)
    with pytest.raises(SandboxUnavailable, match=r"loses its cells while its limits are tried.*moon limit"):
        await worker.start()


async def test_a_dead_workers_cells_end_with_it_and_the_next_worker_tidies_up(
    backend_name: str, runtime_dir: Path
) -> None:
    def left_behind() -> set[Path]:
        return {*groups_of(identity_of(runtime_dir)), *(runtime_dir / "cells").glob("*")}

    before, before_files = agents_of(runtime_dir), left_behind()
    script = f"""
import asyncio
from pathlib import Path
from codesieve.workers.sandbox.backend import CellSpec
from codesieve.workers.sandbox.choose import choose_backend
async def main():
    backend = choose_backend({backend_name!r}, None, None, Path({str(runtime_dir)!r}))
    await backend.start()
    await backend.make_cell(CellSpec(2**29, 2**25))
    print("made", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    assert agents_of(runtime_dir) - before
    process.kill()
    await process.wait()
    async with asyncio.timeout(20):
        while agents_of(runtime_dir) - before:  # noqa: ASYNC110  (another process's end sets no event)
            await asyncio.sleep(0.05)
    assert left_behind() > before_files
    heir = choose_backend(backend_name, None, None, runtime_dir)
    await heir.start()
    assert left_behind() == before_files
    await heir.stop()
