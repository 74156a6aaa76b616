"""Many programs through one worker: whether memory, descriptors, processes and containers stay what they were.

    python tests/benchmarks/soak.py [--programs 50000] [--sandbox namespaces] [--steps 10]

The programs are HumanEval's canonical solutions, wrong ones among them and some that are killed, leave files, fork, print a
lot or return what is too large. After each step it prints what the worker's process and its cells hold. Ends with status 1
where the last look finds more than the second by more than a twentieth (memory) or at all (the rest); at the first, prepared
tests and the allocator's own stock are still growing.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from peers import judge_with_worker, sandbox_worker
from rich.console import Console
from rich.table import Table

from codesieve.server import datasets
from codesieve.server.factories import CELLS_PER_CORE
from codesieve.workers.types import Judgement, Limits, Program

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(cpu_time_seconds=2, wall_time_seconds=10)
ODD = (
    "    return None\n",
    "    open('left', 'w').write('x' * 1000)\n    return None\n",
    "    import os\n    os.fork()\n    return None\n",
    "    print('x' * 100000)\n",
    "    import os\n    os.kill(os.getpid(), 9)\n",
    "    return [0] * 10**7\n",
    "    import threading, time\n    threading.Thread(target=time.sleep, args=(9,)).start()\n",
    "    import os\n    os._exit(0)\n",
)
ODD_SHARE = 10
"""One program in this many is odd."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What a worker and its cells hold at one time."""

    programs: int
    worker_mib: float
    cells_mib: float
    descriptors: int
    processes: int
    containers: int


def programs(count: int) -> Iterator[Program]:
    problems = datasets.load("humaneval")
    for number in range(count):
        problem = problems[number % len(problems)]
        body = problem.canonical_solution or ""
        if number % ODD_SHARE == 0:
            body = ODD[number // ODD_SHARE % len(ODD)]
        yield Program(str(number), problem, f"{body}# {number}\n".encode(), LIMITS, "soak")


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def cells_of(sandbox: str) -> tuple[list[int], int]:
    """The processes of the worker's cells, and the number of its containers."""
    if sandbox == "namespaces":
        return descendants(os.getpid()), 0
    listed = subprocess.run(
        ["docker", "ps", "-q", "--filter", "label=codesieve.worker"], capture_output=True, text=True
    )
    names = listed.stdout.split()
    pids = []
    for name in names:
        inspected = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", name], capture_output=True, text=True)
        pid = int(inspected.stdout or 0)
        pids += [pid, *descendants(pid)]
    return pids, len(names)


def resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def look(sandbox: str, done: int) -> Held:
    pids, containers = cells_of(sandbox)
    return Held(
        done,
        resident_mib(os.getpid()),
        sum(map(resident_mib, pids)),
        len(os.listdir("/proc/self/fd")),
        len(pids),
        containers,
    )


async def soak(sandbox: str, total: int, steps: int, console: Console) -> list[Held]:
    held = []
    async with sandbox_worker(sandbox, image=None, cells=CELLS_PER_CORE * (os.cpu_count() or 1)) as (worker, info):
        stream = programs(total)
        began = time.monotonic()
        for step in range(steps):
            batch = [next(stream) for _ in range(total // steps)]
            answers = await judge_with_worker(worker, batch, info.capacity)
            failed = [answer for answer in answers.values() if not isinstance(answer, Judgement)]
            if failed:
                raise SystemExit(f"{len(failed)} programs were not judged, the first: {failed[0]}")
            held.append(look(sandbox, (step + 1) * len(batch)))
            console.print(f"{held[-1].programs} programs in {time.monotonic() - began:.0f} s: {held[-1]}")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description="Judges many programs and watches what the worker holds.")
    parser.add_argument("--programs", type=int, default=50_000)
    parser.add_argument("--sandbox", choices=("namespaces", "docker"), default="namespaces")
    parser.add_argument("--steps", type=int, default=10, help="how often to look")
    options = parser.parse_args()
    console = Console()
    held = asyncio.run(soak(options.sandbox, options.programs, options.steps, console))
    table = Table("", *(str(row.programs) for row in held), title=f"{options.sandbox}: held after so many programs")
    for field in dataclasses.fields(Held)[1:]:
        table.add_row(field.name, *(f"{getattr(row, field.name):.0f}" for row in held))
    console.print(table)
    before, last = held[1], held[-1]
    grew = last.worker_mib > 1.05 * before.worker_mib or last.cells_mib > 1.05 * before.cells_mib
    leaked = any(getattr(last, name) > getattr(before, name) for name in ("descriptors", "processes", "containers"))
    return 1 if grew or leaked else 0


if __name__ == "__main__":
    sys.exit(main())
