"""What a sandbox worker's metrics cost: judge throughput with and without them, in one run.

    python -m tests.benchmarks.bench_metrics [--blocks 8] [--turns 4] [--repeats 1] [--cells N]

Two workers, alike but that the one is measured as behind a front end with --metrics-listen and the other not, judge the same
programs (HumanEval's canonical solutions) in namespaces' cells, each through a pool of its own and one at a time: A B B A.
The measured one's metrics are read once a turn as well, which is more often than Prometheus does. Cells differ a little
among themselves for as long as they live, so each block has fresh ones and makes the other worker's first. A block's ratio
is of the time that each took in it, and what is told is the blocks' mean with its 95 % interval. What the judge in a cell
tells of a program's phases can't be switched off, and is in both. Ends with status 1 where the ratio is below the goal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from rich.console import Console

from codesieve.server import datasets
from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Judgement, Limits, Program, Verdict

GOAL = 0.98
SHARE = Share("bench", "bench")
STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Of its distribution with 1 degree of freedom and more, the quantile of a 95 % interval; from 10 on nearly 2.2."""


class Party:
    """A worker behind a pool."""

    def __init__(self, directory: str, cells: int, measured: bool) -> None:
        backend = choose_backend("namespaces", None, None, Path(directory))
        self.worker = SandboxWorker(backend, cells, measured=measured)
        self.pool: Pool[Program, Judgement] = Pool("sandbox", lambda: self.worker, 1)
        self.seconds = self.cpu_seconds = 0.0
        """Spent in `judge`; CPU time is this process's, the worker's and the pool's, and not that of cells."""

    async def judge(self, programs: Sequence[Program]) -> None:
        began, cpu_began = time.perf_counter(), time.process_time()
        answers = await asyncio.gather(*(self.pool.run(program, SHARE) for program in programs))
        await self.worker.metrics()
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.process_time() - cpu_began
        for answer in answers:
            if not isinstance(answer, Judgement) or answer.verdict is not Verdict.PASSED:
                raise SystemExit(f"a canonical solution did not pass, so nothing was measured: {answer}")


@contextlib.asynccontextmanager
async def parties(cells: int, block: int) -> AsyncIterator[tuple[Party, Party]]:
    """One without metrics and one with them, started and warm."""
    async with contextlib.AsyncExitStack() as stack:
        made: dict[bool, Party] = {}
        for measured in (False, True) if block % 2 else (True, False):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="codesieve-bench-"))
            made[measured] = Party(directory, cells, measured)
            await made[measured].pool.start()
            stack.push_async_callback(made[measured].pool.stop)
        yield made[False], made[True]


async def measure(options: argparse.Namespace, console: Console) -> list[float]:
    """The ratio of each block: programs a second with metrics / without."""
    problems = datasets.load("humaneval")
    programs = [
        Program(f"{problem.problem_id}-{repeat}", problem, (problem.canonical_solution or "").encode(), Limits())
        for repeat in range(options.repeats)
        for problem in problems
    ]
    ratios = []
    for block in range(options.blocks):
        async with parties(options.cells, block) as (without, measured):
            order = (without, measured) if block % 2 else (measured, without)
            for party in order:
                await party.judge(programs[: len(problems)])  # every test is compiled once in each
                party.seconds = party.cpu_seconds = 0.0
            for _ in range(options.turns):
                for party in (*order, *reversed(order)):
                    await party.judge(programs)
        count = 2 * options.turns * len(programs)
        ratios.append(without.seconds / measured.seconds)
        console.print(
            f"block {block + 1}: {count / without.seconds:.1f} programs/s without, "
            f"{count / measured.seconds:.1f} with metrics, ratio {ratios[-1]:.3f}; CPU of the worker "
            f"{without.cpu_seconds / count * 1e3:.2f} and {measured.cpu_seconds / count * 1e3:.2f} ms a program",
            highlight=False,
            soft_wrap=True,
        )
    return ratios


def spread(ratios: Sequence[float]) -> tuple[float, float]:
    """The mean of ratios and half of its 95 % interval."""
    logarithms = [math.log(ratio) for ratio in ratios]
    mean = math.exp(statistics.mean(logarithms))
    quantile = STUDENT[len(ratios) - 2] if len(ratios) - 2 < len(STUDENT) else 2.2
    return mean, mean * quantile * statistics.stdev(logarithms) / math.sqrt(len(ratios))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what a sandbox worker's metrics cost.")
    parser.add_argument("--blocks", type=int, default=8, help="pairs of workers, 2 or more (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=4, help="of A B B A in each block (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=1, help="of the 164 programs in a turn (default: %(default)s)")
    parser.add_argument(
        "--cells", type=int, default=2 * (os.cpu_count() or 1), help="of a worker (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.blocks < 2:
        parser.error("--blocks: one alone has no spread; take 2 or more")
    console = Console()
    mean, half = spread(asyncio.run(measure(options, console)))
    told = f"programs/s with metrics / without {mean:.3f} ± {half:.3f}   (at least {GOAL})"
    console.print(told, highlight=False)
    return 0 if mean >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
