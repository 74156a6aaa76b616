"""Verdicts that hold under load: 800 programs get the same verdicts one at a time and with eight times as many in flight as
this machine has cores.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from codesieve.server import datasets
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Judgement, Limits, Program, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BACKENDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("namespaces", marks=pytest.mark.namespaces),
]
COUNT = 800
LIMITS = Limits(cpu_time_seconds=1, wall_time_seconds=3)
HEAVY = "    import time\n    while time.process_time() < 0.5: pass\n"
KINDS = (
    # Under load these run for more than their wall time, alone for a sixth of it.
    (20, HEAVY + "{right}", Verdict.PASSED),
    (10, "    while True: pass\n", Verdict.TIMED_OUT),
    (6, "    import time\n    time.sleep(60)\n", Verdict.TIMED_OUT),
    (10, "    raise KeyError(1)\n", Verdict.RAISED),
    (10, "    import os\n    os._exit(0)\n", Verdict.CRASHED),
    (10, "    return [\n", Verdict.SYNTAX_ERROR),
    (10, "    x = bytearray(2**30)\n", Verdict.OUT_OF_MEMORY),
    (10, "    while True: print('x' * 10000)\n", Verdict.OUTPUT_LIMIT),
)


def make_programs() -> tuple[list[Program], dict[str, Verdict]]:
    """Programs, and the verdict each was made for."""
    problems = datasets.load("humaneval")
    bodies = [(body, verdict) for count, body, verdict in KINDS for _ in range(count)]
    bodies += [("{right}", Verdict.PASSED)] * (COUNT - len(bodies))
    programs, expected = [], {}
    for number, (body, verdict) in enumerate(bodies):
        problem = problems[number % len(problems)]
        completion = body.replace("{right}", problem.canonical_solution or "") + f"# {number}\n"
        programs.append(Program(str(number), problem, completion.encode(), LIMITS, "load"))
        expected[str(number)] = verdict
    random.Random(800).shuffle(programs)
    return programs, expected


async def verdicts(name: str, runtime_dir: Path, programs: Sequence[Program], cells: int) -> dict[str, Verdict]:
    worker = SandboxWorker(choose_backend(name, None, None, runtime_dir), cells=cells)
    await worker.start()
    try:
        found: dict[str, Verdict] = {}
        await worker.submit(programs)
        while len(found) < len(programs):
            for answer in await worker.collect(120):
                assert isinstance(answer, Judgement), answer
                found[answer.work_id] = answer.verdict
        return found
    finally:
        await worker.stop()


@pytest.mark.parametrize("name", BACKENDS)
async def test_load_changes_no_verdict(name: str, tmp_path: Path) -> None:
    programs, expected = make_programs()
    assert len(programs) == COUNT
    loaded = await verdicts(name, tmp_path / "loaded", programs, cells=8 * (os.cpu_count() or 1))
    wrong = {
        work_id: (expected[work_id], loaded[work_id])
        for work_id in expected
        if loaded[work_id] is not expected[work_id]
    }
    assert not wrong
    quiet = await verdicts(name, tmp_path / "quiet", programs, cells=1)
    assert quiet == loaded
